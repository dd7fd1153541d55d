//! `reload`: the source of the agent's rules changes while attacks and benign requests go on.
//!
//! An agent that is restarted to that end may be missing for a while, which the proxy answers by failing closed.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::procedure::ProcedureResults;
use crate::procedure::deployment::{Deployment, POLL_INTERVAL};
use crate::procedure::drive::Drive;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::show_working;
use crate::procedure::interface::CarryOut;
use crate::procedure::pods::OnePod;
use crate::procedure::reload::{ReloadSpec, ReloadStep};
use crate::procedure::round::{ReconciledEntries, Round};
use crate::procedure::stream_pair::StreamPair;
use harness_core::model::finding::Finding;
use harness_core::model::timeouts::TimedOut;
use harness_core::stack::AGENT_CONTAINER;
use harness_environment::polling::Polling;
use harness_environment::{ContainerFault, FileChange};
use harness_traffic::record::ClientRecord;
use harness_verdict::judge::reload::{ReloadMeans, RuleChange, Rules, Window, unacknowledged};
use harness_verdict::witness::outcome::decide;
use harness_verdict::witness::reconciliation::EarlierHops;

/// Requests of both streams that are answered before each step and after the last one.
const BETWEEN_STEPS: usize = 40;

#[async_trait]
impl CarryOut<OnePod> for ReloadSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        show_working(&self.lint, &self.attack, &self.benign, deployment, results).await?;

        let before = deployment.counters().await?;
        let pair = StreamPair::prepare(
            &deployment.ids,
            ("benign-while-reloading", &self.benign),
            ("attack-while-reloading", &self.attack),
        )?;
        let address = deployment.proxy_address();
        let streams = pair.streams(&address, |_| *self.per_second, u32::MAX);
        let mut drive = deployment.start_drive(streams).await?;
        let mut windows = Vec::new();
        for step in &self.steps {
            await_more(&mut drive, deployment).await?;
            match take_step(step, &self.file, deployment).await? {
                Ok(window) => windows.push(window),
                Err(finding) => {
                    results.findings.push(finding);
                    break;
                }
            }
        }
        await_more(&mut drive, deployment).await?;
        drive.stop().await?;
        let round = Round::conclude(drive, before, deployment).await?;
        let requests = round.joined(deployment).await;

        let steps = self.steps.iter().zip(windows);
        let changes = steps.map(|(step, window)| RuleChange {
            name: &step.name,
            by: step.by,
            denied_with: step.denied_with,
            window,
        });
        let mut rules = Rules::new(self.denied_with, changes.collect());
        let timeline = deployment.pod().timeline();
        let mut outcomes = Vec::new();
        rules.note_first_seen(&requests, |client| pair.of(client).kind);
        results.absorb(rules.judge_propagation());
        for joined in &requests {
            let stream = pair.of(&joined.client);
            let judgement = decide(joined);
            outcomes.push(judgement.outcome);
            let finding = rules.judge((stream.kind, stream.case), joined, &judgement, &timeline);
            results.findings.extend(finding);
            let judged = stream.judged(joined.clone(), judgement);
            results.requests.push(judged);
        }
        // What the proxy has of its access log for an agent that is killed may be lost.
        let restarts = |step: &ReloadStep| step.by == ReloadMeans::Restart;
        let entries = if self.steps.iter().any(restarts) {
            ReconciledEntries::Unknown
        } else {
            ReconciledEntries::OneEach
        };
        let hops = EarlierHops::of(&requests);
        round
            .reconcile(&outcomes, hops, entries, deployment, results)
            .await
    }
}

/// Reads records until so many have come of requests that were due from now on.
async fn await_more(drive: &mut Drive, deployment: &Deployment) -> Result<(), ProcedureError> {
    let now = Timestamp::now();
    let known = drive.records().len();
    let budget = deployment.timeouts.first_answers();
    drive
        .await_records("answers between two steps", budget, |records| {
            let due = |record: &&ClientRecord| record.intended_at >= now;
            records[known..].iter().filter(due).count() >= BETWEEN_STEPS
        })
        .await
}

/// Changes the file, tells the agent and waits until it says what it made of it.
async fn take_step(
    step: &ReloadStep,
    file: &str,
    deployment: &Deployment,
) -> Result<Result<Window, Finding>, ProcedureError> {
    let said_before = times_said(&step.says, deployment).await?;
    let change = match &step.content {
        Some(content) => FileChange::Write(content.clone()),
        None => FileChange::Remove,
    };
    let pod = &deployment.pod();
    let changed_at = Timestamp::now();
    pod.change_file(AGENT_CONTAINER, file, change).await?;
    let told_at = Timestamp::now();
    let means = match step.by {
        ReloadMeans::Restart => ContainerFault::Kill,
        ReloadMeans::Signal => ContainerFault::Reload,
    };
    pod.inject(AGENT_CONTAINER, means).await?;
    let told_by = Timestamp::now();
    let mut polling = Polling::within(step.within.as_duration(), POLL_INTERVAL);
    while polling.next().await {
        if times_said(&step.says, deployment).await? > said_before {
            return Ok(Ok(Window {
                changed_at,
                told_at,
                told_by,
                done_by: Timestamp::now(),
                seen_at: None,
            }));
        }
    }
    let timed_out = TimedOut {
        waited_for: format!("the agent's log to say `{}`", *step.says),
        budget: *step.within,
        last_seen: last_line(deployment).await?,
    };
    let finding = unacknowledged(&step.name, &step.says, step.within, &timed_out);
    Ok(Err(finding))
}

async fn times_said(text: &str, deployment: &Deployment) -> Result<usize, ProcedureError> {
    let log = deployment.pod().log(AGENT_CONTAINER).await?;
    let log = String::from_utf8_lossy(&log).to_lowercase();
    Ok(log.matches(&text.to_lowercase()).count())
}

async fn last_line(deployment: &Deployment) -> Result<String, ProcedureError> {
    let log = deployment.pod().log(AGENT_CONTAINER).await?;
    let log = String::from_utf8_lossy(&log);
    Ok(log
        .lines()
        .rfind(|line| !line.starts_with('{'))
        .unwrap_or("(nothing)")
        .escape_debug()
        .to_string())
}
