//! What was lost of the response data in a round of traffic.

use super::ProcedureResults;
use super::round::Round;
use crate::procedure::exchange::AccessLogExpectation;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::Position;
use harness_traffic::record::ClientResult;

/// Reports what was lost of the response data, by the proxy's account and by the agent's. Envoy counts an entry as written that nobody has
/// taken, so only the agent's account shows a loss.
pub(super) fn judge_access_log(
    expect: AccessLogExpectation,
    round: &Round,
    results: &mut ProcedureResults,
) {
    let joined = &round.joined;
    if expect == AccessLogExpectation::Complete {
        return;
    }
    let difference = |ending: &str| {
        round
            .after
            .sum_ending(ending)
            .saturating_sub(round.before.sum_ending(ending))
    };
    let written = difference("grpc_access_log.logs_written");
    let dropped = difference("grpc_access_log.logs_dropped");
    let flushes_failed = difference("grpc_access_log.grpc_entries_flush_failed");
    let answered = joined
        .iter()
        .filter(|joined| matches!(joined.client.result, ClientResult::Response(_)))
        .count();
    let asked = joined.iter().filter(|joined| !joined.agent.is_empty());
    let lost = asked
        .clone()
        .filter(|joined| joined.agent.iter().all(|record| record.response_code == 0))
        .count();
    results.observations.extend([
        (
            "response data by the proxy's account".into(),
            format!(
                "{written} entries written, {dropped} dropped, {flushes_failed} flushes failed"
            ),
        ),
        (
            "response data by the agent's account".into(),
            format!("{lost} of {} requests have none", asked.count()),
        ),
    ]);
    if written + dropped != answered as u64 {
        results.findings.push(Finding::new(
            FindingKind::AccessLog,
            Position::default(),
            "the proxy accounts for one entry for each answered request",
            format!("{answered} were answered, {written} entries written, {dropped} dropped"),
        ));
    }
    match expect {
        AccessLogExpectation::Lossy if lost == 0 => results.findings.push(Finding::new(
            FindingKind::NotExercised,
            Position::default(),
            "response data is lost on the way to the agent",
            "none was, so the scenario cannot show a loss",
        )),
        AccessLogExpectation::Any
        | AccessLogExpectation::Complete
        | AccessLogExpectation::Lossy => {}
    }
}
