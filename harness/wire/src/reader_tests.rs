//! The whole way from a tap's bytes to records: real captures, any cuts, malformed and hostile input, and a million checks.

use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use proptest::prelude::*;
use rstest::rstest;

use crate::connection::{GIVEN_UP_KEPT, OPEN_STREAMS};
use crate::frames::FRAME_BYTES_KEPT;
use crate::grpc::MESSAGE_BYTES;
use crate::headers::CONTINUATIONS;
use crate::test_wire::*;
use crate::wire_reader::{CONNECTIONS, HELD_BYTES};
use crate::{WireReader, WireRecord, WireVerdict};

/// One request let through and one denied, with the access-log entries; the tap ends while the connection is open.
const ALLOWED_AND_DENIED: &[u8] = include_bytes!("../captures/allowed-and-denied.json");

/// A body, bytes that are not UTF-8, an agent that is stopped for longer than the proxy's time-out, and one that is killed.
const GIVEN_UP: &[u8] = include_bytes!("../captures/given-up.json");

#[derive(Debug, PartialEq)]
struct Decoded {
    records: Vec<WireRecord>,
    losses: Vec<String>,
    response_data: u64,
}

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut reader = WireReader::default();
    for piece in pieces {
        reader.feed(piece);
    }
    reader.finish();
    Decoded {
        records: reader.take_records(),
        losses: reader.take_losses(),
        response_data: reader.response_data(),
    }
}

fn verdicts(records: &[WireRecord]) -> Vec<(&str, Option<&WireVerdict>)> {
    let records = records.iter();
    records
        .map(|record| {
            let answer = record.answer.as_ref();
            (&*record.id, answer.map(|answer| &answer.verdict))
        })
        .collect()
}

const ALLOWED: Option<&WireVerdict> = Some(&WireVerdict::Allowed);

#[test]
fn a_capture_of_one_request_let_through_and_one_denied() {
    let decoded = decode([ALLOWED_AND_DENIED]);
    assert_eq!(decoded.losses, Vec::<String>::new());
    assert_eq!(
        verdicts(&decoded.records),
        [
            ("a.1", ALLOWED),
            ("a.2", Some(&WireVerdict::Denied { status: 406 }))
        ]
    );
    assert_eq!(decoded.response_data, 2);
    let [allowed, denied] = &decoded.records[..] else {
        panic!("two records");
    };
    assert_eq!(
        denied.path,
        "/a?id=1%27%20UNION%20SELECT%20password%20FROM%20users--"
    );
    assert_eq!(denied.method, "GET");
    assert_eq!(denied.host, "127.0.0.1:8000");
    assert_eq!(denied.peer_address, "127.0.0.1");
    assert_eq!(denied.proxy_request, "8588004591280853718");
    assert_eq!((denied.body_length, &*denied.body_sha256), (0, ""));
    assert!(denied.headers.is_sorted());
    assert!(denied.headers.contains(&("accept".into(), "*/*".into())));
    let answer = denied.answer.as_ref().unwrap();
    assert_eq!(
        answer.headers,
        [("content-type".into(), "text/plain".into())]
    );
    assert_eq!(answer.body_length, 19);
    assert!(denied.asked_at < answer.at);
    let answer = allowed.answer.as_ref().unwrap();
    assert_eq!(answer.headers[0].0, "x-sigsci-request-id");
    assert_eq!(
        answer.headers[1],
        ("x-sigsci-waf-response".into(), "200".into())
    );
    assert!(allowed.asked_at < answer.at);
    assert!(answer.at < denied.asked_at);
}

