//! Cross-site scripting: libinjection's verdict, and its verdict on the value as the target of a link.

use libinjectionrs::detect_xss;

/// Returns the detector's name when the text is script in some context of a page.
pub(crate) fn detect(text: &str) -> Option<String> {
    // libinjection also tries the text as an unquoted attribute, where `style=modern` is a finding. An attack needs some
    // way out of the attribute or a call.
    if text.contains(['<', '>', '"', '\'', '`', '(']) && detect_xss(text.as_bytes()).is_injection()
    {
        return Some("LIBINJECTION-XSS".into());
    }
    is_script_link(text).then(|| "LIBINJECTION-XSS-LINK".into())
}

fn is_script_link(text: &str) -> bool {
    let compact: String = text
        .chars()
        .filter(|character| !character.is_control() && *character != ' ')
        .take(LINK_CHARACTERS)
        .collect::<String>()
        .to_ascii_lowercase();
    let names_script = ["javascript:", "vbscript:"]
        .iter()
        .any(|scheme| compact.starts_with(scheme));
    // `javascript: the good parts` is a title; code that does anything calls, assigns or evaluates.
    names_script
        && compact.contains(['(', '`', '='])
        && detect_xss(format!("<a href=\"{}\">", compact.replace('"', "")).as_bytes())
            .is_injection()
}

const LINK_CHARACTERS: usize = 256;
