//! The parser of answers against well-formed, hostile and arbitrary bytes.

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::body_decoder::BodyError;
use crate::response_head::FIELD_LIMIT;

const LIMIT: u64 = 1024;

fn parse(bytes: &[u8]) -> Result<(ParseProgress, ResponseParser), ResponseError> {
    let mut parser = ResponseParser::new(AnswerBody::Possible, LIMIT);
    let progress = parser.read(bytes)?;
    Ok((progress, parser))
}

fn answer_to(bytes: &[u8]) -> ParsedAnswer {
    let (_, parser) = parse(bytes).expect("an acceptable answer");
    parser.into_answer().expect("a complete answer")
}

#[test]
fn status_fields_and_body_are_read() {
    let answer = answer_to(
        b"HTTP/1.1 406 No\r\nX-Sigsci: a\r\nx-RAW: \xc3\x28\\\r\ncontent-length: 5\r\n\r\nhello",
    );
    assert_eq!(answer.record.status, 406);
    assert_eq!(
        answer.record.headers,
        [
            ("X-Sigsci".to_owned(), "a".to_owned()),
            ("x-RAW".to_owned(), "\\xc3(\\\\".to_owned()),
            ("content-length".to_owned(), "5".to_owned()),
        ]
    );
    assert_eq!(answer.record.body_length, 5);
    assert_eq!(
        answer.record.body_sha256,
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    );
    assert_eq!(answer.record.body_head_base64, "aGVsbG8=");
    assert_eq!(answer.reuse, ConnectionReuse::Possible);
}

#[rstest]
#[case(
    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ConnectionReuse::Possible
)]
#[case(
    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nConnection: x, CLOSE\r\n\r\n",
    ConnectionReuse::Impossible
)]
#[case(
    "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    ConnectionReuse::Impossible
)]
#[case("HTTP/1.1 200 OK\r\n\r\nuntil close", ConnectionReuse::Impossible)]
#[case("HTTP/1.1 101 Switching\r\n\r\n", ConnectionReuse::Impossible)]
fn reuse_follows_the_answer(#[case] bytes: &str, #[case] expected: ConnectionReuse) {
    assert_eq!(answer_to(bytes.as_bytes()).reuse, expected);
}

#[test]
fn interim_answers_are_noted_and_skipped() {
    let answer = answer_to(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 204 None\r\n\r\n",
    );
    assert_eq!(answer.record.status, 204);
    assert_eq!(answer.record.informational, [100, 103]);
    assert!(answer.record.headers.is_empty());
}

#[test]
fn endless_interim_answers_are_refused() {
    let bytes = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(INTERIM_LIMIT + 1);
    assert_eq!(parse(&bytes).err(), Some(ResponseError::InterimAnswers));
}

#[rstest]
#[case(204)]
#[case(304)]
fn some_statuses_never_have_a_body(#[case] status: u16) {
    let bytes = format!("HTTP/1.1 {status} X\r\ncontent-length: 50\r\n\r\n");
    let (progress, _) = parse(bytes.as_bytes()).expect("acceptable");
    assert_eq!(progress, ParseProgress::Complete { surplus: 0 });
}

#[test]
fn an_answer_to_head_has_no_body() {
    let mut parser = ResponseParser::new(AnswerBody::Never, LIMIT);
    let progress = parser.read(b"HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n");
    assert_eq!(progress, Ok(ParseProgress::Complete { surplus: 0 }));
}

