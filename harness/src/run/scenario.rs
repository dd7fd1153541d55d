//! Runs one scenario: deploys its stack, carries its procedure out, keeps evidence, removes the pod.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use tokio::time::timeout;

use super::fleet;
use super::setup::RunSetup;
use super::without_judgement::{ScenarioError, redacted, without_judgement};
use crate::model::causes::chain;
use crate::model::finding::ScenarioResult;
use crate::model::identity::PodName;
use crate::model::phase::{Phase, PhaseClock};
use crate::model::scenario::{Procedure, Scenario};
use crate::model::timeline::TimelineEvent;
use crate::model::timeouts::TimedOut;
use crate::procedure::closing::close;
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::request_ids::RequestIds;
use crate::procedure::stall::unless_stalled;
use crate::procedure::{Proceedings, admission, carry_out};
use crate::report::decisions::{Decisions, decisions_of};
use crate::report::evidence::{WriteError, capture};
use crate::report::record::{MatrixRow, PodRecord, ScenarioRecord};
use crate::stack::Stack;
use crate::stack::assemble::assemble;
use crate::stack::proxy_config::{ProxyConfig, ProxyFacts};
use crate::witness::books::Books;

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
    let ended = Box::pin(attempt(setup, scenario, &clock, &mut course)).await;
    let findings = std::mem::take(&mut course.proceedings.findings);
    let result = match ended {
        Ok(()) if findings.is_empty() => ScenarioResult::Passed,
        Ok(()) => ScenarioResult::Failed(redacted(&setup.output, findings)),
        Err(error) => without_judgement(&setup.output, scenario, &error, findings),
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
    let result = match result {
        Ok(()) if course.proceedings.findings.is_empty() => {
            close(&deployment, &mut course.proceedings).await
        }
        Ok(()) => unless_stalled(&course.proceedings, &deployment.proxy).map_err(Into::into),
        Err(error) => Err(error),
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