#[test]
fn a_capture_of_checks_that_the_proxy_gave_up() {
    let decoded = decode([GIVEN_UP]);
    assert_eq!(decoded.losses, Vec::<String>::new());
    assert_eq!(
        verdicts(&decoded.records),
        [
            ("b.post", ALLOWED),
            ("b.head", ALLOWED),
            ("b.stopped", None),
            ("b.stopped2", None),
            ("b.after", ALLOWED),
            ("b.killed", None),
        ]
    );
    // The request that the proxy itself refused is logged too; the last two have no agent to go to.
    assert_eq!(decoded.response_data, 6);
    let post = &decoded.records[0];
    assert_eq!(post.body_length, 24);
    assert_eq!(
        post.body_sha256,
        hex::encode(<sha2::Sha256 as sha2::Digest>::digest(
            "name=value&comment=hello"
        ))
    );
    assert_eq!(post.size, 24);
}

#[rstest]
#[case(ALLOWED_AND_DENIED)]
#[case(GIVEN_UP)]
fn how_a_capture_is_cut_does_not_matter(#[case] capture: &'static [u8]) {
    let whole = decode([capture]);
    for size in [1, 2, 7, 4096] {
        assert_eq!(decode(capture.chunks(size)), whole);
    }
}

fn tapped(tap: &Tap) -> Decoded {
    decode([tap.stream.as_bytes()])
}

fn verdict_of(data: &[u8], trailers: &[(&str, &str)]) -> WireVerdict {
    let mut tap = Tap::begun(1);
    tap.write(&asked(1, "id"));
    tap.read(&answered_with(1, data, trailers));
    let mut decoded = tapped(&tap);
    assert_eq!(decoded.losses, Vec::<String>::new());
    assert_eq!(decoded.records.len(), 1);
    decoded.records.remove(0).answer.unwrap().verdict
}

fn undecodable(reason: &str) -> WireVerdict {
    WireVerdict::Undecodable {
        reason: reason.into(),
    }
}

fn failed(code: u32, message: &str) -> WireVerdict {
    WireVerdict::Failed {
        code,
        message: message.into(),
    }
}

#[rstest]
#[case(message(&[]), &[("grpc-status", "0")], WireVerdict::Allowed)]
#[case(message(&[]), &[("grpc-status", "14"), ("grpc-message", "not%20now")], failed(14, "not now"))]
#[case(vec![], &[("grpc-status", "0")], failed(0, "no message"))]
#[case(vec![], &[], failed(2, "no grpc-status"))]
#[case(message(&[]), &[("grpc-status", "x")], failed(2, "grpc-status is not a number"))]
#[case(vec![0, 0, 0, 0, 1], &[("grpc-status", "0")], undecodable("a message that is cut short"))]
#[case(vec![1, 0, 0, 0, 1, 0], &[("grpc-status", "0")], undecodable("a compressed message is not supported"))]
#[case([message(&[]), message(&[])].concat(), &[("grpc-status", "0")], undecodable("more than one message"))]
fn what_an_answer_says(
    #[case] data: Vec<u8>,
    #[case] trailers: &[(&str, &str)],
    #[case] verdict: WireVerdict,
) {
    assert_eq!(verdict_of(&data, trailers), verdict);
}

#[test]
fn what_is_no_check_response_is_undecodable() {
    let verdict = verdict_of(&message(&[0xff; 8]), &[("grpc-status", "0")]);
    let WireVerdict::Undecodable { reason } = verdict else {
        panic!("{verdict:?}");
    };
    assert!(reason.starts_with("no check response: "), "{reason}");
}

#[test]
fn an_answer_that_is_too_long_is_undecodable() {
    let mut data = message(&[]);
    data[1..].copy_from_slice(&u32::try_from(MESSAGE_BYTES + 1).unwrap().to_be_bytes());
    data.resize(MESSAGE_BYTES + 6, 0);
    let verdict = verdict_of(&data, &[("grpc-status", "0")]);
    assert_eq!(
        verdict,
        undecodable("a message of 8388609 bytes is longer than 8388608")
    );
}

