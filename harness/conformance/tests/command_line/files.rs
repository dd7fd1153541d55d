//! The files of the project agree with the code: schemas, scenarios, payloads.

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;

use super::support::ROOT;
use conformance::catalogue::load::load_catalogue;
use conformance::report::schema::Format;
use harness_core::model::project::Project;

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.ends_with("payloads/seeds") || path.ends_with("scenarios/profiles") {
            // They have schemas of their own.
        } else if path.is_dir() {
            files.extend(yaml_files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            files.push(path);
        }
    }
    files
}

fn validator(format: Format) -> Validator {
    let schema = serde_json::to_value(format.schema()).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
}

#[test]
fn the_published_schemas_are_what_the_code_says() {
    for format in Format::ALL {
        let path = Path::new(ROOT)
            .join("docs/schemas")
            .join(format.file_name());
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            published == format.text(),
            "{} is old: print it anew with `conformance schema`",
            path.display()
        );
    }
}

#[test]
fn the_published_index_is_what_the_files_say() {
    let ran = super::support::conformance(&["list", "--markdown"]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    let published =
        fs::read_to_string(Path::new(ROOT).join("docs/scenarios.md")).unwrap_or_default();
    assert!(
        published == ran.stdout,
        "docs/scenarios.md is old: print it anew with `conformance list --markdown`"
    );
}

#[test]
fn the_published_kill_matrix_is_what_the_code_says() {
    let ran = super::support::conformance(&["self-test", "--markdown"]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    let published =
        fs::read_to_string(Path::new(ROOT).join("docs/kill-matrix.md")).unwrap_or_default();
    assert!(
        published == ran.stdout,
        "docs/kill-matrix.md is old: print it anew with `conformance self-test --markdown`"
    );
}

#[test]
fn the_published_kinds_of_findings_are_what_the_code_says() {
    let ran = super::support::conformance(&["explain", "--findings", "--markdown"]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    let published =
        fs::read_to_string(Path::new(ROOT).join("docs/findings.md")).unwrap_or_default();
    assert!(
        published == ran.stdout,
        "docs/findings.md is old: print it anew with `conformance explain --findings --markdown`"
    );
}

#[test]
fn every_shipped_file_fits_its_schema() {
    for (format, folder) in [
        (Format::Scenario, "scenarios"),
        (Format::Profile, "scenarios/profiles"),
        (Format::Payloads, "fixtures/payloads"),
        (Format::Seeds, "fixtures/payloads/seeds"),
        (Format::Mutants, "mutants"),
    ] {
        let validator = validator(format);
        let files = yaml_files(&Path::new(ROOT).join(folder));
        assert!(!files.is_empty(), "{folder}");
        for path in files {
            let text = fs::read_to_string(&path).expect("a file");
            let value: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
            let errors: Vec<String> = validator
                .iter_errors(&value)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{}: {errors:?}", path.display());
        }
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let validator = validator(Format::Scenario);
    let unknown_key = serde_json::json!({"id": "A01", "summary": "x", "why": "x", "sumary": "x"});
    assert!(!validator.is_valid(&unknown_key));
}

#[test]
fn every_scenario_knows_its_places() {
    let root = camino::Utf8Path::new(ROOT);
    let catalogue = load_catalogue(&Project::at(root)).expect("the shipped files are right");
    for scenario in &catalogue.scenarios {
        assert!(scenario.spec.id.position.line > 0, "{}", scenario.name);
        // A place that was lost on the way through serde reads as line 0; what a file leaves out has no place at all.
        let shown = format!("{:?}", scenario.procedure);
        assert!(
            !shown.contains("Position { line: 0"),
            "{}: {shown}",
            scenario.name
        );
    }
}
