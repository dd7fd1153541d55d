//! What an option says is done, or the command ends with 2 before anything is started.

use rstest::rstest;
use std::fs;
use std::process::Stdio;
use tempfile::TempDir;

use super::support::{ROOT, command, conformance, path, report};

#[rstest]
#[case::image(&["--agent-image", "agent:1"], "it is for `--environment kind`")]
#[case::context(&["--context", "mine"], "it is for `--environment existing`")]
#[case::keep(&["--keep"], "`--environment kind`")]
#[case::node(&["--environment", "existing", "--node-image", "node:1"], "`--environment kind`")]
#[case::both(
    &["--environment", "kind", "--agent-image", "agent:1", "--agent-binary", "/bin/true"],
    "leave it out"
)]
#[case::egress(&["--environment", "kind", "--agent-egress", "host"], "it is for `--environment local`")]
#[case::way(&["--agent-egress", "everywhere"], "neither `none`, `host` nor the address of a proxy")]
#[case::credentials(&["--agent-egress", "http://user:hunter2@proxy:3128"], "credentials of a proxy do not belong")]
#[case::project(&["--project", "/nonexistent"], "--project")]
#[case::scenarios(&["--scenarios", "/nonexistent"], "is not a folder")]
#[case::configs(&["--envoy-configs", "/nonexistent"], "is not a folder")]
#[case::config(&["--config", "/nonexistent.yaml"], "there is no file")]
#[case::agent(&["--agent-binary", "/nonexistent"], "not an executable file")]
#[case::application(&["--app-binary", "/etc/passwd"], "not an executable file")]
#[case::group(&["--group", "decision"], "the groups are")]
#[case::feature(&["--feature", "flying"], "possible values")]
#[case::shard(&["--shard", "3/2"], "1/4")]
#[case::empty_filter(&[""], "a filter is empty")]
#[case::empty_exclusion(&["--exclude", " "], "a filter is empty")]
fn what_cannot_be_done_is_refused(#[case] options: &[&str], #[case] hint: &str) {
    let output = TempDir::new().expect("a folder");
    let mut arguments = vec!["run", "A01", "--output", path(&output)];
    arguments.extend(options);
    let ran = conformance(&arguments);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains(hint), "{hint}: {}", ran.seen());
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.seen());
    let left = fs::read_dir(output.path()).expect("a folder").count();
    assert_eq!(left, 0, "{}", ran.seen());
}

#[test]
fn an_id_is_found_in_any_case() {
    let ran = conformance(&["list", "a02-SQLI"]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.seen());
}

#[test]
fn the_parts_of_a_run_are_all_of_it_and_none_twice() {
    let listed = |arguments: &[&str]| {
        let ran = conformance(&[&["list", "--group", "drain"], arguments].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.seen());
        let ids = ran
            .stdout
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        let mut lines: Vec<String> = ids.map(String::from).collect();
        lines.sort();
        lines
    };
    let mut parts = listed(&["--shard", "1/3"]);
    parts.extend(listed(&["--shard", "2/3"]));
    parts.extend(listed(&["--shard", "3/3"]));
    parts.sort();
    assert_eq!(parts, listed(&[]));
}

#[test]
fn scenarios_that_need_a_feature_and_those_that_do_not_are_all_of_them() {
    let count = |arguments: &[&str]| {
        let ran = conformance(&[&["list"], arguments].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.seen());
        ran.stdout.lines().count()
    };
    let with = count(&["--feature", "rollout"]);
    let without = count(&["--exclude-feature", "rollout"]);
    assert!(with > 0 && without > 0, "{with}, {without}");
    assert_eq!(with + without, count(&[]));
    let none = conformance(&[
        "list",
        "--feature",
        "rollout",
        "--exclude-feature",
        "rollout",
    ]);
    assert_eq!(none.code, Some(4), "{}", none.seen());
    assert!(
        none.stderr.contains("--exclude-feature rollout"),
        "{}",
        none.seen()
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = command(&["list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // Every line meets a closed pipe.
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn rounds_are_counted() {
    let output = TempDir::new().expect("a folder");
    let ran = conformance(&[
        "run",
        "A01",
        "-q",
        "--repeat",
        "2",
        "--output",
        path(&output),
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert!(
        ran.stdout.contains("in 2 rounds: 1 scenario always passed"),
        "{}",
        ran.seen()
    );
    let runs = fs::read_dir(output.path()).expect("a folder").count();
    assert_eq!(runs, 3, "two runs and the link to the latest");
}

#[test]
fn what_a_run_does_not_come_to_in_its_time_is_not_judged() {
    let output = TempDir::new().expect("a folder");
    let ran = conformance(&[
        "run",
        "R04",
        "--run-timeout",
        "1s",
        "--output",
        path(&output),
    ]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(
        ran.stdout.contains("the time of the run was over"),
        "{}",
        ran.seen()
    );
}

#[test]
fn after_a_failure_nothing_further_is_begun_where_that_was_asked_for() {
    let output = TempDir::new().expect("a folder");
    let ran = conformance(&[
        "run",
        "A02",
        "--fail-fast",
        "--jobs",
        "1",
        "--agent-binary",
        "/bin/false",
        "--output",
        path(&output),
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.seen());
    let report = report(&output);
    assert_eq!(report["totals"]["results"]["failed"], 1);
    let excluded = report["totals"]["results"]["excluded"].as_u64();
    assert!(excluded.is_some_and(|count| count > 3), "{}", ran.seen());
}

#[test]
fn parts_that_were_run_apart_are_merged_into_one_report() {
    let output = TempDir::new().expect("a folder");
    let merged = TempDir::new().expect("a folder");
    let mut arguments = vec![
        "report".to_owned(),
        "merge".into(),
        "--output".into(),
        path(&merged).into(),
    ];
    for part in ["1/2", "2/2"] {
        let folder = output.path().join(part.replace('/', "-"));
        let folder = folder.to_str().expect("UTF-8");
        let ran = conformance(&[
            "run", "A01", "A02-sqli", "--shard", part, "--output", folder,
        ]);
        assert_eq!(ran.code, Some(0), "{}", ran.seen());
        arguments.push(format!("{folder}/latest/report.json"));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = conformance(&arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert!(ran.stdout.contains("2 passed of 2 runs"), "{}", ran.seen());
    let text = fs::read(merged.path().join("report.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(report["scenarios"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_is_no_regular_file_is_no_report() {
    for given in ["/dev/zero", ROOT] {
        let ran = conformance(&["replay", given]);
        assert_eq!(ran.code, Some(2), "{}", ran.seen());
        assert!(ran.stderr.contains("no regular file"), "{}", ran.seen());
    }
}
