//! `reload`: the source of the agent's rules changes while attacks and benign requests go on.
//!
//! Before a step only the old rules may decide, once the agent has said that it is done only the new ones, and between the two either; but
//! a request that is sent after the new rules were seen at work is not decided by the old ones.

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::deployment::{Deployment, POLL_INTERVAL};
use super::drive::Drive;
use super::error::ProcedureError;
use super::exchange::{check_deployment, judge_controls};
use super::plan::{Prepared, repeat_stream};
use super::round::{EntriesInBooks, Round};
use super::{JudgedRequest, Proceedings};
use crate::environment::{ContainerFault, FileChange};
use crate::judge::lifecycle::place_in_time;
use crate::model::finding::Finding;
use crate::model::identity::RequestId;
use crate::model::located::Located;
use crate::model::outcome::Outcome;
use crate::model::reload::{ReloadSpec, ReloadStep};
use crate::model::timeline::TimelineEvent;
use crate::model::timeouts::TimedOut;
use crate::stack::AGENT_CONTAINER;
use crate::traffic::record::{ClientRecord, ClientResult};
use crate::witness::join::Joined;
use crate::witness::outcome::decide;

/// Requests of both streams that are answered before each step and after the last one.
const BETWEEN_STEPS: usize = 40;
/// The case that the attacks belong to.
const ATTACK: &str = "attack-while-reloading";
/// The case that the benign requests belong to.
const BENIGN: &str = "benign-while-reloading";

/// Carries a reload out.
pub async fn carry_out(
    spec: &ReloadSpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    check_deployment(deployment, &[], proceedings);
    deployment.await_ready_and_enforcing().await?;
    judge_controls(&spec.attack, &spec.benign, deployment, proceedings).await?;

    let before = deployment.counters().await?;
    let benign = deployment.ids.prepare_repeated(&spec.benign, BENIGN)?;
    let attack = deployment.ids.prepare_repeated(&spec.attack, ATTACK)?;
    let address = deployment.proxy_address();
    let streams = [(BENIGN, &benign), (ATTACK, &attack)]
        .map(|(name, prepared)| {
            let planned = prepared.planned.clone();
            repeat_stream(name, &address, *spec.per_second, planned, u32::MAX)
        })
        .to_vec();
    let mut drive = deployment.start_drive(streams).await?;
    let mut windows = Vec::new();
    for step in &spec.steps {
        await_more(&mut drive).await?;
        match take_step(step, &spec.file, deployment).await? {
            Ok(window) => windows.push(window),
            Err(finding) => {
                proceedings.findings.push(finding);
                break;
            }
        }
    }
    await_more(&mut drive).await?;
    drive.stop().await?;
    let round = Round::conclude(drive, before, deployment).await?;

    let mut rules = Rules {
        first: &spec.denied_with,
        steps: spec.steps.iter().zip(windows).collect(),
    };
    let timeline = deployment.pod.timeline();
    let mut outcomes = Vec::new();
    rules.note_first_seen(&round.joined);
    rules.report_propagation(proceedings);
    for joined in &round.joined {
        let (case, prepared) = match joined.client.stream.as_str() {
            ATTACK => (ATTACK, &attack),
            _ => (BENIGN, &benign),
        };
        outcomes.push(judge(
            case,
            prepared,
            joined,
            &rules,
            &timeline,
            proceedings,
        ));
    }
    round
        .close_books(&outcomes, EntriesInBooks::OneEach, deployment, proceedings)
        .await
}

/// Reads so many records beyond those that have come.
async fn await_more(drive: &mut Drive) -> Result<(), ProcedureError> {
    let wanted = drive.records().len() + BETWEEN_STEPS;
    while drive.records().len() < wanted && drive.next().await?.is_some() {}
    Ok(())
}

/// The time in which a step took effect.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// When the agent was told.
    told_at: Timestamp,
    /// When it was seen to have said that it is done.
    done_by: Timestamp,
    /// When the first attack was answered by the new rules.
    seen_at: Option<Timestamp>,
}

impl Window {
    /// Tells whether a request was sent when only the new rules were right.
    fn is_over_for(&self, client: &ClientRecord) -> bool {
        client
            .sent_at
            .is_some_and(|sent| sent > self.done_by || self.seen_at.is_some_and(|seen| sent > seen))
    }
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
    let pod = &deployment.pod;
    pod.change_file(AGENT_CONTAINER, file, change).await?;
    let told_at = Timestamp::now();
    pod.inject(AGENT_CONTAINER, ContainerFault::Reload).await?;
    let deadline = Instant::now() + step.within.as_duration();
    while times_said(&step.says, deployment).await? <= said_before {
        if Instant::now() >= deadline {
            let timed_out = TimedOut {
                waited_for: format!("the agent's log to say `{}`", *step.says),
                budget: *step.within,
                last_seen: last_line(deployment).await?,
            };
            let finding = Finding::new(
                "reload",
                step.within.position,
                format!(
                    "after the step `{}` the agent's log says `{}` within {}",
                    *step.name, *step.says, *step.within
                ),
                timed_out.to_string(),
            );
            return Ok(Err(finding));
        }
        sleep(POLL_INTERVAL).await;
    }
    Ok(Ok(Window {
        told_at,
        done_by: Timestamp::now(),
        seen_at: None,
    }))
}

