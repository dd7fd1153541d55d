//! Comma-separated lists of `name:value` pairs and of names, as header and query settings write them.

/// One header or query parameter with the value to give it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderSetting {
    /// The name: lower-case for a header, as written for a query parameter.
    pub name: String,
    /// The value; header settings may hold `$AgentResponse`, `$RequestID` and `$TagList`.
    pub value: String,
}

/// Why a list cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HeaderListError {
    /// A pair has no colon.
    #[error("`{item}` is not `name:value`")]
    NoColon {
        /// The pair.
        item: String,
    },
    /// A name is empty or has a character that no name may have.
    #[error("`{name}` is not a valid name")]
    BadName {
        /// The name.
        name: String,
    },
    /// A value has a control character.
    #[error("the value of `{name}` holds a control character")]
    BadValue {
        /// The name whose value is bad.
        name: String,
    },
}

/// Reads `name:value,name:value`.
///
/// # Errors
///
/// A pair has no colon, a name is not a token, or a value holds a control character.
pub fn parse_header_list(text: &str) -> Result<Vec<HeaderSetting>, HeaderListError> {
    items(text)
        .map(|item| {
            let (name, value) = item
                .split_once(':')
                .ok_or_else(|| HeaderListError::NoColon { item: item.into() })?;
            let name = checked_name(name)?;
            if value.chars().any(char::is_control) {
                return Err(HeaderListError::BadValue { name });
            }
            Ok(HeaderSetting {
                name,
                value: value.trim().into(),
            })
        })
        .collect()
}

/// Reads `name,name`.
///
/// # Errors
///
/// A name is not a token.
pub fn parse_names(text: &str) -> Result<Vec<String>, HeaderListError> {
    items(text).map(checked_name).collect()
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn checked_name(name: &str) -> Result<String, HeaderListError> {
    let name = name.trim();
    let is_token = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    if is_token {
        Ok(name.into())
    } else {
        Err(HeaderListError::BadName { name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_split_at_their_first_colon() {
        let list = parse_header_list("x-one: 1, x-two:http://a/").expect("a valid list");
        assert_eq!(
            list,
            [
                HeaderSetting {
                    name: "x-one".into(),
                    value: "1".into()
                },
                HeaderSetting {
                    name: "x-two".into(),
                    value: "http://a/".into()
                },
            ]
        );
    }

    #[test]
    fn a_pair_without_colon_or_with_a_bad_name_or_value_is_refused() {
        assert!(matches!(
            parse_header_list("x-one"),
            Err(HeaderListError::NoColon { .. })
        ));
        assert!(matches!(
            parse_header_list("x one:1"),
            Err(HeaderListError::BadName { .. })
        ));
        assert!(matches!(
            parse_header_list(":1"),
            Err(HeaderListError::BadName { .. })
        ));
        assert!(matches!(
            parse_header_list("x:a\r\nb"),
            Err(HeaderListError::BadValue { .. })
        ));
    }

    #[test]
    fn an_empty_list_is_empty() {
        assert_eq!(parse_names(" , "), Ok(vec![]));
    }
}
