//! Which of an agent's rules hold when, as its reloads go.
//!
//! Before a step only the old rules may decide, once the agent has said that it is done only the new ones, and between the two either; but
//! a request that is sent after the new rules were seen at work is not decided by the old ones.

use harness_core::model::finding_kind::FindingKind;
use jiff::Timestamp;

use crate::procedure::ProcedureResults;
use crate::procedure::agent_gap::Gap;
use crate::procedure::reload::ReloadMeans;
use crate::procedure::reload::ReloadStep;
use harness_core::model::finding::Finding;
use harness_core::model::located::Located;
use harness_core::model::outcome::Outcome;
use harness_core::model::stream_kind::StreamKind;
use harness_traffic::record::{ClientRecord, ClientResult};
use harness_verdict::witness::join::Joined;

/// The time in which a step took effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// When the file was changed, at the earliest: an agent may look at it by itself.
    pub(super) changed_at: Timestamp,
    /// When the agent was told, at the earliest.
    pub(super) told_at: Timestamp,
    /// At the latest.
    pub(super) told_by: Timestamp,
    /// When it was seen to have said that it is done.
    pub(super) done_by: Timestamp,
    /// When the first attack was answered by the new rules.
    pub(super) seen_at: Option<Timestamp>,
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

    /// Tells whether a request was sent when only the new rules were right.
    fn is_over_for(&self, client: &ClientRecord) -> bool {
        client
            .sent_at
            .is_some_and(|sent| sent > self.done_by || self.seen_at.is_some_and(|seen| sent > seen))
    }
}

/// Which rules hold when.
pub(super) struct Rules<'a> {
    first: &'a Located<u16>,
    steps: Vec<(&'a ReloadStep, Window)>,
}

