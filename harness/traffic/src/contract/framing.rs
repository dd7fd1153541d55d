//! gRPC's framing of messages, and of a deadline.

use std::time::Duration;

/// The bytes before each message: a flag and a length.
const PREFIX_BYTES: usize = 5;
/// The most bytes that are taken of an answer, all messages together.
const ANSWER_LIMIT: usize = 256 * 1024;
/// The most digits of a `grpc-timeout`.
const TIMEOUT_LIMIT: u128 = 99_999_999;

/// Why an answer is no sequence of messages.
#[derive(Debug, thiserror::Error)]
pub(super) enum FramingError {
    /// A message is compressed, which was not offered.
    #[error("a message is compressed")]
    Compressed,
    /// The answer is over the bound.
    #[error("the messages are longer than {ANSWER_LIMIT} bytes")]
    TooLong,
    /// The answer ends inside a message.
    #[error("the answer ends within a message")]
    Truncated,
}

/// Returns a message with its prefix.
pub(super) fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("the plan's bound is below 4 GiB");
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + message.len());
    bytes.push(0);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(message);
    bytes
}

/// Returns a span as `grpc-timeout` writes it.
pub(super) fn timeout_field(span: Duration) -> String {
    let millis = span.as_millis();
    if millis <= TIMEOUT_LIMIT {
        return format!("{millis}m");
    }
    format!("{}S", span.as_secs().min(99_999_999))
}

/// Collects the bytes of an answer.
#[derive(Debug, Default)]
pub(super) struct AnswerBuffer(Vec<u8>);

impl AnswerBuffer {
    /// Adds what has come.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), FramingError> {
        if self.0.len() + bytes.len() > ANSWER_LIMIT {
            return Err(FramingError::TooLong);
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// Returns the messages without their prefixes.
    pub(super) fn messages(&self) -> Result<Vec<&[u8]>, FramingError> {
        let mut messages = Vec::new();
        let mut rest = self.0.as_slice();
        while !rest.is_empty() {
            let (prefix, after) = rest
                .split_first_chunk::<PREFIX_BYTES>()
                .ok_or(FramingError::Truncated)?;
            let [flag, length @ ..] = *prefix;
            if flag != 0 {
                return Err(FramingError::Compressed);
            }
            let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            let (message, after) = after
                .split_at_checked(length)
                .ok_or(FramingError::Truncated)?;
            messages.push(message);
            rest = after;
        }
        Ok(messages)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn framed_messages_come_back_in_whatever_pieces() {
        let bytes = [frame(b"one"), frame(b""), frame(b"three")].concat();
        let mut answer = AnswerBuffer::default();
        for piece in bytes.chunks(2) {
            answer.add(piece).expect("within the bound");
        }
        let messages = answer.messages().expect("well framed");
        assert_eq!(messages, [&b"one"[..], b"", b"three"]);
    }

    #[rstest]
    #[case::prefix(&[0, 0, 0], "within a message")]
    #[case::content(&[0, 0, 0, 0, 2, 1], "within a message")]
    #[case::huge(&[0, 0xff, 0xff, 0xff, 0xff], "within a message")]
    #[case::compressed(&[1, 0, 0, 0, 0], "compressed")]
    fn what_is_no_sequence_of_messages_is_refused(#[case] bytes: &[u8], #[case] reason: &str) {
        let mut answer = AnswerBuffer::default();
        answer.add(bytes).expect("within the bound");
        let error = answer.messages().expect_err("malformed");
        assert!(error.to_string().contains(reason), "{error}");
    }

    #[test]
    fn an_answer_over_the_bound_is_refused() {
        let mut answer = AnswerBuffer::default();
        answer.add(&vec![0; ANSWER_LIMIT]).expect("at the bound");
        assert!(matches!(answer.add(&[0]), Err(FramingError::TooLong)));
    }

    #[test]
    fn a_deadline_has_at_most_eight_digits() {
        assert_eq!(timeout_field(Duration::from_millis(150)), "150m");
        assert_eq!(timeout_field(Duration::from_secs(1_000_000)), "1000000S");
    }
}
