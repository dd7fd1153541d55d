//! Docker, kind and k3d that are missing, hang or fail.

use std::fs;
use std::time::Instant;

use rstest::rstest;

use super::machine::{
    DOCKER_THAT_ANSWERS, LONGEST, Machine, TOOL_THAT_ANSWERS, assert_ends_with, assert_is_gone,
    fixes, ran,
};

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
const TOOL_THAT_FAILS: &str = "echo 'it is broken' >&2; exit 1";
const TOOL_THAT_HANGS: &str = "exec /bin/sleep 300";

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
    let line = "unknown  daemon: timed out after 10s waiting for docker to reach the daemon";
    assert!(
        fixes(&ran, line)[0].contains("docker info"),
        "{}",
        ran.seen()
    );
    assert_is_gone(&machine.programs.path().join("hanging"));
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
    "waiting for kind to show the version"
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
