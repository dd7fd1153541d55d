//! What a pipeline gets of a run: a summary in Markdown, annotations, events, JUnit.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use super::support::{ROOT, Ran, command, conformance, path, report, run_folder};
use conformance::report::schema::Format;

/// Makes a run of one scenario that passes and one that fails.
const RED: [&str; 5] = [
    "run",
    "A01",
    "A02-xss",
    "--agent-env",
    "STUB_MUTANT=ignores-signal-xss",
];

fn events_in(text: &str) -> Vec<Value> {
    let schema = serde_json::to_value(Format::Events.schema()).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let lines = text.lines();
    lines
        .map(|line| {
            let event: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(validator.is_valid(&event), "{line}");
            event
        })
        .collect()
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let events = events.iter();
    events.filter(|event| event["event"] == kind).collect()
}

#[test]
fn a_red_run_appends_to_the_summary_of_the_step_and_annotates_the_line_that_was_not_met() {
    let output = TempDir::new().expect("a folder");
    let step = TempDir::new().expect("a folder");
    let summary = step.path().join("summary");
    fs::write(&summary, "what the step wrote before\n").expect("a file");
    let ran = command(&RED)
        .args(["--output", path(&output)])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_WORKSPACE", ROOT)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .output()
        .expect("the command starts");
    let ran = Ran::from_output(&ran);
    assert_eq!(ran.code, Some(1), "{}", ran.seen());

    let summary = fs::read_to_string(summary).expect("a summary");
    for part in [
        "what the step wrote before\n",
        "## Conformance: failed\n",
        "- agent: `agent-stub (the reference stub), version agent-stub ",
        "Expected `blocked-by-agent`, observed `allowed`.",
        "`scenarios/decisions/blocks-xss.yaml:",
    ] {
        assert!(summary.contains(part), "{part}:\n{summary}");
    }

    let token = ran
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("::stop-commands::"))
        .expect("no commands are read from what is quoted");
    let end = format!("\n::{token}::\n");
    let (quoted, commands) = ran.stdout.split_once(&end).expect("they are read again");
    assert!(quoted.contains("report: "), "{}", ran.seen());
    assert!(!commands.is_empty(), "{}", ran.seen());
    for line in commands.lines() {
        let place = "::error file=fixtures/payloads/xss.yaml,line=";
        assert!(line.starts_with(place), "{line}");
        assert!(
            line.contains("expected blocked-by-agent, observed allowed"),
            "{line}"
        );
    }

    let junit = fs::read_to_string(run_folder(&output).join("junit.xml")).expect("a file");
    assert!(
        junit.contains("name=\"blocks-xss\" classname=\"decisions\""),
        "{junit}"
    );
    assert!(junit.contains("(the reference stub)"), "{junit}");
}

#[test]
fn events_on_standard_output_are_alone_there_and_say_how_the_run_went() {
    let output = TempDir::new().expect("a folder");
    let folder = TempDir::new().expect("a folder");
    let summary = folder.path().join("summary.md");
    fs::write(&summary, "of an earlier run").expect("a file");
    let mut arguments = RED.to_vec();
    let summary_path = summary.to_str().expect("UTF-8");
    arguments.extend(["--output", path(&output), "--events", "-"]);
    arguments.extend(["--summary", summary_path]);
    let ran = conformance(&arguments);
    assert_eq!(ran.code, Some(1), "{}", ran.seen());
    assert!(ran.stderr.contains("report: "), "{}", ran.seen());

    let events = events_in(&ran.stdout);
    let report = report(&output);
    let (first, last) = (&events[0], &events[events.len() - 1]);
    assert_eq!(first["event"], "run-started");
    assert_eq!(first["run"], report["run"]);
    assert_eq!(first["scenarios"], 2);
    assert_eq!(first["judged"]["subjects"][0]["role"], "agent");
    assert_eq!(first["judged"]["subjects"][0]["reference-stub"], true);
    assert_eq!(of_kind(&events, "scenario-started").len(), 2);
    let finished = of_kind(&events, "scenario-finished");
    assert_eq!(finished.len(), 2);
    let failed = finished.iter().find(|event| event["result"] == "failed");
    let failed = failed.expect("a scenario failed");
    assert_eq!(failed["name"], "decisions::blocks-xss");
    assert_eq!(failed["findings"][0]["kind"], "outcome");
    assert_eq!(failed["findings"][0]["file"], "fixtures/payloads/xss.yaml");
    assert!(failed["findings"][0]["line"].as_u64() > Some(1), "{failed}");
    assert!(
        failed["elapsed-milliseconds"].as_u64() > Some(0),
        "{failed}"
    );
    assert_eq!(last["event"], "run-finished");
    assert_eq!(last["exit-code"], 1);
    assert_eq!(last["totals"], report["totals"]);
    let written = last["report"].as_str().expect("a path");
    assert!(fs::exists(written).is_ok_and(|exists| exists), "{written}");

    let text = fs::read_to_string(summary).expect("a summary");
    assert!(text.starts_with("## Conformance: failed\n"), "{text}");
}

