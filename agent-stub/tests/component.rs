//! The agent in one process, spoken to by gRPC as Envoy speaks to it.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use agent_stub::agent::RunningAgent;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use rstest::rstest;
use support::{PATIENCE, TestAgent, allowed, denied, entry, get, header, with_headers};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

const ATTACK: &str = "/search?q=%3Cscript%3Ealert(1)%3C/script%3E";

#[tokio::test]
async fn an_ordinary_request_is_allowed_with_a_fresh_id_and_the_response_code() {
    let agent = TestAgent::start(&[]).await;
    let first = allowed(agent.check(get("/hello")).await.expect("an answer"));
    let second = allowed(agent.check(get("/hello")).await.expect("an answer"));
    let id = header(&first.headers, "x-sigsci-request-id").expect("an id");
    assert_eq!(id.len(), 24);
    assert_ne!(Some(id), header(&second.headers, "x-sigsci-request-id"));
    assert_eq!(header(&first.headers, "x-sigsci-waf-response"), Some("200"));
    assert_eq!(header(&first.headers, "x-sigsci-tags"), None);
    assert!(first.response_headers_to_add.is_empty());
}

#[tokio::test]
async fn forged_headers_are_overwritten_or_removed_and_others_are_left_alone() {
    let agent = TestAgent::start(&[]).await;
    let request = with_headers(
        "/hello",
        &[
            ("x-sigsci-request-id", "forged"),
            ("x-sigsci-waf-response", "999"),
            ("x-sigsci-tags", "SQLI"),
            ("X-SigSci-Redirect", "http://example.com/"),
            ("x-sigsci-no-inspection", "true"),
            ("x-other", "kept"),
        ],
    );
    let ok = allowed(agent.check(request).await.expect("an answer"));
    for option in &ok.headers {
        assert_eq!(
            option.append_action,
            i32::from(HeaderAppendAction::OverwriteIfExistsOrAdd),
            "{option:?}"
        );
    }
    assert_ne!(header(&ok.headers, "x-sigsci-request-id"), Some("forged"));
    assert_eq!(header(&ok.headers, "x-sigsci-waf-response"), Some("200"));
    assert_eq!(
        ok.headers_to_remove,
        [
            "x-sigsci-no-inspection",
            "x-sigsci-redirect",
            "x-sigsci-tags"
        ]
    );
}

#[tokio::test]
async fn a_request_that_asks_not_to_be_inspected_is_inspected() {
    let agent = TestAgent::start(&[]).await;
    let request = with_headers(ATTACK, &[("x-sigsci-no-inspection", "true")]);
    let denied = denied(agent.check(request).await.expect("an answer"));
    assert_eq!(denied.status.map(|status| status.code), Some(406));
}

#[tokio::test]
async fn an_attack_is_denied_with_the_default_answer_and_no_header_of_the_agents() {
    let agent = TestAgent::start(&[]).await;
    let denied = denied(agent.check(get(ATTACK)).await.expect("an answer"));
    assert_eq!(denied.status.map(|status| status.code), Some(406));
    assert_eq!(denied.body, "406 Not Acceptable\n");
    assert_eq!(header(&denied.headers, "content-type"), Some("text/plain"));
    let names: Vec<&str> = denied
        .headers
        .iter()
        .filter_map(|option| option.header.as_ref())
        .map(|header| header.key.as_str())
        .collect();
    assert!(
        !names.iter().any(|name| name.starts_with("x-sigsci-")),
        "{names:?}"
    );
}

#[rstest]
#[case("400")]
#[case("429")]
#[case("499")]
#[case("503")]
#[case("599")]
#[tokio::test]
async fn an_attack_is_denied_with_the_configured_code(#[case] code: &str) {
    let flags = [
        format!("--stub-block-code={code}"),
        "--stub-block-body=<b>no</b>".into(),
        "--stub-block-content-type=text/html".into(),
    ];
    let agent = TestAgent::start(&flags.each_ref().map(String::as_str)).await;
    let denied = denied(agent.check(get(ATTACK)).await.expect("an answer"));
    assert_eq!(
        denied.status.map(|status| status.code.to_string()),
        Some(code.to_owned())
    );
    assert_eq!(denied.body, "<b>no</b>");
    assert_eq!(header(&denied.headers, "content-type"), Some("text/html"));
    assert_eq!(header(&denied.headers, "location"), None);
}

#[tokio::test]
async fn a_redirect_carries_its_target() {
    let agent = TestAgent::start(&[
        "--stub-block-code=302",
        "--stub-redirect-url=https://example.com/no",
    ])
    .await;
    let denied = denied(agent.check(get(ATTACK)).await.expect("an answer"));
    assert_eq!(denied.status.map(|status| status.code), Some(302));
    assert_eq!(
        header(&denied.headers, "location"),
        Some("https://example.com/no")
    );
}

