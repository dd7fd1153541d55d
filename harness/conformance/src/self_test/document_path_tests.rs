//! Paths: what they select, and what is no path.

use rstest::rstest;

use super::*;

const DOCUMENT: &str = r#"
filters:
  - name: router
    config: { port: 80 }
  - name: authorization
    config: { port: 9999, match: { prefix: "/" } }
routes:
  - match: { prefix: "/" }
  - match: { prefix: "/", headers: [] }
port: 9999
"#;

fn selected(path: &str) -> Vec<String> {
    let document: Value = serde_saphyr::from_str(DOCUMENT).expect("YAML");
    let path: DocumentPath = path.parse().expect("a path");
    path.select(&document)
        .iter()
        .map(|place| {
            let segments: Vec<String> = place
                .iter()
                .map(|segment| match segment {
                    Segment::Key(key) => key.clone(),
                    Segment::Index(index) => index.to_string(),
                })
                .collect();
            segments.join("/")
        })
        .collect()
}

#[rstest]
#[case::a_key("port", &["port"])]
#[case::a_key_that_is_not_there("prot", &[])]
#[case::an_element_by_a_field("filters/[name=router]/config", &["filters/0/config"])]
#[case::every_element("filters/*/name", &["filters/0/name", "filters/1/name"])]
#[case::wherever_it_stands("**/port", &["port", "filters/0/config/port", "filters/1/config/port"])]
#[case::a_value_of_its_own("**/port[=9999]", &["port", "filters/1/config/port"])]
#[case::a_field_that_is_there("**/config[match]", &["filters/1/config"])]
#[case::a_field_that_is_not_there("**/config[!match]", &["filters/0/config"])]
#[case::a_whole_value("routes/[match={prefix: \"/\"}]", &["routes/0"])]
#[case::two_conditions("**/[name=authorization][config]", &["filters/1"])]
#[case::a_list_as_value("routes/*/match[headers=[]]", &["routes/1/match"])]
#[case::a_number_is_no_text("**/port[=\"9999\"]", &[])]
fn a_path_selects(#[case] path: &str, #[case] places: &[&str]) {
    assert_eq!(selected(path), places);
}

#[rstest]
#[case::nothing("", "an empty step")]
#[case::nothing_between("a//b", "an empty step")]
#[case::not_closed("a/[name=b", "do not end it")]
#[case::text_behind("a/[name=b]c", "do not end it")]
#[case::no_yaml("a/[name={b]", "not a YAML value")]
fn what_is_no_path_is_refused(#[case] path: &str, #[case] message: &str) {
    let error = path.parse::<DocumentPath>().expect_err(path);
    assert!(error.to_string().contains(message), "{error}");
}
