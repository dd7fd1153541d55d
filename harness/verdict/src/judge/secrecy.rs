//! Judges that the agent's keys show nowhere, and that all that clients received could be searched.

use super::exchange::judge_client;
use super::judged::JudgedRequest;
use harness_core::model::expectation::ClientExpectation;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::Position;
use harness_core::redaction::Redactor;
use harness_traffic::record::ClientResult;

/// How much of an answer's body a client record keeps, and so how long an answer may be here.
const KEPT_BODY_BYTES: u64 = 4 * 1024;

/// A place that was searched: its name and what stood there.
pub type Place = (String, Vec<u8>);

/// Checks that no secret stands in any of these places.
pub fn judge_places(places: &[Place], redactor: &Redactor) -> Vec<Finding> {
    places
        .iter()
        .filter(|(_, text)| redactor.finds_secret(text))
        .map(|(place, _)| {
            Finding::new(
                FindingKind::SecretExposure,
                Position::default(),
                "the agent's keys show nowhere",
                format!("one of them stands in {place}"),
            )
        })
        .collect()
}

/// Judges what clients received: the scenario's own expectation, and that all of it could be searched.
pub fn judge_answers(client: &ClientExpectation, requests: &[JudgedRequest]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for request in requests {
        let ClientResult::Response(response) = &request.joined.client.result else {
            continue;
        };
        let id = RequestId::from_witness(&request.planned.id);
        let mut found = judge_client(client, response);
        if response.body_length > KEPT_BODY_BYTES {
            found.push(Finding::new(
                FindingKind::NotExercised,
                Position::default(),
                format!("an answer of at most {KEPT_BODY_BYTES} bytes, which is searched whole"),
                format!("{} bytes", response.body_length),
            ));
        }
        findings.extend(
            found
                .into_iter()
                .map(|finding| finding.about(&request.case, &id)),
        );
    }
    findings
}
