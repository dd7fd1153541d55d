//! HTTP/2 frames out of the bytes of one direction (RFC 9113, section 4).
//!
//! The content of DATA frames is passed on in pieces as it comes; only frames of which the whole is needed are put together, within a bound. What
//! no reader needs is skipped.

use std::borrow::Cow;

use thiserror::Error;

/// What a client sends first.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a frame may be of which the whole is kept, in bytes. DATA frames have the bound of their format: 16 MiB.
pub(crate) const FRAME_BYTES_KEPT: usize = 256 * 1024;

/// The length of a frame's header.
pub(crate) const FRAME_HEADER: usize = 9;

/// Why bytes are not frames.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum FrameError {
    /// The first bytes are not the connection preface.
    #[error("it does not begin as HTTP/2 does")]
    NotHttp2,
    /// A frame that must be kept whole is too long.
    #[error("a frame of {0} bytes is longer than is kept")]
    TooLong(usize),
    /// A frame is shorter than its format or has more padding than content.
    #[error("a frame is shorter than its fields")]
    TooShort,
}

/// One frame, or a piece of a DATA frame.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Frame<'a> {
    pub(crate) stream: u32,
    pub(crate) end: StreamEnd,
    pub(crate) content: Content<'a>,
}

/// Whether the sender has said all that it says on the stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StreamEnd {
    Open,
    Ended,
}

/// Whether a header block goes on in a CONTINUATION frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BlockEnd {
    Continued,
    Ended,
}

