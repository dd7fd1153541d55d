//! Whole runs on a real Envoy: green, red for the right reason, and what their reports say.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::support::{ROOT, command, conformance, path, report, run_folder};

const ACCESS_KEY: &str = "11111111-2222-3333-4444-canary555555";
const SECRET_KEY: &str = "canary_secret_0123456789_abcdefghijklmnopqrst";

#[test]
fn a_green_run_ends_with_0_and_its_report_fits_the_schema() {
    let output = TempDir::new().expect("a folder");
    let ran = conformance(&["run", "A01", "A02-sqli", "--output", path(&output)]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    let report = report(&output);
    let schema =
        serde_json::to_value(conformance::report::schema::Format::Report.schema()).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(&report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(report["totals"]["results"]["passed"], 2);
    assert_eq!(report["environment"]["kubelet"], "rehearsed");
    for subject in ["agent", "application", "envoy", "harness"] {
        let digest = report["subjects"][subject]["sha256"].as_str();
        assert_eq!(digest.map(str::len), Some(64), "{subject}");
    }
}

#[test]
fn two_runs_have_the_same_decision_record_and_another_agents_differs() {
    let scenarios = ["A01", "A02-sqli", "W01"];
    let decisions = |extra: &[&str]| {
        let output = TempDir::new().expect("a folder");
        let mut arguments = vec!["run"];
        arguments.extend(scenarios);
        arguments.extend(["--output", path(&output)]);
        arguments.extend(extra);
        conformance(&arguments);
        let digest = report(&output)["decisions-sha256"].clone();
        let record = fs::read_to_string(run_folder(&output).join("decisions.tsv")).expect("a file");
        (digest, record)
    };
    let (digest, record) = decisions(&[]);
    assert!(
        record.contains("decisions::passes-benign-requests\t"),
        "{record}"
    );
    assert_eq!((digest.clone(), record.clone()), decisions(&[]));
    let (other, changed) = decisions(&["--agent-env", "STUB_MODE=off", "--enforcing-within", "1s"]);
    assert_ne!((other, changed), (digest, record));
}

#[test]
fn without_the_filter_the_run_is_red_because_nothing_was_inspected() {
    let output = TempDir::new().expect("a folder");
    let configs = TempDir::new().expect("a folder");
    for entry in fs::read_dir(Path::new(ROOT).join("envoy-configs")).expect("a folder") {
        let entry = entry.expect("an entry");
        let text = fs::read_to_string(entry.path()).expect("a file");
        // The other variants only have to be there.
        let text = match entry.file_name().to_str() {
            Some("fail-closed.yaml") => without_filter(&text),
            Some(_) | None => text,
        };
        fs::write(configs.path().join(entry.file_name()), text).expect("a file");
    }
    let ran = conformance(&[
        "run",
        "A02-sqli",
        "--envoy-configs",
        path(&configs),
        "--output",
        path(&output),
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.seen());
    assert!(
        ran.stdout
            .contains("expected blocked-by-agent, observed not-inspected"),
        "{}",
        ran.seen()
    );
    assert!(
        ran.stdout.contains("did not ask the agent"),
        "{}",
        ran.seen()
    );
}

/// Takes the agent's filter and its per-route settings out of a configuration.
fn without_filter(text: &str) -> String {
    let cut = |text: &str, from: &str, to: &str| {
        let start = text.find(from).expect("the filter is there");
        let end = start + text[start..].find(to).expect("what follows is there");
        format!("{}{}", &text[..start], &text[end..])
    };
    let text = cut(
        text,
        "                  - name: envoy.filters.http.ext_authz\n",
        "                  - name: envoy.filters.http.router",
    );
    cut(
        &text,
        "                          typed_per_filter_config:",
        "                        - match: { prefix: \"/\" }",
    )
}

#[test]
fn with_an_agent_that_allows_everything_the_run_is_red_because_it_enforces_nothing() {
    let output = TempDir::new().expect("a folder");
    let ran = conformance(&[
        "run",
        "A02-xss",
        "--agent-env",
        "STUB_MODE=off",
        "--enforcing-within",
        "1s",
        "--output",
        path(&output),
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.seen());
    assert!(
        ran.stdout.contains(
            "not-enforcing: expected plain attacks are denied within 1s, observed none was"
        ),
        "{}",
        ran.seen()
    );
    let report = report(&output);
    let scenario = &report["scenarios"][0];
    let run = report["run"].as_str().expect("the run");
    let evidence = output
        .path()
        .join(run)
        .join(scenario["evidence"].as_str().expect("evidence"));
    for file in [
        "envoy.yaml",
        "envoy-config-dump.json",
        "envoy-stats.txt",
        "findings.json",
        "logs/sigsci-agent.log",
        "pod.json",
        "replay.txt",
        "timeline.json",
    ] {
        assert!(evidence.join(file).is_file(), "{file}");
    }
    let junit = fs::read_to_string(
        evidence
            .ancestors()
            .nth(2)
            .expect("the run")
            .join("junit.xml"),
    )
    .expect("a JUnit report");
    assert!(
        junit.contains("failures=\"1\"") && junit.contains("errors=\"0\""),
        "{junit}"
    );
}

#[test]
fn an_agent_that_does_not_start_is_the_agents_failure_with_its_exit_status_and_its_output() {
    let output = TempDir::new().expect("a folder");
    let ran = conformance(&[
        "run",
        "A01",
        "--agent-env",
        "STUB_MODE=sideways",
        "--output",
        path(&output),
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.seen());
    for text in ["agent-does-not-run", "exit code 2", "STUB_MODE"] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.seen());
    }
}

#[test]
fn a_configuration_that_envoy_refuses_ends_with_2_and_what_envoy_says() {
    let output = TempDir::new().expect("a folder");
    let configs = TempDir::new().expect("a folder");
    for entry in fs::read_dir(Path::new(ROOT).join("envoy-configs")).expect("a folder") {
        let entry = entry.expect("an entry");
        let text = fs::read_to_string(entry.path()).expect("a file");
        let broken = text.replace(
            "stat_prefix: ingress",
            "stat_prefix: ingress\n                no_such_field: 1",
        );
        fs::write(configs.path().join(entry.file_name()), broken).expect("a file");
    }
    let ran = conformance(&[
        "run",
        "A01",
        "--envoy-configs",
        path(&configs),
        "--output",
        path(&output),
    ]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    for text in ["no_such_field", "fail-closed.yaml", "nothing was started"] {
        assert!(ran.stderr.contains(text), "{text}: {}", ran.seen());
    }
}

#[test]
fn the_keys_stand_in_nothing_that_a_run_leaves_behind() {
    let output = TempDir::new().expect("a folder");
    // A red run writes the most: evidence, logs, configuration dumps.
    let ran = command(&[
        "run",
        "H07",
        "A02-sqli",
        "S09",
        "--agent-env",
        "STUB_MODE=off",
        "--enforcing-within",
        "1s",
        "--output",
        path(&output),
    ])
    .env("CONFORMANCE_ACCESSKEYID", ACCESS_KEY)
    .env("CONFORMANCE_SECRETACCESSKEY", SECRET_KEY)
    .output()
    .expect("the command starts");
    assert_eq!(ran.status.code(), Some(1));
    let mut texts = vec![ran.stdout, ran.stderr];
    collect(output.path(), &mut texts);
    assert!(texts.len() > 10, "evidence was written");
    for text in texts {
        let text = String::from_utf8_lossy(&text);
        assert!(
            !text.contains(ACCESS_KEY) && !text.contains(SECRET_KEY),
            "{text}"
        );
    }
}

fn collect(folder: &Path, texts: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, texts);
        } else {
            texts.push(fs::read(path).expect("a file"));
        }
    }
}

#[test]
fn a_run_of_which_nothing_can_be_run_is_not_green() {
    let output = TempDir::new().expect("a folder");
    let agent = output.path().join("another-agent");
    let script = format!("#!/bin/sh\nexec {} \"$@\"\n", "/bin/false");
    fs::write(&agent, script).expect("a script");
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).expect("executable");
    let agent = agent.to_str().expect("UTF-8");
    let ran = conformance(&[
        "run",
        "A06",
        "S04",
        "--agent-binary",
        agent,
        "--output",
        path(&output),
    ]);
    assert_eq!(ran.code, Some(4), "{}", ran.seen());
    assert!(
        ran.stdout.contains("needs agent-fault-injection"),
        "{}",
        ran.seen()
    );
}

