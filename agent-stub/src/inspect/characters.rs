//! Which characters a text has: one pass over it, after which most detectors know that they need not look.

/// A set of characters. Punctuation, common white space and the null byte are told apart; letters, digits, other control
/// characters, and all that is not ASCII, are one member each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Characters(u64);

impl Characters {
    /// ASCII letters, digits and the underscore.
    pub(crate) const WORD: Self = Self::of("a0_");
    /// ASCII digits.
    pub(crate) const DIGITS: Self = Self::of("0");

    /// Returns the characters of a text.
    pub(crate) const fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut found = 0;
        let mut at = 0;
        while at < bytes.len() {
            found |= MEMBERS[bytes[at] as usize];
            at += 1;
        }
        Self(found)
    }

    /// Says whether one of these is there.
    pub(crate) const fn has_any(self, these: Self) -> bool {
        self.0 & these.0 != 0
    }

    /// Says whether all of these are there.
    pub(crate) const fn has_all(self, these: Self) -> bool {
        self.0 & these.0 == these.0
    }

    /// Says whether nothing but these is there.
    pub(crate) const fn are_among(self, these: Self) -> bool {
        self.0 & !these.0 == 0
    }
}

#[cfg(test)]
impl Characters {
    /// What nothing can be concluded from.
    pub(crate) const UNKNOWN: Self = Self(u64::MAX);

    /// Adds characters.
    pub(crate) const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

const TOLD_APART: &[u8] = b"\0\t\n\r !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const LETTER: u64 = 1 << TOLD_APART.len();
const DIGIT: u64 = LETTER << 1;
const CONTROL: u64 = LETTER << 2;
const NOT_ASCII: u64 = LETTER << 3;

const MEMBERS: [u64; 256] = members();

const fn members() -> [u64; 256] {
    let mut members = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        members[byte] = member(byte);
        byte += 1;
    }
    members
}

const fn member(byte: usize) -> u64 {
    let mut place = 0;
    while place < TOLD_APART.len() {
        if TOLD_APART[place] as usize == byte {
            return 1 << place;
        }
        place += 1;
    }
    match byte {
        0x30..=0x39 => DIGIT,
        0x41..=0x5a | 0x61..=0x7a => LETTER,
        0..=0x7f => CONTROL,
        _ => NOT_ASCII,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_has_one_member_and_punctuation_one_of_its_own() {
        for byte in 0..=0x7f_u8 {
            let member = MEMBERS[usize::from(byte)];
            assert_eq!(member.count_ones(), 1, "{byte}");
            let sharing = (0..=0x7f_u8).filter(|other| MEMBERS[usize::from(*other)] == member);
            if byte.is_ascii_punctuation() {
                assert_eq!(sharing.count(), 1, "{byte}");
            }
        }
    }

    #[test]
    fn sets_are_compared() {
        let text = Characters::of("a.b-c");
        assert!(text.has_any(Characters::of("-+")) && !text.has_any(Characters::of("+0")));
        assert!(text.has_all(Characters::of("z.")) && !text.has_all(Characters::of("z+")));
        assert!(text.are_among(Characters::of("z.-+")) && !text.are_among(Characters::of("z.")));
        assert!(Characters::of("é").are_among(Characters::of("ü")));
    }
}
