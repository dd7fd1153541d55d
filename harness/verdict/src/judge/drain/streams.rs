//! Judges the streams of a drain: what is due before the proxy's TERM is answered and inspected, and no attack ever gets through.

use super::absence::Absence;
use super::due::{Draining, Due};
use crate::judge::judged::Judged;
use crate::judge::lifecycle::place_in_time;
use crate::witness::join::Joined;
use crate::witness::outcome::{Judgement, decide};
use harness_core::model::datum::Datum;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::{Located, Position};
use harness_core::model::outcome::Outcome;
use harness_core::model::stream_kind::StreamKind;
use harness_core::model::timeline::TimelineEvent;

/// What must become of the streams.
#[derive(Clone, Copy, Debug)]
pub struct StreamsExpectation {
    /// Where the scenario asks for them.
    pub position: Position,
    /// The outcome of requests that are sent once the agent has ended before the proxy; none where the agent must outlive it.
    pub without_agent: Option<Located<Outcome>>,
}

/// A request of one of the two streams.
#[derive(Clone, Copy, Debug)]
pub struct StreamRequest<'a> {
    /// Which of the two.
    pub kind: StreamKind,
    /// The case that it belongs to.
    pub case: &'a str,
    /// What the witnesses saw of it.
    pub joined: &'a Joined,
}

/// Judges the streams: what is over before the proxy's TERM must be answered and inspected, and so must be nearly all that was due well before
/// it; of the rest only that no attack reaches the application. The judgements are in the order of the requests.
pub fn judge_streams(
    expectation: &StreamsExpectation,
    requests: &[StreamRequest<'_>],
    timeline: &[TimelineEvent],
) -> (Judged, Vec<Judgement>) {
    let mut judged = Judged::default();
    let mut draining = Draining::of(timeline);
    let without_agent = expectation.without_agent.map(|wanted| wanted.value);
    let absence = Absence::of_agent(without_agent, timeline);
    let mut without_agent = 0_u64;
    let mut judgements = Vec::new();
    for StreamRequest { kind, case, joined } in requests {
        let judgement = decide(joined);
        let due = draining.enter(*kind, &joined.client) == Due::Answered;
        let leaked = *kind == StreamKind::Attack && judgement.outcome.reached_application();
        let right = absence.right_for(joined, kind.usual());
        if due && Some(judgement.outcome) == absence.outcome {
            without_agent += 1;
        }
        if leaked || (due && !right.contains(&judgement.outcome)) {
            let finding = Finding::new(
                if leaked {
                    FindingKind::LeakedAttack
                } else {
                    FindingKind::Outcome
                },
                expectation.position,
                Datum::any_of(right.iter().copied()),
                judgement.outcome,
            )
            .about(case, &RequestId::from_witness(&joined.client.id));
            judged
                .findings
                .push(place_in_time(finding, joined, &judgement, timeline));
        }
        judgements.push(judgement);
    }
    if let Some(wanted) = &expectation.without_agent {
        judged.observe(
            format!("requests {} without the agent", **wanted),
            without_agent.to_string(),
        );
        if without_agent == 0 {
            judged.findings.push(Finding::new(
                FindingKind::FailureMode,
                wanted.position,
                format!("requests are {} once the agent has ended", **wanted),
                "none was",
            ));
        }
    }
    draining.judge(expectation.position, &mut judged);
    (judged, judgements)
}
