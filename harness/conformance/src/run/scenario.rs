//! Runs one scenario: deploys its stack, carries its procedure out, keeps evidence, removes the pod.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use tokio::time::timeout;

use super::setup::{REFUSED_CONFIGS, RunSetup};
use super::without_judgement::{ScenarioError, redacted, without_judgement};
use crate::catalogue::scenario::Scenario;
use crate::procedure::ProcedureResults;
use crate::procedure::conclusion::Conclusion;
use crate::procedure::deployment::{Deployment, DeploymentParts};
use crate::procedure::error::ProcedureError;
use crate::procedure::interface::{CarryOut, Requirement};
use crate::procedure::pods::{OnePod, PodFleet};
use crate::procedure::request_ids::RequestIds;
use crate::procedure::stall::unless_stalled;
use crate::report::decision::{Decisions, decisions_of};
use crate::report::evidence::{WriteError, capture, pod_records};
use crate::report::record::{MatrixRow, PodRecord, ScenarioRecord};
use harness_core::model::causes::chain;
use harness_core::model::finding::ScenarioResult;
use harness_core::model::identity::PodName;
use harness_core::model::phase::{Phase, PhaseClock};
use harness_core::model::terminating_endpoints::TerminatingEndpoints;
use harness_core::model::timeline::TimelineEvent;
use harness_core::model::timeouts::TimedOut;
use harness_core::stack::Stack;
use harness_core::stack::assemble::assemble;
use harness_core::stack::proxy_config::{ProxyConfig, ProxyFacts};
use harness_verdict::witness::reconciliation::Reconciliation;

/// What came of a scenario that was deployed.
#[derive(Default)]
struct Attempted {
    results: ProcedureResults,
    timeline: Vec<TimelineEvent>,
    pods: Vec<PodRecord>,
    evidence: Option<Utf8PathBuf>,
}

/// Runs one scenario.
pub async fn run(setup: &RunSetup, scenario: &Scenario) -> ScenarioRecord {
    if let Some(result) = setup.verdict_before_run(scenario) {
        return record_without_run(scenario, result);
    }
    let started_at = Timestamp::now();
    let clock = Arc::new(PhaseClock::default());
    let mut attempted = Attempted::default();
    let ended = Box::pin(attempt(setup, scenario, &clock, &mut attempted)).await;
    let findings = std::mem::take(&mut attempted.results.findings);
    let result = match ended {
        Ok(()) if findings.is_empty() => ScenarioResult::Passed,
        Ok(()) => ScenarioResult::Failed(redacted(&setup.output, findings)),
        Err(error) => without_judgement(&setup.output, scenario, &error, findings),
    };
    let phases = clock.milliseconds();
    setup.enforcement.note(&result, &phases);
    let decisions = decisions_of(scenario.procedure.repetition(), &attempted.results);
    let elapsed = Timestamp::now().duration_since(started_at);
    ScenarioRecord {
        elapsed_milliseconds: u64::try_from(elapsed.as_millis()).unwrap_or_default(),
        phases,
        reconciliation: attempted.results.reconciliation,
        observations: attempted
            .results
            .observations
            .into_iter()
            .map(|(name, figure)| (name, setup.output.redact(&figure)))
            .collect(),
        matrix: attempted
            .results
            .matrix
            .into_iter()
            .map(|(cell, count)| MatrixRow { cell, count })
            .collect(),
        decisions,
        timeline: attempted.timeline,
        pods: attempted.pods,
        evidence: attempted.evidence,
        ..record_without_run(scenario, result)
    }
}

