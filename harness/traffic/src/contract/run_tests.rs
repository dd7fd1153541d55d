//! Calls against a small HTTP/2 server that each test scripts.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::contract::record::{CallEnd, StatusGiver};

const AMPLE: Duration = Duration::from_secs(30);

/// How the server answers.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// With the message that it was sent, and OK.
    Echo,
    /// With a status in its only head.
    HeadOnly,
    /// With 503 and no gRPC.
    NoGrpc,
    /// Not at all.
    Silence,
    /// By resetting the stream, after one echo.
    EchoThenReset,
}

async fn serve(manner: Manner, stream_limit: u32) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut builder = h2::server::Builder::new();
        builder.max_concurrent_streams(stream_limit);
        let mut connection = builder.handshake::<_, Bytes>(stream).await.expect("HTTP/2");
        let mut number = 0;
        while let Some(Ok((request, respond))) = connection.accept().await {
            tokio::spawn(answer(manner, number, request, respond));
            number += 1;
        }
    });
    address
}

async fn answer(
    manner: Manner,
    number: usize,
    request: http::Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let mut body = request.into_body();
    let mut received = Vec::new();
    while let Some(Ok(piece)) = body.data().await {
        let _ = body.flow_control().release_capacity(piece.len());
        received.extend_from_slice(&piece);
    }
    let head = |status: u16| Response::builder().status(status);
    match manner {
        Manner::EchoThenReset if number > 0 => respond.send_reset(h2::Reason::INTERNAL_ERROR),
        Manner::Echo | Manner::EchoThenReset => {
            let response = head(200).body(()).expect("a head");
            let mut stream = respond.send_response(response, false).expect("open");
            stream.send_data(received.into(), false).expect("open");
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().expect("a value"));
            stream.send_trailers(trailers).expect("open");
        }
        Manner::HeadOnly => {
            let head = head(200).header("grpc-status", "8");
            let response = head
                .header("grpc-message", "too long")
                .body(())
                .expect("a head");
            respond.send_response(response, true).expect("open");
        }
        Manner::NoGrpc => {
            let response = head(503).body(()).expect("a head");
            respond.send_response(response, true).expect("open");
        }
        Manner::Silence => std::future::pending().await,
    }
}

fn plan(address: SocketAddr, count: usize, change: impl FnOnce(&mut Value)) -> CheckedContract {
    let calls: Vec<Value> = (0..count)
        .map(|number| {
            json!({"id": format!("call-{number}"), "method": "/a.B/C", "messages-base64": ["aGVsbG8="]})
        })
        .collect();
    let mut plan = json!({
        "call-timeout-milliseconds": 20_000,
        "connections": [{
            "name": "main", "address": address.to_string(),
            "groups": [{"name": "g", "completion": "once-all-are-open", "calls": calls}],
        }],
    });
    change(&mut plan);
    CheckedContract::new(serde_json::from_value(plan).expect("a plan")).expect("a good plan")
}

async fn run(plan: CheckedContract) -> (Vec<CallRecord>, Vec<GroupRecord>) {
    let (lines, mut reported) = mpsc::channel(16);
    let task = tokio::spawn(run_contract(plan, lines));
    let (mut calls, mut groups) = (Vec::new(), Vec::new());
    while let Some(line) = timeout(AMPLE, reported.recv()).await.expect("it goes on") {
        match line {
            DriverLine::Call(call) => calls.push(*call),
            DriverLine::Group(group) => groups.push(group),
            line @ (DriverLine::Request(_)
            | DriverLine::Summary(_)
            | DriverLine::Refused { .. }) => panic!("no call: {line:?}"),
        }
    }
    task.await.expect("no panic");
    (calls, groups)
}

fn end(call: &CallRecord) -> &CallEnd {
    match &call.result {
        CallResult::Ended(end) => end,
        other => panic!("it has no status: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_sent_comes_back_and_all_calls_are_open_at_once() {
    let address = serve(Manner::Echo, 1_000).await;
    let (calls, groups) = run(plan(address, 300, |_| {})).await;
    assert_eq!(calls.len(), 300);
    for call in &calls {
        let end = end(call);
        assert_eq!((end.status, end.given_by), (0, StatusGiver::Server));
        assert_eq!(end.messages_base64, ["aGVsbG8="]);
    }
    assert_eq!((groups[0].calls, groups[0].most_open), (300, 300));
    assert_eq!(groups[0].stream_limit, Some(1_000));
}

#[tokio::test]
async fn a_servers_limit_of_streams_shows_and_every_call_is_made_all_the_same() {
    let address = serve(Manner::Echo, 10).await;
    let (calls, groups) = run(plan(address, 30, |_| {})).await;
    assert!(calls.iter().all(|call| end(call).status == 0), "{calls:?}");
    assert!(groups[0].most_open <= 10, "{groups:?}");
    assert_eq!(groups[0].stream_limit, Some(10));
}

#[tokio::test]
async fn a_status_in_the_only_head_is_read() {
    let address = serve(Manner::HeadOnly, 100).await;
    let (calls, _) = run(plan(address, 1, |_| {})).await;
    assert_eq!(
        (end(&calls[0]).status, end(&calls[0]).message.as_str()),
        (8, "too long")
    );
}

#[tokio::test]
async fn an_answer_that_is_no_grpc_is_malformed() {
    let address = serve(Manner::NoGrpc, 100).await;
    let (calls, _) = run(plan(address, 1, |_| {})).await;
    assert!(
        matches!(&calls[0].result, CallResult::Malformed { detail } if detail.contains("503")),
        "{calls:?}"
    );
}

#[tokio::test]
async fn a_call_whose_deadline_passes_is_cancelled_and_says_so() {
    let address = serve(Manner::Silence, 100).await;
    let with_deadline = plan(address, 1, |plan| {
        plan["connections"][0]["groups"][0]["calls"][0]["deadline-milliseconds"] = json!(50);
    });
    let (calls, _) = run(with_deadline).await;
    assert_eq!(
        (end(&calls[0]).status, end(&calls[0]).given_by),
        (4, StatusGiver::Deadline)
    );
}

#[tokio::test]
async fn a_connection_that_never_answers_is_none_and_one_that_has_answered_loses_the_call() {
    let address = serve(Manner::Silence, 100).await;
    let short = plan(address, 1, |plan| {
        plan["call-timeout-milliseconds"] = json!(50);
    });
    let (calls, _) = run(short).await;
    assert!(
        matches!(calls[0].result, CallResult::NoConnection { .. }),
        "{calls:?}"
    );

    let address = serve(Manner::EchoThenReset, 100).await;
    let one_by_one = plan(address, 2, |plan| {
        let group = plan["connections"][0]["groups"][0].clone();
        let groups = [0, 1].map(|number| {
            let mut one = group.clone();
            one["calls"] = json!([group["calls"][number]]);
            one
        });
        plan["connections"][0]["groups"] = json!(groups);
    });
    let (calls, _) = run(one_by_one).await;
    assert_eq!(end(&calls[0]).status, 0);
    assert!(
        matches!(calls[1].result, CallResult::Lost { .. }),
        "{calls:?}"
    );
}

#[tokio::test]
async fn a_port_without_a_listener_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let (calls, groups) = run(plan(address, 3, |_| {})).await;
    assert_eq!(calls.len(), 3);
    assert!(
        calls
            .iter()
            .all(|call| matches!(call.result, CallResult::NoConnection { .. }))
    );
    assert!(groups.is_empty());
}