#[rstest]
#[case(406, WireVerdict::Denied { status: 406 })]
#[case(0, WireVerdict::Denied { status: 403 })]
#[case(-1, undecodable("a denial with the status -1"))]
fn denials(#[case] status: i32, #[case] verdict: WireVerdict) {
    let mut tap = Tap::begun(1);
    tap.write(&asked(1, "id"));
    tap.read(&answered(1, &denial(status)));
    assert_eq!(verdicts(&tapped(&tap).records), [("id", Some(&verdict))]);
}

#[test]
fn an_answer_without_a_message_and_one_that_is_not_grpc() {
    let mut tap = Tap::begun(1);
    tap.write(&[asked(1, "a"), asked(3, "b")].concat());
    let only = block(&[(":status", "200"), ("grpc-status", "12")]);
    tap.read(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &only));
    let unavailable = block(&[(":status", "503")]);
    tap.read(&frame(HEADERS, END_HEADERS, 3, &unavailable));
    assert_eq!(
        verdicts(&tapped(&tap).records),
        [
            ("a", Some(&failed(12, ""))),
            ("b", Some(&failed(14, "HTTP status 503")))
        ]
    );
}

#[test]
fn a_late_answer_is_a_second_record() {
    let mut tap = Tap::begun(1);
    tap.write(&asked(1, "id"));
    tap.write(&frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]));
    tap.read(&answered(1, &CheckResponse::default()));
    tap.closed();
    let decoded = tapped(&tap);
    assert_eq!(verdicts(&decoded.records), [("id", None), ("id", ALLOWED)]);
    assert_eq!(decoded.losses, Vec::<String>::new());
}

#[test]
fn only_so_many_given_up_checks_are_kept() {
    let mut tap = Tap::begun(1);
    for index in 0..=u32::try_from(GIVEN_UP_KEPT).unwrap() {
        let stream = 2 * index + 1;
        tap.write(&asked(stream, "id"));
        tap.write(&frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    tap.read(&answered(1, &CheckResponse::default()));
    tap.read(&answered(3, &CheckResponse::default()));
    assert_eq!(tapped(&tap).records.len(), GIVEN_UP_KEPT + 2);
}

#[test]
fn a_check_that_the_agent_resets_has_no_answer() {
    let mut tap = Tap::begun(1);
    tap.write(&asked(1, "id"));
    tap.read(&frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]));
    tap.closed();
    assert_eq!(verdicts(&tapped(&tap).records), [("id", None)]);
}

#[test]
fn header_blocks_go_on_and_other_streams_are_passed_over() {
    let mut tap = Tap::begun(1);
    let head = head("/envoy.service.auth.v3.Authorization/Check");
    let request = message(&prost::Message::encode_to_vec(&check_request("id")));
    tap.write(&frame(HEADERS, 0, 1, &head[..9]));
    tap.write(&frame(CONTINUATION, END_HEADERS, 1, &head[9..]));
    let mut padded = vec![3];
    padded.extend(&request);
    padded.extend([0; 3]);
    tap.write(&frame(DATA, END_STREAM | 8, 1, &padded));
    tap.write(&frame(
        HEADERS,
        END_HEADERS,
        3,
        &block(&[(":path", "/other")]),
    ));
    tap.read(&answered(3, &CheckResponse::default()));
    tap.read(&answered(1, &CheckResponse::default()));
    let decoded = tapped(&tap);
    assert_eq!(verdicts(&decoded.records), [("id", ALLOWED)]);
    assert_eq!(decoded.losses, Vec::<String>::new());
}

