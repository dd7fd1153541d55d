//! Bad `rollout` sections are refused with their place and a hint, and nothing is started.

use rstest::rstest;

use super::support::{assert_refused, conformance, empty_project, path, write};

const GOOD: &str = r#"id: R06
summary: It works.
why: It must.
features: [rollout]
rollout:
  replicas: 2
  benign: { target: "/a" }
  attack: { target: "/b" }
  rates: { benign: 40, attack: 20 }
  steps: [restart, { scale: 3 }, { upgrade: { agent-env: { A: "1" } } }, rollback]
  lost: none
  leaked: none
"#;

#[test]
fn a_good_rollout_is_explained() {
    let project = empty_project();
    write(&project, "scenarios/drain/works.yaml", GOOD);
    let ran = conformance(&["explain", "R06", "--project", path(&project)]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    let line =
        "with 2 pods, through restart, scale to 3, upgrade, rollback: no benign request is lost";
    assert!(ran.stdout.contains(line), "{}", ran.seen());
}

#[rstest]
#[case::no_pods("replicas: 2", "replicas: 0", ":6:13", "1 to 20")]
#[case::too_many_pods("scale: 3", "scale: 100", ":10:20", "1 to 20")]
#[case::no_rate("attack: 20", "attack: 0", ":9:10", "over 0 and up to 1000")]
#[case::nothing_happens(
    "steps: [restart, { scale: 3 }, { upgrade: { agent-env: { A: \"1\" } } }, rollback]",
    "steps: []",
    ":6:13",
    "`- restart`"
)]
#[case::unknown_step("[restart,", "[restrat,", ":10:11", "restart")]
#[case::same_candidate("{ A: \"1\" }", "{}", ":10:34", "`agent-env:` or `image:`")]
#[case::nothing_to_go_back_from(
    ", { upgrade: { agent-env: { A: \"1\" } } }",
    "",
    ":10:34",
    "write an `upgrade` before it"
)]
#[case::persistent_without_http2(
    "  lost: none\n",
    "  lost: none\n  benign-connection: persistent\n",
    ":12:22",
    "write `protocol: h2`"
)]
#[case::nobody_joins(
    "[restart, { scale: 3 }, { upgrade: { agent-env: { A: \"1\" } } }, rollback]",
    "[restart]\n  joining: enforces-first",
    ":11:12",
    "add a `scale` step"
)]
#[case::no_feature("features: [rollout]\n", "", ":5:3", "add `rollout` to `features:`")]
fn a_bad_rollout_is_refused_at_its_place(
    #[case] good: &str,
    #[case] bad: &str,
    #[case] place: &str,
    #[case] hint: &str,
) {
    assert!(GOOD.contains(good), "{good}");
    let project = empty_project();
    write(
        &project,
        "scenarios/drain/wrong.yaml",
        GOOD.replacen(good, bad, 1),
    );
    assert_refused(&project, &format!("wrong.yaml{place}"), hint);
}
