//! Wrong seed files are refused with their place and a hint, and nothing is started.

use std::fs;

use rstest::rstest;

use super::support::{assert_refused, conformance, empty_project, path, write};

const GOOD: &str = r#"class: sqli
source: written for this suite
licence: Apache-2.0
seeds:
  - name: first
    why: It is an example.
    value: "1' OR '1'='1"
    positions: [query, json]
    encodings: [plain, percent]
    twin: "O'Brien"
  - name: second
    why: It is bytes.
    value-base64: JyBPUiAxPTEg
    positions: [form]
    twin-base64: wOk=
"#;

const FILE: &str = "fixtures/payloads/seeds/tested.yaml";

fn project_with(seeds: impl AsRef<[u8]>) -> tempfile::TempDir {
    let project = empty_project();
    fs::remove_dir_all(project.path().join("fixtures/payloads/seeds")).expect("the shipped seeds");
    write(&project, FILE, seeds);
    project
}

#[test]
fn a_good_seed_file_is_read() {
    let project = project_with(GOOD);
    let ran = conformance(&["list", "--project", path(&project)]);
    // There are no scenarios to list.
    assert_eq!(ran.code, Some(4), "{}", ran.seen());
}

#[rstest]
#[case::unknown_class("class: sqli", "class: sqly", ":1:8", "did you mean `sqli`?")]
#[case::unknown_key(
    "    why: It is an example.",
    "    whyy: x",
    ":6:5",
    "did you mean `why`?"
)]
#[case::unknown_position("[query, json]", "[query, jason]", ":8:24", "did you mean `json`?")]
#[case::unknown_encoding(
    "[plain, percent]",
    "[plain, percnt]",
    ":9:24",
    "did you mean `percent`?"
)]
#[case::missing_positions("    positions: [form]\n", "", ":14:5", "add `positions:`")]
#[case::no_position("[query, json]", "[]", ":8:16", "name where the value applies")]
#[case::position_twice("[query, json]", "[query, query]", ":8:24", "keep one")]
#[case::taken_name("name: second", "name: first", ":11:11", "on line 5")]
#[case::bad_name("name: second", "name: Second", ":11:11", "lower-case")]
#[case::long_name(
    "name: second",
    "name: a-name-that-goes-on-and-on-until-nothing-could-be-added-to-it",
    ":11:11",
    "at most 48"
)]
#[case::attack_without_twin("    twin: \"O'Brien\"\n", "", ":5:11", "add `twin:`")]
#[case::benign_with_twin("class: sqli", "class: benign", ":10:11", "a seed of its own")]
#[case::no_value("    value: \"1' OR '1'='1\"\n", "", ":5:11", "`value-base64:`")]
#[case::two_values(
    "    value-base64",
    "    value: x\n    value-base64",
    ":14:19",
    "keep one of the two"
)]
#[case::empty_value("\"1' OR '1'='1\"", "\"\"", ":7:12", "attacks nothing")]
#[case::broken_base64("JyBPUiAxPTEg", "JyBPUiAxPTE", ":13:19", "encode the bytes anew")]
#[case::broken_twin_base64("wOk=", "wOk", ":15:18", "encode the bytes anew")]
#[case::unknown_escape("\"1' OR '1'='1\"", r#""1\q""#, ":7:12", "backslash")]
#[case::short_escape("\"1' OR '1'='1\"", r#""\x4""#, ":7:12", "backslash")]
#[case::bytes_in_json(
    "positions: [form]",
    "positions: [json]",
    ":14:17",
    "leave the position out"
)]
#[case::foreign_encoding("[plain, percent]", "[percent]", ":8:24", "its encodings are plain")]
#[case::silent_why("why: It is bytes.", "why: ''", ":12:10", "what it catches")]
#[case::no_seeds(
    &GOOD[GOOD.find("seeds:").expect("the list")..],
    "seeds: []\n",
    ":1:8",
    "remove the file"
)]
fn a_wrong_seed_file_is_refused_with_its_place_and_a_hint(
    #[case] from: &str,
    #[case] to: &str,
    #[case] place: &str,
    #[case] hint: &str,
) {
    assert!(GOOD.contains(from), "{from}");
    let project = project_with(GOOD.replacen(from, to, 1));
    assert_refused(&project, &format!("{FILE}{place}"), hint);
}

#[test]
fn a_value_over_the_bound_is_refused() {
    let project = project_with(GOOD.replacen("O'Brien", &"x".repeat(1025), 1));
    let ran = conformance(&["list", "--project", path(&project)]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains("tested.yaml:10:11"), "{}", ran.seen());
    assert!(ran.stderr.contains("1025 bytes"), "{}", ran.seen());
}

#[test]
fn a_name_that_another_file_has_is_refused_and_names_that_file() {
    let project = project_with(GOOD);
    write(
        &project,
        "fixtures/payloads/seeds/zz.yaml",
        GOOD.replace("second", "third"),
    );
    let ran = conformance(&["list", "--project", path(&project)]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains("seeds/zz.yaml:5:11"), "{}", ran.seen());
    assert!(
        ran.stderr
            .contains("taken in fixtures/payloads/seeds/tested.yaml on line 5"),
        "{}",
        ran.seen()
    );
}

#[test]
fn a_seed_file_that_is_not_utf8_is_refused_with_its_line() {
    let project = project_with(b"class: sqli\nsource: \xff\n");
    let ran = conformance(&["list", "--project", path(&project)]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(
        ran.stderr.contains("line 2 is not valid UTF-8"),
        "{}",
        ran.seen()
    );
}
