//! What was decided upon the requests and calls of one scenario.

use std::collections::BTreeMap;

use crate::procedure::interface::Repetition;
use crate::procedure::{JudgedCall, ProcedureResults};
use harness_core::model::call_expectation::CallOutcome;
use harness_core::model::outcome::Outcome;
use harness_verdict::judge::judged_requests::BriefRequest;
use harness_verdict::witness::agent::AgentRecord;

/// The decisions of a scenario: how many requests of a case had this one.
pub type Decisions = BTreeMap<Decision, u64>;

/// What was decided upon a request of a case.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Decision {
    /// The case.
    pub case: String,
    /// What it added up to: an outcome of a request, or of a call to the agent.
    pub outcome: &'static str,
    /// The status that the client received, or was to be given; none without an answer.
    pub status: Option<u16>,
    /// The signals that the agent raised, sorted.
    pub signals: Vec<String>,
}

/// Counts the decisions of a scenario. A procedure that sends requests until something happens has none: their number is a matter of time.
pub fn decisions_of(repetition: Repetition, results: &ProcedureResults) -> Decisions {
    let mut decisions = Decisions::new();
    match repetition {
        Repetition::MatterOfTime => return decisions,
        Repetition::Same => {}
    }
    let requests = results.requests.iter().map(decision);
    for decision in requests.chain(results.calls.iter().map(decision_of_call)) {
        *decisions.entry(decision).or_default() += 1;
    }
    decisions
}

fn decision(request: BriefRequest<'_>) -> Decision {
    let outcome = request.outcome();
    let signals = match outcome {
        // Whether an agent that was not waited for still gets to its record is a matter of time.
        Outcome::FailedClosed | Outcome::FailedOpen => &[],
        Outcome::Allowed
        | Outcome::AllowedAndTagged
        | Outcome::Ambiguous
        | Outcome::BlockedByAgent
        | Outcome::Lost
        | Outcome::NotInspected
        | Outcome::RejectedByProxy => request.signals(),
    };
    Decision {
        case: request.case().into(),
        outcome: outcome.as_str(),
        status: request.status(),
        signals: signals.to_vec(),
    }
}

fn decision_of_call(call: &JudgedCall) -> Decision {
    let agent = match call.answer.outcome {
        CallOutcome::Accepted
        | CallOutcome::Allowed
        | CallOutcome::Answered
        | CallOutcome::Blocked
        | CallOutcome::NotServing
        | CallOutcome::Serving => call.agent.as_slice(),
        CallOutcome::Failed
        | CallOutcome::Lost
        | CallOutcome::Malformed
        | CallOutcome::NoConnection => &[],
    };
    Decision {
        case: call.case.clone(),
        outcome: call.answer.outcome.as_str(),
        status: call
            .answer
            .denied_status
            .and_then(|status| u16::try_from(status).ok()),
        signals: signals(agent),
    }
}

fn signals(agent: &[AgentRecord]) -> Vec<String> {
    let mut signals: Vec<String> = agent
        .iter()
        .flat_map(|record| record.signals.clone())
        .collect();
    signals.sort();
    signals
}
