//! HTML and XML entities: the few named ones that matter to a detector, and numbers.

/// Which entities are resolved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Entities {
    /// Named ones and numbers.
    All,
    /// Numbers. Authors do not write `&#60;` to show markup, so what they hide counts in full.
    Numeric,
}

/// Resolves entities; none when nothing changes.
pub(crate) fn resolve(text: &str, entities: Entities) -> Option<String> {
    if !text.contains('&') {
        return None;
    }
    let mut resolved = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = rest.find('&') {
        resolved.push_str(&rest[..at]);
        if let Some((character, length)) = entity(&rest[at + 1..], entities) {
            resolved.push(character);
            rest = &rest[at + 1 + length..];
            changed = true;
        } else {
            resolved.push('&');
            rest = &rest[at + 1..];
        }
    }
    resolved.push_str(rest);
    changed.then_some(resolved)
}

fn entity(text: &str, entities: Entities) -> Option<(char, usize)> {
    if let Some(number) = text.strip_prefix('#') {
        return numeric(number).map(|(character, length)| (character, length + 1));
    }
    match entities {
        Entities::Numeric => None,
        Entities::All => NAMED
            .iter()
            .find(|(name, _)| text.starts_with(name))
            .map(|(name, character)| (*character, name.len())),
    }
}

// Browsers do without the semicolon.
fn numeric(text: &str) -> Option<(char, usize)> {
    let (digits, radix, prefix) = match text.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16, 1),
        None => (text, 10, 0),
    };
    let length = digits
        .bytes()
        .take(MOST_DIGITS)
        .take_while(|digit| char::from(*digit).is_digit(radix))
        .count();
    let code = u32::from_str_radix(&digits[..length], radix).ok()?;
    let semicolon = usize::from(digits[length..].starts_with(';'));
    char::from_u32(code).map(|character| (character, prefix + length + semicolon))
}

const NAMED: &[(&str, char)] = &[
    ("amp;", '&'),
    ("apos;", '\''),
    ("bsol;", '\\'),
    ("colon;", ':'),
    ("dollar;", '$'),
    ("equals;", '='),
    ("excl;", '!'),
    ("grave;", '`'),
    ("gt;", '>'),
    ("lbrace;", '{'),
    ("lcub;", '{'),
    ("lpar;", '('),
    ("lt;", '<'),
    ("nbsp;", ' '),
    ("NewLine;", '\n'),
    ("num;", '#'),
    ("percnt;", '%'),
    ("period;", '.'),
    ("quot;", '"'),
    ("rbrace;", '}'),
    ("rcub;", '}'),
    ("rpar;", ')'),
    ("semi;", ';'),
    ("sol;", '/'),
    ("Tab;", '\t'),
    ("vert;", '|'),
];
// Browsers take leading zeros; more of them than this is not in use.
const MOST_DIGITS: usize = 10;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("&#60;b&#x3e;", "<b>")]
    #[case("&#0000060b", "<b")]
    #[case("&#X3C;", "<")]
    #[case("&lt;b&gt;", "<b>")]
    #[case("&amp;lt;", "&lt;")]
    #[case("&period;&period;&sol;", "../")]
    #[case("a & b &unknown; &#; &#x; &", "a & b &unknown; &#; &#x; &")]
    #[case("&#99999999999;", "&#99999999999;")]
    #[case("&#1114112;", "&#1114112;")]
    fn entities_are_resolved_once(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(
            resolve(text, Entities::All).unwrap_or_else(|| text.into()),
            expected
        );
    }

    #[test]
    fn named_entities_stay_when_only_numbers_are_asked_for() {
        assert_eq!(
            resolve("&lt;&#98;", Entities::Numeric),
            Some("&lt;b".into())
        );
        assert_eq!(resolve("&lt;b&gt;", Entities::Numeric), None);
    }
}
