//! Whole drives over in-memory streams against small servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use rstest::rstest;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::fixture::{AMPLE, Drive, Server, assert_books, list, plan, read_head, repeat};
use super::*;
use crate::traffic::record::{FailureCause, RequestPhase};

#[rstest]
#[case(json!("sequential"))]
#[case(json!({ "rate": { "per_second": 500.0 } }))]
#[case(json!({ "concurrent": { "limit": 3 } }))]
#[tokio::test]
async fn every_request_of_a_list_is_recorded_once(#[case] pacing: serde_json::Value) {
    let server = Server::start(1).await;
    let plan = plan(server.address, pacing, "new", list(20));
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_books(&records, summary);
    assert_eq!(summary.answered, 20);
    assert_eq!(server.connections(), 20);
    for record in &records {
        let sent_at = record.sent_at.expect("sent");
        assert!(record.intended_at <= sent_at && sent_at <= record.finished_at);
        assert_eq!(record.stream, "main");
    }
}

#[tokio::test]
async fn a_kept_connection_carries_all_requests_in_order() {
    let server = Server::start(usize::MAX).await;
    let plan = plan(server.address, json!("sequential"), "keep", list(10));
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_books(&records, summary);
    assert_eq!(server.connections(), 1);
    let ids: Vec<_> = records.iter().map(|record| record.id.clone()).collect();
    let expected: Vec<_> = (0..10).map(|n| format!("s.c.{n}.r")).collect();
    assert_eq!(ids, expected);
}

/// Answers every HTTP/2 request, and counts connections.
async fn http2_server(requests_per_connection: usize) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let connections = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
                let mut served = 0;
                while let Some(Ok((_, mut response))) = connection.accept().await {
                    let head = http::Response::new(());
                    response.send_response(head, true).expect("open");
                    served += 1;
                    if served == requests_per_connection {
                        connection.graceful_shutdown();
                    }
                }
            });
        }
    });
    (address, connections)
}

fn over_http2(mut plan: serde_json::Value) -> serde_json::Value {
    let list = plan["streams"][0]["requests"]["list"].as_array_mut();
    for request in list.expect("a list") {
        request["protocol"] = json!("h2");
    }
    plan
}

#[rstest]
#[case(json!("sequential"), "keep", 1)]
#[case(json!("sequential"), "new", 20)]
#[case(json!({ "concurrent": { "limit": 20 } }), "keep", 1)]
#[case(json!({ "concurrent": { "limit": 3 } }), "new", 20)]
#[case(json!({ "rate": { "per_second": 500.0 } }), "keep", 1)]
#[tokio::test]
async fn requests_over_http2_share_a_connection_where_the_plan_keeps_it(
    #[case] pacing: serde_json::Value,
    #[case] connection: &str,
    #[case] expected: u64,
) {
    let (address, connections) = http2_server(usize::MAX).await;
    let plan = over_http2(plan(address, pacing, connection, list(20)));
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_books(&records, summary);
    assert_eq!(summary.answered, 20);
    assert_eq!(connections.load(Ordering::Relaxed), expected);
    for record in &records {
        let ClientResult::Response(response) = &record.result else {
            panic!("no answer: {record:?}");
        };
        let first = response.first_byte_microseconds.expect("an answer");
        assert!(first <= record.elapsed_microseconds);
    }
}

#[tokio::test]
async fn a_shared_connection_that_goes_away_is_replaced() {
    let (address, connections) = http2_server(5).await;
    let plan = over_http2(plan(address, json!("sequential"), "keep", list(20)));
    let (records, summary) = Drive::start(&plan).await.finish().await;
    // The GOAWAY may be seen before the next request or during it.
    assert_books(&records, summary);
    assert_eq!(summary.sent, 20);
    assert!(summary.answered >= 15, "{summary:?}");
    assert!(connections.load(Ordering::Relaxed) >= 3);
}

