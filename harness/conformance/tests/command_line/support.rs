//! Starts the command, and makes projects to start it on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The folder of the workspace.
pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn from_output(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Everything that the user saw, for messages of tests.
    pub(crate) fn seen(&self) -> String {
        format!(
            "exit {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

/// Makes the command with these arguments.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    command
        .args(arguments)
        .current_dir(ROOT)
        .env_remove("CONFORMANCE_PROJECT")
        // A pipeline that runs the tests is not what they write to.
        .env_remove("GITHUB_ACTIONS")
        .env_remove("GITHUB_STEP_SUMMARY")
        .stdin(Stdio::null());
    command
}

/// Runs the command to its end.
pub(crate) fn conformance(arguments: &[&str]) -> Ran {
    Ran::from_output(&command(arguments).output().expect("the command starts"))
}

/// A project with the shipped fixtures and no scenarios of its own.
pub(crate) fn empty_project() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    for part in ["envoy-configs", "fixtures/kubernetes", "fixtures/payloads"] {
        copy_folder(&Path::new(ROOT).join(part), &folder.path().join(part));
    }
    fs::create_dir_all(folder.path().join("scenarios/decisions")).expect("a folder");
    folder
}

/// Writes a file of a project.
pub(crate) fn write(project: &TempDir, path: &str, text: impl AsRef<[u8]>) {
    let path = project.path().join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

/// Runs a project and checks that it is refused at a place, with a hint, before anything is started.
pub(crate) fn assert_refused(project: &TempDir, place: &str, hint: &str) {
    let ran = conformance(&["run", "--project", path(project)]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains(place), "{place}: {}", ran.seen());
    assert!(ran.stderr.contains(hint), "{hint}: {}", ran.seen());
    assert!(ran.stderr.contains("nothing was started"), "{}", ran.seen());
    assert!(!project.path().join("target").exists());
}

/// Returns a folder's path as an argument.
pub(crate) fn path(folder: &TempDir) -> &str {
    folder.path().to_str().expect("UTF-8")
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Returns the newest run below an output folder.
pub(crate) fn run_folder(output: &TempDir) -> PathBuf {
    fs::read_dir(output.path())
        .expect("the output folder")
        .map(|entry| entry.expect("an entry").path())
        .max()
        .expect("a run")
}

/// Returns the newest report below an output folder.
pub(crate) fn report(output: &TempDir) -> serde_json::Value {
    let text = fs::read(run_folder(output).join("report.json")).expect("a report");
    serde_json::from_slice(&text).expect("JSON")
}

/// Makes a program of a script that finds the reference agent as its descriptor 9: a container sees no program of the host but those of
/// the system, so the script carries the agent behind its own text. Asked for its version, it says this.
pub(crate) fn carrying_the_agent(version: &str, script: &str) -> Vec<u8> {
    let text = format!(
        "#!/bin/sh\ncase \"$1\" in --*) printf '{version}\\n'; exit 0;; esac\n\
         file=$(mktemp -p /tmp 2>/dev/null || mktemp -p /sigsci/tmp)\n\
         tail -c +OFFSET \"$0\" > \"$file\"; chmod 755 \"$file\"; exec 9< \"$file\"; rm \"$file\"\n\
         {script}\nexit\n"
    );
    // The number is as long as its placeholder; `tail` counts from 1.
    let offset = format!("{:06}", text.len() + 1);
    let binary = Path::new(env!("CARGO_BIN_EXE_conformance")).with_file_name("agent-stub");
    let mut program = text.replacen("OFFSET", &offset, 1).into_bytes();
    program.extend(fs::read(binary).expect("the reference agent is built"));
    program
}
