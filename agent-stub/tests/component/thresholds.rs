//! Thresholds: who is blocked once enough attacks came from one address, and which address that is.

use rstest::rstest;

use crate::support::{ATTACK, TestAgent, allowed, denied, header, with_headers};

const FLAGS: [&str; 2] = ["--stub-blocking=threshold", "--stub-threshold=2"];

async fn attack_from(agent: &TestAgent, address: &str) -> bool {
    let request = with_headers(ATTACK, &[("x-forwarded-for", address)]);
    let answer = agent.check(request).await.expect("an answer");
    if answer
        .status
        .as_ref()
        .is_some_and(|status| status.code == 0)
    {
        let ok = allowed(answer);
        assert_eq!(header(&ok.headers, "x-sigsci-tags"), Some("XSS"));
        false
    } else {
        denied(answer);
        true
    }
}

#[tokio::test]
async fn an_address_is_blocked_after_the_request_that_reaches_the_threshold() {
    let agent = TestAgent::start(&FLAGS).await;
    let mut blocked = Vec::new();
    for _ in 0..4 {
        blocked.push(attack_from(&agent, "192.0.2.1").await);
    }
    assert_eq!(blocked, [false, false, true, true]);
    let line = &agent.data_log()[2];
    assert_eq!(
        (&line["RemoteAddr"], &line["WAFResponse"]),
        (&"192.0.2.1".into(), &406.into())
    );
}

#[tokio::test]
async fn another_address_and_a_benign_request_of_a_flagged_one_are_let_through() {
    let agent = TestAgent::start(&FLAGS).await;
    for _ in 0..2 {
        attack_from(&agent, "192.0.2.1").await;
    }
    assert!(!attack_from(&agent, "192.0.2.2").await);
    let benign = with_headers("/hello", &[("x-forwarded-for", "192.0.2.1")]);
    allowed(agent.check(benign).await.expect("an answer"));
    assert!(attack_from(&agent, "192.0.2.1").await);
}

#[tokio::test]
async fn anomalies_do_not_count() {
    let agent = TestAgent::start(&[
        "--stub-blocking=threshold",
        "--stub-threshold=1",
        "--stub-anomaly-signals=true",
    ])
    .await;
    for _ in 0..3 {
        let odd = with_headers("/a//b", &[("x-forwarded-for", "192.0.2.1")]);
        allowed(agent.check(odd).await.expect("an answer"));
    }
    let attack = with_headers(
        ATTACK,
        &[("x-forwarded-for", "192.0.2.1"), ("user-agent", "test")],
    );
    allowed(agent.check(attack).await.expect("an answer"));
}

#[tokio::test]
async fn log_mode_never_blocks_a_flagged_address() {
    let agent = TestAgent::start(&[FLAGS[0], FLAGS[1], "--stub-mode=log"]).await;
    for _ in 0..4 {
        assert!(!attack_from(&agent, "192.0.2.1").await);
    }
}

#[tokio::test]
async fn a_flag_expires() {
    let agent = TestAgent::start(&[FLAGS[0], FLAGS[1], "--stub-flag-duration=200ms"]).await;
    for _ in 0..2 {
        attack_from(&agent, "192.0.2.1").await;
    }
    let expired = tokio::time::timeout(crate::support::PATIENCE, async {
        let mut was_blocked = false;
        while attack_from(&agent, "192.0.2.1").await {
            was_blocked = true;
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        was_blocked
    });
    assert!(expired.await.expect("it expires"), "it was flagged before");
}

#[rstest]
#[case(&[], ("x-forwarded-for", "203.0.113.7, 192.0.2.1"), "203.0.113.7")]
#[case(&["--stub-trusted-hops=1"], ("x-forwarded-for", "203.0.113.7, 192.0.2.1"), "192.0.2.1")]
#[case(&["--client-ip-header=X-Real-IP"], ("x-real-ip", "198.51.100.4"), "198.51.100.4")]
#[case(&[], ("x-forwarded-for", "not an address"), "")]
#[tokio::test]
async fn the_data_log_names_the_address_that_counts(
    #[case] flags: &[&str],
    #[case] header: (&str, &str),
    #[case] expected: &str,
) {
    let agent = TestAgent::start(flags).await;
    denied(
        agent
            .check(with_headers(ATTACK, &[header]))
            .await
            .expect("an answer"),
    );
    assert_eq!(agent.data_log()[0]["RemoteAddr"], expected);
}
