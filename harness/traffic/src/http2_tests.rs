//! HTTP/2 exchanges with a scripted server: what is sent, what is recorded, and how they fail.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use h2::Reason;
use h2::server::{self, SendResponse};
use http::{HeaderValue, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::plan::{BodyPacing, BodyStart, Framing, PlannedRequest, Protocol, Upgrade};
use crate::record::UpgradeOutcome;
use crate::request_bytes::{RequestTemplate, WireForm};
use crate::transport::{Destination, Translation};

const AMPLE: Duration = Duration::from_secs(30);

fn planned() -> PlannedRequest {
    PlannedRequest {
        id: "s.c.0.r".into(),
        method: "POST".into(),
        target: "/a//b?q".into(),
        headers: vec![("X-A".into(), "1".into())],
        body_base64: Some(STANDARD.encode(b"hello")),
        framing: Framing::ContentLength,
        raw_base64: None,
        protocol: Protocol::H2,
        trailers: Vec::new(),
        body_pacing: None,
        body_start: BodyStart::AtOnce,
        upgrade: None,
        linger_milliseconds: None,
    }
}

/// Serves one connection: each request by `serve`.
async fn server<F, S>(serve: F) -> SocketAddr
where
    F: Fn(Request<RecvStream>, SendResponse<Bytes>) -> S + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut builder = server::Builder::new();
        builder.enable_connect_protocol();
        let mut connection = builder.handshake(stream).await.expect("HTTP/2");
        while let Some(Ok((request, response))) = connection.accept().await {
            tokio::spawn(serve(request, response));
        }
    });
    address
}

/// A server that does as it likes with the bytes of one connection.
async fn raw_server<S>(serve: impl FnOnce(TcpStream) -> S + Send + 'static) -> SocketAddr
where
    S: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        serve(stream).await;
    });
    address
}

async fn client(address: SocketAddr) -> Http2Client {
    let deadline = Instant::now() + AMPLE;
    let destination = Destination {
        address: address.to_string(),
        translation: Translation::ByNode,
        tls: None,
    };
    let transport = destination.connect(deadline).await.expect("listening");
    Http2Client::start(transport, deadline)
        .await
        .expect("started")
}

async fn exchange_within(
    client: Http2Client,
    planned: &PlannedRequest,
    within: Duration,
) -> Exchange<Http2Client> {
    let request = RequestTemplate::new(planned, "h:1").expect("valid").once();
    let WireForm::Http2(head) = request.manner.form.clone() else {
        panic!("HTTP/2 was asked for");
    };
    client
        .exchange(&request, &head, Instant::now() + within)
        .await
}

async fn exchange_of(address: SocketAddr, planned: &PlannedRequest) -> Exchange<Http2Client> {
    exchange_within(client(address).await, planned, AMPLE).await
}

fn response_of(exchange: &Exchange<Http2Client>) -> &ResponseRecord {
    match &exchange.result {
        ClientResult::Response(response) => response,
        ClientResult::Failed(failure) => panic!("no answer: {failure:?}"),
    }
}

fn failure_of(exchange: &Exchange<Http2Client>) -> &ClientFailure {
    match &exchange.result {
        ClientResult::Response(response) => panic!("an answer: {response:?}"),
        ClientResult::Failed(failure) => failure,
    }
}

/// Reads a body to its end, and returns it with its trailer fields.
async fn body_of(request: Request<RecvStream>) -> (Vec<u8>, Option<HeaderMap>) {
    let mut body = request.into_body();
    let mut bytes = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        bytes.extend_from_slice(&data);
    }
    let trailers = body.trailers().await.ok().flatten();
    (bytes, trailers)
}

fn answer(status: u16) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
    response
}

