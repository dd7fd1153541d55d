//! The body decoder against well-formed, hostile and arbitrary bytes.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

const CHUNKED: &[u8] = b"5\r\nhello\r\n1;name=\"v\"\r\n \r\n005\r\nworld\r\n0\r\nT: 1\r\n\r\n";

fn decoder(framing: BodyFraming, limit: u64) -> BodyDecoder {
    BodyDecoder::new(framing, limit).expect("within the bound")
}

proptest! {
    #[test]
    fn a_chunked_body_is_the_same_however_it_is_split(
        mut cuts in proptest::collection::vec(0..CHUNKED.len(), 0..12),
    ) {
        cuts.sort_unstable();
        cuts.push(CHUNKED.len());
        let mut chunked = decoder(BodyFraming::Chunked, 11);
        let mut from = 0;
        for to in cuts {
            prop_assert_eq!(chunked.read(&CHUNKED[from..to]), Ok(to - from));
            from = to;
        }
        prop_assert!(chunked.is_complete());
        let mut sized = decoder(BodyFraming::Length(11), 11);
        prop_assert_eq!(sized.read(b"hello world"), Ok(11));
        let mut chunked = chunked.finish();
        let trailers = std::mem::take(&mut chunked.trailers);
        prop_assert_eq!(trailers, [("T".to_owned(), "1".to_owned())]);
        prop_assert_eq!(chunked, sized.finish());
    }

    #[test]
    fn arbitrary_bytes_never_exceed_the_bound(
        bytes in proptest::collection::vec(any::<u8>(), 0..256),
        limit in 0_u64..64,
    ) {
        for framing in [BodyFraming::Chunked, BodyFraming::UntilClose] {
            let mut body = decoder(framing, limit);
            if let Ok(taken) = body.read(&bytes) {
                prop_assert!(taken <= bytes.len());
            }
            prop_assert!(body.finish().length <= limit);
        }
    }
}

#[test]
fn a_body_over_the_bound_is_refused_in_every_framing() {
    let too_long = BodyError::TooLong { limit: 4 };
    assert_eq!(
        BodyDecoder::new(BodyFraming::Length(5), 4).err(),
        Some(too_long)
    );
    assert_eq!(
        decoder(BodyFraming::UntilClose, 4).read(b"hello"),
        Err(too_long)
    );
    assert_eq!(
        decoder(BodyFraming::Chunked, 4).read(b"3\r\nhel\r\n2\r\nlo\r\n"),
        Err(too_long)
    );
}

#[test]
fn only_the_start_is_kept() {
    let mut body = decoder(BodyFraming::UntilClose, 100_000);
    assert_eq!(body.read(&[b'x'; 10_000]), Ok(10_000));
    let summary = body.finish();
    assert_eq!(summary.length, 10_000);
    let kept = STANDARD.decode(summary.head_base64).expect("base64");
    assert_eq!(kept, [b'x'; KEPT]);
}

#[rstest]
#[case(b"\r\n", BodyError::ChunkSize)]
#[case(b"-1\r\n", BodyError::ChunkSize)]
#[case(b"5\n", BodyError::ChunkSize)]
#[case(b"ffffffffffffffff\r\n", BodyError::ChunkSize)]
#[case(b"1\r\nab\r\n", BodyError::ChunkEnd)]
fn a_malformed_chunk_is_refused(#[case] bytes: &[u8], #[case] expected: BodyError) {
    assert_eq!(decoder(BodyFraming::Chunked, 64).read(bytes), Err(expected));
}

#[test]
fn endless_lines_are_refused() {
    let mut body = decoder(BodyFraming::Chunked, 64);
    let refused = (0..=CHUNK_LINE_LIMIT).find_map(|_| body.read(b"0").err());
    assert_eq!(refused, Some(BodyError::ChunkSize));

    let mut body = decoder(BodyFraming::Chunked, 64);
    assert_eq!(body.read(b"0\r\n"), Ok(3));
    let refused = (0..TRAILER_LIMIT).find_map(|_| body.read(b"a: b\r\n").err());
    assert_eq!(refused, Some(BodyError::Trailer));
}