impl<'a> Rules<'a> {
    /// The first rules deny with a status, and each step brings other ones.
    pub(super) const fn new(first: &'a Located<u16>, steps: Vec<(&'a ReloadStep, Window)>) -> Self {
        Self { first, steps }
    }

    /// Tells whether an outcome is right: the usual one, or one of the time in which an agent was restarted.
    pub(super) fn is_right(&self, outcome: Outcome, kind: StreamKind, joined: &Joined) -> bool {
        let mut restarts = self
            .steps
            .iter()
            .filter(|(step, _)| step.by == ReloadMeans::Restart)
            .map(|(_, window)| window.gap());
        outcome == kind.usual()
            || restarts.any(|gap| {
                gap.acceptable(Outcome::FailedClosed, kind, joined)
                    .contains(&outcome)
            })
    }

    /// Returns the statuses that are right for an attack, by when it was under way.
    pub(super) fn right_for(&self, client: &ClientRecord) -> Vec<&'a Located<u16>> {
        let mut right = vec![self.first];
        for (step, window) in &self.steps {
            if client.finished_at < window.changed_at {
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
    pub(super) fn note_first_seen(
        &mut self,
        joined: &[Joined],
        kind_of: impl Fn(&ClientRecord) -> StreamKind,
    ) {
        let mut old = self.first.value;
        for (step, window) in &mut self.steps {
            let new = step.denied_with.value;
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
    pub(super) fn report_propagation(&self, results: &mut ProcedureResults) {
        let mut old = self.first.value;
        for (step, window) in &self.steps {
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
            results
                .observations
                .insert(format!("new rules: {}", *step.name), figure);
            if first.is_none() && old != new {
                results.findings.push(Finding::new(
                    FindingKind::Reload,
                    step.denied_with.position,
                    format!("attacks are denied with {new} after `{}`", *step.name),
                    "none was",
                ));
            }
            old = new;
        }
    }
}

/// Returns the status of an answer.
pub(super) fn status_of(client: &ClientRecord) -> Option<u16> {
    match &client.result {
        ClientResult::Response(response) => Some(response.status),
        ClientResult::Failed(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use rstest::rstest;

    use super::*;
    use harness_core::model::timespan::TimeSpan;
    use harness_verdict::witness::fixture::{NOON, joined};

    fn after(milliseconds: i64) -> Timestamp {
        let noon: Timestamp = NOON.parse().expect("valid");
        noon + milliseconds.milliseconds()
    }

    fn step(by: ReloadMeans) -> ReloadStep {
        ReloadStep {
            name: Located::unwritten("step".into()),
            content: None,
            by,
            says: Located::unwritten("rules loaded".into()),
            within: Located::unwritten(TimeSpan::new(std::time::Duration::from_secs(5))),
            denied_with: Located::unwritten(418),
        }
    }

    /// The file was changed at 40, the agent was told between 50 and 60, and was heard to be done at 130.
    fn window(seen_at: Option<Timestamp>) -> Window {
        Window {
            changed_at: after(40),
            told_at: after(50),
            told_by: after(60),
            done_by: after(130),
            seen_at,
        }
    }

    fn request(sent: i64, finished: i64) -> Joined {
        let mut joined = joined();
        joined.upstream.clear();
        joined.client.sent_at = Some(after(sent));
        joined.client.finished_at = after(finished);
        joined
    }

    #[rstest]
    #[case::before_it(10, 39, &[406])]
    #[case::once_the_file_is_changed(10, 41, &[406, 418])]
    #[case::over_it(49, 70, &[406, 418])]
    #[case::before_the_new_rules_were_seen(119, 125, &[406, 418])]
    #[case::after_they_were_seen(121, 125, &[418])]
    fn an_attack_is_denied_by_the_rules_of_its_time(
        #[case] sent: i64,
        #[case] finished: i64,
        #[case] right: &[u16],
    ) {
        let (first, step) = (Located::unwritten(406), step(ReloadMeans::Signal));
        let window = window(Some(after(120)));
        let rules = Rules::new(&first, vec![(&step, window)]);
        let client = request(sent, finished).client;
        let statuses: Vec<u16> = rules
            .right_for(&client)
            .iter()
            .map(|status| status.value)
            .collect();
        assert_eq!(statuses, right);
    }

    #[rstest]
    #[case::before_it(ReloadMeans::Restart, 10, 49, false)]
    #[case::while_the_agent_is_away(ReloadMeans::Restart, 70, 72, true)]
    #[case::after_it_was_seen_again(ReloadMeans::Restart, 121, 125, false)]
    #[case::while_a_running_agent_reloads(ReloadMeans::Signal, 70, 72, false)]
    fn only_an_agent_that_is_restarted_may_be_missing(
        #[case] by: ReloadMeans,
        #[case] sent: i64,
        #[case] finished: i64,
        #[case] is_excused: bool,
    ) {
        let (first, step) = (Located::unwritten(406), step(by));
        let window = window(Some(after(120)));
        let rules = Rules::new(&first, vec![(&step, window)]);
        let request = request(sent, finished);
        let is_right = |outcome| rules.is_right(outcome, StreamKind::Attack, &request);
        assert_eq!(is_right(Outcome::FailedClosed), is_excused);
        assert!(is_right(Outcome::BlockedByAgent));
        assert!(!is_right(Outcome::Allowed));
    }

    #[rstest]
    #[case::in_the_agents_hands(55, 70, true)]
    #[case::sent_after_the_kill(61, 70, false)]
    fn the_record_of_what_was_interrupted_may_be_lost(
        #[case] sent: i64,
        #[case] finished: i64,
        #[case] is_excused: bool,
    ) {
        let (first, step) = (Located::unwritten(406), step(ReloadMeans::Restart));
        let window = window(None);
        let rules = Rules::new(&first, vec![(&step, window)]);
        let request = request(sent, finished);
        let is_right = rules.is_right(Outcome::Ambiguous, StreamKind::Attack, &request);
        assert_eq!(is_right, is_excused);
    }
}
