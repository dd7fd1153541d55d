//! The texts in gRPC messages: length-prefixed frames of protobuf, read without a schema.
//!
//! Without a schema, bytes are either a text or a message of their own. They are read as a message when they are one from end
//! to end, and as a text when they are printable; the few that are both are read as both when they start as texts do.

use crate::inspect::field::{Checks, Fields, Spaces};
use crate::inspect::inflate;
use crate::inspect::signal::Location;

/// Inspects each message of a gRPC stream, up to where it is cut short.
pub(crate) fn inspect_frames(body: &[u8], grpc_encoding: &str, fields: &mut Fields) {
    let mut rest = body;
    for _ in 0..FRAME_LIMIT {
        let [flag, first, second, third, fourth, frame @ ..] = rest else {
            return;
        };
        let length = u32::from_be_bytes([*first, *second, *third, *fourth]);
        let length = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(frame.len());
        let (message, next) = frame.split_at(length);
        let encoding = if flag & 1 == 1 { grpc_encoding } else { "" };
        inspect_message(&inflate::decoded(encoding, message), fields);
        rest = next;
    }
}

/// Inspects every text of one protobuf message.
pub(crate) fn inspect_message(message: &[u8], fields: &mut Fields) {
    // A stack in place of recursion. The depth is bounded, because each level inspects its bytes again.
    let mut open = vec![(message, 0)];
    let mut fields_read = 0;
    while let Some((bytes, depth)) = open.pop() {
        let mut rest = bytes;
        while let Some((field, next)) = next_field(rest) {
            rest = next;
            fields_read += 1;
            if fields_read > FIELD_LIMIT {
                return;
            }
            let Some(content) = field.content else {
                continue;
            };
            let is_message = !content.is_empty() && is_whole_message(content);
            let text = printable(content);
            let starts_as_text = text
                .and_then(|text| text.chars().next())
                .is_some_and(char::is_alphanumeric);
            if let Some(text) = text
                && (!is_message || starts_as_text)
            {
                let name = field.number.to_string();
                fields.inspect(Location::Grpc, &name, text, Checks::All, Spaces::AsWritten);
            }
            if is_message && depth < DEEPEST {
                open.push((content, depth + 1));
            }
        }
    }
}

struct Field<'message> {
    number: u64,
    content: Option<&'message [u8]>,
}

// The last field may be cut short; what is there of it counts.
fn next_field(message: &[u8]) -> Option<(Field<'_>, &[u8])> {
    let (tag, rest) = varint(message)?;
    let number = tag >> 3;
    let (content, rest) = match tag & 7 {
        0 => (None, varint(rest)?.1),
        1 => (None, rest.get(8..)?),
        2 => {
            let (length, rest) = varint(rest)?;
            let length = usize::try_from(length)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            let (content, rest) = rest.split_at(length);
            (Some(content), rest)
        }
        5 => (None, rest.get(4..)?),
        _ => return None,
    };
    (number > 0).then_some((Field { number, content }, rest))
}

fn is_whole_message(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    for _ in 0..FIELD_LIMIT {
        if rest.is_empty() {
            return true;
        }
        let Some((_, after_tag)) = varint(rest) else {
            return false;
        };
        let is_whole = match rest[0] & 7 {
            2 => varint(after_tag).is_some_and(|(length, after)| {
                usize::try_from(length).is_ok_and(|length| length <= after.len())
            }),
            _ => true,
        };
        let Some((_, next)) = next_field(rest).filter(|_| is_whole) else {
            return false;
        };
        rest = next;
    }
    false
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (place, byte) in bytes.iter().take(LONGEST_VARINT).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place).min(63);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[place + 1..]));
        }
    }
    None
}

fn printable(bytes: &[u8]) -> Option<&str> {
    // A cut may go through a character.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let is_printable = text
        .chars()
        .all(|character| !character.is_control() || matches!(character, '\t' | '\n' | '\r'));
    (is_printable && !text.is_empty()).then_some(text)
}

const FRAME_LIMIT: usize = 1_024;
const FIELD_LIMIT: usize = 20_000;
const DEEPEST: usize = 16;
const LONGEST_VARINT: usize = 10;