#[tokio::test]
async fn log_mode_lets_an_attack_through_and_tags_it() {
    let agent = TestAgent::start(&["--stub-mode=log"]).await;
    let request = with_headers(
        ATTACK,
        &[("x-sigsci-tags", "forged"), ("user-agent", "sqlmap/1.8")],
    );
    let ok = allowed(agent.check(request).await.expect("an answer"));
    let tags = header(&ok.headers, "x-sigsci-tags").expect("tags");
    assert_eq!(tags, "XSS, USERAGENT");
    assert!(
        !ok.headers_to_remove.contains(&"x-sigsci-tags".to_owned()),
        "{:?}",
        ok.headers_to_remove
    );
    let line = &agent.data_log()[0];
    assert_eq!(line["WAFResponse"], 200);
    assert_eq!(line["Signals"][0]["Type"], "XSS");
    assert_eq!(line["Signals"][0]["Location"], "QUERYSTRING");
    assert_eq!(line["Signals"][0]["Name"], "q");
}

#[tokio::test]
async fn off_mode_inspects_nothing() {
    let agent = TestAgent::start(&["--stub-mode=off", "--waf-data-log-all=1"]).await;
    let ok = allowed(agent.check(get(ATTACK)).await.expect("an answer"));
    assert_eq!(header(&ok.headers, "x-sigsci-tags"), None);
    assert_eq!(agent.data_log()[0]["Signals"], serde_json::json!([]));
}

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
async fn the_forwarded_request_is_changed_as_configured() {
    let agent = TestAgent::start(&[
        "--custom-request-headers=x-agent:$AgentResponse,x-id:$RequestID,x-tags:[$TagList]",
        "--stub-append-request-headers=x-added:1",
        "--stub-remove-request-headers=x-internal,x-agent",
        "--stub-set-query=a:1",
        "--stub-remove-query=b",
    ])
    .await;
    let ok = allowed(agent.check(get("/hello?b=2")).await.expect("an answer"));
    assert_eq!(header(&ok.headers, "x-agent"), Some("200"));
    assert_eq!(
        header(&ok.headers, "x-id"),
        header(&ok.headers, "x-sigsci-request-id")
    );
    assert_eq!(header(&ok.headers, "x-tags"), Some("[]"));
    let added = ok.headers.iter().find(|option| {
        option
            .header
            .as_ref()
            .is_some_and(|header| header.key == "x-added")
    });
    assert_eq!(
        added.expect("appended").append_action,
        i32::from(HeaderAppendAction::AppendIfExistsOrAdd)
    );
    // Envoy removes last, so a name that is set as well must not be on the list.
    assert_eq!(ok.headers_to_remove, ["x-internal"]);
    assert_eq!(
        (
            ok.query_parameters_to_set[0].key.as_str(),
            ok.query_parameters_to_set[0].value.as_str()
        ),
        ("a", "1")
    );
    assert_eq!(ok.query_parameters_to_remove, ["b"]);
}

#[rstest]
#[case(CheckRequest { attributes: None })]
#[case(CheckRequest { attributes: Some(AttributeContext::default()) })]
#[case(CheckRequest { attributes: Some(AttributeContext { request: Some(Request::default()), ..AttributeContext::default() }) })]
#[tokio::test]
async fn a_check_without_a_request_is_an_invalid_argument(#[case] message: CheckRequest) {
    let agent = TestAgent::start(&[]).await;
    let status = agent.check_message(message).await.expect_err("no request");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
}

#[tokio::test]
async fn an_odd_request_is_answered() {
    let agent = TestAgent::start(&[]).await;
    let odd = HttpRequest {
        size: -1,
        path: "%%%?&&=&=?#".into(),
        ..HttpRequest::default()
    };
    allowed(agent.check(odd).await.expect("an answer"));
    let long = get(&format!("/{}", "a".repeat(100_000)));
    allowed(agent.check(long).await.expect("an answer"));
}

#[tokio::test]
async fn a_body_is_inspected_in_either_of_its_fields() {
    let agent = TestAgent::start(&[]).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = "q=1%27+OR+%271%27%3D%271";
    let text = HttpRequest {
        body: body.into(),
        ..with_headers("/", &form)
    };
    denied(agent.check(text).await.expect("an answer"));
    let bytes = HttpRequest {
        raw_body: body.into(),
        ..with_headers("/", &form)
    };
    denied(agent.check(bytes).await.expect("an answer"));
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_and_the_agent_goes_on() {
    let agent = TestAgent::start(&["--stub-grpc-max-message-bytes=65536"]).await;
    let within = HttpRequest {
        body: "a".repeat(60_000),
        ..get("/")
    };
    allowed(agent.check(within).await.expect("an answer"));
    let over = HttpRequest {
        body: "a".repeat(70_000),
        ..get("/")
    };
    let status = agent.check(over).await.expect_err("too long");
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    allowed(agent.check(get("/")).await.expect("an answer"));
}

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
    let second = watcher
        .message()
        .await
        .expect("a stream")
        .expect("a status");
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
    let test = TestAgent::start(&[
        "--envoy-expect-response-data=1",
        "--stub-decision-delay=300ms",
    ])
    .await;
    let mut client =
        envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient::new(
            test.channel.clone(),
        );
    let check = tokio::spawn(async move { client.check(support::message(get(ATTACK))).await });
    // The request is under way once the agent has decided, which is before it answers.
    tokio::time::sleep(Duration::from_millis(100)).await;
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
    let settings = support::settings(&directory, &[]);
    let first = RunningAgent::start(&settings)
        .await
        .expect("the stale socket is replaced");
    let error = RunningAgent::start(&settings)
        .await
        .expect_err("the socket is in use");
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

#[tokio::test]
async fn counters_tell_what_was_decided() {
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
