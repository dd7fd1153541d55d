//! The decision record: what was decided upon each case, without anything that differs from run to run.
//!
//! Two runs of the same files with the same agent have the same decision record, byte for byte; `diff` shows what changed between two agents.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::record::ScenarioRecord;
use crate::model::outcome::Outcome;
use crate::model::scenario::Procedure;
use crate::procedure::JudgedRequest;
use crate::traffic::record::ClientResult;

/// The columns of the record.
const COLUMNS: &str = "scenario\tcase\toutcome\tstatus\tsignals\trequests\n";

/// The decisions of a scenario: how many requests of a case had this one.
pub type Decisions = BTreeMap<Decision, u64>;

/// What was decided upon a request of a case.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Decision {
    /// The case.
    pub case: String,
    /// What it added up to.
    pub outcome: Outcome,
    /// The status that the client received; none without an answer.
    pub status: Option<u16>,
    /// The signals that the agent raised, sorted.
    pub signals: Vec<String>,
}

/// Counts the decisions of a scenario. A procedure that sends requests until something happens has none: their number is a matter of time.
pub fn decisions_of(procedure: &Procedure, requests: &[JudgedRequest]) -> Decisions {
    let mut decisions = Decisions::new();
    match procedure {
        Procedure::Exchange(_) | Procedure::Filesystem(_) | Procedure::Secrecy(_) => {}
        Procedure::Drain(_)
        | Procedure::Outage(_)
        | Procedure::Refusal(_)
        | Procedure::Reload(_)
        | Procedure::Startup(_) => return decisions,
    }
    for request in requests {
        *decisions.entry(decision(request)).or_default() += 1;
    }
    decisions
}

fn decision(request: &JudgedRequest) -> Decision {
    let outcome = request.judgement.outcome;
    let status = match &request.joined.client.result {
        ClientResult::Response(response) => Some(response.status),
        ClientResult::Failed(_) => None,
    };
    let mut signals: Vec<String> = match outcome {
        // Whether an agent that was not waited for still gets to its record is a matter of time.
        Outcome::FailedClosed | Outcome::FailedOpen => Vec::new(),
        Outcome::Allowed
        | Outcome::AllowedAndTagged
        | Outcome::Ambiguous
        | Outcome::BlockedByAgent
        | Outcome::Lost
        | Outcome::NotInspected
        | Outcome::RejectedByProxy => request
            .joined
            .agent
            .iter()
            .flat_map(|record| record.signals.clone())
            .collect(),
    };
    signals.sort();
    Decision {
        case: request.case.clone(),
        outcome,
        status,
        signals,
    }
}

/// Writes the decision record of a run: tab-separated, sorted, one line for each different decision of a case.
pub fn render(scenarios: &[ScenarioRecord]) -> String {
    let mut sorted: Vec<&ScenarioRecord> = scenarios.iter().collect();
    sorted.sort_by(|left, right| left.name.cmp(&right.name));
    let mut text = COLUMNS.to_owned();
    for scenario in sorted {
        for (decision, requests) in &scenario.decisions {
            let status = decision
                .status
                .map_or_else(|| "none".to_owned(), |status| status.to_string());
            let signals: Vec<String> = decision
                .signals
                .iter()
                .map(|signal| signal.escape_debug().to_string())
                .collect();
            let _ = writeln!(
                text,
                "{}\t{}\t{}\t{status}\t{}\t{requests}",
                scenario.name,
                decision.case,
                decision.outcome,
                signals.join(","),
            );
        }
    }
    text
}
