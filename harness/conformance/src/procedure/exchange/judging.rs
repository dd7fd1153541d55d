//! Judges requests by what the witnesses saw of them, and keeps the totals.

use std::collections::BTreeMap;

use crate::procedure::expected::Expected;
use crate::procedure::{JudgedRequest, ProcedureResults};
use harness_core::model::identity::RequestId;
use harness_core::model::outcome::Outcome;
use harness_verdict::judge::exchange::{Subject, judge};
use harness_verdict::judge::redirect_chain::judge_undeliverable;
use harness_verdict::judge::round::judge_totals;
use harness_verdict::witness::join::Joined;
use harness_verdict::witness::outcome::decide;
use harness_verdict::witness::reconciliation::Reconciliation;

/// Judges requests by what the witnesses saw, and returns their outcomes. A request without a record has none: a driver
/// that leaves one out is lost before this.
pub fn judge_joined(
    requests: &[Expected],
    joined: &[Joined],
    remark: impl Fn(&Joined) -> Option<String>,
    results: &mut ProcedureResults,
) -> Vec<Outcome> {
    let by_id: BTreeMap<&str, &Joined> = joined
        .iter()
        .map(|joined| (joined.client.id.as_str(), joined))
        .collect();
    let mut outcomes = Vec::new();
    for request in requests {
        let planned = &request.prepared.planned;
        let Some(joined) = by_id.get(planned.id.as_str()).copied() else {
            continue;
        };
        let judgement = decide(joined);
        outcomes.push(judgement.outcome);
        let subject = Subject {
            case: &request.case,
            planned,
            body_sha256: &request.prepared.body_sha256,
            joined,
            judgement: &judgement,
        };
        let mut findings = judge(&subject, &request.expect);
        if let Some(text) = &request.undeliverable {
            let arrived = judge_undeliverable(text, joined).into_iter();
            let id = RequestId::from_witness(&planned.id);
            findings.extend(arrived.map(|finding| finding.about(&request.case, &id)));
        }
        if let Some(cell) = &request.cell {
            let count = results.matrix.entry(cell.clone()).or_default();
            count.requests += 1;
            count.as_expected += u64::from(findings.is_empty());
        }
        results.findings.extend(findings.into_iter().map(|finding| {
            let finding = finding.written_at(request.written.clone());
            match remark(joined) {
                Some(remark) => finding.note(remark),
                None => finding,
            }
        }));
        results.requests.push(JudgedRequest::new(
            &request.case,
            planned,
            joined.clone(),
            judgement,
        ));
    }
    outcomes
}

/// Keeps the totals and names what does not agree.
pub fn record_reconciliation(reconciliation: Reconciliation, results: &mut ProcedureResults) {
    results.findings.extend(judge_totals(&reconciliation));
    results.reconciliation.absorb(reconciliation);
}