#[tokio::test]
async fn head_body_and_trailers_arrive_and_come_back() {
    let address = server(|request, mut response| async move {
        assert_eq!(
            request
                .uri()
                .path_and_query()
                .map(http::uri::PathAndQuery::as_str),
            Some("/a//b?q")
        );
        assert_eq!(request.headers()["x-conformance-id"], "s.c.0.r");
        assert!(!request.headers().contains_key("content-length"));
        let (body, trailers) = body_of(request).await;
        let mut head = answer(201);
        let value = HeaderValue::from_bytes(b"\xff").expect("a value");
        head.headers_mut().insert("x-raw", value);
        let mut stream = response.send_response(head, false).expect("open");
        stream.send_data(body.into(), false).expect("open");
        stream
            .send_trailers(trailers.expect("trailers"))
            .expect("open");
    })
    .await;
    let mut planned = planned();
    planned.framing = Framing::Chunked;
    planned.trailers = vec![("X-T".into(), "t".into())];
    let exchange = exchange_of(address, &planned).await;
    let response = response_of(&exchange);
    assert_eq!(response.status, 201);
    assert_eq!(response.headers, [("x-raw".to_owned(), "\\xff".to_owned())]);
    assert_eq!(response.body_head_base64, STANDARD.encode(b"hello"));
    assert_eq!(response.trailers, [("x-t".to_owned(), "t".to_owned())]);
    assert!(exchange.connection.is_some(), "it can be used again");
    assert!(exchange.first_byte_at >= exchange.sent_at && exchange.sent_at.is_some());
}

#[tokio::test]
async fn a_body_larger_than_every_window_is_sent() {
    let address = server(|request, mut response| async move {
        let (body, _) = body_of(request).await;
        let mut head = answer(200);
        head.headers_mut().insert("x-length", body.len().into());
        response.send_response(head, true).expect("open");
    })
    .await;
    let mut planned = planned();
    planned.body_base64 = Some(STANDARD.encode(vec![b'x'; 1_000_000]));
    let exchange = exchange_of(address, &planned).await;
    let lengths: Vec<_> = response_of(&exchange).header_values("x-length").collect();
    assert_eq!(lengths, ["1000000"]);
}

#[tokio::test]
async fn a_body_waits_for_the_continue_and_comes_in_pieces() {
    let address = server(|request, mut response| async move {
        assert_eq!(request.headers()["expect"], "100-continue");
        response.send_informational(answer(100)).expect("open");
        let mut body = request.into_body();
        let mut pieces = 0;
        while let Some(Ok(_)) = body.data().await {
            pieces += 1;
        }
        let mut head = answer(200);
        head.headers_mut().insert("x-pieces", pieces.into());
        response.send_response(head, true).expect("open");
    })
    .await;
    let mut planned = planned();
    planned.body_start = BodyStart::AfterContinue;
    planned.body_pacing = Some(BodyPacing {
        piece: 2,
        interval_milliseconds: 30,
    });
    let exchange = exchange_of(address, &planned).await;
    let response = response_of(&exchange);
    assert_eq!(response.informational, [100]);
    assert_eq!(
        response.header_values("x-pieces").collect::<Vec<_>>(),
        ["3"]
    );
}

#[tokio::test]
async fn a_final_answer_instead_of_the_continue_counts() {
    let address = server(|_request, mut response| async move {
        response.send_response(answer(417), true).expect("open");
    })
    .await;
    let mut planned = planned();
    planned.body_start = BodyStart::AfterContinue;
    let exchange = exchange_of(address, &planned).await;
    assert_eq!(response_of(&exchange).status, 417);
}

#[tokio::test]
async fn a_streamed_answer_has_its_pieces_counted() {
    let address = server(|_request, mut response| async move {
        let mut stream = response.send_response(answer(200), false).expect("open");
        for _ in 0..3 {
            stream
                .send_data(Bytes::from_static(b"x"), false)
                .expect("open");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        stream.send_data(Bytes::new(), true).expect("open");
    })
    .await;
    let exchange = exchange_of(address, &planned()).await;
    assert_eq!(response_of(&exchange).body_pieces, 3);
}

#[tokio::test]
async fn a_reset_stream_names_its_code_and_leaves_the_connection() {
    let address = server(|_request, mut response| async move {
        response.send_reset(Reason::ENHANCE_YOUR_CALM);
    })
    .await;
    let exchange = exchange_of(address, &planned()).await;
    let failure = failure_of(&exchange);
    assert_eq!(failure.cause, FailureCause::Reset);
    assert!(
        failure.detail.contains("RST_STREAM with ENHANCE_YOUR_CALM"),
        "{failure:?}"
    );
    assert!(exchange.connection.is_some());
}

#[tokio::test]
async fn a_reset_in_the_body_is_a_failure_in_the_body() {
    let address = server(|request, mut response| async move {
        body_of(request).await;
        let mut stream = response.send_response(answer(200), false).expect("open");
        stream
            .send_data(Bytes::from_static(b"half"), false)
            .expect("open");
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.send_reset(Reason::INTERNAL_ERROR);
    })
    .await;
    let exchange = exchange_of(address, &planned()).await;
    let failure = failure_of(&exchange);
    assert_eq!(failure.phase, RequestPhase::ResponseBody);
    assert!(failure.detail.contains("INTERNAL_ERROR"), "{failure:?}");
}

/// The start of a server's side: empty SETTINGS.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn a_goaway_names_its_code_and_ends_the_connection() {
    let address = raw_server(|mut stream| async move {
        stream.write_all(SETTINGS).await.expect("writable");
        let mut seen = [0; 64];
        stream
            .read_exact(&mut seen)
            .await
            .expect("a preface and more");
        let go_away = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0b";
        stream.write_all(go_away).await.expect("writable");
        while stream.read_u8().await.is_ok() {}
    })
    .await;
    let exchange = exchange_of(address, &planned()).await;
    let failure = failure_of(&exchange);
    assert_eq!(failure.cause, FailureCause::Closed);
    assert!(
        failure.detail.contains("GOAWAY with ENHANCE_YOUR_CALM"),
        "{failure:?}"
    );
    assert!(exchange.connection.is_none());
}

