//! Text of a log line that is borrowed from the line wherever nothing in it is escaped.

use std::borrow::Cow;
use std::ops::Deref;

use serde::Deserialize;

/// A text of a line. Serde borrows a `Cow` only where it is a field by itself: in lists and options this stands in its place.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Text<'a> {
    /// Returns it without the wrapping.
    pub(super) fn into_inner(self) -> Cow<'a, str> {
        self.0
    }

    /// Returns it as a text of its own.
    pub(super) fn into_owned(self) -> String {
        self.0.into_owned()
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_escaped_is_copied() {
        let texts: Vec<Text<'_>> = serde_json::from_str(r#"["plain","a\"b"]"#).expect("a list");
        let [plain, escaped] = texts.try_into().expect("two texts");
        assert!(matches!(plain.into_inner(), Cow::Borrowed("plain")));
        assert!(matches!(escaped.into_inner(), Cow::Owned(text) if text == "a\"b"));
    }
}
