//! Anomalies: off unless switched on, tagged and logged, and never a reason to block.

use crate::support::{ATTACK, TestAgent, allowed, denied, entry, get, header, with_headers};

fn kinds(line: &serde_json::Value) -> Vec<&str> {
    line["Signals"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|signal| signal["Type"].as_str().expect("a name"))
        .collect()
}

#[tokio::test]
async fn by_default_a_request_without_user_agent_has_no_signal() {
    let agent = TestAgent::start(&["--waf-data-log-all=1"]).await;
    let ok = allowed(agent.check(get("/a//b")).await.expect("an answer"));
    assert_eq!(header(&ok.headers, "x-sigsci-tags"), None);
    assert_eq!(kinds(&agent.data_log()[0]), Vec::<&str>::new());
}

#[tokio::test]
async fn an_anomaly_alone_is_tagged_and_let_through() {
    let agent = TestAgent::start(&["--stub-anomaly-signals=true"]).await;
    let ok = allowed(agent.check(get("/a//b")).await.expect("an answer"));
    assert_eq!(
        header(&ok.headers, "x-sigsci-tags"),
        Some("NOUA, ABNORMALPATH")
    );
    let line = &agent.data_log()[0];
    assert_eq!(line["WAFResponse"], 200);
    assert_eq!(kinds(line), ["NOUA", "ABNORMALPATH"]);
}

#[tokio::test]
async fn an_attack_beside_an_anomaly_is_denied() {
    let agent = TestAgent::start(&["--stub-anomaly-signals=true"]).await;
    denied(agent.check(get(ATTACK)).await.expect("an answer"));
    assert_eq!(kinds(&agent.data_log()[0]), ["XSS", "NOUA"]);
}

#[tokio::test]
async fn off_mode_raises_no_anomaly() {
    let agent = TestAgent::start(&["--stub-anomaly-signals=true", "--stub-mode=off"]).await;
    let ok = allowed(agent.check(get("/a//b")).await.expect("an answer"));
    assert_eq!(header(&ok.headers, "x-sigsci-tags"), None);
}

#[tokio::test]
async fn a_response_adds_its_class_to_a_request_that_had_no_signal() {
    let agent = TestAgent::start(&[
        "--stub-anomaly-signals=true",
        "--envoy-expect-response-data=1",
    ])
    .await;
    for code in [404, 200, 503] {
        let request = with_headers("/hello", &[("user-agent", "test")]);
        let ok = allowed(agent.check(request).await.expect("an answer"));
        let id = header(&ok.headers, "x-sigsci-request-id").expect("an id");
        agent.log(vec![entry(Some(id), "", code)]).await;
    }
    let lines: Vec<_> = agent.data_log();
    let found: Vec<_> = lines.iter().map(kinds).collect();
    assert_eq!(found, [["HTTP4XX"], ["HTTP5XX"]], "200 is no anomaly");
    assert_eq!(lines[0]["ResponseCode"], 404);
}

#[tokio::test]
async fn the_agents_own_denial_is_no_anomaly_of_the_response() {
    let agent = TestAgent::start(&[
        "--stub-anomaly-signals=true",
        "--envoy-expect-response-data=1",
    ])
    .await;
    let headers = [("user-agent", "test"), ("x-request-id", "envoy-1")];
    denied(
        agent
            .check(with_headers(ATTACK, &headers))
            .await
            .expect("an answer"),
    );
    agent.log(vec![entry(None, "envoy-1", 406)]).await;
    assert_eq!(kinds(&agent.data_log()[0]), ["XSS"]);
}