/// Makes the record of a scenario that was not run.
pub fn record_without_run(scenario: &Scenario, result: ScenarioResult) -> ScenarioRecord {
    ScenarioRecord {
        name: scenario.name.clone(),
        id: scenario.spec.id.value.clone(),
        summary: scenario.spec.summary.trim().into(),
        procedure: scenario.procedure.name.into(),
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

/// The observation that says how much of the wire was read.
const WIRE: &str = "between proxy and agent";

/// The observation that says what is left out where the agent keeps no data log.
const DATA_LOG: &str = "agent's data log";
const NOT_JUDGED: &str =
    "none: signals, their places and the agent's own account of each request are not judged";

async fn attempt(
    setup: &RunSetup,
    scenario: &Scenario,
    clock: &Arc<PhaseClock>,
    attempted: &mut Attempted,
) -> Result<(), ScenarioError> {
    let preparing = clock.enter(Phase::Preparing);
    let mut stack = assemble(
        &setup.project,
        &scenario.spec.stack,
        &setup.keys,
        &setup.overrides,
    )?;
    stack.terminating_endpoints = TerminatingEndpoints::needed_by(&scenario.spec.features);
    let proxy = validate_proxy(setup, scenario, &mut stack).await?;
    let name = PodName {
        run: setup.run.clone(),
        purpose: scenario.name.hyphenated(),
    };
    drop(preparing);
    let creating = clock.enter(Phase::Creating);
    let environment = &setup.environment;
    let (pods, procedure): (OnePod, &dyn CarryOut<OnePod>) = match scenario.procedure.requirement()
    {
        Requirement::Pod(procedure) => (OnePod(environment.create(name, &stack).await?), procedure),
        Requirement::Admission(procedure) => {
            let created = environment.create(name, &stack).await;
            match procedure
                .judge_creation(created, &mut attempted.results)
                .await?
            {
                Some(pod) => (OnePod(pod), procedure),
                None => return Ok(()),
            }
        }
        Requirement::Fleet {
            replicas,
            procedure,
        } => {
            let fleet = environment.create_fleet(name, &stack, replicas).await?;
            drop(creating);
            let deployment =
                Deployment::new(PodFleet(fleet), parts(setup, scenario, clock, stack, proxy));
            let ended = carry_out_on(&deployment, procedure, setup, scenario, attempted).await;
            attempted.pods = pod_records(&deployment);
            return ended;
        }
    };
    drop(creating);
    let deployment = Deployment::new(pods, parts(setup, scenario, clock, stack, proxy));
    let ended = carry_out_on(&deployment, procedure, setup, scenario, attempted).await;
    attempted.timeline = deployment.pod().timeline();
    ended
}

fn parts(
    setup: &RunSetup,
    scenario: &Scenario,
    clock: &Arc<PhaseClock>,
    stack: Stack,
    proxy: ProxyFacts,
) -> DeploymentParts {
    DeploymentParts {
        stack,
        proxy,
        ids: RequestIds::new(scenario.name.clone(), setup.run.clone()),
        timeouts: Arc::new(setup.enforcement.bounds(&setup.timeouts)),
        corpora: setup.corpora.clone(),
        keys: setup.keys.clone(),
        clock: clock.clone(),
    }
}

/// Carries the procedure out on pods that stand, keeps evidence where it did not pass, and removes the pods.
async fn carry_out_on<P: Conclusion>(
    deployment: &Deployment<P>,
    procedure: &dyn CarryOut<P>,
    setup: &RunSetup,
    scenario: &Scenario,
    attempted: &mut Attempted,
) -> Result<(), ScenarioError> {
    let results = &mut attempted.results;
    let budget = setup.timeouts.scenario;
    let carried_out = procedure.carry_out(deployment, results);
    let carried_out = timeout(budget.as_duration(), carried_out).await;
    results
        .observations
        .insert(WIRE.into(), deployment.wire_account().await);
    if !deployment.stack.agent_keeps_data_log() {
        results
            .observations
            .insert(DATA_LOG.into(), NOT_JUDGED.into());
    }
    let result = match carried_out {
        Ok(result) => result,
        Err(_) => Err(ProcedureError::TimedOut(TimedOut {
            waited_for: "the scenario to end".into(),
            budget,
            last_seen: deployment.pods.last_seen(),
        })),
    };
    let result = match result {
        Ok(()) if results.findings.is_empty() => P::conclude(deployment, results).await,
        Ok(()) => unless_stalled(results, &deployment.proxy).map_err(Into::into),
        Err(error) => Err(error),
    };
    if result.is_err() || !results.findings.is_empty() {
        let _phase = deployment.clock.enter(Phase::Evidence);
        let cause = cause_of(results, result.as_ref().err());
        attempted.evidence = keep_evidence(setup, scenario, deployment, results, cause).await;
    }
    let _phase = deployment.clock.enter(Phase::Ending);
    let removed = deployment.pods.remove().await;
    // What the scenario itself met with comes first.
    result?;
    removed.map_err(ScenarioError::Remove)
}

/// Checks the proxy's configuration with the suite's own eyes and with Envoy's, and puts the tap into it. Where this Envoy accepts it only without one,
/// the wire is not read.
async fn validate_proxy(
    setup: &RunSetup,
    scenario: &Scenario,
    stack: &mut Stack,
) -> Result<ProxyFacts, ScenarioError> {
    let path = setup
        .project
        .envoy_configs
        .join(format!("{}.yaml", *scenario.spec.stack.envoy));
    let config = ProxyConfig::read(&path)?;
    let refused = setup.output.folder.join(REFUSED_CONFIGS);
    let validate = async |stack: &Stack| {
        let within = setup.timeouts.proxy_validate;
        let validator = &setup.proxy_validator;
        validator
            .validate(&setup.envoy, stack, &refused, within)
            .await
    };
    let mut tapped = stack.clone();
    tapped.tap(&config);
    match validate(&tapped).await {
        Ok(()) => *stack = tapped,
        Err(refusal) if refusal.is_envoys() && tapped.is_tapped() => validate(stack).await?,
        Err(refusal) => return Err(refusal.into()),
    }
    Ok(config.facts())
}

/// Returns what evidence is grouped by: the first finding without its place, or the error.
fn cause_of(results: &ProcedureResults, error: Option<&ProcedureError>) -> String {
    match (error, results.findings.first()) {
        (Some(error), _) => error.to_string().lines().next().unwrap_or_default().into(),
        (None, Some(finding)) => {
            format!("{} {} {}", finding.kind, finding.expected, finding.observed)
        }
        (None, None) => String::new(),
    }
}

async fn keep_evidence<P: Conclusion>(
    setup: &RunSetup,
    scenario: &Scenario,
    deployment: &Deployment<P>,
    results: &ProcedureResults,
    cause: String,
) -> Option<Utf8PathBuf> {
    let folder = Utf8PathBuf::from(scenario.name.as_folder());
    let extent = setup.output.ledger.extent_for(cause);
    let captured = async {
        write_replay(setup, scenario, &folder)?;
        capture(&setup.output, &folder, deployment, results, &extent).await
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
fn write_replay(
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