#[tokio::test]
async fn protocols_can_alternate_on_a_stream_that_keeps_connections() {
    let server = Server::start(usize::MAX).await;
    let mut plan = plan(server.address, json!("sequential"), "keep", list(3));
    plan["streams"][0]["requests"]["list"][1]["protocol"] = json!("h2");
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_books(&records, summary);
    let answered: Vec<_> = records
        .iter()
        .map(|record| matches!(record.result, ClientResult::Response(_)))
        .collect();
    assert_eq!(
        answered,
        [true, false, true],
        "this server speaks no HTTP/2"
    );
}

#[tokio::test]
async fn a_raw_request_is_recorded_under_its_id() {
    let server = Server::start(usize::MAX).await;
    let mut plan = plan(server.address, json!("sequential"), "keep", list(1));
    let twice = base64::engine::general_purpose::STANDARD
        .encode(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    plan["streams"][0]["requests"]["list"][0]["raw-base64"] = json!(twice);
    plan["streams"][0]["requests"]["list"][0]["linger-milliseconds"] = json!(100);
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_books(&records, summary);
    assert_eq!(records[0].id, "s.c.0.r");
    let ClientResult::Response(response) = &records[0].result else {
        panic!("no answer: {records:?}");
    };
    assert_eq!(response.extra_responses, 1);
}

/// An identity for `localhost`, and what trusts it.
fn identity() -> (tokio_rustls::TlsAcceptor, String) {
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring;

    let generated = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let key = tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(
        generated.signing_key.serialize_der(),
    )
    .expect("a key");
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![generated.cert.der().clone()], key)
        .expect("a pair");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let pem = base64::engine::general_purpose::STANDARD.encode(generated.cert.pem());
    (Arc::new(config).into(), pem)
}

async fn tls_server(acceptor: tokio_rustls::TlsAcceptor) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
                while let Some(Ok((request, mut response))) = connection.accept().await {
                    assert_eq!(request.uri().scheme_str(), Some("https"));
                    let head = http::Response::new(());
                    response.send_response(head, true).expect("open");
                }
                continue;
            }
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a head"));
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.expect("writable");
            stream.flush().await.expect("writable");
        }
    });
    address
}

#[rstest]
#[case("h2", "h2")]
#[case("http1", "http/1.1")]
#[tokio::test]
async fn tls_carries_both_protocols_as_alpn_agrees(#[case] protocol: &str, #[case] alpn: &str) {
    let (acceptor, trusted) = identity();
    let address = tls_server(acceptor).await;
    let mut plan = plan(address, json!("sequential"), "new", list(2));
    plan["streams"][0]["tls"] =
        json!({ "server-name": "localhost", "ca-pem-base64": trusted, "alpn": [alpn] });
    for number in 0..2 {
        plan["streams"][0]["requests"]["list"][number]["protocol"] = json!(protocol);
    }
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_books(&records, summary);
    for record in &records {
        let ClientResult::Response(response) = &record.result else {
            panic!("no answer: {record:?}");
        };
        assert_eq!(response.negotiated_protocol.as_deref(), Some(alpn));
    }
}

