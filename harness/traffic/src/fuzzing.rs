//! What fuzz targets see of the response parser: one call that parses bytes and checks what must hold of any.

use super::record::ResponseRecord;
use super::request_bytes::AnswerBody;
use super::response::{ParseProgress, ResponseParser};
use super::response_head::{FIELD_LIMIT, INTERIM_LIMIT, ResponseError};

/// The bound of bodies here.
const BODY_LIMIT: u64 = 1024;

/// Parses bytes as an answer, once whole and once cut into pieces of `piece` bytes.
///
/// # Panics
///
/// When the two disagree, or a bound does not hold.
pub fn parse_response(bytes: &[u8], piece: usize) {
    for answer_body in [AnswerBody::Never, AnswerBody::Possible] {
        let whole = parse([bytes].into_iter(), answer_body);
        let pieces = parse(bytes.chunks(piece.max(1)), answer_body);
        assert_eq!(whole, pieces, "the verdict depends on how bytes are cut");
        if let Ok(Some(record)) = whole {
            assert!(record.body_length <= BODY_LIMIT, "{}", record.body_length);
            assert!(record.headers.len() <= FIELD_LIMIT);
            assert!(record.informational.len() <= INTERIM_LIMIT);
            let fields = record.headers.iter().chain(&record.trailers);
            for text in fields.flat_map(|(name, value)| [name, value]) {
                assert!(
                    text.bytes().all(|byte| matches!(byte, b' '..=b'~')),
                    "{text:?}"
                );
            }
        }
    }
}

fn parse<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    answer_body: AnswerBody,
) -> Result<Option<ResponseRecord>, ResponseError> {
    let mut parser = ResponseParser::new(answer_body, BODY_LIMIT);
    for piece in pieces {
        if let ParseProgress::Complete { .. } = parser.read(piece)? {
            return Ok(parser.into_answer().map(|answer| answer.record));
        }
    }
    parser.note_close()?;
    Ok(parser.into_answer().map(|answer| answer.record))
}
