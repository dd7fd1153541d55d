//! `conformance images`: what it writes and says, and how it refuses. Nothing is built here: the executables are given.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::support::conformance;

fn agent_image(executable: &str, folder: &Path) -> super::support::Ran {
    let folder = folder.to_str().expect("UTF-8");
    conformance(&[
        "images",
        "--only",
        "agent",
        "--agent-binary",
        executable,
        "--output",
        folder,
    ])
}

#[test]
fn an_image_is_written_and_named_by_its_digest() {
    let folder = TempDir::new().expect("a folder");
    let ran = agent_image("/bin/sh", folder.path());
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    let fields: Vec<_> = ran.stdout.trim_end().split('\t').collect();
    let [name, digest, size, archive] = fields.as_slice() else {
        panic!("{}", ran.seen());
    };
    let tag = name
        .strip_prefix("conformance.local/agent-stub:")
        .expect(name);
    assert!(
        digest.starts_with(&format!("sha256:{tag}")),
        "{}",
        ran.seen()
    );
    let written = fs::metadata(archive).expect("it was written");
    assert_eq!(written.len().to_string(), *size);
    assert_eq!(agent_image("/bin/sh", folder.path()).stdout, ran.stdout);
}

#[test]
fn tar_lists_the_archive() {
    let folder = TempDir::new().expect("a folder");
    let ran = agent_image("/bin/sh", folder.path());
    let archive = ran.stdout.trim_end().rsplit('\t').next().expect("a path");
    let listed = Command::new("tar")
        .args(["-tf", archive])
        .output()
        .expect("tar starts");
    let text = String::from_utf8_lossy(&listed.stdout);
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    for name in ["index.json", "manifest.json", "oci-layout"] {
        assert!(text.lines().any(|line| line == name), "{text}");
    }
}

#[test]
fn a_script_is_refused_with_its_path_and_a_hint_and_leaves_nothing() {
    let folder = TempDir::new().expect("a folder");
    let script = folder.path().join("agent");
    fs::write(&script, "#!/bin/sh\n").expect("writable");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("executable");
    let output = folder.path().join("images");
    let ran = agent_image(script.to_str().expect("UTF-8"), &output);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(
        ran.stderr.contains("agent` is no program of Linux"),
        "{}",
        ran.seen()
    );
    assert!(ran.stderr.contains("hint: "), "{}", ran.seen());
    assert!(!output.exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let ran = agent_image("/bin/sh", Path::new("/proc/images"));
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(ran.stderr.contains("/proc/images"), "{}", ran.seen());
}

#[test]
fn a_wrong_envoy_is_refused_before_anything_is_built() {
    let folder = TempDir::new().expect("a folder");
    let output = folder.path().to_str().expect("UTF-8");
    let ran = conformance(&["images", "--envoy", "no-such-envoy", "--output", output]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains("no-such-envoy"), "{}", ran.seen());
    assert!(!ran.stderr.contains("building"), "{}", ran.seen());
}
