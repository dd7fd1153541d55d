//! Changes: made to the documents of a small project, and refused where they do not fit.

use rstest::rstest;
use tempfile::TempDir;

use super::*;

fn project() -> (TempDir, Project) {
    let folder = TempDir::new().expect("a folder");
    let root = Utf8Path::from_path(folder.path())
        .expect("UTF-8")
        .to_owned();
    for (file, text) in [
        ("envoy-configs/one.yaml", "mode: open\nports: [1, 2]\n"),
        ("envoy-configs/two.yaml", "mode: closed\n"),
        ("scenarios/group/three.yaml", "stack: { envoy: one }\n"),
        ("scenarios/group/bad.yaml", "{"),
    ] {
        let path = root.join(file);
        fs_err::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs_err::write(path, text).expect("a file");
    }
    (folder, Project::at(&root))
}

fn changed(changes: &str) -> Result<DocumentsByPath, ChangeError> {
    let (_folder, project) = project();
    let changes: Vec<Change> = serde_saphyr::from_str(changes).expect("changes");
    Documents::of(&project).changed(&changes)
}

#[test]
fn only_documents_that_differ_are_returned() {
    let changed = changed("[{in: [envoy-configs], at: mode, do: {set: closed}}]");
    let changed = changed.expect("it changes something");
    let files: Vec<&str> = changed.keys().map(|file| file.as_str()).collect();
    assert_eq!(files, ["envoy-configs/one.yaml"]);
    assert_eq!(changed[Utf8Path::new(files[0])]["mode"], "closed");
}

#[test]
fn a_change_sees_what_the_one_before_it_made() {
    let changed = changed(
        "[{in: [envoy-configs/one.yaml], at: mode, do: {rename: other}}, {in: [envoy-configs/one.yaml], at: other, do: {set: new}}]",
    );
    let changed = changed.expect("both change something");
    let document = &changed[Utf8Path::new("envoy-configs/one.yaml")];
    assert_eq!(document["other"], "new");
    assert!(document.get("mode").is_none());
}

#[rstest]
#[case::elsewhere("in: [docs], at: a, do: remove", "`docs` is not below", 8)]
#[case::upwards("in: [envoy-configs/../docs], at: a, do: remove", "is not below", 8)]
#[case::absolute("in: [/etc/passwd], at: a, do: remove", "is not below", 8)]
#[case::no_such_file(
    "in: [scenarios/no.yaml], at: a, do: remove",
    "cannot read scenarios/no.yaml",
    8
)]
#[case::no_yaml("in: [scenarios/group/bad.yaml], at: a, do: remove", "is not YAML", 8)]
#[case::nothing_changes(
    "in: [envoy-configs], at: none, do: remove",
    "leaves envoy-configs as it is",
    8
)]
#[case::one_of_two_files(
    "in: [envoy-configs/one.yaml, envoy-configs/two.yaml], at: ports, do: remove",
    "leaves envoy-configs/two.yaml as it is",
    32
)]
#[case::unfit(
    "in: [envoy-configs/one.yaml], at: mode, do: {append: 1}",
    "`append` is for a list",
    37
)]
fn what_cannot_be_changed_is_refused_at_its_place(
    #[case] change: &str,
    #[case] message: &str,
    #[case] column: u64,
) {
    let error = changed(&format!("[{{{change}}}]")).expect_err(change);
    assert!(error.to_string().contains(message), "{error}");
    assert_eq!(error.position().column, column, "{error}");
    assert!(!error.hint().is_empty());
}
