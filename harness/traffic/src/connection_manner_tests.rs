//! Exchanges that are more than a request and its answer: raw bytes, surplus answers, bodies on
//! time, upgrades.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::plan::{BodyPacing, BodyStart};
use crate::record::ResponseRecord;
use crate::request_bytes::{AnswerBody, Manner};
use crate::transport::{Destination, Translation};
use crate::websocket::{Handshake, text_frame};

const AMPLE: Duration = Duration::from_secs(30);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// One step of a scripted server.
#[derive(Clone)]
enum ScriptStep {
    /// Reads exactly this.
    Expect(Vec<u8>),
    /// Reads the other side's close, and nothing before it.
    ExpectEnd,
    /// Notes that nothing comes for a while.
    ExpectSilence(Duration),
    /// Waits, so that what follows arrives by itself.
    Pause(Duration),
    /// Writes this.
    Write(Vec<u8>),
}

/// Plays a script on one connection, and ends it.
async fn play(steps: Vec<ScriptStep>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.set_nodelay(true).expect("a live socket");
        for step in steps {
            match step {
                ScriptStep::Expect(bytes) => {
                    let mut read = vec![0; bytes.len()];
                    stream.read_exact(&mut read).await.expect("more to read");
                    assert_eq!(
                        read.escape_ascii().to_string(),
                        bytes.escape_ascii().to_string()
                    );
                }
                ScriptStep::ExpectEnd => {
                    let byte = stream.read_u8().await;
                    assert!(byte.is_err(), "more than was expected: {byte:?}");
                }
                ScriptStep::ExpectSilence(time) => {
                    let byte = tokio::time::timeout(time, stream.read_u8()).await;
                    assert!(byte.is_err(), "something came too early: {byte:?}");
                }
                ScriptStep::Pause(time) => tokio::time::sleep(time).await,
                ScriptStep::Write(bytes) => stream.write_all(&bytes).await.expect("writable"),
            }
        }
    });
    (address, task)
}

fn expect(bytes: &[u8]) -> ScriptStep {
    ScriptStep::Expect(bytes.to_vec())
}

fn write(bytes: &[u8]) -> ScriptStep {
    ScriptStep::Write(bytes.to_vec())
}

