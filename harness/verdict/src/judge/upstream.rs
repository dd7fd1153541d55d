//! Holds what the application received against what was sent.

use super::exchange::{AGENT_HEADERS, Subject};
use super::header_fields::{header, matches_pattern, missing_header, present_header, values};
use crate::witness::join::Joined;
use crate::witness::proxy::ProxyRecord;
use crate::witness::upstream::UpstreamRecord;
use crate::witness::wire;
use harness_core::model::datum::{Body, Datum};
use harness_core::model::expectation::UpstreamExpectation;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::{Located, Position};
use harness_core::model::request::parse_header;
use harness_traffic::escape::escape;
use harness_traffic::plan::PlannedRequest;

/// The header by which the agent recognises a request in the access log.
const CORRELATION_HEADER: &str = "x-sigsci-request-id";

/// Header names that a proxy may change on the way, by HTTP's own rules or by Envoy's documentation.
const CHANGED_IN_TRANSIT: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "transfer-encoding",
    "x-forwarded-for",
    "x-request-id",
];

/// Checks that the application received the agent's own id for the request, once: the access log returns it to the agent, and a
/// client's forgery in its place would give one request the response of another. An agent that was not waited for has not given it one.
pub(super) fn judge_correlation(upstream: &UpstreamRecord, joined: &Joined) -> Option<Finding> {
    let given = match joined.agent.first() {
        Some(agent) => agent.request_id.as_str(),
        None => wire::header_set(&joined.wire, CORRELATION_HEADER)?,
    };
    if joined.proxy.first().is_some_and(ProxyRecord::agent_failed) {
        return None;
    }
    let arrived: Vec<&str> = upstream.header_values(CORRELATION_HEADER).collect();
    (arrived != [given]).then(|| {
        Finding::new(
            FindingKind::CorrelationHeader,
            Position::default(),
            Datum::HeaderOnce(header(CORRELATION_HEADER, given)),
            values(CORRELATION_HEADER, &upstream.headers),
        )
    })
}

/// Checks that the application received what was sent, but for what the expectation says is changed.
pub(super) fn judge_upstream(
    expect: Option<&UpstreamExpectation>,
    upstream: &UpstreamRecord,
    subject: &Subject<'_>,
) -> Vec<Finding> {
    let none = UpstreamExpectation::default();
    let expect = expect.unwrap_or(&none);
    let planned = subject.planned;
    let mut findings = Vec::new();
    let as_sent = Located::unwritten(escape(planned.target.as_bytes()));
    let target = expect.target.as_ref().unwrap_or(&as_sent);
    if **target != upstream.target {
        findings.push(Finding::new(
            FindingKind::UpstreamTarget,
            target.position,
            target.as_str(),
            &*upstream.target,
        ));
    }
    if planned.method != upstream.method {
        findings.push(Finding::new(
            FindingKind::UpstreamMethod,
            Position::default(),
            &*planned.method,
            &*upstream.method,
        ));
    }
    if !upstream.complete || upstream.body_sha256 != subject.body_sha256 {
        findings.push(Finding::new(
            FindingKind::UpstreamBody,
            Position::default(),
            Datum::Body(Body {
                length: None,
                sha256: subject.body_sha256.into(),
            }),
            if upstream.complete {
                Datum::Body(Body {
                    length: Some(upstream.body_length),
                    sha256: upstream.body_sha256.clone(),
                })
            } else {
                format!("a body cut short after {} bytes", upstream.body_length).into()
            },
        ));
    }
    for field in &expect.headers {
        findings.extend(missing_header(
            FindingKind::UpstreamHeader,
            field,
            &upstream.headers,
        ));
    }
    for name in &expect.absent_headers {
        findings.extend(present_header(
            FindingKind::UpstreamHeader,
            name,
            &upstream.headers,
        ));
    }
    findings.extend(lost_headers(expect, upstream, planned));
    findings
}

/// Finds header fields that were sent and did not arrive, except those that may change on the way.
fn lost_headers(
    expect: &UpstreamExpectation,
    upstream: &UpstreamRecord,
    planned: &PlannedRequest,
) -> Vec<Finding> {
    let spoken_for = |name: &str| {
        CHANGED_IN_TRANSIT
            .iter()
            .any(|changed| name.eq_ignore_ascii_case(changed))
            || matches_pattern(AGENT_HEADERS, name)
            || matches_pattern("x-envoy-*", name)
            || expect
                .absent_headers
                .iter()
                .any(|pattern| matches_pattern(pattern, name))
            || expect.headers.iter().any(|field| {
                parse_header(field).is_ok_and(|(wanted, _)| wanted.eq_ignore_ascii_case(name))
            })
    };
    planned
        .headers
        .iter()
        .filter(|(name, _)| !spoken_for(name))
        .filter(|(name, value)| {
            // The hit log escapes what is not printable and doubles a backslash.
            let logged = escape(value.as_bytes());
            !upstream
                .header_values(name)
                .any(|arrived| arrived == logged)
        })
        .map(|(name, value)| {
            Finding::new(
                FindingKind::UpstreamHeader,
                Position::default(),
                Datum::Headers(vec![header(name, value)]),
                values(name, &upstream.headers),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::witness::fixture;

    fn arrived(ids: &[&str]) -> UpstreamRecord {
        let headers = ids
            .iter()
            .map(|id| (CORRELATION_HEADER.to_owned(), (*id).to_owned()))
            .collect();
        UpstreamRecord {
            headers,
            ..fixture::upstream()
        }
    }

    #[test]
    fn the_application_must_receive_the_agents_id_once_and_no_other() {
        let joined = fixture::joined();
        let id = joined.agent[0].request_id.clone();
        assert_eq!(judge_correlation(&arrived(&[&id]), &joined), None);
        for ids in [&["forged"] as &[&str], &[&id, "forged"], &[]] {
            let finding = judge_correlation(&arrived(ids), &joined).expect("a finding");
            assert_eq!(finding.kind, FindingKind::CorrelationHeader);
        }
    }

    #[test]
    fn an_agent_that_was_not_waited_for_has_given_the_request_no_id() {
        let mut joined = fixture::joined();
        joined.proxy[0].authorization_microseconds = Some(1);
        joined.proxy[0].failure_mode_allowed = true;
        assert_eq!(judge_correlation(&arrived(&[]), &joined), None);
    }
}
