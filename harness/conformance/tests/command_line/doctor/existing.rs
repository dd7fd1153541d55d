//! Kubeconfigs of no use, credentials that do not come, and clusters that do not grant everything.

use std::time::Instant;

use rstest::rstest;

use super::super::answering_api::AnsweringApi;
use super::machine::{LONGEST, Machine, assert_ends_with, assert_is_gone, fixes};

#[rstest]
#[case::nowhere(None)]
#[case::garbage(Some("apiVersion: [}"))]
#[case::empty(Some(""))]
fn a_kubeconfig_of_no_use_is_missing(#[case] text: Option<&str>) {
    let mut machine = Machine::with_envoy();
    if let Some(text) = text {
        machine.has_kubeconfig(text);
    }
    let ran = machine.run(&["--environment", "existing"]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(
        fixes(&ran, "missing  kubeconfig: ")[0].contains("KUBECONFIG"),
        "{}",
        ran.seen()
    );
    assert!(
        ran.stdout
            .contains("run cannot start in existing: existing/kubeconfig\n"),
        "{}",
        ran.seen()
    );
}

fn kubeconfig(server: &str, user: &str) -> String {
    format!(
        r#"{{"apiVersion": "v1", "kind": "Config", "current-context": "mine",
            "clusters": [{{"name": "c", "cluster": {{"server": "{server}"}}}}],
            "contexts": [{{"name": "mine", "context": {{"cluster": "c", "user": "u"}}}}],
            "users": [{{"name": "u", "user": {user}}}]}}"#
    )
}

#[test]
fn credentials_that_do_not_come_are_given_up() {
    let mut machine = Machine::with_envoy();
    let pid_file = machine.programs.path().join("hanging");
    machine.has(
        "credentials",
        &format!("echo $$ > {}; exec /bin/sleep 300", pid_file.display()),
    );
    let program = machine.programs.path().join("credentials");
    let user = format!(
        r#"{{"exec": {{"apiVersion": "client.authentication.k8s.io/v1", "command": "{}", "interactiveMode": "Never"}}}}"#,
        program.display()
    );
    machine.has_kubeconfig(&kubeconfig("http://127.0.0.1:9", &user));
    let began = Instant::now();
    let ran = machine.run(&["--environment", "existing"]);
    assert!(began.elapsed() < LONGEST, "{}", ran.seen());
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    let line = "unknown  server: timed out after 15s waiting for the kubeconfig's command";
    assert!(!fixes(&ran, line).is_empty(), "{}", ran.seen());
    assert_is_gone(&pid_file);
}

#[test]
fn a_cluster_that_grants_all_can_be_run_in() {
    let mut machine = Machine::with_envoy();
    let api = AnsweringApi::granting_all_but(&[]);
    machine.has_kubeconfig(&kubeconfig(&api.server, "{}"));
    let ran = machine.run(&["--environment", "existing"]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    for line in [
        format!("ok       kubeconfig: context mine at {}", api.server),
        "ok       server: answers with Kubernetes v1.99.1".to_owned(),
        "ok       rights: create, delete, list namespaces; ".to_owned(),
    ] {
        assert!(ran.stdout.contains(&line), "{line}: {}", ran.seen());
    }
    assert_ends_with(&ran, "run can start in: existing");
}

#[rstest]
#[case::needed_by_all(&["pods/exec"], 3, "missing  rights: you may not create, get pods/exec")]
#[case::needed_by_rollouts(
    &["deployments"],
    0,
    "missing  rights: you may not create, patch deployments: scenarios of a rollout cannot be judged"
)]
fn a_right_that_is_missing_is_named_with_the_question_that_shows_it(
    #[case] refused: &[&str],
    #[case] code: i32,
    #[case] line: &str,
) {
    let mut machine = Machine::with_envoy();
    let api = AnsweringApi::granting_all_but(refused);
    machine.has_kubeconfig(&kubeconfig(&api.server, "{}"));
    let ran = machine.run(&["--environment", "existing"]);
    assert_eq!(ran.code, Some(code), "{}", ran.seen());
    assert!(
        fixes(&ran, line)[0].contains("kubectl auth can-i create"),
        "{}",
        ran.seen()
    );
}