#[test]
fn a_reader_of_events_that_goes_away_does_not_end_the_run() {
    let output = TempDir::new().expect("a folder");
    let mut child = command(&["run", "A01", "--events", "-", "--output", path(&output)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut first = String::new();
    let mut reader = BufReader::new(child.stdout.take().expect("piped"));
    reader.read_line(&mut first).expect("a line while it runs");
    assert_eq!(events_in(&first)[0]["event"], "run-started");
    drop(reader);
    let ran = Ran::from_output(&child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert!(
        ran.stderr
            .contains("no more events are written to standard output"),
        "{}",
        ran.seen()
    );
    assert_eq!(report(&output)["totals"]["results"]["passed"], 1);
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_anything_is_started() {
    for option in ["--summary", "--events"] {
        let output = TempDir::new().expect("a folder");
        let file = "/nonexistent/folder/file";
        let ran = conformance(&["run", "A01", option, file, "--output", path(&output)]);
        assert_eq!(ran.code, Some(2), "{}", ran.seen());
        for text in [file, option, "No such file"] {
            assert!(ran.stderr.contains(text), "{text}: {}", ran.seen());
        }
        assert_eq!(fs::read_dir(output.path()).expect("a folder").count(), 0);
    }
}

#[test]
fn a_summary_of_the_step_that_cannot_be_written_changes_no_verdict() {
    let output = TempDir::new().expect("a folder");
    let ran = command(&["run", "A01", "--output", path(&output)])
        .env("GITHUB_STEP_SUMMARY", "/nonexistent/folder/file")
        .output()
        .expect("the command starts");
    let ran = Ran::from_output(&ran);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert!(
        ran.stderr.contains("no summary is written"),
        "{}",
        ran.seen()
    );

    // Nothing of this run is left to replay, which is said beside the events and not among them.
    let folder = run_folder(&output).join("report.json");
    let earlier = folder.to_str().expect("UTF-8");
    let ran = conformance(&["replay", earlier, "--events", "-"]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert_eq!(ran.stdout, "", "{}", ran.seen());
    assert!(ran.stderr.contains("nothing to replay"), "{}", ran.seen());
}

#[test]
fn the_workflows_to_copy_can_be_read_and_use_options_that_there_are() {
    let help = conformance(&["run", "--help"]).stdout;
    let mut options = 0;
    for name in ["gitlab.yml", "nightly.yml", "pull-request.yml"] {
        let text = fs::read_to_string(format!("{ROOT}/docs/ci/{name}")).expect("a file");
        let workflow: Value =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(workflow.is_object(), "{name}");
        assert!(text.contains("sha256sum --check"), "{name}");
        let runs = text.split("conformance/conformance run").skip(1);
        for run in runs {
            let end = run.find("\n      - ").or_else(|| run.find("\n  artifacts"));
            let run = &run[..end.expect("what follows is there")];
            for option in run.split_whitespace().filter(|word| word.starts_with("--")) {
                assert!(help.contains(option), "{name}: {option}");
                options += 1;
            }
        }
    }
    assert!(options > 10, "{options}");
}
