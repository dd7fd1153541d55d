//! Records of runs that tests of reports are made of.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::decision::Decisions;
use super::record::{
    EnvironmentRecord, PlaceRecord, RunOptionsRecord, RunRecord, SCHEMA_VERSION, ScenarioRecord,
    Totals,
};
use harness_artifacts::executable::Identity;
use harness_artifacts::image::ImageRole;
use harness_core::model::datum::Datum;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_core::model::finding::{Fault, Finding, ScenarioResult};
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::kubelet::Kubelet;
use harness_core::model::level::Level;
use harness_core::model::located::Position;
use harness_core::model::scenario_name::ScenarioName;
use harness_verdict::witness::reconciliation::Reconciliation;

/// A run of these scenarios in `local`, which ended with 1 where one failed.
pub(super) fn record(scenarios: Vec<ScenarioRecord>) -> RunRecord {
    let totals = Totals::of(&scenarios);
    let exit_code = u8::from(totals.count("failed") > 0);
    let started_at: Timestamp = "2026-01-02T03:04:05Z".parse().expect("a time");
    RunRecord {
        schema_version: SCHEMA_VERSION,
        run: "h0run".parse().expect("a run's id"),
        started_at,
        finished_at: "2026-01-02T03:04:17.5Z".parse().expect("a time"),
        environment: EnvironmentRecord {
            name: EnvironmentKind::Local,
            kubelet: Kubelet::Rehearsed,
            features: [].into(),
            facts: BTreeMap::new(),
            images: BTreeMap::new(),
        },
        options: RunOptionsRecord {
            project: Some("/checkout/qualification".into()),
            slow_down: 1,
            ..RunOptionsRecord::default()
        },
        subjects: ["agent-stub", "helloworld", "envoy", "conformance"]
            .into_iter()
            .zip(["agent", "application", "envoy", "harness"])
            .map(|(name, role)| {
                let version = format!("{name} 0.1.0");
                (role.into(), identity(name, Some(&version)))
            })
            .collect(),
        scenarios,
        findings: Vec::new(),
        totals,
        decisions_sha256: String::new(),
        exit_code,
    }
}

/// The same run in a cluster.
pub(super) fn in_a_cluster(mut record: RunRecord) -> RunRecord {
    record.environment.name = EnvironmentKind::Kind;
    record.environment.kubelet = Kubelet::Real;
    let version = ("kubernetes".to_owned(), "v1.34.0".to_owned());
    record.environment.facts.extend([version]);
    record
}

/// What a user asks for who names the agent's image.
pub(super) fn place_with_agent_image(name: &str) -> PlaceRecord {
    PlaceRecord {
        environment: EnvironmentKind::Kind,
        context: None,
        node_image: None,
        nodes: None,
        keep: false,
        images: BTreeMap::from([(ImageRole::Agent, name.to_owned())]),
        image_load: None,
        registry: None,
        pull_policy: None,
        pull_secret: None,
        expected_digests: BTreeMap::new(),
    }
}

/// An executable.
pub(super) fn identity(name: &str, version: Option<&str>) -> Identity {
    Identity {
        path: format!("/bin/{name}").into(),
        sha256: "ab".repeat(32),
        version: version.map(Into::into),
        size: 1,
    }
}

/// A scenario that passed.
pub(super) fn passed(name: &str) -> ScenarioRecord {
    scenario(name, ScenarioResult::Passed)
}

/// A scenario that failed.
pub(super) fn failed(name: &str, findings: Vec<Finding>) -> ScenarioRecord {
    scenario(name, ScenarioResult::Failed(findings))
}

/// A scenario that could not be judged.
pub(super) fn errored(name: &str, causes: &[&str]) -> ScenarioRecord {
    let fault = Fault {
        causes: causes.iter().map(ToString::to_string).collect(),
        hints: vec!["look at it".into()],
    };
    scenario(name, ScenarioResult::Errored(fault))
}

/// A finding in line 14 of its scenario file.
pub(super) fn finding(
    kind: FindingKind,
    expected: impl Into<Datum>,
    observed: impl Into<Datum>,
) -> Finding {
    let position = Position {
        line: 14,
        column: 16,
        length: 5,
    };
    Finding::new(kind, position, expected, observed)
}

/// A scenario that ended so.
pub(super) fn scenario(name: &str, result: ScenarioResult) -> ScenarioRecord {
    let (group, stem) = name.split_once("::").expect("a group and a name");
    ScenarioRecord {
        name: ScenarioName::new(group, stem),
        id: "A02".into(),
        summary: "It holds.".into(),
        procedure: "exchange".into(),
        level: Level::Core,
        file: format!("scenarios/{group}/{stem}.yaml").into(),
        sha256: "cd".repeat(32),
        result,
        elapsed_milliseconds: 1_500,
        phases: BTreeMap::new(),
        reconciliation: Reconciliation::default(),
        observations: BTreeMap::new(),
        matrix: Vec::new(),
        decisions: Decisions::default(),
        timeline: Vec::new(),
        pods: Vec::new(),
        evidence: None,
    }
}
