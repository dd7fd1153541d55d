//! JNDI look-ups in the `${…}` notation of Log4j, with nested look-ups resolved as Log4j would resolve them.

use crate::inspect::characters::Characters;

/// Returns the detector's name when expanding the text would reach a JNDI look-up.
pub(crate) fn detect(text: &str, characters: Characters) -> Option<String> {
    if !characters.has_all(OPENING) {
        return None;
    }
    let mut rest = &text[text.find("${")?..];
    // The contents of the look-ups that are open at this point, the innermost last.
    let mut open: Vec<String> = Vec::new();
    while let Some(character) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("${") {
            if open.len() < DEEPEST {
                open.push(String::new());
            }
            rest = after;
            continue;
        }
        rest = &rest[character.len_utf8()..];
        if character == '}' {
            let Some(content) = open.pop() else { continue };
            append(open.last_mut(), expanded(&content));
        } else {
            append(open.last_mut(), character.encode_utf8(&mut [0; 4]));
        }
        if open
            .last()
            .is_some_and(|content| content.starts_with("jndi:"))
        {
            return Some("STUB-JNDI".into());
        }
    }
    open.iter()
        .any(|content| content.starts_with("jndi:"))
        .then(|| "STUB-JNDI".into())
}

fn append(open: Option<&mut String>, text: &str) {
    if let Some(content) = open
        && content.len() < LONGEST_CONTENT
    {
        content.extend(text.chars().map(|character| character.to_ascii_lowercase()));
    }
}

// `${lower:j}` is `j`, so is `${date:'j'}`, `${env:NONE:-j}` and `${::-j}` are their default `j`, anything else counts as unset and so as nothing.
fn expanded(content: &str) -> &str {
    if let Some((_, default)) = content.split_once(":-") {
        return default;
    }
    match content.split_once(':') {
        Some(("lower" | "upper", letters)) => letters,
        Some(("date", pattern)) => pattern.trim_matches('\''),
        Some((_, _)) | None => "",
    }
}

const OPENING: Characters = Characters::of("${");
const DEEPEST: usize = 32;
const LONGEST_CONTENT: usize = 1024;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("${jndi:ldap://a/b}")]
    #[case("${JNDI:rmi://a/b}")]
    #[case("before ${jndi:dns://a")]
    #[case("${${lower:j}ndi:ldap://a}")]
    #[case("${${lower:j}${upper:n}${lower:d}i:ldap://a}")]
    #[case("${${::-j}${::-n}${::-d}${::-i}:${::-l}dap://a}")]
    #[case("${${env:NOTHING:-j}ndi${env:NOTHING:-:}ldap://a}")]
    #[case("${${lower:${lower:jndi}}:ldap://a}")]
    #[case("${${date:'j'}ndi:ldap://a}")]
    #[case("${a} ${jn${x}di:ldap://a}")]
    fn a_look_up_is_found_however_it_is_nested(#[case] text: &str) {
        assert!(detect(text, Characters::of(text)).is_some(), "{text}");
    }

    #[rstest]
    #[case("${name}")]
    #[case("${HOME}/bin and ${PATH}")]
    #[case("jndi:ldap://a")]
    #[case("cost: ${ jndi }")]
    #[case("}${{}}")]
    #[case("${")]
    fn other_braces_pass(#[case] text: &str) {
        assert_eq!(detect(text, Characters::of(text)), None);
    }
}
