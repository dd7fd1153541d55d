//! What the proxy does with a request on its own account: retries, redirects that it follows, copies that it mirrors, places that it edits.

use crate::witness::join::Joined;
use harness_core::model::datum::Datum;
use harness_core::model::expectation::{Expectation, StreamExpectation};
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::{Located, Position};
use harness_traffic::record::ResponseRecord;

/// Holds the proxy's own doings against what is expected of them. Without an expectation it makes one attempt, follows no redirect
/// and mirrors nothing.
pub(super) fn judge_redirect_chain(expect: &Expectation, joined: &Joined) -> Vec<Finding> {
    let proxy = expect.proxy.as_ref();
    let attempts = proxy.and_then(|proxy| proxy.attempts.as_ref());
    let redirects = proxy.and_then(|proxy| proxy.redirects.as_ref());
    let mirrored = expect
        .upstream
        .as_ref()
        .and_then(|upstream| upstream.mirrored.as_ref());
    let mut findings = Vec::new();
    if joined.upstream.len() > 1 || attempts.is_some() {
        let seen = joined.upstream.len();
        findings.extend(differing_count(
            FindingKind::UpstreamAttempts,
            ["attempt", "attempts"],
            attempts,
            1,
            seen,
        ));
    }
    let followed = joined.earlier.len();
    findings.extend(differing_count(
        FindingKind::Redirects,
        ["redirect", "redirects"],
        redirects,
        0,
        followed,
    ));
    let copies = joined.mirrored.len();
    findings.extend(differing_count(
        FindingKind::MirroredCopies,
        ["mirrored copy", "mirrored copies"],
        mirrored,
        0,
        copies,
    ));
    findings
}

fn differing_count(
    kind: FindingKind,
    names: [&str; 2],
    expected: Option<&Located<u32>>,
    usual: u32,
    observed: usize,
) -> Option<Finding> {
    let (wanted, position) = match expected {
        Some(count) => (**count, count.position),
        None => (usual, Position::default()),
    };
    let wanted = wanted as usize;
    (wanted != observed).then(|| {
        Finding::new(
            kind,
            position,
            Datum::counted(wanted, names),
            Datum::counted(observed, names),
        )
    })
}

/// Holds how a body came against how it must have been streamed.
pub(super) fn judge_stream(
    expect: &Located<StreamExpectation>,
    response: &ResponseRecord,
    elapsed_microseconds: u64,
) -> Option<Finding> {
    let spread = response
        .first_byte_microseconds
        .map(|first| elapsed_microseconds.saturating_sub(first));
    let is_spread =
        spread.is_some_and(|spread| u128::from(spread) >= expect.over.as_duration().as_micros());
    (!is_spread || response.body_pieces < expect.pieces).then(|| {
        Finding::new(
            FindingKind::ClientStream,
            expect.position,
            format!(
                "at least {} pieces, the first byte at least {} before the end",
                expect.pieces, expect.over
            ),
            match spread {
                Some(spread) => format!(
                    "{} pieces, the first byte {spread} µs before the end",
                    response.body_pieces
                ),
                None => "no first byte".into(),
            },
        )
    })
}

/// Looks for the text of an attack that is marked as undeliverable wherever it could have arrived. The mark is a claim about the proxy: where
/// the text arrives all the same, the attack was deliverable, and whoever let it pass must answer for that.
pub fn judge_undeliverable(text: &Located<String>, joined: &Joined) -> Vec<Finding> {
    let at_application = joined.upstream.iter().flat_map(|record| {
        let target = [("the target", record.target.as_str())];
        let fields = record.headers.iter().map(pair);
        target
            .into_iter()
            .chain(fields)
            .map(|place| ("the application", place))
    });
    let at_agent = joined.agent.iter().flat_map(|record| {
        let path = [("the path", record.path.as_str())];
        let fields = record.headers.iter().map(pair);
        path.into_iter()
            .chain(fields)
            .map(|place| ("the agent", place))
    });
    at_application
        .chain(at_agent)
        .filter(|(_, (_, value))| value.contains(text.as_str()))
        .map(|(receiver, (place, value))| {
            Finding::new(
                FindingKind::UnexpectedDelivery,
                text.position,
                format!("`{}` is not delivered", **text),
                format!("{receiver} received it in {place}: {value}"),
            )
        })
        .collect()
}

fn pair((name, value): &(String, String)) -> (&str, &str) {
    (name.as_str(), value.as_str())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::witness::fixture;
    use harness_core::model::outcome::Outcome;

    #[test]
    fn a_usual_request_has_no_redirect_chain() {
        let expect = Expectation::outcome_only(Outcome::Allowed);
        assert_eq!(
            judge_redirect_chain(&expect, &fixture::joined()),
            Vec::new()
        );
    }

    #[test]
    fn a_copy_and_an_attempt_that_nobody_expects_are_found() {
        let expect = Expectation::outcome_only(Outcome::Allowed);
        let mut joined = fixture::joined();
        joined.mirrored.push(fixture::upstream());
        joined.upstream.push(fixture::upstream());
        let kinds: Vec<String> = judge_redirect_chain(&expect, &joined)
            .into_iter()
            .map(|finding| finding.kind.to_string())
            .collect();
        assert_eq!(kinds, ["upstream-attempts", "mirrored-copies"]);
    }

    fn stream(first_byte: Option<u64>, pieces: u32) -> Option<Finding> {
        let expect = Located::unwritten(StreamExpectation {
            pieces: 3,
            over: Duration::from_millis(300).into(),
        });
        let response = ResponseRecord {
            first_byte_microseconds: first_byte,
            body_pieces: pieces,
            ..ResponseRecord::default()
        };
        judge_stream(&expect, &response, 800_000)
    }

    #[test]
    fn a_body_that_was_held_back_or_joined_is_no_stream() {
        assert_eq!(stream(Some(500_000), 3), None);
        assert!(stream(Some(500_001), 3).is_some());
        assert!(stream(Some(1_000), 2).is_some());
        assert!(stream(None, 3).is_some());
    }

    #[test]
    fn a_text_that_arrives_was_deliverable() {
        let text = Located::unwritten("UNION".to_owned());
        let mut joined = fixture::joined();
        assert_eq!(judge_undeliverable(&text, &joined), Vec::new());
        joined.upstream[0]
            .headers
            .push(("x-a".into(), "1 UNION 2".into()));
        joined.agent[0]
            .headers
            .push(("x-a".into(), "1 UNION 2".into()));
        let observed: Vec<String> = judge_undeliverable(&text, &joined)
            .into_iter()
            .map(|finding| finding.observed.to_string())
            .collect();
        assert_eq!(
            observed,
            [
                "the application received it in x-a: 1 UNION 2",
                "the agent received it in x-a: 1 UNION 2"
            ]
        );
    }
}
