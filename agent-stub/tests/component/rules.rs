//! Rules: what a rules file changes, that a reload leaves no gap, and a key that gets none.

use std::time::Duration;

use agent_stub::agent::RunningAgent;

use crate::support::{ATTACK, PATIENCE, TestAgent, allowed, denied, get, settings};

async fn code(agent: &TestAgent) -> i32 {
    let answer = denied(agent.check(get(ATTACK)).await.expect("an answer"));
    answer.status.expect("a status").code
}

async fn await_code(agent: &TestAgent, expected: i32) {
    let reached = tokio::time::timeout(PATIENCE, async {
        while code(agent).await != expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    reached.await.expect("the new rules hold in time");
}

#[tokio::test]
async fn a_reload_replaces_the_rules_without_a_moment_without_any() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("rules.json");
    std::fs::write(&path, r#"{"block_code":429}"#).expect("writable");
    let agent = TestAgent::start(&[
        &format!("--stub-rules-file={}", path.display()),
        "--stub-rules-reload-delay=50ms",
    ])
    .await;
    assert_eq!(code(&agent).await, 429, "the file counts from the start");
    std::fs::write(&path, r#"{"block_code":418}"#).expect("writable");
    agent.agent.reload_rules();
    // Each attack on the way is denied by the one or the other; `code` fails on an allowed one.
    let mut seen = Vec::new();
    let reached = tokio::time::timeout(PATIENCE, async {
        while seen.last() != Some(&418) {
            seen.push(code(&agent).await);
        }
    });
    reached.await.expect("the new rules hold in time");
    assert_eq!(seen.first(), Some(&429), "the old rules hold until then");
    assert!(
        seen.iter().all(|code| [429, 418].contains(code)),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_bad_file_leaves_the_old_rules_in_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("rules.json");
    std::fs::write(&path, r#"{"block_code":429}"#).expect("writable");
    let agent = TestAgent::start(&[&format!("--stub-rules-file={}", path.display())]).await;
    std::fs::write(&path, r#"{"block_code":200,"mode":"off"}"#).expect("writable");
    agent.agent.reload_rules();
    for _ in 0..50 {
        assert_eq!(code(&agent).await, 429);
    }
    std::fs::write(&path, r#"{"block_code":418}"#).expect("writable");
    agent.agent.reload_rules();
    await_code(&agent, 418).await;
}

#[tokio::test]
async fn a_reload_may_change_the_mode() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("rules.json");
    std::fs::write(&path, "{}").expect("writable");
    let agent = TestAgent::start(&[&format!("--stub-rules-file={}", path.display())]).await;
    assert_eq!(code(&agent).await, 406);
    std::fs::write(&path, r#"{"mode":"log"}"#).expect("writable");
    agent.agent.reload_rules();
    let reached = tokio::time::timeout(PATIENCE, async {
        loop {
            let answer = agent.check(get(ATTACK)).await.expect("an answer");
            if answer
                .status
                .as_ref()
                .is_some_and(|status| status.code == 0)
            {
                return allowed(answer);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    reached.await.expect("the new mode holds in time");
}

#[tokio::test]
async fn a_bad_file_at_the_start_ends_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("rules.json"), "no rules").expect("writable");
    let settings = settings(&directory, &["--stub-rules-file={dir}/rules.json"]);
    let error = RunningAgent::start(&settings).expect_err("no rules");
    assert!(error.to_string().contains("rules.json"), "{error}");
}

#[tokio::test]
async fn a_rules_file_that_is_not_there_at_the_start_counts_from_its_first_reload() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("rules.json");
    let agent = TestAgent::start(&[&format!("--stub-rules-file={}", path.display())]).await;
    assert_eq!(code(&agent).await, 406);
    std::fs::write(&path, r#"{"block_code":429}"#).expect("writable");
    agent.agent.reload_rules();
    await_code(&agent, 429).await;
    std::fs::remove_file(&path).expect("it is there");
    agent.agent.reload_rules();
    for _ in 0..50 {
        assert_eq!(code(&agent).await, 429, "the last rules hold");
    }
}

#[tokio::test]
async fn a_rejected_access_key_never_gets_rules() {
    let agent = TestAgent::start(&[
        "--stub-rejected-accesskeyid=id",
        "--startup-probe-filepath={dir}/started",
    ])
    .await;
    allowed(agent.check(get(ATTACK)).await.expect("an answer"));
    assert!(!agent.directory.path().join("started").exists());
    let other = TestAgent::start(&["--stub-rejected-accesskeyid=other"]).await;
    denied(other.check(get(ATTACK)).await.expect("an answer"));
}
