//! What was lost of the response data in a round of traffic.

use schemars::JsonSchema;
use serde::Deserialize;

use super::judged::Judged;
use crate::witness::counters::Counters;
use crate::witness::join::Joined;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::Position;
use harness_traffic::record::ClientResult;

/// What must become of the response data that the proxy sends to the agent.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum AccessLogExpectation {
    /// Any number of entries may be lost on the way to the agent; how many is reported.
    Any,
    /// The proxy accounts for one entry for each answered request, and for none dropped.
    #[default]
    Complete,
    /// At least one entry must be lost on the way to the agent; how many is reported.
    Lossy,
}

/// Reports what was lost of the response data, by the proxy's account and by the agent's. Envoy counts an entry as written that was never
/// taken, so only the agent's account shows a loss.
pub fn judge_access_log(
    expect: AccessLogExpectation,
    joined: impl Iterator<Item = Joined>,
    (before, after): (&Counters, &Counters),
) -> Judged {
    let mut judged = Judged::default();
    if expect == AccessLogExpectation::Complete {
        return judged;
    }
    let difference = |ending: &str| {
        after
            .sum_ending(ending)
            .saturating_sub(before.sum_ending(ending))
    };
    let written = difference("grpc_access_log.logs_written");
    let dropped = difference("grpc_access_log.logs_dropped");
    let flushes_failed = difference("grpc_access_log.grpc_entries_flush_failed");
    let (mut answered, mut asked, mut lost) = (0_u64, 0_u64, 0_u64);
    for joined in joined {
        answered += u64::from(matches!(joined.client.result, ClientResult::Response(_)));
        if !joined.agent.is_empty() {
            asked += 1;
            let has_none = joined.agent.iter().all(|record| record.response_code == 0);
            lost += u64::from(has_none);
        }
    }
    judged.observations.extend([
        (
            "response data by the proxy's account".into(),
            format!(
                "{written} entries written, {dropped} dropped, {flushes_failed} flushes failed"
            ),
        ),
        (
            "response data by the agent's account".into(),
            format!("{lost} of {asked} requests have none"),
        ),
    ]);
    if written + dropped != answered {
        judged.findings.push(Finding::new(
            FindingKind::AccessLog,
            Position::default(),
            "the proxy accounts for one entry for each answered request",
            format!("{answered} were answered, {written} entries written, {dropped} dropped"),
        ));
    }
    match expect {
        AccessLogExpectation::Lossy if lost == 0 => judged.findings.push(Finding::new(
            FindingKind::NotExercised,
            Position::default(),
            "response data is lost on the way to the agent",
            "none was, so the scenario cannot show a loss",
        )),
        AccessLogExpectation::Any
        | AccessLogExpectation::Complete
        | AccessLogExpectation::Lossy => {}
    }
    judged
}
