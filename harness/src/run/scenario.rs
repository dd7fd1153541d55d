//! Runs one scenario: deploys its stack, carries its procedure out, keeps evidence, removes the pod.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use tokio::time::timeout;

use super::fleet;
use super::proxy_validation::InvalidProxyConfig;
use super::setup::RunSetup;
use crate::environment::EnvironmentFault;
use crate::judge::lint::LINT;
use crate::model::causes::chain;
use crate::model::finding::{Fault, Finding, ScenarioResult};
use crate::model::identity::PodName;
use crate::model::located::Position;
use crate::model::phase::{Phase, PhaseClock};
use crate::model::procedure::LintRule;
use crate::model::scenario::{Procedure, Scenario};
use crate::model::timeline::TimelineEvent;
use crate::model::timeouts::TimedOut;
use crate::procedure::closing::close;
use crate::procedure::deployment::Deployment;
use crate::procedure::error::{ProcedureError, fault_hints};
use crate::procedure::request_ids::RequestIds;
use crate::procedure::{Proceedings, admission, carry_out};
use crate::report::decisions::{Decisions, decisions_of};
use crate::report::evidence::{WriteError, capture};
use crate::report::record::{MatrixRow, PodRecord, ScenarioRecord};
use crate::stack::assemble::{AssembleError, assemble};
use crate::stack::proxy_config::{ProxyConfig, ProxyConfigError, ProxyFacts};
use crate::stack::{AGENT_CONTAINER, Stack};
use crate::witness::books::Books;

