//! Decodes the body of an answer as hostile input: bounded, hashed, and only its start kept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::escape::escape;

/// The most bytes of a body that are kept.
const KEPT: usize = 4 * 1024;
/// The most bytes of one chunk-size line with its extensions.
const CHUNK_LINE_LIMIT: usize = 4 * 1024;
/// The most bytes of all trailer fields.
const TRAILER_LIMIT: usize = 16 * 1024;

/// How the body of an answer is framed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BodyFraming {
    /// `transfer-encoding: chunked`.
    Chunked,
    /// This many bytes; 0 where there is no body.
    Length(u64),
    /// Everything until the other side closes.
    UntilClose,
}

/// A body that is being decoded. It does no I/O: bytes are given to it as they come.
#[derive(Debug)]
pub(crate) struct BodyDecoder {
    state: DecoderState,
    limit: u64,
    line: Vec<u8>,
    trailer_length: usize,
    trailers: Vec<(String, String)>,
    length: u64,
    hash: Sha256,
    kept: Vec<u8>,
}

/// What a body was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct BodySummary {
    /// Bytes, without the framing.
    pub(crate) length: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub(crate) sha256: String,
    /// The first 4 KiB in base64.
    pub(crate) head_base64: String,
    /// The trailer fields, escaped. A line without a colon is a name without a value.
    pub(crate) trailers: Vec<(String, String)>,
}

/// Why bytes are not an acceptable body.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum BodyError {
    /// A chunk is not followed by CR LF.
    #[error("a chunk does not end where its size says")]
    ChunkEnd,
    /// A chunk's size line is not a hexadecimal number, or is over the bound.
    #[error("a chunk has no valid size")]
    ChunkSize,
    /// The body is over the bound.
    #[error("the body is longer than {limit} bytes")]
    TooLong {
        /// The bound.
        limit: u64,
    },
    /// The trailer fields are over the bound.
    #[error("the trailer fields are longer than {TRAILER_LIMIT} bytes")]
    Trailer,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum DecoderState {
    ChunkData { remaining: u64 },
    ChunkEnd,
    ChunkSize,
    Complete,
    Sized { remaining: u64 },
    Trailer,
    UntilClose,
}

impl BodyDecoder {
    /// Starts a body of at most `limit` bytes.
    pub(crate) fn new(framing: BodyFraming, limit: u64) -> Result<Self, BodyError> {
        let state = match framing {
            BodyFraming::Chunked => DecoderState::ChunkSize,
            BodyFraming::Length(0) => DecoderState::Complete,
            BodyFraming::Length(length) if length > limit => {
                return Err(BodyError::TooLong { limit });
            }
            BodyFraming::Length(remaining) => DecoderState::Sized { remaining },
            BodyFraming::UntilClose => DecoderState::UntilClose,
        };
        Ok(Self {
            state,
            limit,
            line: Vec::new(),
            trailer_length: 0,
            trailers: Vec::new(),
            length: 0,
            hash: Sha256::new(),
            kept: Vec::new(),
        })
    }

    /// Returns whether the body has been read to its end.
    pub(crate) fn is_complete(&self) -> bool {
        self.state == DecoderState::Complete
    }

    /// Returns whether the close of the connection is the body's end.
    pub(crate) fn ends_with_close(&self) -> bool {
        self.state == DecoderState::UntilClose
    }