#[tokio::test]
async fn a_certificate_of_somebody_else_fails_the_connecting() {
    let (acceptor, _) = identity();
    let (_, other) = identity();
    let address = tls_server(acceptor).await;
    let mut plan = plan(address, json!("sequential"), "new", list(1));
    plan["streams"][0]["tls"] = json!({ "server-name": "localhost", "ca-pem-base64": other });
    let (records, _) = Drive::start(&plan).await.finish().await;
    let ClientResult::Failed(failure) = &records[0].result else {
        panic!("an answer: {records:?}");
    };
    assert_eq!(failure.phase, RequestPhase::Connect);
    assert!(failure.detail.contains("certificate"), "{failure:?}");
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_replaced() {
    let server = Server::start(3).await;
    let plan = plan(server.address, json!("sequential"), "keep", list(9));
    let (records, summary) = Drive::start(&plan).await.finish().await;
    // The close after the third answer may be seen before the next request or during it; either
    // way each request has one record, and the next one has a new connection.
    assert_books(&records, summary);
    assert_eq!(summary.sent, 9);
    assert_eq!(server.connections(), summary.answered.div_ceil(3));
    for record in &records {
        if let ClientResult::Failed(failure) = &record.result {
            assert!(
                matches!(failure.cause, FailureCause::Closed | FailureCause::Reset),
                "{failure:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_failure_on_a_kept_connection_is_recorded_and_not_repeated() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    // Answers the first request of each connection and closes once it has read the second.
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_head(&mut stream).await.expect("the first request");
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            stream.write_all(answer).await.expect("writable");
            read_head(&mut stream).await.ok();
        }
    });
    let plan = plan(address, json!("sequential"), "keep", list(4));
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_books(&records, summary);
    let failures: Vec<_> = records
        .iter()
        .map(|record| match &record.result {
            ClientResult::Response(_) => None,
            ClientResult::Failed(failure) => Some((failure.phase, failure.cause)),
        })
        .collect();
    let closed = Some((RequestPhase::ResponseHead, FailureCause::Closed));
    assert_eq!(failures, [None, closed, None, closed]);
}

#[tokio::test]
async fn a_stop_ends_a_repetition_and_its_numbers_have_no_gap() {
    let server = Server::start(usize::MAX).await;
    let plan = plan(
        server.address,
        json!("sequential"),
        "keep",
        repeat(u32::MAX),
    );
    let mut drive = Drive::start(&plan).await;
    let mut first = Vec::new();
    for _ in 0..5 {
        first.push(drive.next_record().await);
    }
    drive
        .input
        .write_all(b"\"stop\"\n")
        .await
        .expect("the driver reads");
    let (mut records, summary) = drive.finish().await;
    records.splice(0..0, first);
    assert_books(&records, summary);
    for (number, record) in records.iter().enumerate() {
        assert_eq!(record.id, format!("s.c.{number}.r"));
    }
}

#[tokio::test]
async fn a_repetition_ends_at_its_limit_without_a_stop() {
    let server = Server::start(1).await;
    let plan = plan(
        server.address,
        json!({ "concurrent": { "limit": 2 } }),
        "new",
        repeat(7),
    );
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_books(&records, summary);
    assert_eq!(summary.sent, 7);
}

#[tokio::test]
async fn the_end_of_the_input_is_a_stop() {
    let server = Server::start(usize::MAX).await;
    let plan = plan(
        server.address,
        json!("sequential"),
        "keep",
        repeat(u32::MAX),
    );
    let mut drive = Drive::start(&plan).await;
    drive.next_record().await;
    drive.input.shutdown().await.expect("open");
    let mut seen = 1;
    let summary = loop {
        match drive.next_line().await {
            DriverLine::Request(_) => seen += 1,
            DriverLine::Summary(summary) => break summary,
            DriverLine::Refused { reason } => panic!("refused: {reason}"),
        }
    };
    assert_eq!(summary.sent, seen);
}

#[tokio::test(start_paused = true)]
async fn an_open_loop_stamps_the_intended_instants_under_a_stalled_server() {
    // Connections wait in the backlog; nobody ever answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let mut plan = plan(
        address,
        json!({ "rate": { "per_second": 10.0 } }),
        "new",
        list(20),
    );
    plan["request-timeout-milliseconds"] = json!(5000);
    let (mut records, summary) = Drive::start(&plan).await.finish().await;
    assert_books(&records, summary);
    assert_eq!(summary.failed, 20);
    records.sort_by_key(|record| record.intended_at);
    for pair in records.windows(2) {
        let between = pair[1].intended_at.duration_since(pair[0].intended_at);
        assert_eq!(between.as_millis(), 100, "earlier ones do not hold it back");
    }
    for record in &records {
        assert!(record.elapsed_microseconds >= 5_000_000, "{record:?}");
        let ClientResult::Failed(failure) = &record.result else {
            panic!("an answer: {record:?}");
        };
        assert_eq!(failure.cause, FailureCause::TimedOut);
    }
    drop(listener);
}

