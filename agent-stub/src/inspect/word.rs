//! Words that are searched for without regard to case, and without a copy of the text.

use crate::inspect::characters::Characters;

/// A word in lower case that has some punctuation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    text: &'static str,
    characters: Characters,
    // The place of its first character that is no letter: rarer in texts than letters, and the same in both cases.
    mark: usize,
}

impl Word {
    /// Takes a word.
    pub(crate) const fn of(text: &'static str) -> Self {
        let bytes = text.as_bytes();
        let mut mark = 0;
        while bytes[mark].is_ascii_alphabetic() {
            mark += 1;
        }
        Self {
            text,
            characters: Characters::of(text),
            mark,
        }
    }

    /// Says whether a text with these characters has the word.
    pub(crate) fn is_in(&self, text: &str, characters: Characters) -> bool {
        let mark = char::from(self.text.as_bytes()[self.mark]);
        characters.has_all(self.characters)
            && text
                .match_indices(mark)
                .filter_map(|(at, _)| at.checked_sub(self.mark))
                .any(|start| starts_with(&text.as_bytes()[start..], self.text))
    }
}

fn starts_with(bytes: &[u8], word: &str) -> bool {
    bytes
        .get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ab.cd", true)]
    #[case("xxAB.Cdxx", true)]
    #[case("b.ab.cd", true)]
    #[case(".éab.c", false)]
    #[case("b.cd", false)]
    #[case("abcd", false)]
    #[case("", false)]
    fn a_word_is_found_in_either_case(#[case] text: &str, #[case] expected: bool) {
        let word = Word::of("ab.cd");
        assert_eq!(word.is_in(text, Characters::of(text)), expected);
        assert_eq!(word.is_in(text, Characters::UNKNOWN), expected);
    }
}
