//! Response data: when a line of the data log is written, what completes it, and what is counted.

use std::time::Duration;

use envoy_types::pb::envoy::service::auth::v3::CheckRequest;

use crate::support::{
    ATTACK, PATIENCE, TestAgent, allowed, denied, entry, get, header, with_headers,
};

#[tokio::test]
async fn without_response_data_the_line_is_written_with_the_decision() {
    let agent = TestAgent::start(&[]).await;
    denied(
        agent
            .check(with_headers(ATTACK, &[("x-conformance-id", "a.b.1.c")]))
            .await
            .expect("an answer"),
    );
    allowed(agent.check(get("/hello")).await.expect("an answer"));
    let log = agent.data_log();
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!(
        (&log[0]["ResponseCode"], &log[0]["WAFResponse"]),
        (&0.into(), &406.into())
    );
    assert_eq!(log[0]["URI"], ATTACK);
    assert_eq!(log[0]["Path"], "/search");
    assert_eq!(
        log[0]["RequestHeaders"],
        serde_json::json!([{"Name": "x-conformance-id", "Value": "a.b.1.c"}])
    );
}

#[tokio::test]
async fn an_access_log_entry_completes_its_request() {
    let agent = TestAgent::start(&["--envoy-expect-response-data=1", "--waf-data-log-all=1"]).await;
    let ok = allowed(
        agent
            .check(with_headers("/hello", &[("x-request-id", "envoy-1")]))
            .await
            .expect("an answer"),
    );
    let id = header(&ok.headers, "x-sigsci-request-id")
        .expect("an id")
        .to_owned();
    assert_eq!(agent.data_log().len(), 0);
    agent
        .log(vec![
            entry(Some("unknown"), "envoy-1", 500),
            entry(None, "envoy-1", 500),
        ])
        .await;
    assert_eq!(
        agent.data_log().len(),
        0,
        "an allowed request is found by the agent's id only"
    );
    agent
        .log(vec![
            entry(Some(&id), "envoy-1", 201),
            entry(Some(&id), "envoy-1", 500),
        ])
        .await;
    let log = agent.data_log();
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!(log[0]["RequestIDStr"], id);
    assert_eq!(log[0]["ResponseCode"], 201);
    assert_eq!(log[0]["ResponseMillis"], 1234);
    assert_eq!(log[0]["ResponseSize"], 42);
    assert_eq!(
        log[0]["ResponseHeaders"],
        serde_json::json!([{"Name": "server", "Value": "envoy"}])
    );
}

#[tokio::test]
async fn a_blocked_request_is_completed_by_envoys_id() {
    let agent = TestAgent::start(&["--envoy-expect-response-data=1"]).await;
    denied(
        agent
            .check(with_headers(ATTACK, &[("x-request-id", "envoy-2")]))
            .await
            .expect("an answer"),
    );
    agent.log(vec![entry(None, "envoy-2", 406)]).await;
    let log = agent.data_log();
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!(
        (&log[0]["ResponseCode"], &log[0]["WAFResponse"]),
        (&406.into(), &406.into())
    );
}

#[tokio::test]
async fn a_request_without_response_data_is_written_when_it_expires() {
    let agent = TestAgent::start(&[
        "--envoy-expect-response-data=1",
        "--context-expiration=50ms",
    ])
    .await;
    denied(agent.check(get(ATTACK)).await.expect("an answer"));
    let log = agent.await_data_log(1).await;
    assert_eq!(log[0]["ResponseCode"], 0);
}

#[tokio::test]
async fn a_decision_can_be_held_back() {
    let agent = TestAgent::start(&["--stub-decision-delay=300ms"]).await;
    let started = tokio::time::Instant::now();
    allowed(agent.check(get("/hello")).await.expect("an answer"));
    assert!(
        started.elapsed() >= Duration::from_millis(300),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn counters_show_what_was_decided() {
    let sink = tokio::net::UdpSocket::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let flag = format!("--statsd-address={}", sink.local_addr().expect("bound"));
    let agent = TestAgent::start(&[&flag]).await;
    denied(agent.check(get(ATTACK)).await.expect("an answer"));
    agent
        .check_message(CheckRequest { attributes: None })
        .await
        .expect_err("no request");
    let mut lines = Vec::new();
    for _ in 0..2 {
        let mut buffer = [0; 1_024];
        let received = tokio::time::timeout(PATIENCE, sink.recv(&mut buffer))
            .await
            .expect("in time");
        lines.push(String::from_utf8_lossy(&buffer[..received.expect("a datagram")]).into_owned());
    }
    assert_eq!(
        lines[0],
        "sigsci.agent.waf.total:1|c\nsigsci.agent.waf.block:1|c\nsigsci.agent.signal.XSS:1|c"
    );
    assert_eq!(
        lines[1],
        "sigsci.agent.waf.total:1|c\nsigsci.agent.waf.error:1|c"
    );
}