#[tokio::test(start_paused = true)]
async fn requests_that_leave_late_keep_their_intended_instants() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    // Due every 10 µs, but the timer wakes at whole milliseconds: all of them leave late.
    let mut plan = plan(
        address,
        json!({ "rate": { "per_second": 100_000.0 } }),
        "new",
        list(20),
    );
    plan["request-timeout-milliseconds"] = json!(50);
    let (mut records, summary) = Drive::start(&plan).await.finish().await;
    assert_books(&records, summary);
    records.sort_by_key(|record| record.intended_at);
    for pair in records.windows(2) {
        let between = pair[1].intended_at.duration_since(pair[0].intended_at);
        assert_eq!(between.as_micros(), 10);
    }
    drop(listener);
}

#[tokio::test]
async fn an_unreachable_address_fails_each_request_by_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let plan = plan(address, json!("sequential"), "keep", list(3));
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_books(&records, summary);
    assert_eq!((summary.failed, summary.worst_lag_microseconds), (3, 0));
    assert!(records.iter().all(|record| record.sent_at.is_none()));
}

#[tokio::test]
async fn an_outage_does_not_run_at_full_speed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let plan = plan(address, json!("sequential"), "new", repeat(4));
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_books(&records, summary);
    for pair in records.windows(2) {
        let between = pair[1].intended_at.duration_since(pair[0].finished_at);
        assert!(between.as_millis() >= 10, "{pair:?}");
    }
}

#[tokio::test]
async fn a_broken_output_ends_the_drive() {
    let server = Server::start(usize::MAX).await;
    let plan = plan(
        server.address,
        json!("sequential"),
        "keep",
        repeat(u32::MAX),
    );
    let mut drive = Drive::start(&plan).await;
    drive.next_record().await;
    drop(drive.output);
    let ended = timeout(AMPLE, drive.task).await.expect("it ends");
    let error = ended.expect("no panic").expect_err("nobody reads");
    assert!(matches!(error, DriveError::Output { .. }), "{error}");
}

#[tokio::test]
async fn an_unknown_command_stops_and_is_reported() {
    let server = Server::start(usize::MAX).await;
    let plan = plan(
        server.address,
        json!("sequential"),
        "keep",
        repeat(u32::MAX),
    );
    let mut drive = Drive::start(&plan).await;
    drive
        .input
        .write_all(b"faster\n")
        .await
        .expect("the driver reads");
    while let DriverLine::Request(_) = drive.next_line().await {}
    let error = drive.task.await.expect("no panic").expect_err("unknown");
    assert!(matches!(error, DriveError::Command { .. }), "{error}");
}

#[tokio::test]
async fn a_plan_that_cannot_be_carried_out_is_refused_and_nothing_is_sent() {
    let server = Server::start(1).await;
    let mut plan = plan(server.address, json!("sequential"), "new", list(2));
    plan["streams"][0]["requests"]["list"][1]["target"] = json!("/\n");
    let mut drive = Drive::start(&plan).await;
    let DriverLine::Refused { reason } = drive.next_line().await else {
        panic!("not refused");
    };
    assert!(reason.contains("the target"), "{reason}");
    let error = drive.task.await.expect("no panic").expect_err("refused");
    assert!(matches!(error, DriveError::Refused { .. }), "{error}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn an_input_that_ends_before_the_plan_is_refused() {
    let (output, driver_output) = duplex(1024);
    let error = drive(tokio::io::empty(), driver_output)
        .await
        .expect_err("no plan");
    assert!(error.to_string().contains("ended"), "{error}");
    let mut line = String::new();
    BufReader::new(output)
        .read_line(&mut line)
        .await
        .expect("readable");
    assert!(line.starts_with(r#"{"refused":"#), "{line}");
}