fn request(head: &[u8], body: &[u8]) -> RequestBytes {
    RequestBytes {
        id: "s.c.0.r".into(),
        bytes: [head, body].concat(),
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

/// Sends a request to a script, and holds the script to its end.
async fn exchange_of(steps: Vec<ScriptStep>, request: &RequestBytes) -> Exchange<Transport> {
    let (address, task) = play(steps).await;
    let destination = Destination {
        address: address.to_string(),
        translation: Translation::ByNode,
        tls: None,
    };
    let deadline = Instant::now() + AMPLE;
    let transport = destination.connect(deadline).await.expect("listening");
    let exchange = exchange(transport, request, deadline).await;
    task.await.expect("the script is through");
    exchange
}

fn response_of(exchange: &Exchange<Transport>) -> &ResponseRecord {
    match &exchange.result {
        ClientResult::Response(response) => response,
        ClientResult::Failed(failure) => panic!("no answer: {failure:?}"),
    }
}

#[tokio::test]
async fn raw_bytes_are_written_as_they_are_and_what_follows_is_counted() {
    let raw = b"GET / HTTP/1.1\nx:\xff\n folded\r\n\0\r\n\r\n";
    let mut request = request(b"", raw);
    request.manner.linger = AMPLE;
    let steps = vec![
        expect(raw),
        write(OK),
        ScriptStep::Pause(Duration::from_millis(20)),
        write(b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\nconte"),
    ];
    let exchange = exchange_of(steps, &request).await;
    let response = response_of(&exchange);
    assert_eq!((response.status, response.extra_responses), (200, 1));
    assert_eq!(response.extra_bytes, 60);
    assert!(exchange.connection.is_none());
}

#[tokio::test]
async fn the_reading_on_ends_at_its_bound_and_does_not_delay_the_record() {
    let raw = b"GET / HTTP/1.1\r\n\r\n";
    let mut request = request(b"", raw);
    request.manner.linger = Duration::from_millis(50);
    let steps = vec![
        expect(raw),
        write(OK),
        ScriptStep::Pause(Duration::from_millis(300)),
    ];
    let exchange = exchange_of(steps, &request).await;
    let response = response_of(&exchange);
    assert_eq!((response.extra_responses, response.extra_bytes), (0, 0));
    let took = exchange.finished_at - exchange.sent_at.expect("sent");
    assert!(took < Duration::from_millis(50), "{took:?}");
    assert!(exchange.connection.is_some(), "nothing spoilt it");
}

#[tokio::test]
async fn a_body_waits_for_the_continue() {
    let mut request = request(b"POST / HTTP/1.1\r\n\r\n", b"hello");
    request.manner.body_start = BodyStart::AfterContinue;
    let steps = vec![
        expect(b"POST / HTTP/1.1\r\n\r\n"),
        ScriptStep::ExpectSilence(Duration::from_millis(50)),
        write(b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 100 Cont"),
        ScriptStep::ExpectSilence(Duration::from_millis(50)),
        write(b"inue\r\n\r\n"),
        expect(b"hello"),
        write(OK),
    ];
    let exchange = exchange_of(steps, &request).await;
    assert_eq!(response_of(&exchange).informational, [103, 100]);
}

#[tokio::test]
async fn a_final_answer_instead_of_the_continue_ends_the_exchange_without_the_body() {
    let mut request = request(b"POST / HTTP/1.1\r\n\r\n", b"hello");
    request.manner.body_start = BodyStart::AfterContinue;
    let steps = vec![
        expect(b"POST / HTTP/1.1\r\n\r\n"),
        write(b"HTTP/1.1 417 No\r\ncontent-length: 0\r\n\r\n"),
        ScriptStep::ExpectEnd,
    ];
    let exchange = exchange_of(steps, &request).await;
    assert_eq!(response_of(&exchange).status, 417);
    assert!(exchange.connection.is_none(), "the request was cut short");
}

#[tokio::test]
async fn a_continue_that_never_comes_is_a_missing_answer() {
    let mut request = request(b"POST / HTTP/1.1\r\n\r\n", b"hello");
    request.manner.body_start = BodyStart::AfterContinue;
    let (address, task) = play(vec![
        expect(b"POST / HTTP/1.1\r\n\r\n"),
        ScriptStep::Pause(AMPLE),
    ])
    .await;
    let destination = Destination {
        address: address.to_string(),
        translation: Translation::ByNode,
        tls: None,
    };
    let deadline = Instant::now() + Duration::from_millis(300);
    let transport = destination.connect(deadline).await.expect("listening");
    let exchange = exchange(transport, &request, deadline).await;
    task.abort();
    let ClientResult::Failed(failed) = exchange.result else {
        panic!("an answer");
    };
    assert_eq!(failed.phase, RequestPhase::ResponseHead);
    assert_eq!(failed.cause, FailureCause::TimedOut);
}

#[rstest]
#[case::head_first(b"HEAD", b"abcdef")]
#[case::raw(b"", b"abcdef")]
#[tokio::test]
async fn a_paced_body_comes_in_pieces(#[case] head: &[u8], #[case] body: &[u8]) {
    let mut request = request(head, body);
    request.manner.pacing = Some(BodyPacing {
        piece: 3,
        interval_milliseconds: 150,
    });
    let steps = vec![
        expect(&[head, b"abc"].concat()),
        ScriptStep::ExpectSilence(Duration::from_millis(50)),
        expect(b"def"),
        write(OK),
    ];
    let exchange = exchange_of(steps, &request).await;
    let took = exchange.finished_at - exchange.sent_at.expect("sent");
    assert!(took >= Duration::from_millis(150), "{took:?}");
    assert!(exchange.connection.is_some());
}

#[tokio::test]
async fn a_streamed_answer_has_its_pieces_and_its_first_byte_noted() {
    let steps = vec![
        expect(b"GET"),
        write(b"HTTP/1.1 100 Continue\r\n\r\n"),
        ScriptStep::Pause(Duration::from_millis(100)),
        write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        ScriptStep::Pause(Duration::from_millis(100)),
        write(b"1\r\na\r\n"),
        ScriptStep::Pause(Duration::from_millis(100)),
        write(b"1\r\nb\r\n0\r\nX-T: \xff\r\n\r\n"),
    ];
    let exchange = exchange_of(steps, &request(b"GET", b"")).await;
    let response = response_of(&exchange);
    assert_eq!(response.body_pieces, 2);
    assert_eq!(response.trailers, [("X-T".to_owned(), "\\xff".to_owned())]);
    let first = exchange.first_byte_at.expect("an answer") - exchange.sent_at.expect("sent");
    let took = exchange.finished_at - exchange.sent_at.expect("sent");
    assert!(first >= Duration::from_millis(100) && took >= first + Duration::from_millis(200));
}

#[tokio::test]
async fn an_http_1_0_connection_is_not_used_again() {
    let mut request = request(b"GET / HTTP/1.0\r\n\r\n", b"");
    request.manner.form = WireForm::Http10;
    let exchange = exchange_of(vec![expect(b"GET / HTTP/1.0\r\n\r\n"), write(OK)], &request).await;
    assert_eq!(response_of(&exchange).status, 200);
    assert!(exchange.connection.is_none());
}

fn upgrade(message: &[u8]) -> (RequestBytes, String) {
    let mut request = request(b"GET /ws HTTP/1.1\r\n\r\n", b"");
    let handshake = Handshake::new("s.c.0.r", &[]);
    let grant = format!(
        "HTTP/1.1 101 Switching\r\nsec-websocket-accept: {}\r\n\r\n",
        handshake.accept()
    );
    request.manner.websocket = Some(Arc::new(WebSocketRequest {
        handshake,
        message: message.to_vec(),
    }));
    (request, grant)
}

#[rstest]
#[case(b"\x81\x05hello", UpgradeOutcome::Echoed)]
#[case(b"\x81\x05hallo", UpgradeOutcome::Altered)]
#[case(b"", UpgradeOutcome::Closed)]
#[case(b"HTTP/1.1 200 OK", UpgradeOutcome::Malformed)]
#[tokio::test]
async fn an_upgrade_sends_its_message_and_awaits_the_echo(
    #[case] echo: &[u8],
    #[case] expected: UpgradeOutcome,
) {
    let (request, grant) = upgrade(b"hello");
    let steps = vec![
        expect(b"GET /ws HTTP/1.1\r\n\r\n"),
        write(grant.as_bytes()),
        expect(&text_frame(b"hello")),
        write(echo),
    ];
    let exchange = exchange_of(steps, &request).await;
    let response = response_of(&exchange);
    assert_eq!((response.status, response.upgraded), (101, Some(expected)));
    assert!(exchange.connection.is_none());
}

#[tokio::test]
async fn a_wrong_accept_sends_no_message() {
    let (request, _) = upgrade(b"hello");
    let steps = vec![
        expect(b"GET /ws HTTP/1.1\r\n\r\n"),
        write(b"HTTP/1.1 101 Switching\r\nsec-websocket-accept: x\r\n\r\n"),
    ];
    let exchange = exchange_of(steps, &request).await;
    let upgraded = response_of(&exchange).upgraded;
    assert_eq!(upgraded, Some(UpgradeOutcome::WrongAccept));
}

#[tokio::test]
async fn a_refused_upgrade_is_an_ordinary_answer() {
    let (request, _) = upgrade(b"hello");
    let steps = vec![expect(b"GET /ws HTTP/1.1\r\n\r\n"), write(OK)];
    let exchange = exchange_of(steps, &request).await;
    assert_eq!(response_of(&exchange).upgraded, None);
    assert_eq!(response_of(&exchange).body_length, 2);
}