/// What a frame has.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Content<'a> {
    /// A piece of a DATA frame, without padding.
    Data(&'a [u8]),
    /// A part of a header block, without padding and priority.
    Headers(Cow<'a, [u8]>, BlockEnd),
    /// A further part of a header block.
    Continuation(Cow<'a, [u8]>, BlockEnd),
    /// The pairs of a SETTINGS frame; none in an acknowledgement.
    Settings(Cow<'a, [u8]>),
    /// The stream is reset.
    Reset,
    /// The agent pushes.
    PushPromise,
    /// A frame of another kind, skipped.
    Other,
}

/// Reads the frames of one direction.
#[derive(Debug)]
pub(crate) struct FrameReader(State);

#[derive(Debug)]
enum State {
    Preface {
        matched: usize,
    },
    Header {
        octets: [u8; FRAME_HEADER],
        filled: usize,
    },
    Padding {
        header: Header,
    },
    Data {
        header: Header,
        content: usize,
        padding: usize,
    },
    Kept {
        header: Header,
        octets: Vec<u8>,
    },
    Skipped {
        remaining: usize,
    },
}

#[derive(Clone, Copy, Debug)]
struct Header {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

const NO_HEADER: State = State::Header {
    octets: [0; FRAME_HEADER],
    filled: 0,
};

impl FrameReader {
    /// Reads what a client sends: the preface, then frames.
    pub(crate) const fn of_client() -> Self {
        Self(State::Preface { matched: 0 })
    }

    /// Reads what a server sends: frames.
    pub(crate) const fn of_server() -> Self {
        Self(NO_HEADER)
    }

    /// Returns how many bytes are kept of a frame that is not whole.
    pub(crate) const fn held(&self) -> usize {
        match &self.0 {
            State::Kept { octets, .. } => octets.len(),
            State::Preface { .. }
            | State::Header { .. }
            | State::Padding { .. }
            | State::Data { .. }
            | State::Skipped { .. } => 0,
        }
    }

    /// Takes from `input` up to the end of the next frame or piece; none when more input is needed.
    pub(crate) fn next<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<Frame<'a>>, FrameError> {
        loop {
            match &mut self.0 {
                State::Preface { matched } => {
                    let wanted = &PREFACE[*matched..];
                    let seen = take(input, wanted.len());
                    if !wanted.starts_with(seen) {
                        return Err(FrameError::NotHttp2);
                    }
                    *matched += seen.len();
                    if *matched < PREFACE.len() {
                        return Ok(None);
                    }
                    self.0 = NO_HEADER;
                }
                State::Header { octets, filled } => {
                    let seen = take(input, FRAME_HEADER - *filled);
                    octets[*filled..*filled + seen.len()].copy_from_slice(seen);
                    *filled += seen.len();
                    if *filled < FRAME_HEADER {
                        return Ok(None);
                    }
                    let header = Header::parse(*octets);
                    let (state, frame) = header.begin()?;
                    self.0 = state;
                    if frame.is_some() {
                        return Ok(frame);
                    }
                }
                State::Padding { header } => {
                    let [padding] = take(input, 1) else {
                        return Ok(None);
                    };
                    let header = *header;
                    let padding = usize::from(*padding);
                    let content = header.length.checked_sub(1 + padding);
                    self.0 = State::Data {
                        header,
                        content: content.ok_or(FrameError::TooShort)?,
                        padding,
                    };
                }
                State::Data {
                    header,
                    content,
                    padding,
                } => {
                    let piece = take(input, *content);
                    *content -= piece.len();
                    if *content == 0 {
                        *padding -= take(input, *padding).len();
                    }
                    let header = *header;
                    let end = if *content == 0 && *padding == 0 {
                        self.0 = NO_HEADER;
                        header.stream_end()
                    } else if piece.is_empty() {
                        return Ok(None);
                    } else {
                        StreamEnd::Open
                    };
                    return Ok(Some(header.frame(end, Content::Data(piece))));
                }
                State::Kept { header, octets } => {
                    let seen = take(input, header.length - octets.len());
                    if octets.len() + seen.len() < header.length {
                        octets.extend_from_slice(seen);
                        return Ok(None);
                    }
                    let whole = if octets.is_empty() {
                        Cow::Borrowed(seen)
                    } else {
                        octets.extend_from_slice(seen);
                        Cow::Owned(std::mem::take(octets))
                    };
                    let header = *header;
                    self.0 = NO_HEADER;
                    return header.finish(whole).map(Some);
                }
                State::Skipped { remaining } => {
                    *remaining -= take(input, *remaining).len();
                    if *remaining > 0 {
                        return Ok(None);
                    }
                    self.0 = NO_HEADER;
                }
            }
        }
    }
}

/// Takes at most `count` bytes.
fn take<'a>(input: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(count.min(input.len()));
    *input = rest;
    taken
}

impl Header {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const PUSH_PROMISE: u8 = 5;
    const CONTINUATION: u8 = 9;

    const END_STREAM: u8 = 0x1;
    const ACK: u8 = 0x1;
    const END_HEADERS: u8 = 0x4;
    const PADDED: u8 = 0x8;
    const PRIORITY: u8 = 0x20;
    const PRIORITY_FIELDS: usize = 5;

    fn parse([a, b, c, kind, flags, stream @ ..]: [u8; FRAME_HEADER]) -> Self {
        Self {
            length: usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c),
            kind,
            flags,
            // The first bit is reserved.
            stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
        }
    }

    /// Returns how the frame is read on, and the frame itself where its header says all.
    fn begin<'a>(self) -> Result<(State, Option<Frame<'a>>), FrameError> {
        let skipped = State::Skipped {
            remaining: self.length,
        };
        match self.kind {
            Self::DATA if self.has(Self::PADDED) && self.length == 0 => Err(FrameError::TooShort),
            Self::DATA if self.has(Self::PADDED) => Ok((State::Padding { header: self }, None)),
            Self::DATA => Ok((
                State::Data {
                    header: self,
                    content: self.length,
                    padding: 0,
                },
                None,
            )),
            Self::HEADERS | Self::CONTINUATION | Self::SETTINGS
                if self.length > FRAME_BYTES_KEPT =>
            {
                Err(FrameError::TooLong(self.length))
            }
            Self::HEADERS | Self::CONTINUATION | Self::SETTINGS => Ok((
                State::Kept {
                    header: self,
                    octets: Vec::new(),
                },
                None,
            )),
            Self::RST_STREAM => Ok((skipped, Some(self.frame(StreamEnd::Open, Content::Reset)))),
            Self::PUSH_PROMISE => Ok((
                skipped,
                Some(self.frame(StreamEnd::Open, Content::PushPromise)),
            )),
            _ => Ok((skipped, Some(self.frame(StreamEnd::Open, Content::Other)))),
        }
    }

    fn finish(self, octets: Cow<'_, [u8]>) -> Result<Frame<'_>, FrameError> {
        let block_end = if self.has(Self::END_HEADERS) {
            BlockEnd::Ended
        } else {
            BlockEnd::Continued
        };
        Ok(match self.kind {
            Self::HEADERS => {
                let block = self.without_padding(octets)?;
                self.frame(self.stream_end(), Content::Headers(block, block_end))
            }
            Self::CONTINUATION => {
                self.frame(StreamEnd::Open, Content::Continuation(octets, block_end))
            }
            _ if self.has(Self::ACK) => {
                self.frame(StreamEnd::Open, Content::Settings(Cow::Borrowed(&[])))
            }
            _ => self.frame(StreamEnd::Open, Content::Settings(octets)),
        })
    }

    fn without_padding(self, octets: Cow<'_, [u8]>) -> Result<Cow<'_, [u8]>, FrameError> {
        let mut start = 0;
        let mut end = octets.len();
        if self.has(Self::PADDED) {
            let padding = octets.first().ok_or(FrameError::TooShort)?;
            start = 1;
            end = end
                .checked_sub(usize::from(*padding))
                .ok_or(FrameError::TooShort)?;
        }
        if self.has(Self::PRIORITY) {
            start += Self::PRIORITY_FIELDS;
        }
        let block = match octets {
            Cow::Borrowed(octets) => octets.get(start..end).map(Cow::Borrowed),
            Cow::Owned(octets) => octets.get(start..end).map(|block| block.to_vec().into()),
        };
        block.ok_or(FrameError::TooShort)
    }

    const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    const fn stream_end(self) -> StreamEnd {
        if self.has(Self::END_STREAM) {
            StreamEnd::Ended
        } else {
            StreamEnd::Open
        }
    }

    const fn frame(self, end: StreamEnd, content: Content<'_>) -> Frame<'_> {
        Frame {
            stream: self.stream,
            end,
            content,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_wire::{DATA, END_HEADERS, END_STREAM, HEADERS, SETTINGS, frame};

    fn data(stream: u32, end: StreamEnd, piece: &[u8]) -> Frame<'_> {
        Frame {
            stream,
            end,
            content: Content::Data(piece),
        }
    }

    #[test]
    fn the_preface_comes_first_and_may_be_cut() {
        let bytes = [PREFACE, &frame(SETTINGS, 0, 0, &[0; 6])].concat();
        let mut reader = FrameReader::of_client();
        let mut frames = 0;
        for mut piece in bytes.chunks(5) {
            while let Some(frame) = reader.next(&mut piece).unwrap() {
                assert_eq!(frame.content, Content::Settings(Cow::Borrowed(&[0; 6])));
                frames += 1;
            }
        }
        assert_eq!(frames, 1);
        let other = FrameReader::of_client().next(&mut &b"PRI * HTTP/1"[..]);
        assert_eq!(other, Err(FrameError::NotHttp2));
    }

    #[test]
    fn data_is_passed_on_in_pieces_and_ends_once() {
        let bytes = frame(DATA, END_STREAM, 1, b"abcd");
        let mut reader = FrameReader::of_server();
        let (mut first, mut second) = bytes.split_at(FRAME_HEADER + 3);
        let piece = reader.next(&mut first).unwrap();
        assert_eq!(piece, Some(data(1, StreamEnd::Open, b"abc")));
        assert_eq!(reader.next(&mut first), Ok(None));
        let piece = reader.next(&mut second).unwrap();
        assert_eq!(piece, Some(data(1, StreamEnd::Ended, b"d")));
        assert_eq!(reader.held(), 0);
    }

    #[test]
    fn a_huge_data_frame_is_not_kept() {
        let mut header = frame(DATA, 0, 1, &[]);
        header[..3].fill(0xff);
        let mut reader = FrameReader::of_server();
        assert_eq!(reader.next(&mut &header[..]), Ok(None));
        let chunk = vec![0; 64 * 1024];
        for _ in 0..255 {
            let mut input = &chunk[..];
            let piece = reader.next(&mut input).unwrap();
            assert_eq!(piece, Some(data(1, StreamEnd::Open, &chunk)));
            assert_eq!(reader.held(), 0);
        }
    }

    #[test]
    fn padding_and_priority_are_taken_away() {
        let mut reader = FrameReader::of_server();
        let headers = frame(
            HEADERS,
            END_HEADERS | 0x28,
            1,
            &[2, 0, 0, 0, 0, 0, 7, 8, 0, 0],
        );
        let read = reader.next(&mut &headers[..]).unwrap().unwrap();
        let block = Content::Headers(Cow::Borrowed(&[7, 8]), BlockEnd::Ended);
        assert_eq!(read.content, block);
        let only_padding = frame(DATA, END_STREAM | 8, 1, &[3, 0, 0, 0]);
        let read = reader.next(&mut &only_padding[..]).unwrap();
        assert_eq!(read, Some(data(1, StreamEnd::Ended, &[])));
    }
}
