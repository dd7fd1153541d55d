//! Faults on demand, and that none can be asked for where the settings do not allow it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use hyper_util::rt::TokioIo;
use rstest::rstest;
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::support::{ATTACK, PATIENCE, TestAgent, allowed, denied, header, message, with_headers};

const FAULTS: &[&str] = &["--stub-faults=true", "--waf-data-log-all=1"];

fn asking_for(fault: &str) -> HttpRequest {
    with_headers("/hello", &[("x-stub-fault", fault)])
}

#[tokio::test]
async fn a_fault_is_a_header_like_any_other_by_default() {
    let agent = TestAgent::start(&[]).await;
    let ok = allowed(
        agent
            .check(asking_for("grpc-status=13"))
            .await
            .expect("an answer"),
    );
    assert!(
        ok.headers_to_remove.is_empty(),
        "{:?}",
        ok.headers_to_remove
    );
}

#[rstest]
#[case("grpc-status=2", Code::Unknown)]
#[case("grpc-status=4", Code::DeadlineExceeded)]
#[case("grpc-status=7", Code::PermissionDenied)]
#[case("grpc-status=8", Code::ResourceExhausted)]
#[case("grpc-status=13", Code::Internal)]
#[case("grpc-status=14", Code::Unavailable)]
#[case("grpc-status=16", Code::Unauthenticated)]
#[case("grpc-status", Code::Aborted)]
#[case("no-such-fault", Code::InvalidArgument)]
#[tokio::test]
async fn a_check_fails_with_the_status_that_was_asked_for(#[case] fault: &str, #[case] code: Code) {
    let agent = TestAgent::start(&[FAULTS[0], FAULTS[1], "--stub-grpc-status=10"]).await;
    let status = agent.check(asking_for(fault)).await.expect_err("no answer");
    assert_eq!(status.code(), code, "{status:?}");
    assert_eq!(agent.data_log().len(), 0, "nothing was decided");
    allowed(
        agent
            .check(with_headers("/", &[]))
            .await
            .expect("it goes on"),
    );
}

#[rstest]
#[case(0, 200)]
#[case(13, 403)]
#[case(14, 403)]
#[tokio::test]
async fn an_answer_has_the_status_that_was_asked_for_and_no_response(
    #[case] status: i32,
    #[case] logged: u16,
) {
    let agent = TestAgent::start(FAULTS).await;
    let answer = agent
        .check(asking_for(&format!("check-status={status}")))
        .await
        .expect("an answer");
    assert_eq!(answer.status.map(|status| status.code), Some(status));
    assert_eq!(answer.http_response, None);
    assert_eq!(agent.data_log()[0]["WAFResponse"], logged);
}

#[rstest]
#[case(0, 403)]
#[case(99, 403)]
#[case(600, 403)]
#[case(418, 418)]
#[tokio::test]
async fn a_denial_has_the_http_status_that_was_asked_for_and_the_log_a_blocking_code(
    #[case] code: i32,
    #[case] logged: u16,
) {
    let agent = TestAgent::start(FAULTS).await;
    let denied = denied(
        agent
            .check(asking_for(&format!("denied-status={code}")))
            .await
            .expect("an answer"),
    );
    assert_eq!(denied.status.map(|status| status.code), Some(code));
    assert_eq!(agent.data_log()[0]["WAFResponse"], logged);
}

#[rstest]
#[case("invalid-header", "x-bad name\n")]
#[case("invalid-header=value", "x-bad-value")]
#[tokio::test]
async fn leave_is_given_with_a_header_that_no_request_may_have(
    #[case] fault: &str,
    #[case] name: &str,
) {
    let agent = TestAgent::start(FAULTS).await;
    let ok = allowed(agent.check(asking_for(fault)).await.expect("an answer"));
    assert!(header(&ok.headers, name).is_some(), "{:?}", ok.headers);
    assert_eq!(ok.headers_to_remove, ["x-stub-fault"]);
}

#[tokio::test]
async fn a_delayed_answer_is_the_one_that_was_decided() {
    let agent = TestAgent::start(FAULTS).await;
    let started = std::time::Instant::now();
    let request = with_headers(ATTACK, &[("x-stub-fault", "delay=150ms")]);
    denied(agent.check(request).await.expect("an answer"));
    assert!(started.elapsed().as_millis() >= 150);
}

/// A channel that counts its connections.
async fn counted(agent: &TestAgent) -> (Channel, Arc<AtomicUsize>) {
    let address = agent.agent.grpc_addresses()[0];
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let connector = tower::service_fn(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move { TcpStream::connect(address).await.map(TokioIo::new) }
    });
    let channel = Endpoint::from_static("http://agent")
        .connect_with_connector(connector)
        .await
        .expect("the agent listens");
    (channel, connections)
}

async fn check(channel: &Channel, request: HttpRequest) -> Result<CheckResponse, Status> {
    let mut client = AuthorizationClient::new(channel.clone());
    tokio::time::timeout(PATIENCE, client.check(message(request)))
        .await
        .expect("an end in time")
        .map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_connection_that_goes_away_is_replaced_and_loses_nothing() {
    let agent = TestAgent::start(FAULTS).await;
    let (channel, connections) = counted(&agent).await;
    let slow = tokio::spawn({
        let channel = channel.clone();
        async move { check(&channel, asking_for("delay=300ms")).await }
    });
    // The slow check is under way once the agent has decided about it.
    agent.await_data_log(1).await;
    allowed(
        check(&channel, asking_for("goaway"))
            .await
            .expect("an answer"),
    );
    allowed(slow.await.expect("no panic").expect("an answer"));
    allowed(
        check(&channel, with_headers("/", &[]))
            .await
            .expect("an answer"),
    );
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_reset_connection_takes_every_check_with_it_and_the_agent_goes_on() {
    let agent = TestAgent::start(FAULTS).await;
    let (channel, connections) = counted(&agent).await;
    let slow = tokio::spawn({
        let channel = channel.clone();
        async move { check(&channel, asking_for("delay=20s")).await }
    });
    agent.await_data_log(1).await;
    check(&channel, asking_for("reset"))
        .await
        .expect_err("no answer");
    slow.await.expect("no panic").expect_err("no answer either");
    allowed(
        check(&channel, with_headers("/", &[]))
            .await
            .expect("an answer"),
    );
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_reset_stream_leaves_the_others_of_its_connection_alone() {
    let agent = TestAgent::start(FAULTS).await;
    let (channel, connections) = counted(&agent).await;
    let slow = tokio::spawn({
        let channel = channel.clone();
        async move { check(&channel, asking_for("delay=300ms")).await }
    });
    agent.await_data_log(1).await;
    let status = check(&channel, asking_for("stream-reset"))
        .await
        .expect_err("no answer");
    assert_eq!(status.code(), Code::Internal, "{status:?}");
    assert!(
        format!("{status:?}").contains("INTERNAL_ERROR"),
        "{status:?}"
    );
    allowed(slow.await.expect("no panic").expect("an answer"));
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}
