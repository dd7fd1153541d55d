//! A configuration or a manifest of one's own: refused before anything is started where it cannot be judged, with all of its faults, and run
//! where it can.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rstest::rstest;
use tempfile::TempDir;

use super::support::{ROOT, Ran, conformance, empty_project, path, report, write};

/// Within this a command has refused a file, on a machine that does much else: it makes no environment and builds nothing.
const REFUSED_WITHIN: Duration = Duration::from_secs(20);

fn shipped(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).expect("shipped")
}

/// Replaces texts that must be there.
fn edited(name: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(shipped(name), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

/// Makes a folder with one configuration.
fn folder_with(name: &str, text: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join(name), text).expect("a file");
    folder
}

/// Runs scenarios on a folder of configurations, and checks that they are refused before anything is started.
fn refused(configurations: &TempDir, scenarios: &[&str]) -> Ran {
    let output = TempDir::new().expect("a folder");
    let mut arguments = vec!["run", "--envoy-configs", path(configurations)];
    arguments.extend(["--output", path(&output)]);
    arguments.extend(scenarios);
    let started = Instant::now();
    let ran = conformance(&arguments);
    assert!(started.elapsed() < REFUSED_WITHIN, "{}", ran.seen());
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains("nothing was started"), "{}", ran.seen());
    assert!(!ran.stdout.contains("running"), "{}", ran.seen());
    let reports = fs::read_dir(output.path()).expect("a folder").count();
    assert_eq!(reports, 0, "{}", ran.seen());
    ran
}

#[rstest]
#[case::no_admin(
    "admin:\n",
    "unread: &admin\n",
    "the proxy has no admin endpoint",
    ":1:1"
)]
#[case::admin_port(
    "port_value: 9901",
    "port_value: 9902",
    "the admin endpoint is not on port 9901",
    ":8:"
)]
#[case::port(
    "port_value: 8000",
    "port_value: 8001",
    "no listener is on port 8000",
    ":16:"
)]
#[case::manager_prefix(
    "stat_prefix: ingress",
    "stat_prefix: public",
    "is not `ingress`",
    ":22:"
)]
#[case::filter_prefix("stat_prefix: waf", "stat_prefix: agent", "is not `waf`", ":")]
#[case::no_account(
    "emit_filter_state_stats: true",
    "emit_filter_state_stats: false",
    "`emit_filter_state_stats` is not on",
    ":"
)]
#[case::no_access_log("access_log:", "unread: &log", "the proxy writes no access log", ":")]
#[case::no_record(
    "conformance-proxy:",
    "mine:",
    "no access log has an object `conformance-proxy`",
    ":"
)]
#[case::no_control(
    "x-conformance-control",
    "x-mine",
    "no route is for requests with the header `x-conformance-control`",
    ":"
)]
fn a_configuration_that_cannot_be_judged_is_refused_before_anything_is_started(
    #[case] from: &str,
    #[case] to: &str,
    #[case] fault: &str,
    #[case] place: &str,
) {
    let text = edited("envoy-configs/fail-closed.yaml", &[(from, to)]);
    let ran = refused(
        &folder_with("fail-closed.yaml", &text),
        &["A01", "A02-sqli"],
    );
    assert!(ran.stderr.contains(fault), "{}", ran.seen());
    let place = format!("/fail-closed.yaml{place}");
    assert!(ran.stderr.contains(&place), "{}", ran.seen());
    assert!(ran.stderr.contains("hint: "), "{}", ran.seen());
    assert!(ran.stderr.contains("error: 1 error "), "{}", ran.seen());
}

#[test]
fn all_faults_of_all_files_are_reported_together() {
    let closed = edited(
        "envoy-configs/fail-closed.yaml",
        &[
            ("stat_prefix: waf", "stat_prefix: agent"),
            (
                "emit_filter_state_stats: true",
                "emit_filter_state_stats: false",
            ),
            ("x-conformance-control", "x-mine"),
        ],
    );
    let folder = folder_with("fail-closed.yaml", &closed);
    let open = edited(
        "envoy-configs/fail-open.yaml",
        &[("port_value: 9901", "port_value: 1")],
    );
    fs::write(folder.path().join("fail-open.yaml"), open).expect("a file");
    let ran = refused(&folder, &["A01", "F01-open"]);
    for fault in [
        "is not `waf`",
        "`emit_filter_state_stats` is not on",
        "no route is for requests",
        "not on port 9901",
        "error: 4 errors ",
    ] {
        assert!(ran.stderr.contains(fault), "{fault}: {}", ran.seen());
    }
}