#[test]
fn bytes_after_the_answer_are_counted() {
    let (progress, _) =
        parse(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nabcd").expect("acceptable");
    assert_eq!(progress, ParseProgress::Complete { surplus: 3 });
}

#[test]
fn a_body_without_framing_is_complete_only_at_the_close() {
    let (progress, mut parser) = parse(b"HTTP/1.1 200 OK\r\n\r\nabc").expect("acceptable");
    assert_eq!(progress, ParseProgress::Incomplete);
    assert_eq!(parser.note_close(), Ok(true));
    assert_eq!(
        parser.into_answer().map(|answer| answer.record.body_length),
        Some(3)
    );
}

#[test]
fn a_long_head_that_breaks_off_is_refused_however_it_was_cut() {
    let mut head = b"HTTP/1.1 200 OK\r\nlong: ".to_vec();
    head.extend_from_slice(&[b'x'; 2048]);
    head.extend_from_slice(b"\r\nna\0me");
    assert!(parse(&head).is_err());
    let mut parser = ResponseParser::new(AnswerBody::Possible, LIMIT);
    for piece in head.chunks(1) {
        assert_eq!(parser.read(piece), Ok(ParseProgress::Incomplete));
    }
    assert!(matches!(parser.note_close(), Err(ResponseError::Syntax(_))));
}

#[test]
fn a_body_that_is_cut_off_is_no_answer() {
    let (_, mut parser) =
        parse(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell").expect("acceptable");
    assert_eq!(parser.note_close(), Ok(false));
    assert_eq!(parser.phase(), RequestPhase::ResponseBody);
    assert!(parser.into_answer().is_none());
}

#[rstest]
#[case("content-length: 1\r\ncontent-length: 2")]
#[case("content-length: 1\r\ntransfer-encoding: chunked")]
#[case("content-length: +1")]
#[case("content-length: 1, 1")]
#[case("content-length: 0x1")]
#[case("transfer-encoding: gzip")]
#[case("transfer-encoding: chunked, chunked")]
fn ambiguous_framing_is_refused(#[case] fields: &str) {
    let bytes = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n0\r\n\r\n");
    let error = parse(bytes.as_bytes()).expect_err("ambiguous");
    assert!(matches!(error, ResponseError::Framing { .. }), "{error}");
}

#[test]
fn equal_lengths_are_one_length() {
    assert_eq!(
        answer_to(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nContent-Length: 1\r\n\r\nx")
            .record
            .body_length,
        1
    );
}

#[test]
fn a_length_over_the_bound_is_refused_before_the_body_comes() {
    let error = parse(b"HTTP/1.1 200 OK\r\ncontent-length: 1025\r\n\r\n").expect_err("too long");
    assert_eq!(
        error,
        ResponseError::Body(BodyError::TooLong { limit: LIMIT })
    );
}

#[rstest]
#[case(b"SSH-2.0-OpenSSH\r\n")]
#[case(b"HTTP/2 200\r\n\r\n")]
#[case(b"\x00\x00\x12\x04\x00")]
#[case(b"HTTP/1.1 20 OK\r\n\r\n")]
#[case(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n")]
fn what_is_not_http_is_refused_at_once(#[case] bytes: &[u8]) {
    let error = parse(bytes).expect_err("not HTTP");
    assert!(matches!(error, ResponseError::Syntax(_)), "{error}");
}

#[test]
fn a_status_below_one_hundred_is_refused() {
    let error = parse(b"HTTP/1.1 099 X\r\n\r\n").expect_err("not a status");
    assert_eq!(error, ResponseError::Status { status: 99 });
}

#[test]
fn an_endless_head_is_refused_at_the_bound() {
    let mut parser = ResponseParser::new(AnswerBody::Possible, LIMIT);
    assert_eq!(
        parser.read(b"HTTP/1.1 200 OK\r\nx: "),
        Ok(ParseProgress::Incomplete)
    );
    let refused = (0..HEAD_LIMIT).find_map(|_| parser.read(&[b'a'; 512]).err());
    assert_eq!(refused, Some(ResponseError::HeadTooLong));

    let mut bytes = b"HTTP/1.1 200 OK\r\n".to_vec();
    bytes.extend(b"a: b\r\n".repeat(FIELD_LIMIT + 1));
    let error = parse(&bytes).expect_err("too many fields");
    assert_eq!(
        error,
        ResponseError::Syntax(httparse::Error::TooManyHeaders)
    );
}

/// What a parser made of bytes that came in the given pieces, for comparison.
fn verdict(bytes: &[u8], mut cuts: Vec<usize>) -> Result<Option<ResponseRecord>, ResponseError> {
    cuts.sort_unstable();
    cuts.push(bytes.len());
    let mut parser = ResponseParser::new(AnswerBody::Possible, LIMIT);
    let mut from = 0;
    for to in cuts {
        let to = to.min(bytes.len());
        if let ParseProgress::Complete { .. } = parser.read(&bytes[from..to])? {
            break;
        }
        from = to;
    }
    Ok(parser.into_answer().map(|answer| answer.record))
}

/// Bytes that are near enough to HTTP to reach every part of the parser.
fn nearly_http() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
        Just(b"content-length: 7\r\n".to_vec()),
        Just(b"transfer-encoding: chunked\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"3\r\nabc\r\n".to_vec()),
        Just(b"0\r\n\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..8),
    ];
    proptest::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn the_verdict_does_not_depend_on_the_splits(
        bytes in nearly_http(),
        cuts in proptest::collection::vec(0_usize..200, 0..10),
    ) {
        prop_assert_eq!(verdict(&bytes, cuts), verdict(&bytes, Vec::new()));
    }

    #[test]
    fn arbitrary_bytes_never_panic_nor_exceed_the_bounds(
        bytes in proptest::collection::vec(any::<u8>(), 0..2048),
        cuts in proptest::collection::vec(0_usize..2048, 0..10),
    ) {
        let prefixed = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &bytes].concat();
        for bytes in [&bytes, &prefixed] {
            if let Ok(Some(record)) = verdict(bytes, cuts.clone()) {
                prop_assert!(record.body_length <= LIMIT);
                prop_assert!(record.headers.len() <= FIELD_LIMIT);
            }
        }
    }
}
