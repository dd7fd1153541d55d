//! How a request of the corpus is sent: one protocol for each, chosen by number, so that a blind spot of one codec shows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::random::Random;
use crate::model::located::Located;
use crate::model::request::{BodySpec, Framing, Protocol, RequestSpec};

/// A protocol with its framing.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum CarrierProtocol {
    /// HTTP/2, a body with `content-length`.
    H2,
    /// HTTP/1.1, a body with `content-length`.
    Http1,
    /// HTTP/1.1, a body in chunks. A request that needs no body has an ordinary one.
    Http1Chunked,
}

impl CarrierProtocol {
    /// Every protocol.
    pub const ALL: [Self; 3] = [Self::H2, Self::Http1, Self::Http1Chunked];

    /// Chooses the protocol of a request. The sequence is the protocol's own: carriers do not depend on it.
    pub(super) fn chosen(seed: u64, name: &str) -> Self {
        let mut random = Random::new(seed, &format!("protocol of {name}"));
        Self::ALL[random.below(Self::ALL.len())]
    }

    /// Makes a request one of this protocol.
    pub(super) fn send(self, request: RequestSpec) -> RequestSpec {
        match self {
            Self::H2 => RequestSpec {
                protocol: Protocol::H2,
                ..request
            },
            Self::Http1 => request,
            Self::Http1Chunked => in_chunks(request),
        }
    }
}

fn in_chunks(mut request: RequestSpec) -> RequestSpec {
    if let Some(body) = &mut request.body {
        body.value.framing = Framing::Chunked;
        return request;
    }
    let body = BodySpec {
        text: Some("lang=en&page=2".into()),
        framing: Framing::Chunked,
        ..BodySpec::default()
    };
    request.body = Some(Located::unwritten(body));
    let field = "content-type: application/x-www-form-urlencoded";
    request.headers.push(Located::unwritten(field.into()));
    request
}
