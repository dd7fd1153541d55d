//! Compressed bodies: gzip and deflate, up to a bound, and as far as a body that is cut short goes.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// Undoes a content encoding. An unknown or stacked one stays; what cannot be decoded is left out.
pub(crate) fn decoded<'body>(content_encoding: &str, body: &'body [u8]) -> Cow<'body, [u8]> {
    match content_encoding.trim().to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => read_bounded(MultiGzDecoder::new(body)).into(),
        "deflate" => inflated(body).into(),
        _ => body.into(),
    }
}

// By the standard this is zlib's format; some clients send the bare stream, and servers take both.
fn inflated(body: &[u8]) -> Vec<u8> {
    let decoded = read_bounded(ZlibDecoder::new(body));
    if decoded.is_empty() {
        read_bounded(DeflateDecoder::new(body))
    } else {
        decoded
    }
}

fn read_bounded(mut reader: impl Read) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut chunk = [0; 8 * 1024];
    // An error is the end: Envoy may have cut the body short.
    while decoded.len() < LONGEST_DECODED
        && let Ok(length @ 1..) = reader.read(&mut chunk)
    {
        decoded.extend_from_slice(&chunk[..length]);
    }
    decoded.truncate(LONGEST_DECODED);
    decoded
}

const LONGEST_DECODED: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use rstest::rstest;

    use super::*;

    const TEXT: &[u8] = b"q=1' OR '1'='1";

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    }

    #[rstest]
    #[case("gzip", gzip(TEXT))]
    #[case(" GZIP ", gzip(TEXT))]
    #[case("deflate", { let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast()); encoder.write_all(TEXT).expect("memory"); encoder.finish().expect("memory") })]
    #[case("deflate", { let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast()); encoder.write_all(TEXT).expect("memory"); encoder.finish().expect("memory") })]
    #[case("identity", TEXT.to_vec())]
    #[case("", TEXT.to_vec())]
    #[case("br", TEXT.to_vec())]
    fn a_body_is_decoded_by_its_encoding(#[case] encoding: &str, #[case] body: Vec<u8>) {
        assert_eq!(decoded(encoding, &body).as_ref(), TEXT);
    }

    #[test]
    fn a_bomb_is_decoded_up_to_the_bound() {
        let bomb = gzip(&vec![b'a'; 16 * LONGEST_DECODED]);
        assert!(bomb.len() < LONGEST_DECODED, "it is a bomb");
        assert_eq!(decoded("gzip", &bomb).len(), LONGEST_DECODED);
    }

    #[test]
    fn a_body_that_is_cut_short_is_decoded_up_to_the_cut() {
        let text: String = (0..20_000).map(|number| number.to_string()).collect();
        let whole = gzip(text.as_bytes());
        let half = decoded("gzip", &whole[..whole.len() / 2]).into_owned();
        assert!(half.len() > 1_000, "{}", half.len());
        assert!(text.as_bytes().starts_with(&half));
    }

    #[test]
    fn what_is_not_compressed_decodes_to_nothing() {
        assert_eq!(decoded("gzip", TEXT).as_ref(), b"");
    }
}
