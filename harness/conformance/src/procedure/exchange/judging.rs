//! Judges requests by what the witnesses saw of them, and keeps the totals.

use std::collections::BTreeMap;

use crate::procedure::ProcedureResults;
use crate::procedure::expected::Expected;
use crate::procedure::observations::is_observed;
use harness_core::model::identity::RequestId;
use harness_core::model::outcome::Outcome;
use harness_verdict::judge::exchange::{Subject, judge};
use harness_verdict::judge::judged_requests::LookedAtAgain;
use harness_verdict::judge::redirect_chain::judge_undeliverable;
use harness_verdict::judge::round::judge_totals;
use harness_verdict::witness::join::Joined;
use harness_verdict::witness::outcome::decide;
use harness_verdict::witness::reconciliation::{EarlierHops, Reconciliation};

/// What the totals of judged requests are drawn up from.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The outcome of each.
    pub outcomes: Vec<Outcome>,
    /// The earlier hops of all.
    pub earlier_hops: EarlierHops,
}

/// Judges requests by what the witnesses saw, which `joined` says by their ids. A request without a record has no outcome: a driver
/// that leaves one out is lost before this.
pub fn judge_joined(
    requests: &[Expected],
    joined: impl Fn(&str) -> Option<Joined>,
    remark: impl Fn(&Joined) -> Option<String>,
    results: &mut ProcedureResults,
) -> Tally {
    let mut tally = Tally::default();
    for request in requests {
        let planned = &request.prepared.planned;
        let Some(joined) = joined(&planned.id) else {
            continue;
        };
        let judgement = decide(&joined);
        tally.outcomes.push(judgement.outcome);
        tally.earlier_hops.add(&joined);
        let subject = Subject {
            case: &request.case,
            planned,
            body_sha256: &request.prepared.body_sha256,
            joined: &joined,
            judgement: &judgement,
        };
        let mut findings = judge(&subject, &request.expect);
        if let Some(text) = &request.undeliverable {
            let arrived = judge_undeliverable(text, &joined).into_iter();
            let id = RequestId::from_witness(&planned.id);
            findings.extend(arrived.map(|finding| finding.about(&request.case, &id)));
        }
        if let Some(cell) = &request.cell {
            let count = results.matrix.entry(cell.clone()).or_default();
            count.requests += 1;
            count.as_expected += u64::from(findings.is_empty());
        }
        let undeliverable = request.undeliverable.as_ref();
        let undeliverable = undeliverable.map(|text| text.as_str());
        let again = if findings.is_empty() && !is_observed(undeliverable, &joined) {
            LookedAtAgain::No
        } else {
            LookedAtAgain::Yes
        };
        results.findings.extend(findings.into_iter().map(|finding| {
            let finding = finding.written_at(request.written.clone());
            match remark(&joined) {
                Some(remark) => finding.note(remark),
                None => finding,
            }
        }));
        let judged = &mut results.requests;
        judged.add(&request.case, planned, joined, judgement, again);
    }
    tally
}

/// Finds requests that are joined already by their ids.
pub fn found_in(joined: &[Joined]) -> impl Fn(&str) -> Option<Joined> {
    let by_id: BTreeMap<&str, &Joined> = joined
        .iter()
        .map(|joined| (joined.client.id.as_str(), joined))
        .collect();
    move |id| by_id.get(id).copied().cloned()
}

/// Keeps the totals and names what does not agree.
pub fn record_reconciliation(reconciliation: Reconciliation, results: &mut ProcedureResults) {
    results.findings.extend(judge_totals(&reconciliation));
    results.reconciliation.absorb(reconciliation);
}
