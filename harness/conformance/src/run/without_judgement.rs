//! What a scenario comes to that ended without a judgement, and what had been found until then.

use super::proxy_validation::InvalidProxyConfig;
use crate::catalogue::scenario::Scenario;
use crate::procedure::error::{ProcedureError, fault_hints};
use crate::report::evidence::Output;
use harness_core::model::causes::chain;
use harness_core::model::finding::{Fault, Finding, ScenarioResult};
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::lint_rule::LintRule;
use harness_core::model::located::Position;
use harness_core::stack::AGENT_CONTAINER;
use harness_core::stack::file_error::StackFileError;
use harness_environment::EnvironmentFault;
use harness_verdict::judge::enforcement::not_enforcing;

/// Why a scenario ended without a judgement.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScenarioError {
    #[error(transparent)]
    File(#[from] StackFileError),
    #[error(transparent)]
    InvalidProxyConfig(#[from] InvalidProxyConfig),
    #[error("the pod cannot be created")]
    Create(#[from] EnvironmentFault),
    #[error("the pod cannot be removed")]
    Remove(#[source] EnvironmentFault),
    #[error(transparent)]
    Procedure(#[from] ProcedureError),
}

impl ScenarioError {
    /// Returns whether the scenario ended because a container did.
    fn is_end_of(&self, name: &str) -> bool {
        matches!(self, Self::Procedure(ProcedureError::WillNotStart { container, .. }) if container == name)
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::File(error) => error.hints(),
            Self::InvalidProxyConfig(_) => {
                vec![
                    "the file is as Envoy got it; `envoy --mode validate -c FILE` shows the same"
                        .into(),
                ]
            }
            Self::Create(fault) | Self::Remove(fault) => fault_hints(fault),
            Self::Procedure(error) => error.hints(),
        }
    }
}

/// Takes the run's secrets out of findings: they quote logs and answers.
pub(super) fn redacted(output: &Output, findings: Vec<Finding>) -> Vec<Finding> {
    let redact = |text: &str| output.redact(text);
    findings
        .into_iter()
        .map(|finding| finding.map_texts(&redact))
        .collect()
}

/// Makes the result of a scenario that came to no end. Where the agent ended, the scenario has failed: by the deployment, where the static check
/// had found why; by what it asks, where that is the agent's start; else because an agent that does not run does nothing of what it must. What the
/// harness or the machine could not do is no verdict.
pub(super) fn without_judgement(
    output: &Output,
    scenario: &Scenario,
    error: &ScenarioError,
    findings: Vec<Finding>,
) -> ScenarioResult {
    let causes: Vec<String> = chain(error)
        .iter()
        .map(|cause| output.redact(cause))
        .collect();
    let explains = |finding: &Finding| {
        finding.kind == FindingKind::Lint
            && finding
                .notes
                .iter()
                .any(|note| note == LintRule::ReadOnlyRootWithoutVolume.as_str())
    };
    if error.is_end_of(AGENT_CONTAINER) && findings.iter().any(explains) {
        let findings = findings
            .into_iter()
            .map(|finding| {
                if explains(&finding) {
                    finding.note(causes.join(": "))
                } else {
                    finding
                }
            })
            .collect();
        return ScenarioResult::Failed(redacted(output, findings));
    }
    if error.is_end_of(AGENT_CONTAINER) {
        let (kind, position, expected) = asked_of_the_start(scenario).unwrap_or((
            FindingKind::AgentDoesNotRun,
            scenario.spec.id.position,
            "the agent runs",
        ));
        let mut findings = findings;
        findings.push(end_of_agent(error, kind, position, expected));
        return ScenarioResult::Failed(redacted(output, findings));
    }
    if let ScenarioError::Procedure(ProcedureError::NotEnforcing(canaries)) = error {
        let mut findings = findings;
        findings.push(not_enforcing(scenario.spec.id.position, canaries));
        return ScenarioResult::Failed(redacted(output, findings));
    }
    let found = found_before(&redacted(output, findings));
    ScenarioResult::Errored(Fault {
        causes,
        hints: error.hints().into_iter().chain(found).collect(),
    })
}

/// Makes the finding of an agent that ended: how it ended is what was observed, and its last lines, which differ from pod to pod, stand beside it.
fn end_of_agent(
    error: &ScenarioError,
    kind: FindingKind,
    position: Position,
    expected: &'static str,
) -> Finding {
    match error {
        ScenarioError::Procedure(ProcedureError::WillNotStart {
            exit, last_lines, ..
        }) => Finding::new(kind, position, expected, format!("it ended with {exit}"))
            .note(format!("its last lines:\n{last_lines}")),
        _ => Finding::new(kind, position, expected, chain(error).join(": ")),
    }
}

/// Says what had been found before the scenario came to no end. Whatever ended it may have caused that as well, so it is no verdict; it must
/// not be lost either.
fn found_before(findings: &[Finding]) -> Option<String> {
    let first = findings.first()?;
    Some(format!(
        "{} findings had been made before that, which decide nothing by themselves; the first: {first}",
        findings.len()
    ))
}

/// Returns what a scenario asks of the agent's start: the kind of finding, where it is asked, and what has to be seen. None where the start is
/// only what comes before.
fn asked_of_the_start(scenario: &Scenario) -> Option<(FindingKind, Position, &'static str)> {
    if let Some(security) = &scenario.spec.stack.pod_security {
        let expected = "the agent runs without privileges";
        return Some((FindingKind::PodSecurity, security.position, expected));
    }
    let is_about_the_start = scenario.procedure.judges_start();
    let expected = "the agent starts and goes on running";
    is_about_the_start.then_some((FindingKind::AgentStart, scenario.spec.id.position, expected))
}
