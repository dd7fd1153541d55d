//! The time in which an agent was not there, and what is right of a request by when it was under way.

use jiff::Timestamp;

use crate::judge::judged::Judged;
use crate::witness::join::Joined;
use crate::witness::outcome::decide;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::{Located, Position};
use harness_core::model::outcome::Outcome;
use harness_core::model::stream_kind::StreamKind;
use harness_traffic::record::ClientRecord;

/// The time in which the agent was not there.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// The earliest moment at which the agent can have been ended.
    pub killed_at: Timestamp,
    /// The latest: in a cluster the kill is asked of a node, and happens between the question and its answer.
    pub killed_by: Timestamp,
    /// When the first request that was inspected again had its answer.
    pub closed_at: Option<Timestamp>,
}

impl Gap {
    /// Returns the outcomes that are right for a request, by when it was under way.
    pub fn acceptable(&self, during: Outcome, kind: StreamKind, joined: &Joined) -> Vec<Outcome> {
        let client = &joined.client;
        let mut acceptable = vec![kind.usual()];
        let sent_at = client.sent_at.unwrap_or(client.intended_at);
        let closed_before = self.closed_at.is_some_and(|closed_at| sent_at > closed_at);
        if client.finished_at >= self.killed_at && !closed_before {
            acceptable.push(during);
        }
        // Of a request that was in the agent's hands when it was killed, the record may be lost, or stand without its answer.
        let interrupted = client
            .sent_at
            .is_none_or(|sent_at| sent_at <= self.killed_by)
            && client.finished_at >= self.killed_at;
        let may_have_passed = during.reached_application();
        if interrupted && (joined.upstream.is_empty() || may_have_passed) {
            acceptable.push(Outcome::Ambiguous);
        }
        acceptable
    }

    /// Reports how long the gap was and how many requests fell into it, by the outcomes of all requests. A gap that no request met, or that
    /// never closes, is a finding.
    pub fn judge(&self, during: Located<Outcome>, fault: Position, outcomes: &[Outcome]) -> Judged {
        let mut judged = Judged::default();
        let met = outcomes
            .iter()
            .filter(|outcome| **outcome == *during)
            .count();
        judged.observe(format!("requests {}", *during), met.to_string());
        if met == 0 {
            judged.findings.push(Finding::new(
                FindingKind::FailureMode,
                during.position,
                format!("requests are {} while the agent is away", *during),
                "none was: the failure mode was not seen",
            ));
        }
        match self.closed_at {
            Some(at) => judged.observe(
                "inspected again after the kill",
                format!("{} ms", at.duration_since(self.killed_at).as_millis()),
            ),
            None => judged.findings.push(Finding::new(
                FindingKind::Recovery,
                fault,
                "requests are inspected again after the restart",
                "none was",
            )),
        }
        judged
    }
}

/// Returns when the first request that was inspected again had its answer: one that was sent when the agent had been ended for certain. The
/// answers of others may come after the restart and be the ended agent's.
pub fn closed_at(
    joined: &[Joined],
    killed_by: Timestamp,
    kind_of: impl Fn(&ClientRecord) -> StreamKind,
) -> Option<Timestamp> {
    joined
        .iter()
        .filter(|joined| {
            let sent_at = joined.client.sent_at;
            sent_at.is_some_and(|sent_at| sent_at > killed_by)
        })
        .filter(|joined| {
            let usual = kind_of(&joined.client).usual();
            decide(joined).outcome == usual
        })
        .map(|joined| joined.client.finished_at)
        .min()
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use rstest::rstest;

    use super::*;
    use crate::witness::fixture::{NOON, joined};

    fn after(milliseconds: i64) -> Timestamp {
        let noon: Timestamp = NOON.parse().expect("valid");
        noon + milliseconds.milliseconds()
    }

    /// A benign request that was inspected, of these moments.
    fn inspected(sent: i64, finished: i64) -> Joined {
        let mut joined = joined();
        joined.client.intended_at = after(sent);
        joined.client.sent_at = Some(after(sent));
        joined.client.finished_at = after(finished);
        for proxy in &mut joined.proxy {
            proxy.authorization_microseconds = Some(1);
        }
        joined
    }

    #[test]
    fn the_gap_closes_with_the_first_answer_to_what_was_sent_after_the_kill() {
        let round = [inspected(0, 110), inspected(95, 130), inspected(100, 120)];
        let closed_at = |killed| closed_at(&round, after(killed), |_| StreamKind::Benign);
        assert_eq!(closed_at(90), Some(after(120)));
        assert_eq!(closed_at(97), Some(after(120)));
        assert_eq!(closed_at(200), None);
    }

    #[rstest]
    #[case::before_it_can_have_been_killed(10, 49, false)]
    #[case::over_the_question(49, 70, true)]
    #[case::between_question_and_answer(55, 70, true)]
    #[case::after_it_was_killed(61, 70, false)]
    fn only_what_was_in_the_agents_hands_may_be_told_of_in_part(
        #[case] sent: i64,
        #[case] finished: i64,
        #[case] may_be: bool,
    ) {
        let gap = Gap {
            killed_at: after(50),
            killed_by: after(60),
            closed_at: None,
        };
        let request = inspected(sent, finished);
        let acceptable = gap.acceptable(Outcome::FailedOpen, StreamKind::Benign, &request);
        assert_eq!(acceptable.contains(&Outcome::Ambiguous), may_be);
    }

    #[rstest]
    #[case::sent_before_that_answer(119, true)]
    #[case::sent_after_it(121, false)]
    fn only_what_was_under_way_within_the_gap_may_miss_the_agent(
        #[case] sent: i64,
        #[case] may_miss: bool,
    ) {
        let gap = Gap {
            killed_at: after(50),
            killed_by: after(60),
            closed_at: Some(after(120)),
        };
        let request = inspected(sent, sent + 5);
        let acceptable = gap.acceptable(Outcome::FailedOpen, StreamKind::Benign, &request);
        assert_eq!(acceptable.contains(&Outcome::FailedOpen), may_miss);
    }
}
