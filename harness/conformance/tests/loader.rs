//! Whatever a scenario file holds, the loader reads it or says where it is wrong; it never panics.

use std::sync::{Arc, LazyLock};

use camino::{Utf8Path, Utf8PathBuf};
use proptest::prelude::*;
use proptest::sample::Index;

use conformance::catalogue::load::{Catalogue, load_catalogue, scenario_of};
use harness_artifacts::image::TOOLS;
use harness_core::model::diagnostic::{Colour, Diagnostic};
use harness_core::model::project::Project;

static PROJECT: LazyLock<Project> =
    LazyLock::new(|| Project::at(Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))));

static SHIPPED: LazyLock<Catalogue> =
    LazyLock::new(|| load_catalogue(&PROJECT).expect("the shipped files are right"));

/// Reads a text as a scenario file of the project.
fn read(text: &str) -> (bool, Vec<Diagnostic>) {
    let path: Utf8PathBuf = PROJECT.scenarios.join("decisions/any.yaml");
    let mut complaints = Vec::new();
    let scenario = scenario_of(
        &PROJECT,
        &SHIPPED.corpora,
        &path,
        &Arc::from(text),
        &mut complaints,
    );
    (scenario.is_some(), complaints)
}

/// Checks that a text is read, or that every complaint stands at a place of it and can be drawn.
fn assert_read_or_refused_in_place(text: &str) -> Result<(), TestCaseError> {
    let (is_read, complaints) = read(text);
    prop_assert_eq!(is_read, complaints.is_empty(), "{:?}", complaints);
    // The end of the file is a place: there a key is missed.
    let lines = text.lines().count() as u64 + 1;
    for complaint in &complaints {
        let position = complaint.position;
        prop_assert!(
            (1..=lines).contains(&position.line),
            "line {} of {}: {}",
            position.line,
            lines,
            complaint.message
        );
        prop_assert!(!complaint.message.is_empty());
        prop_assert!(!complaint.message.contains('\n'), "{:?}", complaint.message);
        let drawn = complaint.render(Colour::Plain);
        prop_assert!(drawn.contains("scenarios/decisions/any.yaml"), "{}", drawn);
    }
    Ok(())
}

#[test]
fn a_line_end_that_only_yaml_knows_is_refused_where_it_stands() {
    let (is_read, complaints) = read("id: A02\nsummary: a\rwhy: b\r\n");
    assert!(!is_read);
    let [complaint] = complaints.as_slice() else {
        panic!("{complaints:?}");
    };
    assert_eq!(
        (complaint.position.line, complaint.position.column),
        (2, 11)
    );
    assert!(complaint.message.contains("carriage return"), "{complaint}");
    let (_, complaints) = read("id: A02\r\nunknown: a\r\n");
    assert!(
        complaints
            .iter()
            .all(|complaint| !complaint.message.contains("carriage return"))
    );
}

#[test]
fn a_section_in_which_nothing_is_done_is_refused_at_its_place() {
    let head = "id: A02\nsummary: s\nwhy: w\nstack: {}\n";
    for section in [
        "exchange: {cases: []}",
        "contract: {cases: []}",
        "secrecy: {cases: []}",
        "provenance: {cases: []}",
        "filesystem: {cases: []}",
        "exposure: {cases: [], open: [], closed: []}",
    ] {
        let (_, complaints) = read(&format!("{head}{section}\n"));
        assert!(!complaints.is_empty(), "{section}");
        for complaint in complaints {
            assert!(complaint.position.line > 0, "{section}: {complaint}");
        }
    }
}

/// Something that a file may have in the place of what it should have.
fn replacement() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("\n".into()),
        Just("null".into()),
        Just("[]".into()),
        Just("{}".into()),
        Just("-1".into()),
        Just("99999999999999999999".into()),
        Just("!!binary x".into()),
        Just("&a [*a]".into()),
        Just("<<: {}".into()),
        Just("\u{1b}[31m".into()),
        Just("\u{0}".into()),
        Just("\t".into()),
        Just("é\u{202e}".into()),
        Just("---\n".into()),
        "\\PC{0,6}",
        "[a-z: {}\\[\\]'\"#&*|>,?%@-]{1,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn arbitrary_text_is_refused_in_its_place(text in "\\PC{0,80}(\n\\PC{0,40}){0,4}") {
        assert_read_or_refused_in_place(&text)?;
    }

    #[test]
    fn a_shipped_scenario_that_was_tampered_with_is_read_or_refused_in_its_place(
        which in any::<Index>(),
        edits in proptest::collection::vec((any::<Index>(), 0_usize..12, replacement()), 1..4),
    ) {
        let scenario = which.get(&SHIPPED.scenarios);
        let mut characters: Vec<char> = scenario.text.chars().collect();
        for (place, removed, added) in edits {
            let start = place.index(characters.len() + 1);
            let end = (start + removed).min(characters.len());
            characters.splice(start..end, added.chars());
        }
        let text: String = characters.into_iter().collect();
        assert_read_or_refused_in_place(&text)?;
    }

    #[test]
    fn a_shipped_scenario_whose_lines_were_shuffled_is_read_or_refused_in_its_place(
        which in any::<Index>(),
        taken in any::<Index>(),
        put in any::<Index>(),
    ) {
        let mut lines: Vec<&str> = which.get(&SHIPPED.scenarios).text.lines().collect();
        let line = lines.remove(taken.index(lines.len()));
        lines.insert(put.index(lines.len() + 1), line);
        assert_read_or_refused_in_place(&lines.join("\n"))?;
    }
}

#[test]
fn every_shipped_scenario_is_read_by_itself() {
    for scenario in &SHIPPED.scenarios {
        let (is_read, complaints) = read(&scenario.text);
        assert!(is_read, "{}: {complaints:?}", scenario.name);
    }
}

/// What a scenario names although no image has it, on purpose.
const ABSENT_ON_PURPOSE: &str = "/bin/no-such-sleep";

#[test]
fn the_images_have_every_program_that_a_scenario_names() {
    let catalogue = &*SHIPPED;
    let mut named = 0;
    for scenario in &catalogue.scenarios {
        let stack = &scenario.spec.stack;
        for container in [&stack.agent, &stack.application, &stack.front_proxy] {
            let probed = container
                .startup_probe
                .iter()
                .filter_map(|probe| probe.exec.as_ref());
            for command in probed.chain(&container.pre_stop_exec) {
                let program = command.first().expect("a command has a program");
                let is_there = TOOLS.contains(&program.as_str()) || program == "sh";
                assert!(
                    is_there || program == ABSENT_ON_PURPOSE,
                    "{}: no image has `{program}`",
                    scenario.name
                );
                named += 1;
            }
        }
    }
    assert!(named > 0, "no scenario was checked");
}
