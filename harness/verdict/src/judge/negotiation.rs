//! Judges which protocol a client over TLS and the proxy agreed on.

use crate::witness::join::Joined;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::Position;
use harness_traffic::record::ClientResult;

/// What a request's connection offered.
#[derive(Clone, Copy, Debug)]
pub struct ProtocolOffer<'a> {
    /// The case that the request belongs to.
    pub case: &'a str,
    /// Its id.
    pub id: &'a str,
    /// The protocol's name in TLS (RFC 7301).
    pub offered: &'a str,
    /// Where the scenario asks for the request.
    pub position: Position,
}

/// Checks that an answer came over the protocol that its request offered.
pub fn judge_negotiated(offer: &ProtocolOffer<'_>, joined: &Joined) -> Option<Finding> {
    let ClientResult::Response(response) = &joined.client.result else {
        return None;
    };
    let agreed = response.negotiated_protocol.as_deref().unwrap_or("none");
    (agreed != offer.offered).then(|| {
        Finding::new(
            FindingKind::NegotiatedProtocol,
            offer.position,
            format!("`{}`, which was offered, is agreed on", offer.offered),
            agreed,
        )
        .about(offer.case, &RequestId::from_witness(offer.id))
    })
}
