//! Exchanges with scripted servers: every phase and cause of failure, and what is kept.

use std::net::SocketAddr;
use std::time::Duration;

use rstest::rstest;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::failure::DETAIL_LIMIT;
use crate::plan::BodyStart;
use crate::record::ResponseRecord;
use crate::request_bytes::{AnswerBody, Manner};
use crate::transport::{Destination, Translation};

/// Longer than anything here takes, so that only what is meant to time out does.
const AMPLE: Duration = Duration::from_secs(30);

/// What a server does once it has read the head of a request.
#[derive(Clone, Copy)]
enum Then {
    /// Closes.
    Close,
    /// Reads on until the client closes.
    Hold,
    /// Resets the connection.
    Reset,
}

/// A server for one connection that answers the first head it reads with the given pieces.
async fn server(pieces: &[&'static [u8]], then: Then) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let pieces = pieces.to_vec();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.set_nodelay(true).expect("a live socket");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        for piece in pieces {
            stream.write_all(piece).await.expect("writable");
            // Lets the client's task see this piece by itself.
            tokio::task::yield_now().await;
        }
        match then {
            Then::Close => {}
            Then::Hold => while stream.read_u8().await.is_ok() {},
            Then::Reset => stream.set_zero_linger().expect("a live socket"),
        }
    });
    (address, task)
}

fn request(body: &[u8]) -> RequestBytes {
    let head = format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n", body.len());
    RequestBytes {
        id: "s.c.0.r".into(),
        bytes: [head.as_bytes(), body].concat(),
        head_length: head.len(),
        answer_body: AnswerBody::Possible,
        manner: Manner {
            form: WireForm::Http11,
            body_start: BodyStart::AtOnce,
            pacing: None,
            linger: Duration::ZERO,
            websocket: None,
        },
    }
}

async fn connect(address: &str, deadline: Instant) -> Result<Transport, ClientFailure> {
    let destination = Destination {
        address: address.to_owned(),
        translation: Translation::ByNode,
        tls: None,
    };
    destination.connect(deadline).await
}

async fn exchange_with(
    address: SocketAddr,
    request: &RequestBytes,
    within: Duration,
) -> Exchange<Transport> {
    let deadline = Instant::now() + within;
    let stream = connect(&address.to_string(), deadline)
        .await
        .expect("listening");
    exchange(stream, request, deadline).await
}

