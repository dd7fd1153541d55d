//! Whole drives over HTTP/2, raw bytes and TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rstest::rstest;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::fixture::{Drive, Server, assert_reconciled, list, plan};
use crate::record::{ClientResult, RequestPhase};

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
    assert_reconciled(&records, summary);
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
    assert_reconciled(&records, summary);
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
    assert_reconciled(&records, summary);
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
    let twice = STANDARD.encode(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    plan["streams"][0]["requests"]["list"][0]["raw-base64"] = json!(twice);
    plan["streams"][0]["requests"]["list"][0]["linger-milliseconds"] = json!(100);
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_reconciled(&records, summary);
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
    let pem = STANDARD.encode(generated.cert.pem());
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
    assert_reconciled(&records, summary);
    for record in &records {
        let ClientResult::Response(response) = &record.result else {
            panic!("no answer: {record:?}");
        };
        assert_eq!(response.negotiated_protocol.as_deref(), Some(alpn));
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_fails_the_connecting() {
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
