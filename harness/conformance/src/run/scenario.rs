//! Runs one scenario: deploys its stack, carries its procedure out, keeps evidence, removes the pod.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use tokio::time::timeout;

use super::fleet;
use super::setup::RunSetup;
use super::without_judgement::{ScenarioError, redacted, without_judgement};
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::final_reconciliation::reconcile_finally;
use crate::procedure::request_ids::RequestIds;
use crate::procedure::stall::unless_stalled;
use crate::procedure::{ProcedureResults, admission, carry_out};
use crate::report::decisions::{Decisions, decisions_of};
use crate::report::evidence::{WriteError, capture};
use crate::report::record::{MatrixRow, PodRecord, ScenarioRecord};
use harness_core::model::causes::chain;
use harness_core::model::finding::ScenarioResult;
use harness_core::model::identity::PodName;
use harness_core::model::phase::{Phase, PhaseClock};
use harness_core::model::scenario::{Procedure, Scenario};
use harness_core::model::timeline::TimelineEvent;
use harness_core::model::timeouts::TimedOut;
use harness_core::stack::Stack;
use harness_core::stack::assemble::assemble;
use harness_core::stack::proxy_config::{ProxyConfig, ProxyFacts};
use harness_verdict::witness::reconciliation::Reconciliation;

/// What came of a scenario that was deployed.
#[derive(Default)]
pub(super) struct Course {
    pub(super) results: ProcedureResults,
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
    let ended = Box::pin(attempt(setup, scenario, &clock, &mut course)).await;
    let findings = std::mem::take(&mut course.results.findings);
    let result = match ended {
        Ok(()) if findings.is_empty() => ScenarioResult::Passed,
        Ok(()) => ScenarioResult::Failed(redacted(&setup.output, findings)),
        Err(error) => without_judgement(&setup.output, scenario, &error, findings),
    };
    let decisions = decisions_of(&scenario.procedure, &course.results);
    let elapsed = Timestamp::now().duration_since(started_at);
    ScenarioRecord {
        elapsed_milliseconds: u64::try_from(elapsed.as_millis()).unwrap_or_default(),
        phases: clock.milliseconds(),
        reconciliation: course.results.reconciliation,
        observations: course
            .results
            .observations
            .into_iter()
            .map(|(name, figure)| (name, setup.output.redact(&figure)))
            .collect(),
        matrix: course
            .results
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
        reconciliation: Reconciliation::default(),
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
            match admission::judge_creation(spec, created, &mut course.results).await? {
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
    let carried_out = carry_out(&scenario.procedure, &deployment, &mut course.results);
    let result = match timeout(budget.as_duration(), carried_out).await {
        Ok(result) => result,
        Err(_) => Err(ProcedureError::TimedOut(TimedOut {
            waited_for: "the scenario to end".into(),
            budget,
            last_seen: harness_verdict::judge::lifecycle::render(&pod.timeline(), None),
        })),
    };
    let result = match result {
        Ok(()) if course.results.findings.is_empty() => {
            reconcile_finally(&deployment, &mut course.results).await
        }
        Ok(()) => unless_stalled(&course.results, &deployment.proxy).map_err(Into::into),
        Err(error) => Err(error),
    };
    course.timeline = pod.timeline();
    if result.is_err() || !course.results.findings.is_empty() {
        let _phase = clock.enter(Phase::Evidence);
        course.evidence = keep_evidence(setup, scenario, &deployment, &course.results).await;
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
    results: &ProcedureResults,
) -> Option<Utf8PathBuf> {
    let folder = Utf8PathBuf::from(scenario.name.as_folder());
    let captured = async {
        write_replay(setup, scenario, &folder)?;
        capture(&setup.output, &folder, deployment, results).await
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