#[test]
fn what_envoy_does_not_accept_is_refused_in_its_words() {
    let text = edited(
        "envoy-configs/fail-closed.yaml",
        &[("connect_timeout: 1s", "connect_time: 1s")],
    );
    let configurations = folder_with("fail-closed.yaml", &text);
    let output = TempDir::new().expect("a folder");
    let ran = conformance(&[
        "run",
        "A01",
        "--envoy-configs",
        path(&configurations),
        "--output",
        path(&output),
    ]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(
        ran.stderr
            .contains("Envoy does not accept the configuration: "),
        "{}",
        ran.seen()
    );
    assert!(ran.stderr.contains("connect_time"), "{}", ran.seen());
    assert!(ran.stderr.contains("fail-closed.yaml"), "{}", ran.seen());
    assert!(ran.stderr.contains("nothing was started"), "{}", ran.seen());
}

#[test]
fn a_configuration_that_is_missing_names_scenario_and_file_and_what_is_there() {
    let configurations = folder_with(
        "fail-closed.yaml",
        &shipped("envoy-configs/fail-closed.yaml"),
    );
    let ran = refused(&configurations, &["A01", "F01-open"]);
    assert!(
        ran.stderr
            .contains("fail-open.yaml; it is deployed by F01-open"),
        "{}",
        ran.seen()
    );
    assert!(
        ran.stderr.contains("has fail-closed; add the file"),
        "{}",
        ran.seen()
    );
    assert!(ran.stderr.contains("error: 1 error "), "{}", ran.seen());
}

#[test]
fn a_folder_with_one_configuration_is_enough_to_list_and_to_explain() {
    let configurations = folder_with(
        "fail-closed.yaml",
        &shipped("envoy-configs/fail-closed.yaml"),
    );
    let folder = path(&configurations);
    for arguments in [["list", "F01-open"], ["explain", "F01-open"]] {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--envoy-configs", folder]);
        let ran = conformance(&arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.seen());
        assert!(ran.stdout.contains("F01-open"), "{}", ran.seen());
    }
}

#[test]
fn the_doctor_finds_the_same_faults() {
    let text = edited(
        "envoy-configs/fail-closed.yaml",
        &[("stat_prefix: waf", "stat_prefix: agent")],
    );
    let broken = folder_with("fail-closed.yaml", &text);
    let ran = conformance(&["doctor", "--envoy-configs", path(&broken)]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(
        ran.stdout.contains("missing  deployed-files: 1 fault\n"),
        "{}",
        ran.seen()
    );
    assert!(ran.stdout.contains("is not `waf`"), "{}", ran.seen());
    let whole = folder_with(
        "fail-closed.yaml",
        &shipped("envoy-configs/fail-closed.yaml"),
    );
    let ran = conformance(&["doctor", "--envoy-configs", path(&whole)]);
    assert!(
        ran.stdout
            .contains("ok       deployed-files: 1 proxy configuration and 2 manifests are fit"),
        "{}",
        ran.seen()
    );
}

/// A project with one scenario of the shipped ones.
fn project_with_one_scenario() -> TempDir {
    let project = empty_project();
    let file = "scenarios/decisions/passes-benign-requests.yaml";
    write(&project, file, shipped(file));
    project
}

#[test]
fn all_that_cannot_be_carried_out_of_a_manifest_is_refused_before_anything_is_started() {
    let project = project_with_one_scenario();
    let file = "fixtures/kubernetes/corrected.yaml";
    let text = edited(
        file,
        &[
            (
                "    spec:\n      containers:",
                "    spec:\n      hostNetwork: true\n      containers:",
            ),
            ("- name: sigsci-agent\n", "- name: waf\n"),
            ("emptyDir: {}", "hostPath: { path: /tmp }"),
            ("containerPort: 9999", "containersPort: 9999"),
            ("example-helloworld:latest", "shop:1"),
        ],
    );
    write(&project, file, text);
    let started = Instant::now();
    let ran = conformance(&["run", "--project", path(&project)]);
    assert!(started.elapsed() < REFUSED_WITHIN, "{}", ran.seen());
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    for fault in [
        "the pod has no container `sigsci-agent`",
        "Kubernetes has no field `spec.template.spec.containers[2].ports[0].containersPort`",
        "`hostNetwork: true`",
        "`volumes[0].hostPath.path: /tmp`",
        "the image `signalsciences/shop:1`",
        "error: 5 errors ",
        "corrected.yaml:19:7",
    ] {
        assert!(ran.stderr.contains(fault), "{fault}: {}", ran.seen());
    }
    assert!(ran.stderr.contains("nothing was started"), "{}", ran.seen());
    assert!(!project.path().join("target").exists());
}

#[test]
fn what_a_cluster_carries_out_is_not_refused_there_before_it_is_asked() {
    let project = project_with_one_scenario();
    let file = "fixtures/kubernetes/corrected.yaml";
    let text = edited(
        file,
        &[
            (
                "    spec:\n      containers:",
                "    spec:\n      hostNetwork: true\n      containers:",
            ),
            ("- name: sigsci-agent\n", "- name: waf\n"),
        ],
    );
    write(&project, file, text);
    let ran = conformance(&[
        "run",
        "--project",
        path(&project),
        "--environment",
        "existing",
    ]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(
        ran.stderr.contains("no container `sigsci-agent`"),
        "{}",
        ran.seen()
    );
    assert!(!ran.stderr.contains("hostNetwork"), "{}", ran.seen());
}

/// Returns the file that a block of the document is, by its first line.
fn example(first_line: &str) -> String {
    let document = shipped("docs/your-own-configuration.md");
    let block = document
        .split("```yaml\n")
        .find(|block| block.starts_with(first_line));
    let block = block.expect("the document has the example");
    block.split("```").next().expect("a block").to_owned()
}

#[test]
fn the_configuration_of_the_document_runs_as_it_stands_there() {
    let configurations = folder_with("fail-closed.yaml", &example("# own/fail-closed.yaml\n"));
    let output = TempDir::new().expect("a folder");
    let ran = conformance(&[
        "run",
        "A01",
        "A02-sqli",
        "B01",
        "--envoy-configs",
        path(&configurations),
        "--output",
        path(&output),
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert_eq!(
        report(&output)["totals"]["results"]["passed"],
        3,
        "{}",
        ran.seen()
    );
}

#[test]
fn the_manifest_of_the_document_runs_as_it_stands_there() {
    let project = project_with_one_scenario();
    write(
        &project,
        "fixtures/kubernetes/corrected.yaml",
        example("# fixtures/kubernetes/corrected.yaml\n"),
    );
    let output = TempDir::new().expect("a folder");
    let ran = conformance(&[
        "run",
        "--project",
        path(&project),
        "--output",
        path(&output),
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
}
