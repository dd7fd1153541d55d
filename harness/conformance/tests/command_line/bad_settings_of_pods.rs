//! Settings of pods that not every environment carries out, and the procedures about them, are refused with their place and a hint.

use rstest::rstest;

use super::support::{assert_refused, conformance, empty_project, path, write};

const EXPOSURE: &str = r#"id: H08
summary: It is closed.
why: It must be.
features: [agent-service, memory-limits, run-as-user]
stack:
  pod-security: unprivileged
  agent-place: service
  agent-replicas: 2
  agent: { memory-limit: 64Mi }
exposure:
  cases: [{ name: benign, intent: benign, request: { target: "/a" }, expect: { outcome: allowed } }]
  open: [2024]
  closed: [9999]
"#;

const ADMISSION: &str = r"id: H05
summary: It is refused.
why: It must be.
features: [pod-security-admission]
stack:
  namespace-enforces: restricted
admission:
  pod: refused
  says: [violates PodSecurity]
";

#[rstest]
#[case(EXPOSURE, "no connection from outside the pod is accepted on 9999")]
#[case(
    ADMISSION,
    "the cluster refuses the pod and says `violates PodSecurity`"
)]
fn a_good_scenario_is_explained(#[case] good: &str, #[case] line: &str) {
    let project = empty_project();
    write(&project, "scenarios/configuration/works.yaml", good);
    let ran = conformance(&["explain", &good[4..7], "--project", path(&project)]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert!(ran.stdout.contains(line), "{}", ran.seen());
}

#[rstest]
#[case::both(
    EXPOSURE,
    "closed: [9999]",
    "closed: [9999, 2024]",
    ":13:18",
    "keep one of the two"
)]
#[case::both_kinds_of_services(
    EXPOSURE,
    "[agent-service,",
    "[terminating-endpoints-used, terminating-endpoints-unused, agent-service,",
    ":11:3",
    "keep one of the two in `features:`"
)]
#[case::no_such_port(EXPOSURE, "closed: [9999]", "closed: [99999]", ":13:12", "")]
#[case::no_user(EXPOSURE, ", run-as-user]", "]", ":6:17", "`run-as-user`")]
#[case::no_profile(EXPOSURE, "unprivileged", "restricted", ":6:17", "`seccomp-profile`")]
#[case::no_limits(EXPOSURE, "memory-limits, ", "", ":9:26", "`memory-limits`")]
#[case::no_service(EXPOSURE, "agent-service, ", "", ":7:16", "`agent-service`")]
#[case::no_agents(EXPOSURE, "replicas: 2", "replicas: 0", ":8:19", "1 to 4")]
#[case::several_in_a_pod(
    EXPOSURE,
    "place: service",
    "place: main",
    ":8:19",
    "agent-place: service"
)]
#[case::no_admission(
    ADMISSION,
    "[pod-security-admission]",
    "[]",
    ":6:23",
    "`pod-security-admission`"
)]
#[case::nothing_said(ADMISSION, "[violates PodSecurity]", "[]", ":8:8", "write `says:`")]
#[case::not_at_work(ADMISSION, "pod: refused", "pod: admitted", ":8:8", "write `cases:`")]
fn a_bad_scenario_is_refused_at_its_place(
    #[case] scenario: &str,
    #[case] good: &str,
    #[case] bad: &str,
    #[case] place: &str,
    #[case] hint: &str,
) {
    assert!(scenario.contains(good), "{good}");
    let project = empty_project();
    write(
        &project,
        "scenarios/configuration/wrong.yaml",
        scenario.replacen(good, bad, 1),
    );
    assert_refused(&project, &format!("wrong.yaml{place}"), hint);
}