#[test]
fn what_failed_is_replayed_and_what_passed_is_not() {
    let output = TempDir::new().expect("a folder");
    let ran = conformance(&[
        "run",
        "A01",
        "A02-useragent",
        "--agent-env",
        "STUB_MUTANT=ignores-signal-useragent",
        "--output",
        path(&output),
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.seen());
    assert!(
        ran.stdout.contains(" at fixtures/payloads/useragent.yaml:"),
        "{}",
        ran.seen()
    );
    let line = ran
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("report: "))
        .expect("the report's path")
        .to_owned();
    let again = conformance(&["replay", &line, "--output", path(&output)]);
    assert_eq!(again.code, Some(1), "the same options: {}", again.seen());
    assert!(
        again.stdout.contains("0 passed, 1 failed") && again.stdout.contains("blocks-useragent"),
        "{}",
        again.seen()
    );
    let latest = conformance(&["rerun", "--output", path(&output)]);
    assert_eq!(latest.code, Some(1), "{}", latest.seen());
    assert!(
        latest.stdout.contains("0 passed, 1 failed"),
        "{}",
        latest.seen()
    );
    let others = conformance(&[
        "replay",
        &line,
        "--finding",
        "lint",
        "--output",
        path(&output),
    ]);
    assert_eq!(others.code, Some(0), "{}", others.seen());
    assert!(
        others
            .stdout
            .contains("has a finding of this kind: lint; there is nothing to replay"),
        "{}",
        others.seen()
    );
    let such = conformance(&[
        "rerun",
        "--finding",
        "lint",
        "--finding",
        "outcome",
        "--output",
        path(&output),
    ]);
    assert!(
        such.stdout.contains("0 passed, 1 failed"),
        "{}",
        such.seen()
    );
    let mended = conformance(&[
        "replay",
        &line,
        "--agent-env",
        "STUB_MUTANT=",
        "--output",
        path(&output),
    ]);
    assert_eq!(mended.code, Some(0), "{}", mended.seen());
    let nothing = conformance(&["rerun", "--output", path(&output)]);
    assert_eq!(nothing.code, Some(0), "{}", nothing.seen());
    assert!(
        nothing.stdout.contains("nothing to replay"),
        "{}",
        nothing.seen()
    );
}