#[tokio::test]
async fn a_silent_close_is_a_close() {
    let address = raw_server(|mut stream| async move {
        stream.write_all(SETTINGS).await.expect("writable");
        let mut seen = vec![0; 24];
        stream.read_exact(&mut seen).await.expect("a preface");
        stream.shutdown().await.expect("open");
        while stream.read_u8().await.is_ok() {}
    })
    .await;
    let exchange = exchange_of(address, &planned()).await;
    assert_eq!(failure_of(&exchange).cause, FailureCause::Closed);
}

#[tokio::test]
async fn an_http_1_answer_is_malformed() {
    let address = raw_server(|mut stream| async move {
        let refusal = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(refusal).await.expect("writable");
        while stream.read_u8().await.is_ok() {}
    })
    .await;
    let exchange = exchange_of(address, &planned()).await;
    let failure = failure_of(&exchange);
    assert_eq!(failure.cause, FailureCause::Malformed, "{failure:?}");
}

#[tokio::test]
async fn silence_times_out_and_the_connection_is_left() {
    let address = server(|request, response| async move {
        tokio::time::sleep(AMPLE).await;
        drop((request, response));
    })
    .await;
    let client = client(address).await;
    let exchange = exchange_within(client, &planned(), Duration::from_millis(300)).await;
    let failure = failure_of(&exchange);
    assert_eq!(failure.phase, RequestPhase::ResponseHead);
    assert_eq!(failure.cause, FailureCause::TimedOut);
    assert!(exchange.connection.is_some());
}

#[tokio::test]
async fn requests_share_a_connection_at_the_same_time() {
    let barrier = Arc::new(tokio::sync::Barrier::new(50));
    let address = server(move |request, mut response| {
        let barrier = Arc::clone(&barrier);
        async move {
            body_of(request).await;
            // No request is answered before all are there.
            barrier.wait().await;
            response.send_response(answer(200), true).expect("open");
        }
    })
    .await;
    let client = client(address).await;
    let tasks: Vec<JoinHandle<_>> = (0..50)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { exchange_within(client, &planned(), AMPLE).await })
        })
        .collect();
    for task in tasks {
        let exchange = task.await.expect("no panic");
        assert_eq!(response_of(&exchange).status, 200);
    }
}

#[tokio::test]
async fn an_extended_connect_sends_its_message_and_awaits_the_echo() {
    let address = server(|request, mut response| async move {
        assert_eq!(request.method(), http::Method::CONNECT);
        let protocol = request.extensions().get::<h2::ext::Protocol>();
        assert_eq!(protocol.map(h2::ext::Protocol::as_str), Some("websocket"));
        let mut stream = response.send_response(answer(200), false).expect("open");
        let mut body = request.into_body();
        let frame = body.data().await.expect("a frame").expect("a frame");
        assert_eq!(frame[..2], [0x81, 0x85]);
        stream
            .send_data(Bytes::from_static(b"\x81\x05hello"), false)
            .expect("open");
        tokio::time::sleep(AMPLE).await;
    })
    .await;
    let mut planned = planned();
    planned.upgrade = Some(Upgrade::Websocket);
    let exchange = exchange_of(address, &planned).await;
    let response = response_of(&exchange);
    assert_eq!(response.upgraded, Some(UpgradeOutcome::Echoed));
}
