//! Length-prefixed gRPC messages out of the data of one direction of a stream.

use std::borrow::Cow;

/// How long a message may be that is kept, in bytes. Longer ones are skipped and said.
pub(crate) const MESSAGE_BYTES: usize = 8 * 1024 * 1024;

/// The length of a message's prefix: a flag for compression and the length.
pub(crate) const MESSAGE_PREFIX: usize = 5;

/// A message, or why it is not there.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Message<'a> {
    /// The whole message.
    Whole(Cow<'a, [u8]>),
    /// It is longer than is kept; said when it begins.
    TooLong(usize),
    /// It is compressed, which no reader here supports; said when it begins.
    Compressed,
}

/// Reads the messages of one direction of a stream.
#[derive(Debug)]
pub(crate) struct MessageReader(State);

#[derive(Debug)]
enum State {
    Prefix {
        octets: [u8; MESSAGE_PREFIX],
        filled: usize,
    },
    Kept {
        length: usize,
        octets: Vec<u8>,
    },
    Skipped {
        remaining: usize,
    },
}

const NO_PREFIX: State = State::Prefix {
    octets: [0; MESSAGE_PREFIX],
    filled: 0,
};

impl Default for MessageReader {
    fn default() -> Self {
        Self(NO_PREFIX)
    }
}

impl MessageReader {
    /// Takes from `input` up to the next message; none when more input is needed.
    pub(crate) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Message<'a>> {
        loop {
            match &mut self.0 {
                State::Prefix { octets, filled } => {
                    let seen = take(input, MESSAGE_PREFIX - *filled);
                    octets[*filled..*filled + seen.len()].copy_from_slice(seen);
                    *filled += seen.len();
                    if *filled < MESSAGE_PREFIX {
                        return None;
                    }
                    let [compressed, length @ ..] = *octets;
                    let length = u32::from_be_bytes(length);
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    if compressed == 0 && length <= MESSAGE_BYTES {
                        self.0 = State::Kept {
                            length,
                            octets: Vec::new(),
                        };
                        continue;
                    }
                    self.0 = State::Skipped { remaining: length };
                    return Some(match compressed {
                        0 => Message::TooLong(length),
                        _ => Message::Compressed,
                    });
                }
                State::Kept { length, octets } => {
                    let seen = take(input, *length - octets.len());
                    if octets.len() + seen.len() < *length {
                        octets.extend_from_slice(seen);
                        return None;
                    }
                    let whole = if octets.is_empty() {
                        Cow::Borrowed(seen)
                    } else {
                        octets.extend_from_slice(seen);
                        Cow::Owned(std::mem::take(octets))
                    };
                    self.0 = NO_PREFIX;
                    return Some(Message::Whole(whole));
                }
                State::Skipped { remaining } => {
                    *remaining -= take(input, *remaining).len();
                    if *remaining > 0 {
                        return None;
                    }
                    self.0 = NO_PREFIX;
                }
            }
        }
    }

    /// Returns how many bytes are kept of a message that is not whole.
    pub(crate) const fn held(&self) -> usize {
        match &self.0 {
            State::Kept { octets, .. } => octets.capacity(),
            State::Prefix { .. } | State::Skipped { .. } => 0,
        }
    }

    /// Tells whether the data so far ends between messages.
    pub(crate) const fn is_between_messages(&self) -> bool {
        matches!(&self.0, State::Prefix { filled: 0, .. })
    }
}

/// Takes at most `count` bytes.
fn take<'a>(input: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(count.min(input.len()));
    *input = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_wire::message;

    #[test]
    fn messages_may_be_cut_anywhere() {
        let data = [message(b"abc"), message(b""), message(b"d")].concat();
        for size in 1..=data.len() {
            let mut reader = MessageReader::default();
            let mut messages = Vec::new();
            for mut piece in data.chunks(size) {
                while let Some(Message::Whole(message)) = reader.next(&mut piece) {
                    messages.push(message.into_owned());
                }
            }
            assert_eq!(messages, [&b"abc"[..], b"", b"d"]);
            assert!(reader.is_between_messages());
        }
    }

    #[test]
    fn what_is_not_kept_is_skipped() {
        let mut long = vec![0];
        let length = MESSAGE_BYTES + 1;
        long.extend(u32::try_from(length).unwrap().to_be_bytes());
        let mut reader = MessageReader::default();
        let mut input = &long[..];
        assert_eq!(reader.next(&mut input), Some(Message::TooLong(length)));
        let content = vec![0; length];
        assert_eq!(reader.next(&mut &content[..length - 1]), None);
        assert_eq!(reader.held(), 0);
        assert!(!reader.is_between_messages());
        let rest = [&[0][..], &[1, 0, 0, 0, 2, 0, 0], &message(b"a")].concat();
        let mut input = &rest[..];
        assert_eq!(reader.next(&mut input), Some(Message::Compressed));
        let next = Message::Whole(Cow::Borrowed(b"a"));
        assert_eq!(reader.next(&mut input), Some(next));
    }

    #[test]
    fn memory_is_taken_as_bytes_come() {
        let mut reader = MessageReader::default();
        let mut prefix = vec![0];
        prefix.extend(u32::try_from(MESSAGE_BYTES).unwrap().to_be_bytes());
        assert_eq!(reader.next(&mut &prefix[..]), None);
        assert!(reader.held() < 64);
    }
}
