//! Files of mutants: what the shipped ones come to, and what is refused at its place.

use rstest::rstest;
use tempfile::TempDir;

use super::*;
use crate::catalogue::load::load_catalogue;

const GOOD: &str = r"summary: Something is wrong.
mutants:
  - name: no-filter
    wrong: The proxy has no filter.
    changes:
      - in: [envoy-configs]
        at: filter
        do: remove
    killed-by:
      - { scenario: A01, case: get, kind: outcome }
";

fn loaded(text: &str) -> Result<Matrix, LoadError> {
    let folder = TempDir::new().expect("a folder");
    let root = Utf8Path::from_path(folder.path()).expect("UTF-8");
    let project = Project::at(root);
    for (path, text) in [
        (project.mutants.join("deployment-x.yaml"), text),
        (project.envoy_configs.join("one.yaml"), "filter: on\n"),
    ] {
        fs_err::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs_err::write(path, text).expect("a file");
    }
    let shipped = Project::at(Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")));
    let catalogue = load_catalogue(&shipped).expect("the shipped files are right");
    load_matrix(&project, &catalogue.scenarios)
}

#[test]
fn the_example_in_the_documentation_is_right() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/writing-a-scenario.md"
    );
    let text = fs_err::read_to_string(path).expect("the document");
    let example = text
        .split("```yaml\n")
        .filter_map(|part| part.split("```").next())
        .find(|example| example.contains("killed-by:"))
        .expect("an example");
    let mut complaints = Vec::new();
    let file = Utf8Path::new("mutants/example.yaml");
    let content = parse::<MutantFile>(file, &example.into(), &mut complaints);
    assert!(complaints.is_empty(), "{complaints:?}");
    assert_eq!(content.expect("mutants").mutants.len(), 2);
}

#[test]
fn a_good_file_is_its_mutants() {
    let matrix = loaded(GOOD).expect("a matrix");
    let mutant = matrix.all().next().expect("a mutant");
    assert_eq!(mutant.name, "no-filter");
    assert_eq!(mutant.kills[0].to_string(), "get: outcome");
    assert!(mutant.scenarios().contains("B01"), "a sentinel");
}

#[rstest]
#[case::name("name: no-filter", "name: No Filter", 3, "lower-case letters")]
#[case::no_sentence("The proxy has no filter.", "''", 4, "say what is wrong")]
#[case::elsewhere("[envoy-configs]", "[docs]", 6, "paths begin at the project's folder")]
#[case::in_no_file("[envoy-configs]", "[]", 7, "name a file or a folder")]
#[case::changes_nothing("at: filter", "at: filters", 6, "must select something")]
#[case::no_path("at: filter", "at: a//b", 7, "")]
#[case::no_operation("do: remove", "do: removed", 8, "did you mean `remove`?")]
#[case::no_scenario("A01", "A00", 10, "did you mean `A0")]
#[case::no_kind("kind: outcome", "kind: outcomes", 10, "did you mean `outcome`?")]
#[case::unknown_field("case: get", "cases: get", 10, "did you mean `case`?")]
#[case::nothing_is_wrong(
    "    changes:\n      - in: [envoy-configs]\n        at: filter\n        do: remove\n",
    "",
    3,
    "wrong in one way"
)]
#[case::two_things_are_wrong(
    "    changes:",
    "    agent: ignores-body\n    changes:",
    3,
    "in one way"
)]
#[case::no_changes(
    "changes:\n      - in: [envoy-configs]\n        at: filter\n        do: remove\n",
    "changes: []\n",
    5,
    "add a change"
)]
#[case::no_kill(
    "killed-by:\n      - { scenario: A01, case: get, kind: outcome }\n",
    "killed-by: []\n",
    3,
    "add `killed-by:`"
)]
#[case::twice(
    "    killed-by:\n",
    "    killed-by: [{ scenario: A01, kind: outcome }]\n  - name: no-filter\n    wrong: w\n    agent: a\n    killed-by:\n",
    10,
    "another name"
)]
fn a_bad_file_is_refused_at_its_place(
    #[case] good: &str,
    #[case] bad: &str,
    #[case] line: u64,
    #[case] hint: &str,
) {
    let text = GOOD.replacen(good, bad, 1);
    assert_ne!(text, GOOD);
    let outcome = loaded(&text);
    let Err(LoadError::Invalid(complaints)) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert_eq!(complaints[0].position.line, line, "{complaints:?}");
    let given = complaints[0].hint.as_deref().unwrap_or_default();
    assert!(given.contains(hint), "{complaints:?}");
}
