//! Header blocks out of HEADERS and CONTINUATION frames, and what of their fields the other readers need.

use percent_encoding::percent_decode;
use thiserror::Error;

use crate::frames::{BlockEnd, Content, Frame, StreamEnd};
use crate::hpack::{HpackDecoder, HpackError};

/// How long a header block may be, in bytes as sent.
pub(crate) const BLOCK_BYTES: usize = 256 * 1024;

/// How many CONTINUATION frames a block may have: frames of no length would otherwise go on for ever.
pub(crate) const CONTINUATIONS: usize = 1024;

/// How much of a field's value is kept, in bytes.
const VALUE_BYTES: usize = 1024;

const SETTINGS_HEADER_TABLE_SIZE: u16 = 1;
const SETTING: usize = 6;

/// Why header blocks cannot be read any more.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum HeaderError {
    /// Another frame stands within a block, or a continuation outside one.
    #[error("a header block is interrupted or goes on where none has begun")]
    Interrupted,
    /// The block is too long.
    #[error(
        "a header block is longer than {BLOCK_BYTES} bytes or has more than {CONTINUATIONS} continuations"
    )]
    TooLong,
    /// The agent pushes, which the proxy does not allow.
    #[error("the agent pushes a stream")]
    Push,
    /// A SETTINGS frame is not made of settings.
    #[error("a SETTINGS frame has part of a setting")]
    Settings,
    /// The block is malformed.
    #[error(transparent)]
    Hpack(#[from] HpackError),
}

/// The fields of a block that are needed; others are not kept.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Fields {
    /// `:path`.
    pub(crate) path: Vec<u8>,
    /// `:status`.
    pub(crate) status: Option<Number>,
    /// `grpc-status`.
    pub(crate) grpc_status: Option<Number>,
    /// `grpc-message`, decoded.
    pub(crate) grpc_message: String,
}

/// A field that should be a number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Number {
    /// It is one.
    Is(u32),
    /// It is not.
    Malformed,
}

/// A header block that is whole.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct HeaderBlock {
    pub(crate) stream: u32,
    pub(crate) end: StreamEnd,
    pub(crate) fields: Fields,
}

/// Reads the header blocks of one direction.
#[derive(Debug, Default)]
pub(crate) struct HeaderReader {
    decoder: HpackDecoder,
    unfinished: Option<Unfinished>,
}

#[derive(Debug)]
struct Unfinished {
    stream: u32,
    end: StreamEnd,
    block: Vec<u8>,
    continuations: usize,
}

impl HeaderReader {
    /// Takes the receiver's SETTINGS, which bound the sender's table.
    pub(crate) fn settings(&mut self, pairs: &[u8]) -> Result<(), HeaderError> {
        if !pairs.len().is_multiple_of(SETTING) {
            return Err(HeaderError::Settings);
        }
        for pair in pairs.chunks_exact(SETTING) {
            if let [a, b, value @ ..] = pair
                && u16::from_be_bytes([*a, *b]) == SETTINGS_HEADER_TABLE_SIZE
                && let Ok(value) = <[u8; 4]>::try_from(value)
            {
                let bytes = u32::from_be_bytes(value);
                self.decoder
                    .allow(usize::try_from(bytes).unwrap_or(usize::MAX));
            }
        }
        Ok(())
    }

    /// Returns how many bytes are kept of a block that is not whole.
    pub(crate) fn held(&self) -> usize {
        let block = self.unfinished.as_ref();
        block.map_or(0, |unfinished| unfinished.block.len())
    }

    /// Takes a frame; returns a block when it makes one whole. Every frame must be shown, since nothing may interrupt a block.
    pub(crate) fn take(&mut self, frame: &Frame<'_>) -> Result<Option<HeaderBlock>, HeaderError> {
        match (&frame.content, self.unfinished.take()) {
            (Content::Headers(block, BlockEnd::Ended), None) => {
                self.decode(frame.stream, frame.end, block).map(Some)
            }
            (Content::Headers(block, BlockEnd::Continued), None) => {
                self.unfinished = Some(Unfinished {
                    stream: frame.stream,
                    end: frame.end,
                    block: block.to_vec(),
                    continuations: 0,
                });
                Ok(None)
            }
            (Content::Continuation(more, block_end), Some(mut unfinished))
                if unfinished.stream == frame.stream =>
            {
                unfinished.continuations += 1;
                if unfinished.block.len() + more.len() > BLOCK_BYTES
                    || unfinished.continuations > CONTINUATIONS
                {
                    return Err(HeaderError::TooLong);
                }
                unfinished.block.extend_from_slice(more);
                match block_end {
                    BlockEnd::Ended => self
                        .decode(unfinished.stream, unfinished.end, &unfinished.block)
                        .map(Some),
                    BlockEnd::Continued => {
                        self.unfinished = Some(unfinished);
                        Ok(None)
                    }
                }
            }
            (Content::Continuation(..), _) | (_, Some(_)) => Err(HeaderError::Interrupted),
            (Content::PushPromise, None) => Err(HeaderError::Push),
            (Content::Data(_) | Content::Settings(_) | Content::Reset | Content::Other, None) => {
                Ok(None)
            }
        }
    }

    fn decode(
        &mut self,
        stream: u32,
        end: StreamEnd,
        block: &[u8],
    ) -> Result<HeaderBlock, HeaderError> {
        let mut fields = Fields::default();
        self.decoder
            .decode(block, |name, value| fields.keep(name, value))?;
        Ok(HeaderBlock {
            stream,
            end,
            fields,
        })
    }
}

impl Fields {
    fn keep(&mut self, name: &[u8], value: &[u8]) {
        let value = &value[..value.len().min(VALUE_BYTES)];
        match name {
            b":path" => self.path = value.to_vec(),
            b":status" => self.status = Some(Number::parse(value)),
            b"grpc-status" => self.grpc_status = Some(Number::parse(value)),
            b"grpc-message" => {
                self.grpc_message = percent_decode(value).decode_utf8_lossy().into_owned();
            }
            _ => {}
        }
    }
}

impl Number {
    fn parse(value: &[u8]) -> Self {
        let text = str::from_utf8(value).ok();
        match text.and_then(|text| text.parse().ok()) {
            Some(number) => Self::Is(number),
            None => Self::Malformed,
        }
    }
}
