//! Turns a request of a file into the driver's terms.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use harness_core::model::digest::sha256;
use harness_core::model::identity::RequestId;
use harness_core::model::request::{RequestSpec, RequestSpecError};
use harness_core::stack::CONTROL_HEADER;
use harness_traffic::plan::{ConnectionUse, DrivePlan, Pacing, PlannedRequest, Requests, Stream};

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

/// Turns a request of a file into the driver's terms. A raw request that goes past the agent has
/// the header that says so after its first line, and nothing else is added to it.
pub fn prepare(
    spec: &RequestSpec,
    id: &RequestId,
    route: Route,
) -> Result<Prepared, RequestSpecError> {
    spec.check_form()?;
    let body = spec.body_bytes()?;
    let mut headers = spec.header_pairs()?;
    let raw = match &spec.raw {
        Some(raw) => Some(raw_bytes(raw.bytes_for(id.as_str())?, route)),
        None => None,
    };
    if route == Route::Control && raw.is_none() {
        headers.push((CONTROL_HEADER.0.into(), CONTROL_HEADER.1.into()));
    }
    Ok(Prepared {
        body_sha256: match &spec.raw {
            Some(raw) => sha256(raw.received_body.as_bytes()),
            // The body of an upgrade is its first message: the request itself has none.
            None if spec.upgrade.is_some() => sha256(b""),
            None => sha256(body.as_deref().unwrap_or_default()),
        },
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
            raw_base64: raw.map(|bytes| STANDARD.encode(bytes)),
            protocol: spec.protocol,
            trailers: spec.trailer_pairs()?,
            body_pacing: spec.body_pacing.as_ref().map(|pacing| pacing.value),
            body_start: spec.body_start,
            upgrade: spec.upgrade,
            linger_milliseconds: spec.raw.as_ref().and_then(|raw| raw.linger_milliseconds),
        },
    })
}

fn raw_bytes(mut bytes: Vec<u8>, route: Route) -> Vec<u8> {
    let first_line_end = bytes.iter().position(|&byte| byte == b'\n');
    if let (Route::Control, Some(end)) = (route, first_line_end) {
        let (name, value) = CONTROL_HEADER;
        let field = format!("{name}: {value}\r\n").into_bytes();
        bytes.splice(end + 1..=end, field);
    }
    bytes
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
        tls: None,
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
        tls: None,
        requests: Requests::Repeat { request, limit },
    }
}

/// A plan of these streams.
pub fn plan(
    streams: Vec<Stream>,
    request_timeout: std::time::Duration,
    translated_service: Option<String>,
) -> DrivePlan {
    DrivePlan {
        streams,
        translated_service,
        request_timeout_milliseconds: u64::try_from(request_timeout.as_millis())
            .unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(yaml: &str, route: Route) -> Prepared {
        let spec: RequestSpec = serde_saphyr::from_str(yaml).expect("well-formed");
        prepare(&spec, &RequestId::from_witness("a.b.0.r"), route).expect("it can be prepared")
    }

    fn raw_of(prepared: &Prepared) -> String {
        let raw = prepared.planned.raw_base64.as_ref().expect("raw");
        String::from_utf8(STANDARD.decode(raw).expect("base64")).expect("text")
    }

    const RAW: &str = r#"
target: /seen
raw:
  text: "GET /sent HTTP/1.1\r\nx-conformance-id: {id}\r\n\r\n"
  received-body: hello
"#;

    #[test]
    fn a_raw_request_is_the_text_with_its_id() {
        let prepared = prepared(RAW, Route::Inspected);
        assert_eq!(
            raw_of(&prepared),
            "GET /sent HTTP/1.1\r\nx-conformance-id: a.b.0.r\r\n\r\n"
        );
        assert_eq!(prepared.planned.target, "/seen");
        assert_eq!(prepared.body_sha256, sha256(b"hello"));
        assert!(prepared.planned.headers.is_empty());
    }

    #[test]
    fn a_raw_control_has_its_header_after_the_first_line() {
        assert_eq!(
            raw_of(&prepared(RAW, Route::Control)),
            "GET /sent HTTP/1.1\r\nx-conformance-control: deliverability\r\n\
             x-conformance-id: a.b.0.r\r\n\r\n"
        );
    }

    #[test]
    fn the_body_of_an_upgrade_is_no_body_of_the_request() {
        let upgrade = "target: /ws\nupgrade: websocket\nbody: {text: hello}";
        let prepared = prepared(upgrade, Route::Inspected);
        assert_eq!(prepared.planned.method, "GET");
        assert_eq!(prepared.body_sha256, sha256(b""));
    }

    #[test]
    fn a_request_as_files_have_always_had_it_is_sent_as_always() {
        let planned = prepared("target: /x\nbody: {text: a}", Route::Inspected).planned;
        let as_always = serde_json::json!({
            "id": "a.b.0.r", "method": "POST", "target": "/x", "headers": [],
            "body-base64": "YQ==", "framing": "content-length",
        });
        let old: PlannedRequest = serde_json::from_value(as_always).expect("an old plan");
        assert_eq!(planned, old);
    }
}
