//! Clients over TLS: what is offered, and that it was agreed on.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::expected::Expected;
use harness_core::model::finding::Finding;
use harness_core::stack::certificates::{CERTIFICATE_NAME, Certificates};
use harness_traffic::plan::{PlannedRequest, Protocol, TlsPlan};
use harness_verdict::judge::negotiation::{ProtocolOffer, judge_negotiated};
use harness_verdict::witness::joined_requests::JoinedRequests;

/// Returns the name by which a protocol is offered in TLS (RFC 7301).
const fn offered_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::H2 => "h2",
        Protocol::Http1 => "http/1.1",
        Protocol::Http10 => "http/1.0",
    }
}

/// Parts requests by the name of their protocol in TLS.
pub(super) fn by_protocol(
    requests: impl Iterator<Item = PlannedRequest>,
) -> BTreeMap<&'static str, Vec<PlannedRequest>> {
    let mut groups: BTreeMap<&'static str, Vec<PlannedRequest>> = BTreeMap::new();
    for request in requests {
        let group = groups.entry(offered_name(request.protocol)).or_default();
        group.push(request);
    }
    groups
}

/// Trusts the run's own authority and offers one protocol.
pub(super) fn tls_plan(offered: &str, certificates: &Certificates) -> TlsPlan {
    TlsPlan {
        server_name: CERTIFICATE_NAME.into(),
        ca_pem_base64: STANDARD.encode(&certificates.ca),
        alpn: vec![offered.into()],
    }
}

/// Checks that each answer came over the protocol that its request offered.
pub(super) fn judge_agreement(requests: &[Expected], joined: &JoinedRequests<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for request in requests {
        let planned = &request.prepared.planned;
        let offer = ProtocolOffer {
            case: &request.case,
            id: &planned.id,
            offered: offered_name(planned.protocol),
            position: request.expect.outcome.position,
        };
        let answered = joined.of(&planned.id);
        findings.extend(answered.and_then(|joined| judge_negotiated(&offer, &joined)));
    }
    findings
}
