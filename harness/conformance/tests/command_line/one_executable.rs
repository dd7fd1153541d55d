//! The executable alone is enough: it carries the project, the stub and the application; and nothing beside it is left unread in silence.

use std::fs;
use std::path::Path;

use rstest::rstest;
use tempfile::TempDir;

use super::support::{ROOT, Ran, command, conformance, empty_project, path, write};

const SCENARIO: &str = "scenarios/decisions/passes-benign-requests.yaml";

/// Runs the command in a folder, with a cache of its own.
fn run_in(folder: &TempDir, arguments: &[&str]) -> Ran {
    let output = command(arguments)
        .current_dir(folder.path().join("here"))
        .env("XDG_CACHE_HOME", folder.path().join("cache"))
        .output()
        .expect("the command starts");
    Ran::from_output(&output)
}

/// Returns the Envoy of the user's own cache, which commands in these folders do not have.
fn envoy() -> String {
    let ran = conformance(&["doctor", "--environment", "local", "--json"]);
    let start = ran.stdout.find(" at /").map(|at| at + 4);
    let path = ran.stdout[start.expect("Envoy is installed")..]
        .split('"')
        .next();
    path.expect("a path").to_owned()
}

fn empty_folder() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::create_dir(folder.path().join("here")).expect("a folder");
    folder
}

#[test]
fn in_an_empty_folder_the_carried_scenarios_are_listed() {
    let ran = run_in(&empty_folder(), &["list"]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    let shipped = conformance(&["list"]);
    assert_eq!(ran.stdout, shipped.stdout);
}

#[test]
fn a_run_in_an_empty_folder_judges_the_carried_stub_and_says_so() {
    let folder = empty_folder();
    let ran = run_in(&folder, &["run", "A01", "--envoy", &envoy()]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert!(
        ran.stdout
            .contains("agent: agent-stub (the reference stub)"),
        "{}",
        ran.seen()
    );
    let report = folder
        .path()
        .join("here/conformance-results/latest/report.json");
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(report).expect("a report")).expect("JSON");
    assert_eq!(report["options"]["project"], serde_json::Value::Null);
}

#[test]
fn scenarios_without_a_project_around_them_are_not_passed_over() {
    let folder = empty_folder();
    fs::create_dir(folder.path().join("here/scenarios")).expect("a folder");
    let ran = run_in(&folder, &["list"]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(
        ran.stderr.contains("`--scenarios scenarios` adds them"),
        "{}",
        ran.seen()
    );
}

#[test]
fn scenarios_of_ones_own_are_added_with_groups_of_their_own() {
    let folder = empty_folder();
    let text = fs::read_to_string(Path::new(ROOT).join(SCENARIO)).expect("a scenario");
    let mine = folder.path().join("here/mine");
    fs::create_dir_all(mine.join("payments")).expect("a folder");
    fs::write(
        mine.join("first.yaml"),
        text.replacen("id: A01", "id: Z01", 1),
    )
    .expect("a file");
    let second = text.replacen("id: A01", "id: Z02", 1);
    fs::write(mine.join("payments/second.yaml"), second).expect("a file");
    let ran = run_in(
        &folder,
        &["list", "--scenarios", "mine", "Z01", "Z02", "A02-sqli"],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    for name in ["mine::first", "payments::second", "decisions::blocks-sqli"] {
        assert!(ran.stdout.contains(name), "{name}: {}", ran.seen());
    }
}

#[test]
fn a_replay_has_the_scenarios_that_the_configuration_names_once() {
    let folder = empty_folder();
    let here = folder.path().join("here");
    let text = fs::read_to_string(Path::new(ROOT).join(SCENARIO)).expect("a scenario");
    fs::create_dir(here.join("mine")).expect("a folder");
    fs::write(
        here.join("mine/own.yaml"),
        text.replacen("id: A01", "id: Z01", 1),
    )
    .expect("a file");
    let binary = "scenarios: [mine]\nagent: { binary: /bin/false }\n";
    fs::write(here.join("conformance.yaml"), binary).expect("a file");
    let ran = run_in(&folder, &["run", "Z01", "--envoy", &envoy()]);
    assert_eq!(ran.code, Some(1), "{}", ran.seen());
    let again = run_in(&folder, &["rerun"]);
    assert_eq!(again.code, Some(1), "{}", again.seen());
    assert!(
        again.stdout.contains("0 passed, 1 failed"),
        "{}",
        again.seen()
    );
}

#[rstest]
#[case::other_ending("scenarios/decisions/mine.yml", "ends in `.yml`")]
#[case::sub_folder("scenarios/decisions/more/mine.yaml", "the folder would not be read")]
#[case::no_group("scenarios/mine.yaml", "in no group's folder")]
#[case::other_file("scenarios/decisions/mine.json", "would not be read")]
#[case::payloads("fixtures/payloads/mine.yml", "ends in `.yml`")]
#[case::profiles("scenarios/profiles/mine.txt", "would not be read")]
fn a_file_that_nothing_reads_is_named(#[case] file: &str, #[case] message: &str) {
    let project = empty_project();
    write(&project, file, "id: A01\n");
    let ran = conformance(&["list", "--project", path(&project)]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains(message), "{}", ran.seen());
    let named = Path::new(file)
        .file_stem()
        .expect("a name")
        .to_str()
        .expect("UTF-8");
    assert!(
        ran.stderr.contains(named) || ran.stderr.contains("more"),
        "{}",
        ran.seen()
    );
}

#[test]
fn a_name_that_is_taken_is_refused_and_names_the_other_file() {
    let folder = empty_folder();
    let text = fs::read_to_string(Path::new(ROOT).join(SCENARIO)).expect("a scenario");
    let group = folder.path().join("here/mine/decisions");
    fs::create_dir_all(&group).expect("a folder");
    let same_name = group.join("passes-benign-requests.yaml");
    fs::write(same_name, text.replacen("id: A01", "id: Z01", 1)).expect("a file");
    let ran = run_in(&folder, &["list", "--scenarios", "mine"]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    let message = "the name `decisions::passes-benign-requests` is taken by";
    assert!(ran.stderr.contains(message), "{}", ran.seen());
}

#[test]
fn a_named_pipe_is_not_waited_for() {
    let project = empty_project();
    let pipe = project.path().join("scenarios/decisions/pipe.yaml");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let ran = conformance(&["list", "--project", path(&project)]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains("no regular file"), "{}", ran.seen());
}

#[test]
fn an_exclusion_of_the_configuration_stands_in_the_report_with_its_reason() {
    let folder = empty_folder();
    let here = folder.path().join("here");
    fs::write(
        here.join("conformance.yaml"),
        "exclude:\n  - scenario: A01\n    reason: known since ticket 7\n",
    )
    .expect("a file");
    let ran = run_in(&folder, &["run", "A01", "A02-sqli", "--envoy", &envoy()]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    for text in [
        "1 passed, 0 failed, 1 excluded",
        "(A01): known since ticket 7",
    ] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.seen());
    }
    let wrong = "exclude:\n  - scenario: A99\n    reason: none\n";
    fs::write(here.join("conformance.yaml"), wrong).expect("a file");
    let ran = run_in(&folder, &["run", "A01"]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(
        ran.stderr.contains("conformance.yaml:2:15"),
        "{}",
        ran.seen()
    );
}