/// What makes the connection unreadable, after a check that is kept and one that is open.
#[rstest]
#[case::index(frame(HEADERS, END_HEADERS, 1, &[0xbe]), "the index 62")]
#[case::table(frame(HEADERS, END_HEADERS, 1, &[0x3f, 0xe1, 0xff, 0xff, 0x03]), "needs a table")]
#[case::interrupted([frame(HEADERS, 0, 1, &[]), frame(DATA, 0, 1, &[])].concat(), "interrupted")]
#[case::stray(frame(CONTINUATION, 0, 1, &[]), "interrupted")]
#[case::endless([frame(HEADERS, 0, 1, &[]), frame(CONTINUATION, 0, 1, &[]).repeat(CONTINUATIONS + 1)].concat(), "longer than")]
#[case::large_block([frame(HEADERS, 0, 1, &vec![0; FRAME_BYTES_KEPT]), frame(CONTINUATION, 0, 1, &[0])].concat(), "longer than")]
#[case::large_frame(frame(HEADERS, 0, 1, &vec![0; FRAME_BYTES_KEPT + 1]), "longer than is kept")]
#[case::padding(frame(DATA, 8, 1, &[2, 0]), "shorter than its fields")]
#[case::no_padding(frame(DATA, 8, 1, &[]), "shorter than its fields")]
#[case::setting(frame(SETTINGS, 0, 0, &[0; 5]), "part of a setting")]
#[case::push(frame(5, END_HEADERS, 1, &[0; 4]), "pushes")]
fn a_malformed_connection_is_lost_from_there_on(#[case] bytes: Vec<u8>, #[case] reason: &str) {
    let mut tap = Tap::begun(7);
    tap.write(&asked(1, "before"));
    tap.read(&answered(1, &CheckResponse::default()));
    tap.write(&asked(3, "open"));
    tap.read(&bytes);
    tap.write(&asked(5, "after"));
    tap.read(&answered(5, &CheckResponse::default()));
    tap.closed();
    let mut next = Tap::begun(8);
    next.write(&asked(1, "other"));
    next.read(&answered(1, &CheckResponse::default()));
    let decoded = decode([tap.stream.as_bytes(), next.stream.as_bytes()]);
    assert_eq!(
        verdicts(&decoded.records),
        [("before", ALLOWED), ("other", ALLOWED)]
    );
    let [loss] = &decoded.losses[..] else {
        panic!("{:?}", decoded.losses);
    };
    assert!(loss.starts_with("connection 7: from the agent: "), "{loss}");
    assert!(loss.contains(reason), "{loss}");
    assert!(loss.ends_with("with 1 checks that were open"), "{loss}");
}

#[test]
fn a_connection_that_is_not_seen_whole_is_lost() {
    let mut other = Tap::new(1);
    other.write(b"GET / HTTP/1.1\r\n\r\n");
    let mut late = Tap::new(2);
    late.sequence = 100;
    late.write(&asked(1, "late"));
    let mut gap = Tap::begun(3);
    gap.sequence += 1;
    gap.write(&asked(1, "gap"));
    let mut end = Tap::begun(4);
    end.write(&asked(1, "end"));
    end.sequence += 1;
    end.closed();
    let mut truncated = Tap::begun(5);
    truncated.write(&asked(1, "truncated"));
    let cut = truncated
        .stream
        .replace("truncated\": false", "truncated\": true");
    let streams = [&other.stream, &late.stream, &gap.stream, &end.stream, &cut];
    let decoded = decode(streams.map(String::as_bytes));
    assert_eq!(decoded.records, []);
    let reasons = [
        "connection 1: from the proxy: it does not begin as HTTP/2 does; ",
        "connection 2: its first bytes were not seen; ",
        "connection 3: the tap has event 44 where 43 was due; ",
        "connection 4: the tap has event ",
        "connection 5: the tap left bytes of an event out; ",
    ];
    assert_eq!(decoded.losses.len(), reasons.len());
    for (loss, reason) in decoded.losses.iter().zip(reasons) {
        assert!(loss.starts_with(reason), "{loss}");
    }
}

