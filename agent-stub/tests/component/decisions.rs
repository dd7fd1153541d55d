//! Decisions: what is allowed, what is denied, and what the answer carries.

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use rstest::rstest;
use tonic::Code;

use crate::support::{ATTACK, TestAgent, allowed, denied, get, header, with_headers};

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
