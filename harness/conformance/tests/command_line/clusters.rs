//! Clusters that are kept, and options of clusters, as far as they need no cluster.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use rstest::rstest;
use tempfile::TempDir;

use super::support::{Ran, command, path};

/// A folder for the state of the command's user, and one for its programs.
struct Machine {
    state: TempDir,
    programs: TempDir,
}

impl Machine {
    fn new() -> Self {
        Self {
            state: TempDir::new().expect("a folder"),
            programs: TempDir::new().expect("a folder"),
        }
    }

    /// Puts a program there that writes this message to standard error and fails.
    fn has_failing(&self, name: &str, words: &str) {
        let program = self.programs.path().join(name);
        fs::write(&program, format!("#!/bin/sh\necho '{words}' >&2\nexit 1\n")).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("ours");
    }

    fn has_lease(&self, text: &str) {
        let folder = self.state.path().join("conformance/clusters");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("conformance-a.json"), text).expect("written");
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command: Command = command(arguments);
        command
            .env("XDG_STATE_HOME", self.state.path())
            .env("TMPDIR", self.state.path())
            .env("PATH", self.programs.path());
        Ran::from_output(&command.output().expect("the command starts"))
    }
}

#[test]
fn where_no_cluster_is_kept_down_says_so() {
    let ran = Machine::new().run(&["down"]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert!(ran.stdout.contains("no cluster is kept"), "{}", ran.seen());
}

#[rstest]
#[case::down(&["down"])]
#[case::clean(&["clean"])]
fn a_broken_lease_is_named_and_nothing_is_judged(#[case] arguments: &[&str]) {
    let machine = Machine::new();
    machine.has_lease("{ no lease");
    let ran = machine.run(arguments);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(ran.stderr.contains("conformance-a.json"), "{}", ran.seen());
    assert!(ran.stderr.contains("hint: remove"), "{}", ran.seen());
}

#[rstest]
#[case::kind("kind")]
#[case::k3d("k3d")]
fn without_its_tool_no_cluster_is_made_and_nothing_is_built(#[case] tool: &str) {
    let ran = Machine::new().run(&["up", "--environment", tool]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    let missing = format!("there is no command `{tool}`");
    assert!(ran.stderr.contains(&missing), "{}", ran.seen());
    assert!(
        ran.stderr.contains(&format!("install {tool}")),
        "{}",
        ran.seen()
    );
    assert!(!ran.stderr.contains("making the images"), "{}", ran.seen());
}

#[test]
fn without_docker_the_hint_says_whom_to_ask() {
    let machine = Machine::new();
    machine.has_failing(
        "kind",
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock",
    );
    let ran = machine.run(&["up"]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(ran.stderr.contains("docker info"), "{}", ran.seen());
}

#[rstest]
#[case::digest_without_images(
    &["--expect-digest", "agent=sha256:0000000000000000000000000000000000000000000000000000000000000000"],
    "--expect-digest"
)]
#[case::registry_of_a_made_cluster(
    &["--environment", "kind", "--registry", "localhost:5000"],
    "--registry"
)]
#[case::command_without_archive(
    &["--environment", "existing", "--image-load", "ctr images import"],
    "{archive}"
)]
#[case::policy_that_is_none(&["--environment", "existing", "--pull-policy", "Sometimes"], "Sometimes")]
#[case::secret_that_is_none(&["--environment", "existing", "--pull-secret", "A/b/c"], "A/b/c")]
fn an_option_that_cannot_be_meant_is_refused_before_anything_is_done(
    #[case] options: &[&str],
    #[case] named: &str,
) {
    let output = TempDir::new().expect("a folder");
    let mut arguments = vec!["run", "A01", "--output", path(&output)];
    arguments.extend(options);
    let ran = Machine::new().run(&arguments);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains(named), "{}", ran.seen());
    assert!(is_empty(output.path()), "{}", ran.seen());
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).expect("a folder").next().is_none()
}
