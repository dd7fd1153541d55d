//! Which of an agent's rules hold when, as its reloads go.
//!
//! Before a step only the old rules may decide, once the agent has said that it is done only the new ones, and between the two either; but
//! a request that is sent after the new rules were seen at work is not decided by the old ones.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::agent_gap::Gap;
use super::judged::Judged;
use super::lifecycle::place_in_time;
use crate::witness::join::Joined;
use crate::witness::outcome::Judgement;
use harness_core::model::datum::Datum;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::Located;
use harness_core::model::outcome::Outcome;
use harness_core::model::stream_kind::StreamKind;
use harness_core::model::timeline::TimelineEvent;
use harness_core::model::timeouts::TimedOut;
use harness_core::model::timespan::TimeSpan;
use harness_traffic::record::{ClientRecord, ClientResult};

/// How the agent is made to read the file again.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ReloadMeans {
    /// Its process is killed and started again: the proxy fails closed until it is back.
    Restart,
    /// It is told, by a signal.
    #[default]
    Signal,
}

/// The time in which a step took effect.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// When the file was changed, at the earliest: an agent may look at it by itself.
    pub changed_at: Timestamp,
    /// When the agent was asked to read it again, at the earliest.
    pub told_at: Timestamp,
    /// At the latest.
    pub told_by: Timestamp,
    /// When it was seen to have said that it is done.
    pub done_by: Timestamp,
    /// When the first attack was answered by the new rules.
    pub seen_at: Option<Timestamp>,
}

impl Window {
    /// Returns the time in which a restarted agent may have been missing: it is back with the first answer by the new rules.
    const fn gap(&self) -> Gap {
        Gap {
            killed_at: self.told_at,
            killed_by: self.told_by,
            closed_at: self.seen_at,
        }
    }

    /// Returns whether a request was sent when only the new rules were right.
    fn is_over_for(&self, client: &ClientRecord) -> bool {
        client
            .sent_at
            .is_some_and(|sent| sent > self.done_by || self.seen_at.is_some_and(|seen| sent > seen))
    }
}

/// What one step of a reload does to the rules.
#[derive(Clone, Copy, Debug)]
pub struct RuleChange<'a> {
    /// The step's name.
    pub name: &'a str,
    /// How the agent is made to read its rules again.
    pub by: ReloadMeans,
    /// The status with which attacks are denied afterwards.
    pub denied_with: Located<u16>,
    /// When it took effect.
    pub window: Window,
}

/// Which rules hold when.
#[derive(Debug)]
pub struct Rules<'a> {
    first: Located<u16>,
    steps: Vec<RuleChange<'a>>,
}

impl<'a> Rules<'a> {
    /// The first rules deny with a status, and each step brings other ones.
    pub const fn new(first: Located<u16>, steps: Vec<RuleChange<'a>>) -> Self {
        Self { first, steps }
    }

    /// Returns whether an outcome is right: the usual one, or one of the time in which an agent was restarted.
    fn is_right(&self, outcome: Outcome, kind: StreamKind, joined: &Joined) -> bool {
        let mut restarts = self
            .steps
            .iter()
            .filter(|step| step.by == ReloadMeans::Restart)
            .map(|step| step.window.gap());
        outcome == kind.usual()
            || restarts.any(|gap| {
                gap.acceptable(Outcome::FailedClosed, kind, joined)
                    .contains(&outcome)
            })
    }

    /// Returns the statuses that are right for an attack, by when it was under way.
    fn right_for(&self, client: &ClientRecord) -> Vec<Located<u16>> {
        let mut right = vec![self.first];
        for step in &self.steps {
            let window = &step.window;
            if client.finished_at < window.changed_at {
                break;
            }
            if window.is_over_for(client) {
                right.clear();
            }
            right.push(step.denied_with);
        }
        right
    }

    /// Notes for each step when the first attack was answered by the new rules. Where the rules stay the same nothing can be seen.
    pub fn note_first_seen(
        &mut self,
        joined: &[Joined],
        kind_of: impl Fn(&ClientRecord) -> StreamKind,
    ) {
        let mut old = self.first.value;
        for step in &mut self.steps {
            let new = step.denied_with.value;
            let window = &mut step.window;
            window.seen_at = joined
                .iter()
                .filter(|joined| kind_of(&joined.client) == StreamKind::Attack && old != new)
                .filter(|joined| status_of(&joined.client) == Some(new))
                .map(|joined| joined.client.finished_at)
                .filter(|finished| *finished >= window.changed_at)
                .min();
            old = new;
        }
    }

    /// Reports for each step how long it took until an attack was decided by the new rules.
    pub fn judge_propagation(&self) -> Judged {
        let mut judged = Judged::default();
        let mut old = self.first.value;
        for step in &self.steps {
            let window = &step.window;
            let new = step.denied_with.value;
            let first = window.seen_at;
            let figure = match first {
                _ if old == new => "nothing changes".into(),
                Some(first) => format!(
                    "{} ms until an attack was decided by them",
                    first.duration_since(window.changed_at).as_millis()
                ),
                None => "never".into(),
            };
            judged.observe(format!("new rules: {}", step.name), figure);
            if first.is_none() && old != new {
                judged.findings.push(Finding::new(
                    FindingKind::Reload,
                    step.denied_with.position,
                    format!("attacks are denied with {new} after `{}`", step.name),
                    "none was",
                ));
            }
            old = new;
        }
        judged
    }

    /// Judges one request by the rules of its time.
    pub fn judge(
        &self,
        (kind, case): (StreamKind, &str),
        joined: &Joined,
        judgement: &Judgement,
        timeline: &[TimelineEvent],
    ) -> Option<Finding> {
        let outcome = judgement.outcome;
        let right = self.right_for(&joined.client);
        let position = right.last().map(|status| status.position);
        let is_right = self.is_right(outcome, kind, joined);
        let difference: Option<(Datum, Datum)> = match status_of(&joined.client) {
            _ if !is_right => Some((kind.usual().into(), outcome.into())),
            Some(status) if outcome == Outcome::BlockedByAgent => {
                let statuses = right.iter().map(|status| Datum::HttpStatus(status.value));
                (!right.iter().any(|right| right.value == status))
                    .then(|| (Datum::any_of(statuses), Datum::HttpStatus(status)))
            }
            Some(_) | None => None,
        };
        let (expected, observed) = difference?;
        let finding = Finding::new(
            FindingKind::ReloadDecision,
            position.unwrap_or_default(),
            expected,
            observed,
        )
        .about(case, &RequestId::from_witness(&joined.client.id));
        Some(place_in_time(finding, joined, judgement, timeline))
    }
}

/// Makes the finding of a step after which the agent's log does not say in time what it must.
pub fn unacknowledged(
    step: &str,
    says: &str,
    within: Located<TimeSpan>,
    timed_out: &TimedOut,
) -> Finding {
    Finding::new(
        FindingKind::Reload,
        within.position,
        format!(
            "after the step `{step}` the agent's log says `{says}` within {}",
            *within
        ),
        timed_out.to_string(),
    )
}

/// Returns the status of an answer.
fn status_of(client: &ClientRecord) -> Option<u16> {
    match &client.result {
        ClientResult::Response(response) => Some(response.status),
        ClientResult::Failed(_) => None,
    }
}

#[cfg(test)]
#[path = "reload_tests.rs"]
mod tests;