/// Why a scenario ended without a judgement.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScenarioError {
    #[error("the stack cannot be put together")]
    Assemble(#[from] AssembleError),
    #[error(transparent)]
    ProxyConfig(#[from] ProxyConfigError),
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
    /// Tells whether the scenario ended because a container did.
    fn is_end_of(&self, name: &str) -> bool {
        matches!(self, Self::Procedure(ProcedureError::WillNotStart { container, .. }) if container == name)
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::ProxyConfig(ProxyConfigError::Unfit { hint, .. })
            | Self::Assemble(AssembleError::ProxyConfig(ProxyConfigError::Unfit {
                hint, ..
            })) => vec![hint.clone()],
            Self::Assemble(_) | Self::ProxyConfig(_) => Vec::new(),
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

/// What came of a scenario that was deployed.
#[derive(Default)]
pub(super) struct Course {
    pub(super) proceedings: Proceedings,
    timeline: Vec<TimelineEvent>,
    pub(super) pods: Vec<PodRecord>,
    pub(super) evidence: Option<Utf8PathBuf>,
}

/// What a scenario is attempted with once its stack is put together.
pub(super) struct Attempt<'a> {
    pub(super) setup: &'a RunSetup,
    pub(super) scenario: &'a Scenario,
    pub(super) clock: &'a Arc<PhaseClock>,
    pub(super) stack: Stack,
    pub(super) proxy: ProxyFacts,
    pub(super) name: PodName,
}

/// Runs one scenario.
pub async fn run(setup: &RunSetup, scenario: &Scenario) -> ScenarioRecord {
    if let Some(result) = setup.verdict_before_run(scenario) {
        return record_without_run(scenario, result);
    }
    let started_at = Timestamp::now();
    let clock = Arc::new(PhaseClock::default());
    let mut course = Course::default();
    let result = match Box::pin(attempt(setup, scenario, &clock, &mut course)).await {
        Ok(()) if course.proceedings.findings.is_empty() => ScenarioResult::Passed,
        Ok(()) => ScenarioResult::Failed(redacted(
            setup,
            std::mem::take(&mut course.proceedings.findings),
        )),
        Err(error) => without_judgement(setup, scenario, &error, &mut course),
    };
    let decisions = decisions_of(&scenario.procedure, &course.proceedings);
    let elapsed = Timestamp::now().duration_since(started_at);
    ScenarioRecord {
        elapsed_milliseconds: u64::try_from(elapsed.as_millis()).unwrap_or_default(),
        phases: clock.milliseconds(),
        books: course.proceedings.books,
        observations: course
            .proceedings
            .observations
            .into_iter()
            .map(|(name, figure)| (name, setup.output.redact(&figure)))
            .collect(),
        matrix: course
            .proceedings
            .matrix
            .into_iter()
            .map(|(cell, count)| MatrixRow { cell, count })
            .collect(),
        decisions,
        timeline: course.timeline,
        pods: course.pods,
        evidence: course.evidence,
        ..record_without_run(scenario, result)
    }
}

/// Takes the run's secrets out of findings: they quote logs and answers.
fn redacted(setup: &RunSetup, findings: Vec<Finding>) -> Vec<Finding> {
    let redact = |text: &String| setup.output.redact(text);
    findings
        .into_iter()
        .map(|finding| Finding {
            expected: redact(&finding.expected),
            observed: redact(&finding.observed),
            notes: finding.notes.iter().map(redact).collect(),
            ..finding
        })
        .collect()
}

/// Makes the result of a scenario that came to no end. Where the agent ended and the static check had found why, the deployment is at
/// fault, and where the scenario asks whether the agent starts under what it deploys, the agent is: the scenario has failed.
fn without_judgement(
    setup: &RunSetup,
    scenario: &Scenario,
    error: &ScenarioError,
    course: &mut Course,
) -> ScenarioResult {
    let causes: Vec<String> = chain(error)
        .iter()
        .map(|cause| setup.output.redact(cause))
        .collect();
    let findings = std::mem::take(&mut course.proceedings.findings);
    let explains = |finding: &Finding| {
        finding.expectation == LINT
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
        return ScenarioResult::Failed(redacted(setup, findings));
    }
    if error.is_end_of(AGENT_CONTAINER)
        && let Some((expectation, position, expected)) = asked_of_the_start(scenario)
    {
        let mut findings = findings;
        findings.push(Finding::new(
            expectation,
            position,
            expected,
            causes.join(": "),
        ));
        return ScenarioResult::Failed(redacted(setup, findings));
    }
    let found = found_before(&redacted(setup, findings));
    ScenarioResult::Errored(Fault {
        causes,
        hints: error.hints().into_iter().chain(found).collect(),
    })
}

/// Says what had been found before the scenario came to no end. Whatever ended it may have caused that as well, so it is no verdict; it must
/// not be lost either.
fn found_before(findings: &[Finding]) -> Option<String> {
    let first = findings.first()?;
    Some(format!(
        "{} findings had been made before that, which decide nothing by themselves; the first: {}: expected {}, observed {}",
        findings.len(),
        first.expectation,
        first.expected,
        first.observed
    ))
}

/// Returns what a scenario asks of the agent's start: a word for it, where it is asked, and what has to be seen. None where the start is
/// only what comes before.
fn asked_of_the_start(scenario: &Scenario) -> Option<(&'static str, Position, &'static str)> {
    if let Some(security) = &scenario.spec.stack.pod_security {
        let expected = "the agent runs without privileges";
        return Some(("pod-security", security.position, expected));
    }
    let is_about_the_start = matches!(
        scenario.procedure,
        Procedure::Filesystem(_) | Procedure::Startup(_)
    );
    let expected = "the agent starts and goes on running";
    is_about_the_start.then_some(("start", scenario.spec.id.position, expected))
}

/// Makes the record of a scenario that was not run.
pub fn record_without_run(scenario: &Scenario, result: ScenarioResult) -> ScenarioRecord {
    ScenarioRecord {
        name: scenario.name.clone(),
        id: scenario.spec.id.value.clone(),
        summary: scenario.spec.summary.trim().into(),
        procedure: scenario.procedure.name().into(),
        level: scenario.spec.level,
        file: scenario.file.clone(),
        sha256: scenario.sha256.clone(),
        result,
        elapsed_milliseconds: 0,
        phases: BTreeMap::default(),
        books: Books::default(),
        observations: BTreeMap::default(),
        matrix: Vec::new(),
        decisions: Decisions::default(),
        timeline: Vec::new(),
        pods: Vec::new(),
        evidence: None,
    }
}

async fn attempt(
    setup: &RunSetup,
    scenario: &Scenario,
    clock: &Arc<PhaseClock>,
    course: &mut Course,
) -> Result<(), ScenarioError> {
    let preparing = clock.enter(Phase::Preparing);
    let stack = assemble(
        &setup.project,
        &scenario.spec.stack,
        &setup.keys,
        &setup.overrides,
    )?;
    let proxy = validate_proxy(setup, scenario, &stack).await?;
    let name = PodName {
        run: setup.run.clone(),
        purpose: scenario.name.as_word(),
    };
    drop(preparing);
    if let Procedure::Rollout(spec) = &scenario.procedure {
        let attempt = Attempt {
            setup,
            scenario,
            clock,
            stack,
            proxy,
            name,
        };
        return Box::pin(fleet::attempt(attempt, spec, course)).await;
    }
    let creating = clock.enter(Phase::Creating);
    let created = setup.environment.create(name, &stack).await;
    drop(creating);
    let pod = match &scenario.procedure {
        Procedure::Admission(spec) => {
            match admission::judge_creation(spec, created, &mut course.proceedings).await? {
                Some(pod) => pod,
                None => return Ok(()),
            }
        }
        Procedure::Contract(_)
        | Procedure::Drain(_)
        | Procedure::Endurance(_)
        | Procedure::Exchange(_)
        | Procedure::Exposure(_)
        | Procedure::Filesystem(_)
        | Procedure::Outage(_)
        | Procedure::Provenance(_)
        | Procedure::Pull(_)
        | Procedure::Refusal(_)
        | Procedure::Reload(_)
        | Procedure::Rollout(_)
        | Procedure::Secrecy(_)
        | Procedure::Startup(_) => created?,
    };
    let deployment = Deployment::new(
        pod.clone(),
        stack,
        proxy,
        RequestIds::new(scenario.name.clone(), setup.run.clone()),
        setup.timeouts.clone(),
        setup.corpora.clone(),
        setup.keys.clone(),
        clock.clone(),
    );
    let budget = setup.timeouts.scenario;
    let carried_out = carry_out(&scenario.procedure, &deployment, &mut course.proceedings);
    let result = match timeout(budget.as_duration(), carried_out).await {
        Ok(result) => result,
        Err(_) => Err(ProcedureError::TimedOut(TimedOut {
            waited_for: "the scenario to end".into(),
            budget,
            last_seen: crate::judge::lifecycle::render(&pod.timeline(), None),
        })),
    };
    let result = if result.is_ok() && course.proceedings.findings.is_empty() {
        close(&deployment, &mut course.proceedings).await
    } else {
        result
    };
    course.timeline = pod.timeline();
    if result.is_err() || !course.proceedings.findings.is_empty() {
        let _phase = clock.enter(Phase::Evidence);
        course.evidence = keep_evidence(setup, scenario, &deployment, &course.proceedings).await;
    }
    let _phase = clock.enter(Phase::Ending);
    let removed = pod.remove().await;
    // What the scenario itself met with comes first.
    result?;
    removed.map_err(ScenarioError::Remove)
}

/// Checks the proxy's configuration with the suite's own eyes and with Envoy's.
async fn validate_proxy(
    setup: &RunSetup,
    scenario: &Scenario,
    stack: &Stack,
) -> Result<ProxyFacts, ScenarioError> {
    let path = setup
        .project
        .envoy_configs
        .join(format!("{}.yaml", *scenario.spec.stack.envoy));
    let config = ProxyConfig::read(&path)?;
    setup
        .proxy_validator
        .validate(
            &setup.envoy,
            stack,
            &setup.output.folder.join("refused"),
            setup.timeouts.proxy_validate,
        )
        .await?;
    Ok(config.facts())
}

async fn keep_evidence(
    setup: &RunSetup,
    scenario: &Scenario,
    deployment: &Deployment,
    proceedings: &Proceedings,
) -> Option<Utf8PathBuf> {
    let folder = Utf8PathBuf::from(scenario.name.as_folder());
    let captured = async {
        write_replay(setup, scenario, &folder)?;
        capture(&setup.output, &folder, deployment, proceedings).await
    };
    match captured.await {
        Ok(()) => Some(folder),
        Err(error) => {
            tracing::warn!(scenario = %scenario.name, error = chain(&error).join(": "), "evidence is incomplete");
            setup.output.folder.join(&folder).exists().then_some(folder)
        }
    }
}

/// Writes down how the scenario is run again.
pub(super) fn write_replay(
    setup: &RunSetup,
    scenario: &Scenario,
    folder: &Utf8Path,
) -> Result<(), WriteError> {
    let report = setup.output.folder.join("report.json");
    let replay = format!("conformance replay {report} {}\n", scenario.name);
    setup
        .output
        .write(&folder.join("replay.txt"), replay.as_bytes())
}
