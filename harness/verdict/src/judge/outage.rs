//! Judges an agent that is away for a while: each request meanwhile, how the agent ended, and that it comes back.

use crate::judge::enforcement::Canaries;
use crate::judge::exchange::describe_witnesses;
use crate::judge::judged::Judged;
use crate::judge::lifecycle::{exit_after, first, phase_at, render};
use crate::witness::join::Joined;
use crate::witness::outcome::Judgement;
use harness_core::model::datum::{Datum, Quantity};
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::{Located, Position};
use harness_core::model::outcome::Outcome;
use harness_core::model::timeline::{ExitStatus, LifecycleEvent, TimelineEvent};
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::AGENT_CONTAINER;

/// The exit code of a container that was sent KILL.
const KILLED: i32 = 137;

/// What must become of requests while the agent is away.
#[derive(Clone, Copy, Debug)]
pub struct OutageExpectation {
    /// Their outcome.
    pub during: Located<Outcome>,
    /// The least time for which the proxy must have waited for the agent.
    pub waits_at_least: Option<Located<TimeSpan>>,
    /// The bound within which every request must be answered.
    pub answers_within: Option<Located<TimeSpan>>,
}

/// A request to an agent that is away or comes back.
#[derive(Clone, Copy, Debug)]
pub struct OutageRequest<'a> {
    /// The case that it belongs to.
    pub case: &'a str,
    /// What the witnesses saw of it.
    pub joined: &'a Joined,
    /// What that adds up to.
    pub judgement: &'a Judgement,
}

/// Judges one request against the outcomes that are right for it.
pub fn judge_request(
    request: &OutageRequest<'_>,
    acceptable: &[Outcome],
    expectation: &OutageExpectation,
    timeline: &[TimelineEvent],
) -> Vec<Finding> {
    let OutageRequest {
        case,
        joined,
        judgement,
    } = *request;
    let id = RequestId::from_witness(&joined.client.id);
    if !acceptable.contains(&judgement.outcome) {
        let mut finding = Finding::new(
            FindingKind::Outcome,
            expectation.during.position,
            Datum::any_of(acceptable.iter().copied()),
            judgement.outcome,
        )
        .about(case, &id);
        finding.notes.clone_from(&judgement.reasons);
        finding.notes.extend(describe_witnesses(joined));
        finding.notes.push(format!(
            "sent {}",
            phase_at(timeline, joined.client.intended_at)
        ));
        return vec![finding];
    }
    if judgement.outcome != *expectation.during {
        return Vec::new();
    }
    judge_waiting(expectation, joined)
        .map(|finding| finding.about(case, &id))
        .collect()
}

/// Checks that the proxy waited out its time-out, and that the client did not wait for ever.
fn judge_waiting<'a>(
    expectation: &'a OutageExpectation,
    joined: &'a Joined,
) -> impl Iterator<Item = Finding> + 'a {
    let client = &joined.client;
    let waited = joined
        .proxy
        .first()
        .and_then(|proxy| proxy.authorization_microseconds);
    let too_short = expectation.waits_at_least.as_ref().filter(|least| {
        waited.is_none_or(|waited| u128::from(waited) < least.as_duration().as_micros())
    });
    let too_long = expectation
        .answers_within
        .as_ref()
        .filter(|most| u128::from(client.elapsed_microseconds) > most.as_duration().as_micros());
    too_short
        .map(|least| {
            Finding::new(
                FindingKind::AuthorizationWait,
                least.position,
                Datum::AtLeast((**least).into()),
                waited.map_or("it did not ask the agent".into(), |waited| {
                    Datum::Quantity(Quantity::Microseconds(waited))
                }),
            )
        })
        .into_iter()
        .chain(too_long.map(|most| {
            Finding::new(
                FindingKind::ResponseTime,
                most.position,
                Datum::AtMost((**most).into()),
                Quantity::Microseconds(client.elapsed_microseconds),
            )
        }))
}

/// Checks that it was the kernel, and for want of memory.
pub fn judge_memory_end(fault: Position, timeline: &[TimelineEvent]) -> Judged {
    let mut judged = Judged::default();
    let ended = first(timeline, Some(AGENT_CONTAINER), |event| {
        matches!(event, LifecycleEvent::OutOfMemory)
    });
    let code = exit_after(timeline, AGENT_CONTAINER).map(ExitStatus::as_container_exit_code);
    if ended.is_some() && code == Some(KILLED) {
        judged.observe(
            "out of memory",
            format!("the kernel ended it, with {KILLED}"),
        );
        return judged;
    }
    judged.findings.push(
        Finding::new(
            FindingKind::OutOfMemory,
            fault,
            format!("the kernel ends the agent for want of memory, with exit code {KILLED}"),
            match (ended, code) {
                (_, None) => "it has not ended".to_owned(),
                (None, Some(code)) => format!("it ended with {code}, and not for want of memory"),
                (Some(_), Some(code)) => format!("it ended with {code}"),
            },
        )
        .note(render(timeline, Some(AGENT_CONTAINER))),
    );
    judged
}

/// Makes the finding of a limit of the proxy that is not reached in time.
pub fn limit_not_reached(position: Position, within: TimeSpan) -> Finding {
    Finding::new(
        FindingKind::CircuitBreaker,
        position,
        "with these requests in the agent's hands the proxy admits no more",
        format!("its limit was not reached within {within}"),
    )
}

/// Makes the finding of an agent that is back and does not enforce in time.
pub fn not_enforcing_again(fault: Position, canaries: &Canaries) -> Finding {
    Finding::new(
        FindingKind::Recovery,
        fault,
        "attacks are denied again once the agent is back",
        canaries.to_string(),
    )
}