#[test]
fn check_requests_that_cannot_be_read_are_lost_alone() {
    let head = frame(
        HEADERS,
        END_HEADERS,
        1,
        &head("/envoy.service.auth.v3.Authorization/Check"),
    );
    let with_stream = |stream: u32| {
        let mut head = head.clone();
        head[5..9].copy_from_slice(&stream.to_be_bytes());
        head
    };
    let mut tap = Tap::begun(1);
    tap.write(&with_stream(1));
    tap.write(&frame(DATA, END_STREAM, 1, &message(&[0xff; 4])));
    tap.write(&with_stream(3));
    let mut long = vec![0];
    long.extend(u32::try_from(MESSAGE_BYTES + 1).unwrap().to_be_bytes());
    tap.write(&frame(DATA, 0, 3, &long));
    tap.write(&with_stream(5));
    tap.write(&frame(DATA, END_STREAM, 5, &[1, 0, 0, 0, 0]));
    tap.write(&with_stream(7));
    tap.write(&frame(DATA, END_STREAM, 7, &[]));
    tap.write(&with_stream(9));
    tap.write(&frame(RST_STREAM, 0, 9, &[0; 4]));
    tap.write(&with_stream(11));
    tap.read(&answered(11, &CheckResponse::default()));
    tap.write(&with_stream(13));
    tap.write(&asked(15, "good"));
    tap.read(&answered(15, &CheckResponse::default()));
    tap.closed();
    let decoded = tapped(&tap);
    assert_eq!(verdicts(&decoded.records), [("good", ALLOWED)]);
    let reasons = [
        "connection 1, stream 1: no check request: ",
        "connection 1, stream 3: a check request of 8388609 bytes is longer than 8388608",
        "connection 1, stream 5: a check request is compressed",
        "connection 1, stream 7: a check ended before its request was whole",
        "connection 1, stream 9: a check was reset before its request was whole",
        "connection 1, stream 11: a check was answered before its request was whole",
        "connection 1, stream 13: the connection ended before its check was whole",
    ];
    assert_eq!(decoded.losses.len(), reasons.len(), "{:?}", decoded.losses);
    for (loss, reason) in decoded.losses.iter().zip(reasons) {
        assert!(loss.starts_with(reason), "{loss}");
    }
}

#[test]
fn streams_and_connections_are_bounded() {
    let mut tap = Tap::begun(1);
    let other = block(&[(":path", "/other")]);
    let mut heads = Vec::new();
    for index in 0..=u32::try_from(OPEN_STREAMS).unwrap() {
        heads.extend(frame(HEADERS, END_HEADERS, 2 * index + 1, &other));
    }
    tap.write(&heads);
    let decoded = tapped(&tap);
    assert!(decoded.losses[0].contains("more than 65536 of its streams are open"));

    let mut reader = WireReader::default();
    for connection in 0..u64::try_from(CONNECTIONS).unwrap() + 2 {
        reader.feed(Tap::begun(connection).stream.as_bytes());
    }
    let bound = ["more than 4096 connections: further ones are not read"];
    assert_eq!(reader.take_losses(), bound);
}

#[test]
fn what_waits_for_its_end_is_bounded() {
    let mut tap = Tap::begun(1);
    let chunk = vec![0; 1024 * 1024];
    let mut data = vec![0];
    data.extend(u32::try_from(MESSAGE_BYTES).unwrap().to_be_bytes());
    let mut reader = WireReader::default();
    for index in 0..=u32::try_from(HELD_BYTES / MESSAGE_BYTES).unwrap() {
        let stream = 2 * index + 1;
        tap.write(&asked(stream, "id"));
        tap.read(&frame(
            HEADERS,
            END_HEADERS,
            stream,
            &block(&[(":status", "200")]),
        ));
        tap.read(&frame(DATA, 0, stream, &data));
        for _ in 0..7 {
            tap.read(&frame(DATA, 0, stream, &chunk));
            reader.feed(std::mem::take(&mut tap.stream).as_bytes());
        }
    }
    let losses = reader.take_losses();
    assert!(losses[0].contains("bytes wait for their end"), "{losses:?}");
}

