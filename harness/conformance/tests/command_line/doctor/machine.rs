//! A machine as `doctor` sees one: its programs, each named as the fault that it injects, and nothing of a user.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::super::support::{Ran, command};

/// A little beyond the bound of every probe: what hangs is given up sooner.
pub(super) const LONGEST: Duration = Duration::from_mins(1);

pub(super) const DOCKER_THAT_ANSWERS: &str = r#"case "$1" in
--version) echo 'Docker version 99.1.2, build abc' ;;
version) echo 99.1.3 ;;
image) echo kindest/node:v1.32.2 ;;
esac"#;
pub(super) const TOOL_THAT_ANSWERS: &str = r#"case "$1" in
version) echo 'tool v0.99.0' ;;
get) echo of-another-user ;;
cluster) echo 'of-another-user 1/1' ;;
esac"#;
const ENVOY_THAT_ANSWERS: &str = "echo 'envoy  version: abc/1.40.0/Clean/RELEASE/BoringSSL'";

/// A machine with these programs and nothing of a user.
pub(super) struct Machine {
    pub(super) home: TempDir,
    pub(super) programs: TempDir,
    kubeconfig: PathBuf,
}

impl Machine {
    /// One without any program.
    pub(super) fn bare() -> Self {
        Self {
            home: TempDir::new().expect("a folder"),
            programs: TempDir::new().expect("a folder"),
            kubeconfig: "/nonexistent/kubeconfig".into(),
        }
    }

    /// One with an Envoy, which every run needs.
    pub(super) fn with_envoy() -> Self {
        let machine = Self::bare();
        machine.has("envoy", ENVOY_THAT_ANSWERS);
        machine
    }

    /// Puts a program there. Another program writes it: a child that another test starts in this moment would inherit a file that is open for
    /// writing here, and the script would be "busy".
    pub(super) fn has(&self, name: &str, script: &str) {
        let program = self.programs.path().join(name);
        let mut installing = Command::new("install")
            .args(["-m", "755", "/dev/stdin"])
            .arg(&program)
            .stdin(Stdio::piped())
            .spawn()
            .expect("coreutils");
        let mut text = installing.stdin.take().expect("piped");
        write!(text, "#!/bin/sh\n{script}\n").expect("it reads");
        drop(text);
        assert!(installing.wait().expect("it ends").success());
    }

    pub(super) fn has_kubeconfig(&mut self, text: &str) {
        self.kubeconfig = self.programs.path().join("kubeconfig");
        fs::write(&self.kubeconfig, text).expect("written");
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&["doctor"]);
        command
            .args(arguments)
            .env("HOME", self.home.path())
            .env("TMPDIR", self.home.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .env("PATH", self.programs.path());
        for variable in [
            "ENVOY",
            "XDG_CACHE_HOME",
            "XDG_STATE_HOME",
            "CONFORMANCE_ACCESSKEYID",
            "CONFORMANCE_SECRETACCESSKEY",
        ] {
            command.env_remove(variable);
        }
        let envoy = self.programs.path().join("envoy");
        if envoy.exists() {
            command.env("ENVOY", envoy);
        }
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.command(arguments))
    }
}

pub(super) fn ran(command: &mut Command) -> Ran {
    Ran::from_output(&command.output().expect("the command starts"))
}

/// Returns the fixes below the line of a check.
#[track_caller]
pub(super) fn fixes(ran: &Ran, line: &str) -> Vec<String> {
    let mut lines = ran.stdout.lines();
    assert!(
        lines.any(|shown| shown.contains(line)),
        "{line}: {}",
        ran.seen()
    );
    lines
        .map_while(|shown| shown.trim_start().strip_prefix("fix: "))
        .map(str::to_owned)
        .collect()
}

#[track_caller]
pub(super) fn assert_ends_with(ran: &Ran, last_line: &str) {
    assert_eq!(ran.stdout.lines().last(), Some(last_line), "{}", ran.seen());
}

/// Asserts that a process is there no more whose number is in a file.
#[track_caller]
pub(super) fn assert_is_gone(file: &Path) {
    let process = fs::read_to_string(file).expect("the program has begun");
    let stat = format!("/proc/{}/stat", process.trim());
    let deadline = Instant::now() + LONGEST;
    while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "process {process} still runs");
        std::thread::sleep(Duration::from_millis(5));
    }
}