async fn times_said(text: &str, deployment: &Deployment) -> Result<usize, ProcedureError> {
    let log = deployment.pod.log(AGENT_CONTAINER).await?;
    Ok(String::from_utf8_lossy(&log).matches(text).count())
}

async fn last_line(deployment: &Deployment) -> Result<String, ProcedureError> {
    let log = deployment.pod.log(AGENT_CONTAINER).await?;
    let log = String::from_utf8_lossy(&log);
    Ok(log
        .lines()
        .rfind(|line| !line.starts_with('{'))
        .unwrap_or("(nothing)")
        .escape_debug()
        .to_string())
}

/// Which rules hold when.
struct Rules<'a> {
    first: &'a Located<u16>,
    steps: Vec<(&'a ReloadStep, Window)>,
}

impl<'a> Rules<'a> {
    /// Returns the statuses that are right for an attack, by when it was under way.
    fn right_for(&self, client: &ClientRecord) -> Vec<&'a Located<u16>> {
        let mut right = vec![self.first];
        for (step, window) in &self.steps {
            if client.finished_at < window.told_at {
                break;
            }
            if window.is_over_for(client) {
                right.clear();
            }
            right.push(&step.denied_with);
        }
        right
    }

    /// Notes for each step when the first attack was answered by the new rules. Where the rules stay the same nothing can be seen.
    fn note_first_seen(&mut self, joined: &[Joined]) {
        let mut old = self.first.value;
        for (step, window) in &mut self.steps {
            let new = step.denied_with.value;
            window.seen_at = joined
                .iter()
                .filter(|joined| joined.client.stream == ATTACK && old != new)
                .filter(|joined| status_of(&joined.client) == Some(new))
                .map(|joined| joined.client.finished_at)
                .filter(|finished| *finished >= window.told_at)
                .min();
            old = new;
        }
    }

    /// Reports for each step how long it took until an attack was decided by the new rules.
    fn report_propagation(&self, proceedings: &mut Proceedings) {
        let mut old = self.first.value;
        for (step, window) in &self.steps {
            let new = step.denied_with.value;
            let first = window.seen_at;
            let figure = match first {
                _ if old == new => "nothing changes".into(),
                Some(first) => format!(
                    "{} ms until an attack was decided by them",
                    first.duration_since(window.told_at).as_millis()
                ),
                None => "never".into(),
            };
            proceedings
                .observations
                .insert(format!("new rules: {}", *step.name), figure);
            if first.is_none() && old != new {
                proceedings.findings.push(Finding::new(
                    "reload",
                    step.denied_with.position,
                    format!("attacks are denied with {new} after `{}`", *step.name),
                    "none was",
                ));
            }
            old = new;
        }
    }
}

fn status_of(client: &ClientRecord) -> Option<u16> {
    match &client.result {
        ClientResult::Response(response) => Some(response.status),
        ClientResult::Failed(_) => None,
    }
}

fn judge(
    case: &str,
    prepared: &Prepared,
    joined: &Joined,
    rules: &Rules<'_>,
    timeline: &[TimelineEvent],
    proceedings: &mut Proceedings,
) -> Outcome {
    let judgement = decide(joined);
    let outcome = judgement.outcome;
    let right = rules.right_for(&joined.client);
    let position = right.last().map(|status| status.position);
    let difference = match case {
        ATTACK if outcome != Outcome::BlockedByAgent => {
            Some((Outcome::BlockedByAgent.to_string(), outcome.to_string()))
        }
        ATTACK => {
            let status = status_of(&joined.client).unwrap_or_default();
            let names: Vec<String> = right.iter().map(|status| status.to_string()).collect();
            (!right.iter().any(|right| right.value == status)).then(|| {
                (
                    format!("denied with {}", names.join(" or ")),
                    status.to_string(),
                )
            })
        }
        _ => (outcome != Outcome::Allowed)
            .then(|| (Outcome::Allowed.to_string(), outcome.to_string())),
    };
    if let Some((expected, observed)) = difference {
        let finding = Finding::new(
            "reload-decision",
            position.unwrap_or_default(),
            expected,
            observed,
        )
        .about(case, &RequestId::from_witness(&joined.client.id));
        proceedings
            .findings
            .push(place_in_time(finding, joined, &judgement, timeline));
    }
    proceedings.requests.push(JudgedRequest::new(
        case,
        &prepared.planned,
        joined.clone(),
        judgement,
    ));
    outcome
}
