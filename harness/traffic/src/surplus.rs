//! Counts what follows an answer on its connection unsolicited: the mark of a
//! request that two readers cut differently. It does no I/O.

use crate::request_bytes::AnswerBody;
use crate::response::{ParseProgress, ResponseParser};

/// The most bytes that are counted.
const SURPLUS_LIMIT: u64 = 1024 * 1024;

/// What has followed an answer so far.
#[derive(Debug)]
pub(crate) struct Surplus {
    bytes: u64,
    responses: u32,
    parser: Option<ResponseParser>,
}

impl Surplus {
    /// Starts after an answer.
    pub(crate) fn new() -> Self {
        Self {
            bytes: 0,
            responses: 0,
            parser: Some(new_parser()),
        }
    }

    /// Returns how many bytes have come.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns how many complete answers have come.
    pub(crate) fn responses(&self) -> u32 {
        self.responses
    }

    /// Returns whether no more is counted.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes == SURPLUS_LIMIT
    }

    /// Takes the next bytes.
    pub(crate) fn read(&mut self, mut input: &[u8]) {
        let remaining = usize::try_from(SURPLUS_LIMIT - self.bytes).unwrap_or(usize::MAX);
        input = &input[..input.len().min(remaining)];
        self.bytes += input.len() as u64;
        while !input.is_empty() {
            let Some(parser) = &mut self.parser else {
                return;
            };
            match parser.read(input) {
                Ok(ParseProgress::Complete { surplus }) => {
                    self.responses += 1;
                    self.parser = Some(new_parser());
                    input = &input[input.len() - surplus..];
                }
                Ok(ParseProgress::Incomplete) => return,
                // What is no answer is still counted in bytes.
                Err(_) => self.parser = None,
            }
        }
    }

    /// Notes that the other side has closed, which completes an answer without a length.
    pub(crate) fn note_close(&mut self) {
        if let Some(mut parser) = self.parser.take()
            && parser.note_close() == Ok(true)
        {
            self.responses += 1;
        }
    }
}

fn new_parser() -> ResponseParser {
    ResponseParser::new(AnswerBody::Possible, SURPLUS_LIMIT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TWO: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 404 No\r\n\r\nuntil close";

    proptest! {
        #[test]
        fn answers_are_counted_however_they_are_split(
            mut cuts in proptest::collection::vec(0..TWO.len(), 0..8),
        ) {
            cuts.sort_unstable();
            cuts.push(TWO.len());
            let mut surplus = Surplus::new();
            let mut from = 0;
            for to in cuts {
                surplus.read(&TWO[from..to]);
                from = to;
            }
            prop_assert_eq!((surplus.responses(), surplus.bytes()), (1, TWO.len() as u64));
            surplus.note_close();
            prop_assert_eq!(surplus.responses(), 2);
        }

        #[test]
        fn arbitrary_bytes_are_counted(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let mut surplus = Surplus::new();
            surplus.read(&bytes);
            prop_assert_eq!(surplus.bytes(), bytes.len() as u64);
        }
    }

    #[test]
    fn what_is_no_answer_is_counted_in_bytes_only() {
        let mut surplus = Surplus::new();
        surplus.read(b"\0\0\0nonsense");
        surplus.read(TWO);
        assert_eq!(surplus.responses(), 0);
        assert_eq!(surplus.bytes(), 11 + TWO.len() as u64);
    }

    #[test]
    fn an_endless_surplus_is_counted_to_its_bound() {
        let mut surplus = Surplus::new();
        surplus.read(&vec![b'x'; 2 * 1024 * 1024]);
        surplus.read(b"more");
        assert_eq!(surplus.bytes(), SURPLUS_LIMIT);
        assert!(surplus.is_full());
    }
}
