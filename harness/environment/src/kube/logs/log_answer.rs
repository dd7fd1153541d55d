//! Distinguishes a log from the message that a kubelet gives in its place.
//!
//! Asked for the log of a container that its garbage collection has removed, a kubelet answers 200, and the whole of the answer is
//! `unable to retrieve container logs for containerd://…`. It keeps one dead container of each, so one that ends twice in a row is removed soon.

use bytes::Bytes;

const BEGINNING: &[u8] = b"unable to retrieve container logs for ";

/// The longest name of a container that such an answer ends with, in bytes.
const LONGEST_NAME: usize = 256;

/// An answer that is read piece by piece. What may still turn out to be the kubelet's own is held back.
#[derive(Debug)]
pub(super) enum LogAnswer {
    /// All of it so far could be the kubelet's.
    Undecided(Vec<u8>),
    /// It is the log.
    Log,
}

impl LogAnswer {
    /// Begins with nothing read.
    pub(super) const fn new() -> Self {
        Self::Undecided(Vec::new())
    }

    /// Takes a piece in; returns what is the log's for certain, and was not returned before.
    pub(super) fn take_in(&mut self, piece: Bytes) -> Bytes {
        let Self::Undecided(held) = self else {
            return piece;
        };
        held.extend_from_slice(&piece);
        if may_be_the_kubelets(held) {
            return Bytes::new();
        }
        let held = std::mem::take(held);
        *self = Self::Log;
        held.into()
    }

    /// Returns what is left of the log at the answer's end.
    ///
    /// # Errors
    ///
    /// With the kubelet's message, where the answer was that.
    pub(super) fn end(self) -> Result<Bytes, String> {
        match self {
            Self::Log => Ok(Bytes::new()),
            Self::Undecided(held) if held.starts_with(BEGINNING) => {
                Err(String::from_utf8_lossy(&held).into_owned())
            }
            Self::Undecided(held) => Ok(held.into()),
        }
    }
}

fn may_be_the_kubelets(held: &[u8]) -> bool {
    match held.strip_prefix(BEGINNING) {
        Some(name) => name.len() <= LONGEST_NAME && name.iter().all(u8::is_ascii_graphic),
        None => BEGINNING.starts_with(held),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const MESSAGE: &str = "unable to retrieve container logs for containerd://a6100b4d1dbf";

    /// Returns the log, or the kubelet's message.
    fn read(pieces: &[&str]) -> Result<String, String> {
        let mut answer = LogAnswer::new();
        let mut log = Vec::new();
        for piece in pieces {
            log.extend(answer.take_in(Bytes::copy_from_slice(piece.as_bytes())));
        }
        log.extend(answer.end()?);
        Ok(String::from_utf8(log).expect("text"))
    }

    #[rstest]
    #[case::in_one_piece(&[MESSAGE])]
    #[case::in_pieces(&["unable to ", "retrieve container logs for ", "containerd://a6100b", "4d1dbf"])]
    fn the_kubelets_message_is_no_log(#[case] pieces: &[&str]) {
        assert_eq!(read(pieces), Err(MESSAGE.to_owned()));
    }

    #[rstest]
    #[case::empty(&[])]
    #[case::of_a_container(&["one\n", "two\n"])]
    #[case::that_begins_likewise(&["unable to ", "write\n"])]
    #[case::that_ends_early(&["unable to"])]
    #[case::with_a_line_like_that(&[MESSAGE, "\n"])]
    #[case::that_goes_on(&[MESSAGE, "agent-stub: cannot write"])]
    #[case::not_at_its_beginning(&["one\n", MESSAGE])]
    fn a_log_is_passed_on_whole(#[case] pieces: &[&str]) {
        assert_eq!(read(pieces), Ok(pieces.concat()));
    }

    #[test]
    fn a_log_that_is_one_long_line_is_not_held_back_for_ever() {
        let long = format!("{MESSAGE}{}", "x".repeat(LONGEST_NAME));
        let mut answer = LogAnswer::new();
        assert_eq!(answer.take_in(Bytes::from(long.clone())), long);
    }

    #[test]
    fn once_it_is_a_log_nothing_is_held_back() {
        let mut answer = LogAnswer::new();
        assert_eq!(answer.take_in(Bytes::from_static(b"one\n")), "one\n");
        assert_eq!(answer.take_in(Bytes::from_static(b"un")), "un");
    }
}
