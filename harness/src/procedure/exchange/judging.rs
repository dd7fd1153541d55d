//! Judges requests by what the witnesses saw of them, and keeps the books.

use std::collections::BTreeMap;

use crate::judge::exchange::{Subject, judge};
use crate::judge::journey::judge_undeliverable;
use crate::model::finding::Finding;
use crate::model::identity::RequestId;
use crate::model::located::Position;
use crate::model::outcome::Outcome;
use crate::procedure::expected::Expected;
use crate::procedure::{JudgedRequest, Proceedings};
use crate::witness::books::Books;
use crate::witness::join::Joined;
use crate::witness::outcome::decide;

/// Judges requests by what the witnesses saw, and returns their outcomes. A request without a record has none: a driver
/// that leaves one out is lost before this.
pub fn judge_joined(
    requests: &[Expected],
    joined: &[Joined],
    remark: impl Fn(&Joined) -> Option<String>,
    proceedings: &mut Proceedings,
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
            let count = proceedings.matrix.entry(cell.clone()).or_default();
            count.requests += 1;
            count.as_expected += u64::from(findings.is_empty());
        }
        proceedings
            .findings
            .extend(findings.into_iter().map(|finding| match remark(joined) {
                Some(remark) => finding.note(remark),
                None => finding,
            }));
        proceedings.requests.push(JudgedRequest::new(
            &request.case,
            planned,
            joined.clone(),
            judgement,
        ));
    }
    outcomes
}

/// Keeps the books and names what does not agree.
pub fn record_books(books: Books, proceedings: &mut Proceedings) {
    for discrepancy in &books.discrepancies {
        proceedings.findings.push(Finding::new(
            "books",
            Position::default(),
            "the witnesses' totals agree",
            discrepancy,
        ));
    }
    proceedings.books.absorb(books);
}