/// What a capture becomes when some of its bytes are others.
fn mutated(capture: &[u8], changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    let mut mutated = capture.to_vec();
    for (position, byte) in changes {
        let position = position.index(mutated.len());
        mutated[position] = *byte;
    }
    mutated
}

/// A connection whose bytes are given, behind the preface.
fn hostile(written: &[u8], read: &[u8]) -> Tap {
    let mut tap = Tap::begun(1);
    tap.write(&asked(1, "id"));
    tap.read(read);
    tap.write(written);
    tap.closed();
    tap
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop::collection::vec(any::<u8>(), 0..40);
    (0..11_u8, any::<u8>(), 0..8_u32, payload)
        .prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_cuts_yield_the_same(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(GIVEN_UP.len())).collect();
        cuts.extend([0, GIVEN_UP.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &GIVEN_UP[cut[0]..cut[1]]);
        prop_assert_eq!(decode(pieces), decode([GIVEN_UP]));
    }

    #[test]
    fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        decode([&bytes[..]]);
    }

    #[test]
    fn a_mutated_capture_is_taken(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..16)) {
        decode([&mutated(GIVEN_UP, &changes)[..]]);
        decode([&mutated(ALLOWED_AND_DENIED, &changes)[..]]);
    }

    #[test]
    fn any_bytes_on_the_wire_are_taken(written in prop::collection::vec(any::<u8>(), 0..256), read in prop::collection::vec(any::<u8>(), 0..256)) {
        tapped(&hostile(&written, &read));
    }

    #[test]
    fn any_frames_are_taken_however_the_wire_is_cut(
        written in prop::collection::vec(any_frame(), 0..12),
        read in prop::collection::vec(any_frame(), 0..12),
        size in 1..64_usize,
    ) {
        let (written, read) = (written.concat(), read.concat());
        let whole = tapped(&hostile(&written, &read));
        let mut tap = Tap::begun(1);
        tap.write(&asked(1, "id"));
        for piece in read.chunks(size) {
            tap.read(piece);
        }
        for piece in written.chunks(size) {
            tap.write(piece);
        }
        tap.closed();
        let cut = tapped(&tap);
        // Times differ, and a connection that is lost is lost with the records of the same bytes.
        prop_assert_eq!(verdicts(&cut.records), verdicts(&whole.records));
        prop_assert_eq!(cut.losses, whole.losses);
    }
}

/// `cargo test --release -p harness-wire -- --ignored --nocapture a_million`: for a machine that has nothing else to do.
#[test]
#[ignore = "takes long, and means something in a release build only"]
fn a_million_checks_are_read_in_time() {
    const CHECKS: u32 = 1_000_000;
    const BATCH: u32 = 1000;
    let mut tap = Tap::begun(1);
    let mut reader = WireReader::default();
    let mut spent = std::time::Duration::ZERO;
    let (mut records, mut bytes) = (0, 0);
    for batch in 0..CHECKS / BATCH {
        for index in 0..BATCH {
            let stream = 2 * (batch * BATCH + index) + 1;
            tap.write(&asked(stream, &format!("case.{stream}.run")));
            tap.read(&answered(stream, &denial(406)));
        }
        let began = std::time::Instant::now();
        bytes += tap.stream.len();
        for piece in tap.stream.as_bytes().chunks(64 * 1024) {
            reader.feed(piece);
        }
        records += reader.take_records().len();
        spent += began.elapsed();
        tap.stream.clear();
    }
    assert_eq!(records, usize::try_from(CHECKS).unwrap());
    assert_eq!(reader.take_losses(), Vec::<String>::new());
    #[expect(clippy::print_stderr, reason = "the figure is what the test is for")]
    {
        eprintln!("{CHECKS} checks, {bytes} bytes of tap: {spent:?}");
    }
    assert!(spent.as_secs() < 60, "{spent:?}");
}