    /// Returns how many bytes of the body have come so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Takes bytes from the start of `input` and returns how many belong to the body.
    pub(crate) fn read(&mut self, input: &[u8]) -> Result<usize, BodyError> {
        let mut taken = 0;
        while taken < input.len() && !self.is_complete() {
            let rest = &input[taken..];
            taken += match self.state {
                DecoderState::Sized { remaining } => {
                    let (count, remaining) = self.take_data(rest, remaining)?;
                    self.state = match remaining {
                        0 => DecoderState::Complete,
                        remaining => DecoderState::Sized { remaining },
                    };
                    count
                }
                DecoderState::ChunkData { remaining } => {
                    let (count, remaining) = self.take_data(rest, remaining)?;
                    self.state = match remaining {
                        0 => DecoderState::ChunkEnd,
                        remaining => DecoderState::ChunkData { remaining },
                    };
                    count
                }
                DecoderState::UntilClose => self.take_data(rest, u64::MAX)?.0,
                DecoderState::ChunkSize => {
                    self.take_line(rest, CHUNK_LINE_LIMIT, BodyError::ChunkSize)?
                }
                DecoderState::ChunkEnd => self.take_line(rest, 2, BodyError::ChunkEnd)?,
                DecoderState::Trailer => {
                    let limit = TRAILER_LIMIT - self.trailer_length;
                    self.take_line(rest, limit, BodyError::Trailer)?
                }
                DecoderState::Complete => 0,
            };
        }
        Ok(taken)
    }

    /// Ends the decoding.
    pub(crate) fn finish(self) -> BodySummary {
        BodySummary {
            length: self.length,
            sha256: hex::encode(self.hash.finalize()),
            head_base64: STANDARD.encode(&self.kept),
            trailers: self.trailers,
        }
    }

    fn take_data(&mut self, input: &[u8], remaining: u64) -> Result<(usize, u64), BodyError> {
        let count = usize::try_from(remaining).map_or(input.len(), |most| most.min(input.len()));
        let data = &input[..count];
        if self.length + count as u64 > self.limit {
            return Err(BodyError::TooLong { limit: self.limit });
        }
        self.hash.update(data);
        self.length += count as u64;
        let kept = (KEPT - self.kept.len()).min(count);
        self.kept.extend_from_slice(&data[..kept]);
        Ok((count, remaining - count as u64))
    }

    fn take_line(
        &mut self,
        input: &[u8],
        limit: usize,
        error: BodyError,
    ) -> Result<usize, BodyError> {
        let newline = input.iter().position(|&byte| byte == b'\n');
        let count = newline.map_or(input.len(), |position| position + 1);
        if self.line.len() + count > limit {
            return Err(error);
        }
        self.line.extend_from_slice(&input[..count]);
        if newline.is_some() {
            let line = std::mem::take(&mut self.line);
            let content = line.strip_suffix(b"\r\n").ok_or(error)?;
            self.state = self.state_after_line(content, line.len())?;
        }
        Ok(count)
    }

    fn state_after_line(
        &mut self,
        content: &[u8],
        length: usize,
    ) -> Result<DecoderState, BodyError> {
        match self.state {
            DecoderState::ChunkEnd if content.is_empty() => Ok(DecoderState::ChunkSize),
            DecoderState::ChunkEnd => Err(BodyError::ChunkEnd),
            DecoderState::Trailer if content.is_empty() => Ok(DecoderState::Complete),
            DecoderState::Trailer => {
                self.trailer_length += length;
                self.trailers.push(trailer_field(content));
                Ok(DecoderState::Trailer)
            }
            DecoderState::ChunkSize => match parse_chunk_size(content)? {
                0 => Ok(DecoderState::Trailer),
                remaining => Ok(DecoderState::ChunkData { remaining }),
            },
            state @ (DecoderState::ChunkData { .. }
            | DecoderState::Complete
            | DecoderState::Sized { .. }
            | DecoderState::UntilClose) => Ok(state),
        }
    }
}

fn trailer_field(line: &[u8]) -> (String, String) {
    let mut parts = line.splitn(2, |&byte| byte == b':');
    let name = parts.next().unwrap_or_default();
    let value = parts.next().unwrap_or_default();
    (escape(name), escape(value.trim_ascii()))
}

fn parse_chunk_size(line: &[u8]) -> Result<u64, BodyError> {
    let digits = line
        .split(|&byte| byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii_end();
    if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(BodyError::ChunkSize);
    }
    let digits = str::from_utf8(digits).map_err(|_| BodyError::ChunkSize)?;
    u64::from_str_radix(digits, 16).map_err(|_| BodyError::ChunkSize)
}

#[cfg(test)]
#[path = "body_decoder_tests.rs"]
mod tests;
