//! What shells and man(1) are given: completions of names as the project has them, and pages made from the definitions of `--help`.

use std::fs;
use std::process::Command;

use rstest::rstest;

use super::support::{ROOT, Ran, command, conformance, empty_project, path, write};

/// Asks as the printed script of bash does: the last of these words is to be completed.
fn completed(words: &[&str]) -> Vec<String> {
    let mut asked = command(&["--", "conformance"]);
    asked
        .args(words)
        .env("CONFORMANCE_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .env("_CLAP_IFS", "\n");
    let ran = Ran::from_output(&asked.output().expect("the command starts"));
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert_eq!(ran.stderr, "", "{}", ran.seen());
    ran.stdout.lines().map(str::to_owned).collect()
}

#[rstest]
#[case::id_to_run(&["run", "A02-s"], "A02-sqli")]
#[case::name_to_run(&["run", "decisions::"], "decisions::")]
#[case::id_to_leave_out(&["run", "--exclude", "A02-s"], "A02-sqli")]
#[case::id_to_explain(&["explain", "A02-s"], "A02-sqli")]
#[case::profile(&["run", "--profile", "qui"], "quick")]
#[case::environment(&["doctor", "--environment", "ki"], "kind")]
#[case::option(&["doctor", "--js"], "--json")]
#[case::folder(&["run", "--project", "scenarios/prof"], "scenarios/profiles")]
fn a_word_is_completed_by_what_can_stand_there(#[case] words: &[&str], #[case] expected: &str) {
    let found = completed(words);
    assert!(
        found.iter().any(|word| word.starts_with(expected)),
        "{found:?}"
    );
    let begun = words.last().expect("a word");
    assert!(
        found.iter().all(|word| word.starts_with(begun)),
        "{found:?}"
    );
}

#[test]
fn names_are_those_of_the_project_that_the_line_names() {
    let project = empty_project();
    let of_another = completed(&["run", "--project", path(&project), "A02-s"]);
    assert_eq!(of_another, Vec::<String>::new());
    let source = format!("{ROOT}/scenarios/decisions");
    let some = fs::read_dir(source)
        .expect("a folder")
        .next()
        .expect("a scenario")
        .expect("an entry");
    let text = fs::read_to_string(some.path()).expect("a file");
    write(&project, "scenarios/decisions/only-one.yaml", text);
    let found = completed(&["run", "--project", path(&project), "decisions::"]);
    assert_eq!(found, ["decisions::only-one"]);
}

#[test]
fn a_project_that_cannot_be_read_completes_nothing_and_says_nothing() {
    let project = empty_project();
    write(&project, "scenarios/decisions/broken.yaml", "id: [");
    let found = completed(&["run", "--project", path(&project), "A0"]);
    assert_eq!(found, Vec::<String>::new());
}

#[rstest]
#[case("bash")]
#[case("elvish")]
#[case("fish")]
#[case("powershell")]
#[case("zsh")]
fn each_shell_has_a_script_that_asks_this_executable(#[case] shell: &str) {
    let ran = conformance(&["completions", shell]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    for part in ["CONFORMANCE_COMPLETE", env!("CARGO_BIN_EXE_conformance")] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.seen());
    }
}

#[test]
fn bash_completes_with_the_script_as_it_is_printed() {
    let script = format!(
        "source <('{}' completions bash); COMP_WORDS=(conformance run A02-s); COMP_CWORD=2; COMP_TYPE=9; \
         _clap_complete_conformance conformance A02-s run; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        env!("CARGO_BIN_EXE_conformance")
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(ROOT)
        .output()
        .expect("bash is there");
    let ran = Ran::from_output(&output);
    assert!(
        ran.stdout.lines().any(|line| line.trim() == "A02-sqli"),
        "{}",
        ran.seen()
    );
}

#[test]
fn the_manual_names_every_command_and_the_exit_codes() {
    let ran = conformance(&["manual"]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert!(ran.stdout.contains(".TH conformance 1"), "{}", ran.seen());
    for name in [
        "run",
        "list",
        "doctor",
        "self\\-test",
        "up",
        "down",
        "manual",
    ] {
        let page = format!("conformance\\-{name}(1)");
        assert!(ran.stdout.contains(&page), "{page}: {}", ran.seen());
    }
    assert!(ran.stdout.contains("Exit codes:"), "{}", ran.seen());
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.seen());
}

#[test]
fn the_page_of_a_command_has_its_options() {
    let ran = conformance(&["manual", "run"]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    for part in [
        ".TH conformance-run 1",
        "\\-\\-environment",
        "\\-\\-profile",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.seen());
    }
}

#[test]
fn a_page_of_no_command_is_bad_usage() {
    let ran = conformance(&["manual", "no-such-command"]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains("`no-such-command`"), "{}", ran.seen());
    assert!(ran.stderr.contains("self-test"), "{}", ran.seen());
}
