//! Operations: each on a small document, and those that do not fit.

use rstest::rstest;

use super::super::document_path::DocumentPath;
use super::*;

const DOCUMENT: &str =
    "{list: [{n: a}, {n: b}, {n: c}], map: {one: 1, two: 2}, text: 'x && sleep 1'}";

fn yaml<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_saphyr::from_str(text).expect("YAML")
}

fn changed(path: &str, operation: &str) -> Result<Value, OperationError> {
    let mut document: Value = yaml(DOCUMENT);
    let path: DocumentPath = path.parse().expect("a path");
    let places = path.select(&document);
    yaml::<Operation>(operation).apply(&mut document, places)?;
    Ok(document)
}

#[rstest]
#[case::append("list", "append: {n: d}", "list", "[{n: a}, {n: b}, {n: c}, {n: d}]")]
#[case::after(
    "list/[n=a]",
    "insert-after: {n: d}",
    "list",
    "[{n: a}, {n: d}, {n: b}, {n: c}]"
)]
#[case::before(
    "list/[n=a]",
    "insert-before: {n: d}",
    "list",
    "[{n: d}, {n: a}, {n: b}, {n: c}]"
)]
#[case::before_each(
    "list/*",
    "insert-before: 0",
    "list",
    "[0, {n: a}, 0, {n: b}, 0, {n: c}]"
)]
#[case::merge(
    "map",
    "merge: {two: 0, three: 3}",
    "map",
    "{one: 1, two: 0, three: 3}"
)]
#[case::remove_a_key("map/one", "remove", "map", "{two: 2}")]
#[case::remove_elements("list/*", "remove", "list", "[]")]
#[case::rename("map/one", "rename: four", "map", "{two: 2, four: 1}")]
#[case::repeat_one("list/[n=a]", "repeat", "list", "[{n: a}, {n: a}, {n: b}, {n: c}]")]
#[case::repeat_all(
    "list/*",
    "repeat",
    "list",
    "[{n: a}, {n: b}, {n: c}, {n: a}, {n: b}, {n: c}]"
)]
#[case::text("text", "replace-text: {text: ' && sleep 1', by: ''}", "text", "x")]
#[case::set("map/one", "set: [1]", "map", "{one: [1], two: 2}")]
#[case::nothing_is_selected("map/three", "set: 3", "map", "{one: 1, two: 2}")]
fn an_operation_changes_what_is_selected(
    #[case] path: &str,
    #[case] operation: &str,
    #[case] key: &str,
    #[case] expected: &str,
) {
    let document = changed(path, operation).expect("it fits");
    assert_eq!(document[key], yaml::<Value>(expected));
}

#[rstest]
#[case::append_to_a_map("map", "append: 1", "`append` is for a list")]
#[case::merge_into_a_list("list", "merge: {a: 1}", "`merge` is for a map")]
#[case::insert_beside_a_key("map/one", "insert-after: 1", "for an element of a list")]
#[case::repeat_a_key("map/one", "repeat", "for an element of a list")]
#[case::rename_an_element("list/*", "rename: x", "for a value that stands under a key")]
#[case::text_of_a_number("map/one", "replace-text: {text: '1', by: '2'}", "is for a text")]
#[case::remove_everything("**", "remove", "not for the whole")]
fn an_operation_that_does_not_fit_is_refused(
    #[case] path: &str,
    #[case] operation: &str,
    #[case] message: &str,
) {
    let error = changed(path, operation).expect_err(operation);
    assert!(error.to_string().contains(message), "{error}");
}
