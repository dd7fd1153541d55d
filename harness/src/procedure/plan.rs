//! Turns a request of a file into the driver's terms.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::digest::sha256;
use crate::model::identity::RequestId;
use crate::model::request::{RequestSpec, RequestSpecError};
use crate::traffic::plan::{ConnectionUse, DrivePlan, Pacing, PlannedRequest, Requests, Stream};

/// The header that sends a request past the agent, and its value; `envoy-configs/` routes by it.
pub const CONTROL_HEADER: (&str, &str) = ("x-conformance-control", "deliverability");

/// A request that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// In the driver's terms.
    pub planned: PlannedRequest,
    /// SHA-256 of the body, lower-case hex.
    pub body_sha256: String,
}

/// Whether a request goes past the agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// As any client's request.
    Inspected,
    /// Past the agent, to show that the application would have received it.
    Control,
}

/// Turns a request of a file into the driver's terms.
pub fn prepare(
    spec: &RequestSpec,
    id: &RequestId,
    route: Route,
) -> Result<Prepared, RequestSpecError> {
    let body = spec.body_bytes()?;
    let mut headers = spec.header_pairs()?;
    if route == Route::Control {
        headers.push((CONTROL_HEADER.0.into(), CONTROL_HEADER.1.into()));
    }
    Ok(Prepared {
        body_sha256: sha256(body.as_deref().unwrap_or_default()),
        planned: PlannedRequest {
            id: id.as_str().into(),
            method: spec.method().into(),
            target: spec.target.value.clone(),
            headers,
            body_base64: body.map(|bytes| STANDARD.encode(bytes)),
            framing: spec
                .body
                .as_ref()
                .map(|body| body.framing)
                .unwrap_or_default(),
        },
    })
}

/// One stream that sends each request once, on a connection of its own.
pub fn list_stream(
    name: &str,
    address: &str,
    pacing: Pacing,
    requests: Vec<PlannedRequest>,
) -> Stream {
    Stream {
        name: name.into(),
        address: address.into(),
        pacing,
        connection: ConnectionUse::New,
        requests: Requests::List(requests),
    }
}

/// One stream that sends the same request again and again, open loop, until it is stopped.
pub fn repeat_stream(
    name: &str,
    address: &str,
    per_second: f64,
    request: PlannedRequest,
    limit: u32,
) -> Stream {
    Stream {
        name: name.into(),
        address: address.into(),
        pacing: Pacing::Rate { per_second },
        connection: ConnectionUse::New,
        requests: Requests::Repeat { request, limit },
    }
}

/// A plan of these streams.
pub fn plan(streams: Vec<Stream>, request_timeout: std::time::Duration) -> DrivePlan {
    DrivePlan {
        streams,
        request_timeout_milliseconds: u64::try_from(request_timeout.as_millis())
            .unwrap_or(u64::MAX),
    }
}
