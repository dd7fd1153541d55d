//! The agent's lifecycle: listeners, health, the startup probe, and stopping.

use std::net::SocketAddr;
use std::time::Duration;

use agent_stub::agent::RunningAgent;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

use crate::support::{ATTACK, PATIENCE, TestAgent, allowed, denied, get, message, settings};

#[tokio::test]
async fn before_the_rules_are_loaded_an_attack_is_allowed_without_signals() {
    let agent = TestAgent::start(&["--stub-rules-delay=never", "--waf-data-log-all=true"]).await;
    allowed(agent.check(get(ATTACK)).await.expect("an answer"));
    let line = &agent.data_log()[0];
    assert_eq!(
        (&line["WAFResponse"], &line["Signals"]),
        (&200.into(), &serde_json::json!([]))
    );
    assert!(!agent.directory.path().join("cache/rules.json").exists());
}

#[tokio::test]
async fn health_is_serving_before_the_rules_are_loaded() {
    let agent = TestAgent::start(&["--stub-rules-delay=never"]).await;
    let mut client = HealthClient::new(agent.channel.clone());
    for service in ["", "envoy.service.auth.v3.Authorization"] {
        let answer = client
            .check(HealthCheckRequest {
                service: service.into(),
            })
            .await
            .expect("known");
        assert_eq!(
            answer.into_inner().status(),
            ServingStatus::Serving,
            "{service}"
        );
    }
    let unknown = client
        .check(HealthCheckRequest {
            service: "other".into(),
        })
        .await
        .expect_err("unknown");
    assert_eq!(unknown.code(), Code::NotFound);
}

#[tokio::test]
async fn health_is_not_serving_while_the_agent_stops() {
    let TestAgent {
        agent,
        directory,
        channel,
    } = TestAgent::start(&["--envoy-expect-response-data=1", "--waf-data-log-all=1"]).await;
    let mut watcher = HealthClient::new(channel.clone())
        .watch(HealthCheckRequest {
            service: String::new(),
        })
        .await
        .expect("known")
        .into_inner();
    let first = watcher
        .message()
        .await
        .expect("a stream")
        .expect("a status");
    assert_eq!(first.status(), ServingStatus::Serving);
    let stopping = tokio::spawn(agent.shut_down());
    let second = tokio::time::timeout(PATIENCE, watcher.message())
        .await
        .expect("notified in time");
    let second = second.expect("a stream").expect("a status");
    assert_eq!(second.status(), ServingStatus::NotServing);
    drop((watcher, channel));
    tokio::time::timeout(PATIENCE, stopping)
        .await
        .expect("it stops")
        .expect("it does not panic");
    assert!(
        !directory.path().join("sigsci.sock").exists(),
        "the socket is removed"
    );
}

#[tokio::test]
async fn a_stopping_agent_finishes_the_check_under_way_and_writes_what_waits() {
    let sink = tokio::net::UdpSocket::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let statsd = format!("--statsd-address={}", sink.local_addr().expect("bound"));
    let test = TestAgent::start(&[
        "--envoy-expect-response-data=1",
        "--stub-decision-delay=300ms",
        &statsd,
    ])
    .await;
    let mut client = AuthorizationClient::new(test.channel.clone());
    let check = tokio::spawn(async move { client.check(message(get(ATTACK))).await });
    // The agent counts when it has decided, which is before it answers.
    tokio::time::timeout(PATIENCE, sink.recv(&mut [0; 512]))
        .await
        .expect("in time")
        .expect("a datagram");
    let TestAgent {
        agent,
        directory,
        channel,
    } = test;
    tokio::time::timeout(PATIENCE, agent.shut_down())
        .await
        .expect("it stops");
    denied(
        check
            .await
            .expect("no panic")
            .expect("an answer")
            .into_inner(),
    );
    drop(channel);
    let log = std::fs::read_to_string(directory.path().join("waf.log")).expect("written");
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[tokio::test]
async fn the_startup_probe_turns_from_503_to_200_when_the_rules_are_loaded() {
    let agent = TestAgent::start(&[
        "--stub-rules-delay=400ms",
        "--startup-probe-listener=127.0.0.1:0",
        "--startup-probe-filepath={dir}/started",
    ])
    .await;
    let address = agent.agent.startup_probe_address().expect("listening");
    assert!(
        probe(address, "GET /startup")
            .await
            .starts_with("HTTP/1.1 503 ")
    );
    assert!(!agent.directory.path().join("started").exists());
    let loaded = tokio::time::timeout(PATIENCE, async {
        while !probe(address, "GET /startup")
            .await
            .starts_with("HTTP/1.1 200 ")
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    loaded.await.expect("the rules are loaded in time");
    denied(agent.check(get(ATTACK)).await.expect("an answer"));
    assert!(agent.directory.path().join("started").exists());
    assert!(agent.directory.path().join("cache/rules.json").exists());
    assert!(probe(address, "GET /").await.starts_with("HTTP/1.1 404 "));
    assert!(
        probe(address, "POST /startup")
            .await
            .starts_with("HTTP/1.1 404 ")
    );
}

async fn probe(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("listening");
    stream
        .write_all(format!("{request} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
        .await
        .expect("open");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test]
async fn connections_that_do_not_speak_http2_are_closed() {
    let agent = TestAgent::start(&[]).await;
    let mut stream = TcpStream::connect(agent.agent.grpc_addresses()[0])
        .await
        .expect("listening");
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .expect("open");
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("closed in time");
    // Unread bytes turn the close into a reset; either way nothing was answered.
    assert!(closed.is_err() || answer.is_empty(), "{answer:?}");
}

#[tokio::test]
async fn half_a_preface_is_closed_at_the_handshake_deadline() {
    let agent = TestAgent::start(&[]).await;
    let mut stream = TcpStream::connect(agent.agent.grpc_addresses()[0])
        .await
        .expect("listening");
    stream.write_all(b"PRI * HTTP/2.0\r\n").await.expect("open");
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("closed in time");
    assert!(closed.is_err() || answer.is_empty(), "{answer:?}");
}

#[tokio::test]
async fn the_module_socket_accepts_and_closes() {
    let agent = TestAgent::start(&[]).await;
    let path = agent.directory.path().join("sigsci.sock");
    let mut stream = tokio::net::UnixStream::connect(path)
        .await
        .expect("listening");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("closed");
    assert!(answer.is_empty());
}

#[tokio::test]
async fn a_socket_left_by_a_killed_agent_is_replaced_and_a_live_one_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(
        std::os::unix::net::UnixListener::bind(directory.path().join("sigsci.sock"))
            .expect("a socket"),
    );
    let settings = settings(&directory, &[]);
    let first = RunningAgent::start(&settings).expect("the stale socket is replaced");
    let error = RunningAgent::start(&settings).expect_err("the socket is in use");
    assert!(error.to_string().contains("sigsci.sock"), "{error}");
    first.shut_down().await;
}

#[tokio::test]
async fn localhost_is_served_on_every_loopback_address_that_exists() {
    let agent = TestAgent::start(&["--envoy-grpc-address=localhost:0"]).await;
    let addresses = agent.agent.grpc_addresses();
    assert!(addresses[0].is_ipv4(), "{addresses:?}");
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    assert_eq!(
        addresses.len(),
        if has_ipv6 { 2 } else { 1 },
        "{addresses:?}"
    );
    for address in addresses {
        TcpStream::connect(address).await.expect("listening");
    }
}
