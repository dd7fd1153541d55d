//! Cross-site scripting: libinjection's verdict, and its verdict on the value as the target of a link.

use libinjectionrs::detect_xss;

use crate::inspect::characters::Characters;

/// Returns the detector's name when the text is script in some context of a page.
pub(crate) fn detect(text: &str, characters: Characters) -> Option<String> {
    // libinjection also tries the text as an unquoted attribute, where `style=modern` is a finding. An attack needs some
    // way out of the attribute or a call.
    if characters.has_any(WAYS_OUT)
        && text.contains(['<', '>', '"', '\'', '`', '('])
        && detect_xss(text.as_bytes()).is_injection()
    {
        return Some("LIBINJECTION-XSS".into());
    }
    (characters.has_any(SCHEME_END) && is_script_link(text)).then(|| "LIBINJECTION-XSS-LINK".into())
}

const WAYS_OUT: Characters = Characters::of("<>\"'`(");
const SCHEME_END: Characters = Characters::of(":");

fn is_script_link(text: &str) -> bool {
    let compact = text
        .chars()
        .filter(|character| !character.is_control() && *character != ' ')
        .take(LINK_CHARACTERS)
        .map(|character| character.to_ascii_lowercase());
    let names_script = ["javascript:", "vbscript:"].iter().any(|scheme| {
        let start = compact.clone().take(scheme.len());
        start.eq(scheme.chars())
    });
    if !names_script {
        return false;
    }
    let compact: String = compact.collect();
    // `javascript: the good parts` is a title; code that does anything calls, assigns or evaluates.
    compact.contains(['(', '`', '='])
        && detect_xss(format!("<a href=\"{}\">", compact.replace('"', "")).as_bytes())
            .is_injection()
}

const LINK_CHARACTERS: usize = 256;
