//! Any text is read as a scenario or refused, and every complaint stands at a place of the text and can be drawn.
#![no_main]

use std::sync::{Arc, LazyLock};

use camino::Utf8Path;
use harness_core::model::diagnostic::Colour;
use harness_core::model::corpora::Corpora;
use harness_core::model::project::Project;
use conformance::catalogue::load::load_catalogue;
use conformance::catalogue::load::scenario_of;
use libfuzzer_sys::fuzz_target;

static PROJECT: LazyLock<(Project, Corpora)> = LazyLock::new(|| {
    let project = Project::at(Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")));
    let catalogue = load_catalogue(&project).expect("the shipped files are right");
    (project, catalogue.corpora)
});

fuzz_target!(|text: &str| {
    let (project, corpora) = &*PROJECT;
    let path = project.scenarios.join("decisions/any.yaml");
    let mut complaints = Vec::new();
    let scenario = scenario_of(project, corpora, &path, &Arc::from(text), &mut complaints);
    assert_eq!(scenario.is_some(), complaints.is_empty(), "{complaints:?}");
    let lines = text.lines().count() as u64 + 1;
    for complaint in &complaints {
        let line = complaint.position.line;
        assert!(
            (1..=lines).contains(&line),
            "line {line} of {lines}: {}",
            complaint.message
        );
        assert!(!complaint.render(Colour::Plain).is_empty());
    }
});