async fn exchange_of(pieces: &[&'static [u8]], then: Then) -> Exchange<Transport> {
    let (address, task) = server(pieces, then).await;
    let exchange = exchange_with(address, &request(b""), AMPLE).await;
    task.abort();
    exchange
}

fn response_of(exchange: Exchange<Transport>) -> ResponseRecord {
    match exchange.result {
        ClientResult::Response(response) => response,
        ClientResult::Failed(failure) => panic!("no answer: {failure:?}"),
    }
}

fn failure_of(exchange: &Exchange<Transport>) -> (RequestPhase, FailureCause) {
    match &exchange.result {
        ClientResult::Response(response) => panic!("an answer: {response:?}"),
        ClientResult::Failed(failure) => {
            assert!(failure.detail.len() <= DETAIL_LIMIT, "{failure:?}");
            assert!(!failure.detail.is_empty(), "{failure:?}");
            (failure.phase, failure.cause)
        }
    }
}

#[tokio::test]
async fn a_chunked_answer_in_odd_pieces_is_put_together() {
    let exchange = exchange_of(
        &[
            b"HTTP/1.1 20",
            b"0 OK\r\nTransfer-Encoding: chun",
            b"ked\r\n\r\n",
            b"2\r",
            b"\nhe\r\n3",
            b"\r\nllo",
            b"\r\n0\r\n\r",
            b"\n",
        ],
        Then::Hold,
    )
    .await;
    assert!(exchange.sent_at.is_some());
    assert!(exchange.connection.is_some(), "it can be used again");
    assert_eq!(response_of(exchange).body_head_base64, "aGVsbG8=");
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_complete() {
    let exchange = exchange_of(&[b"HTTP/1.1 200 OK\r\n\r\nhello"], Then::Close).await;
    assert!(exchange.connection.is_none());
    assert_eq!(response_of(exchange).body_length, 5);
}

#[tokio::test]
async fn surplus_bytes_spoil_the_connection_but_not_the_answer() {
    let exchange = exchange_of(
        &[b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n"],
        Then::Hold,
    )
    .await;
    assert!(exchange.connection.is_none());
    assert_eq!(response_of(exchange).status, 200);
}

#[rstest]
#[case::silent_close(b"", Then::Close, RequestPhase::ResponseHead, FailureCause::Closed)]
#[case::close_in_head(
    b"HTTP/1.1 200 OK\r\nx: ",
    Then::Close,
    RequestPhase::ResponseHead,
    FailureCause::Closed
)]
#[case::close_in_sized_body(
    b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
    Then::Close,
    RequestPhase::ResponseBody,
    FailureCause::Closed
)]
#[case::close_in_chunked_body(
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    Then::Close,
    RequestPhase::ResponseBody,
    FailureCause::Closed
)]
#[case::reset_before_the_answer(b"", Then::Reset, RequestPhase::ResponseHead, FailureCause::Reset)]
#[case::not_http(
    b"\x00\x00\x12\x04\x00",
    Then::Hold,
    RequestPhase::ResponseHead,
    FailureCause::Malformed
)]
#[case::two_lengths(
    b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    Then::Hold,
    RequestPhase::ResponseHead,
    FailureCause::Malformed
)]
#[case::bad_chunk(
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nz\r\n",
    Then::Hold,
    RequestPhase::ResponseBody,
    FailureCause::Malformed
)]
#[case::body_over_the_bound(
    b"HTTP/1.1 200 OK\r\ncontent-length: 67108865\r\n\r\n",
    Then::Hold,
    RequestPhase::ResponseBody,
    FailureCause::Malformed
)]
#[tokio::test]
async fn a_failure_says_how_far_it_came_and_why(
    #[case] answer: &'static [u8],
    #[case] then: Then,
    #[case] phase: RequestPhase,
    #[case] cause: FailureCause,
) {
    let exchange = exchange_of(&[answer], then).await;
    assert_eq!(failure_of(&exchange), (phase, cause));
    assert!(exchange.sent_at.is_some());
    assert!(exchange.connection.is_none());
}

#[rstest]
#[case(b"", RequestPhase::ResponseHead)]
#[case(
    b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
    RequestPhase::ResponseBody
)]
#[tokio::test]
async fn silence_times_out_in_the_phase_that_it_falls_in(
    #[case] answer: &'static [u8],
    #[case] phase: RequestPhase,
) {
    let (address, task) = server(&[answer], Then::Hold).await;
    // Long enough for what the server does send, even on a busy machine.
    let exchange = exchange_with(address, &request(b""), Duration::from_millis(500)).await;
    task.abort();
    assert_eq!(failure_of(&exchange), (phase, FailureCause::TimedOut));
}

#[tokio::test]
async fn a_server_that_never_reads_times_out_the_sending() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let large = request(&vec![b'x'; 32 * 1024 * 1024]);
    let exchange = exchange_with(address, &large, Duration::from_millis(500)).await;
    assert_eq!(
        failure_of(&exchange),
        (RequestPhase::Send, FailureCause::TimedOut)
    );
    assert!(exchange.sent_at.is_some());
}

#[tokio::test]
async fn a_reset_while_sending_is_a_failure_of_the_sending() {
    let (address, task) = server(&[], Then::Reset).await;
    let large = request(&vec![b'x'; 32 * 1024 * 1024]);
    let exchange = exchange_with(address, &large, AMPLE).await;
    task.await.expect("no panic");
    assert_eq!(
        failure_of(&exchange),
        (RequestPhase::Send, FailureCause::Reset)
    );
}

