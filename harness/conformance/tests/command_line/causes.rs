//! A run with many failures is read in ten seconds: causes, not scenarios.

use std::fs;

use tempfile::TempDir;

use super::support::{Ran, conformance, path, run_folder};

fn run_of_an_agent_that_ends(output: &TempDir) -> Ran {
    let ran = conformance(&[
        "run",
        "A02",
        "--agent-binary",
        "/bin/false",
        "--output",
        path(output),
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.seen());
    ran
}

#[test]
fn an_agent_that_ends_is_one_failure_with_all_that_it_took_along() {
    let output = TempDir::new().expect("a folder");
    let ran = run_of_an_agent_that_ends(&output);
    assert!(
        ran.stdout.contains(" 1. agent-does-not-run (critical) in "),
        "{}",
        ran.seen()
    );
    assert!(
        ran.stdout.contains("observed it ended with exit code 1"),
        "{}",
        ran.seen()
    );
    assert!(!ran.stdout.contains(" 2. "), "one cause: {}", ran.seen());
    assert!(
        ran.stdout.contains("run these again: conformance replay "),
        "{}",
        ran.seen()
    );
    assert!(
        ran.stdout
            .contains("agent: false, version unknown, sha256:"),
        "{}",
        ran.seen()
    );
    assert!(ran.stdout.lines().count() < 60, "{}", ran.seen());
}

#[test]
fn evidence_is_whole_for_three_scenarios_of_a_cause_and_brief_for_the_rest() {
    let output = TempDir::new().expect("a folder");
    run_of_an_agent_that_ends(&output);
    let group = run_folder(&output).join("decisions");
    let (mut whole, mut brief) = (0, 0);
    for entry in fs::read_dir(group).expect("evidence") {
        let folder = entry.expect("an entry").path();
        assert!(folder.join("replay.txt").is_file());
        if folder.join("pod.json").is_file() {
            whole += 1;
        } else {
            let note = fs::read_to_string(folder.join("incomplete.txt")).expect("a note");
            assert!(note.contains("run this one alone"), "{note}");
            brief += 1;
        }
    }
    assert_eq!(whole, 3);
    assert!(brief > 2, "{brief}");
}