#[tokio::test]
async fn an_answer_that_comes_before_the_request_is_sent_counts() {
    let (address, task) = server(
        &[b"HTTP/1.1 413 Large\r\ncontent-length: 0\r\n\r\n"],
        Then::Hold,
    )
    .await;
    // The server reads on byte by byte, so the body is far from sent when the answer comes.
    let large = request(&vec![b'x'; 32 * 1024 * 1024]);
    let exchange = exchange_with(address, &large, AMPLE).await;
    task.abort();
    assert!(exchange.connection.is_none(), "the request was cut short");
    assert_eq!(response_of(exchange).status, 413);
}

#[tokio::test]
async fn a_refused_connection_fails_before_anything_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    drop(listener);
    let failure = connect(&address, Instant::now() + AMPLE)
        .await
        .expect_err("nothing listens");
    assert_eq!(failure.phase, RequestPhase::Connect);
    assert_eq!(failure.cause, FailureCause::Refused);
}

#[tokio::test]
async fn a_deadline_that_is_over_times_out_the_connecting() {
    // A backlog that is never accepted would do as well, but not at once.
    let failure = connect("192.0.2.1:9", Instant::now() - Duration::from_millis(1))
        .await
        .expect_err("the time is over");
    assert_eq!(failure.phase, RequestPhase::Connect);
    assert_eq!(failure.cause, FailureCause::TimedOut);
}

#[tokio::test]
async fn a_host_without_address_is_another_failure_of_the_connecting() {
    let failure = connect("host.invalid:80", Instant::now() + AMPLE)
        .await
        .expect_err("reserved never to exist");
    assert_eq!(failure.phase, RequestPhase::Connect);
    assert_eq!(failure.cause, FailureCause::Other);
}

#[tokio::test]
async fn a_closed_connection_is_stale_and_an_idle_one_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let stream = connect(&address, Instant::now() + AMPLE)
        .await
        .expect("listening");
    let (other_side, _) = listener.accept().await.expect("a client");
    assert!(!stream.is_stale());
    drop(other_side);
    let Transport::Plain(socket) = &stream else {
        panic!("cleartext was asked for");
    };
    socket.readable().await.expect("the close arrives");
    assert!(stream.is_stale());
}

/// Something that answers each connection with a text and closes it, as a Service does that leaves the translation to its clients.
async fn service_that_says(text: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let _ = client.write_all(text.as_bytes()).await;
        }
    });
    address.to_string()
}

async fn connect_through(service: String) -> Result<Transport, ClientFailure> {
    let destination = Destination {
        address: service,
        translation: Translation::ByDriver,
        tls: None,
    };
    destination.connect(Instant::now() + AMPLE).await
}

#[tokio::test]
async fn a_connection_to_a_service_is_one_to_where_it_leads() {
    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
    let (address, task) = server(&[answer], Then::Close).await;
    let service = service_that_says(address.to_string()).await;
    let transport = connect_through(service).await.expect("connected");
    let exchange = exchange(transport, &request(b""), Instant::now() + AMPLE).await;
    task.abort();
    assert_eq!(response_of(exchange).status, 204);
}

#[tokio::test]
async fn a_pod_that_refuses_behind_its_service_refuses_the_connection() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = free.local_addr().expect("bound");
    drop(free);
    let service = service_that_says(address.to_string()).await;
    let failure = connect_through(service).await.expect_err("refused");
    assert_eq!(
        (failure.phase, failure.cause),
        (RequestPhase::Connect, FailureCause::Refused)
    );
}

#[rstest]
#[case::empty("")]
#[case::name("localhost:80")]
#[case::long("1".repeat(1_000))]
#[tokio::test]
async fn a_service_that_gives_no_address_leads_nowhere(#[case] text: impl Into<String>) {
    let service = service_that_says(text.into()).await;
    let failure = connect_through(service).await.expect_err("nowhere");
    assert_eq!(failure.phase, RequestPhase::Connect);
    assert!(failure.detail.contains("no address"), "{failure:?}");
}
