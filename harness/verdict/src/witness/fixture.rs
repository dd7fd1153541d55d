//! One record of each witness, as tests start from them.

use std::iter::{once, repeat};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::agent::AgentRecord;
use super::join::Joined;
use super::proxy::ProxyRecord;
use super::upstream::UpstreamRecord;
use super::wire::AgentLog;
use harness_core::model::identity::REQUEST_ID_HEADER;
use harness_core::stack::proxy_fitness::TESTIMONY_KEY;
use harness_traffic::record::{ClientRecord, ClientResult, ConnectionAge, ResponseRecord};

/// The moment at which all of it happens.
pub const NOON: &str = "2026-11-24T12:00:00Z";

/// The same moment.
const NOON_TIMESTAMP: Timestamp = Timestamp::constant(1_795_521_600, 0);

/// The id of the request.
pub const ID: &str = "a.b.0.r";

/// An allowed request that all witnesses agree on.
pub fn joined() -> Joined {
    Joined {
        client: client(),
        proxy: vec![proxy()],
        agent: vec![agent()],
        upstream: vec![upstream()],
        earlier: Vec::new(),
        mirrored: Vec::new(),
        wire: Vec::new(),
        agent_log: AgentLog::Kept,
        authorization_timeout: None,
    }
}

/// What the client saw of it.
pub fn client() -> ClientRecord {
    ClientRecord {
        id: ID.into(),
        stream: "x".into(),
        intended_at: NOON_TIMESTAMP,
        sent_at: None,
        finished_at: NOON_TIMESTAMP,
        elapsed_microseconds: 1,
        connection: ConnectionAge::default(),
        result: ClientResult::Response(ResponseRecord {
            status: 200,
            ..ResponseRecord::default()
        }),
    }
}

/// What the proxy logged of it.
pub fn proxy() -> ProxyRecord {
    ProxyRecord {
        id: ID.into(),
        connection: None,
        start: NOON_TIMESTAMP,
        status: 200,
        flags: Vec::new(),
        details: "via_upstream".into(),
        upstream: Some("127.0.0.1:8080".into()),
        attempts: None,
        agent_request_id: None,
        peer_address: None,
        authentication_microseconds: None,
        authorization_microseconds: None,
        failure_mode_allowed: false,
        duration_milliseconds: 1,
    }
}

/// What the agent logged of it.
pub fn agent() -> AgentRecord {
    AgentRecord {
        id: ID.into(),
        request_id: "r".into(),
        timestamp: Some(NOON_TIMESTAMP),
        decision: 200,
        signals: Vec::new(),
        locations: Vec::new(),
        response_code: 0,
        method: "GET".into(),
        path: "/".into(),
        client_address: String::new(),
        headers: Vec::new(),
    }
}

/// What the application logged of it.
pub fn upstream() -> UpstreamRecord {
    UpstreamRecord {
        at: NOON_TIMESTAMP,
        id: Some(ID.into()),
        method: "GET".into(),
        target: "/".into(),
        headers: Vec::new(),
        body_length: 0,
        body_sha256: String::new(),
        complete: true,
    }
}

/// Returns the line with which the proxy logs it.
pub fn proxy_line(record: &ProxyRecord) -> String {
    let testimony = json!({
        "id": record.id,
        "connection": record.connection,
        "start": record.start,
        "status": record.status,
        "flags": record.flags.join(","),
        "details": record.details,
        "upstream": record.upstream,
        "attempts": record.attempts,
        "agent-request-id": record.agent_request_id,
        "peer-address": record.peer_address,
        "authentication-microseconds": record.authentication_microseconds,
        "authorization-microseconds": record.authorization_microseconds,
        "failure-mode-allowed": record.failure_mode_allowed.then_some("true"),
        "duration-milliseconds": record.duration_milliseconds,
    });
    format!("{}\n", json!({ TESTIMONY_KEY: testimony }))
}

/// Returns the line with which the agent logs it; its id stands among the header fields that the agent saw.
pub fn agent_line(record: &AgentRecord) -> String {
    let id = (REQUEST_ID_HEADER.to_owned(), record.id.clone());
    let headers = once(&id).chain(&record.headers);
    let headers: Vec<Value> = headers
        .map(|(name, value)| json!({ "Name": name, "Value": value }))
        .collect();
    let locations = record.locations.iter().map(String::as_str);
    let signals = record.signals.iter().zip(locations.chain(repeat("")));
    let signals: Vec<Value> = signals
        .map(|(kind, location)| json!({ "Type": kind, "Location": location }))
        .collect();
    let line = json!({
        "RequestIDStr": record.request_id,
        "Timestamp": record.timestamp,
        "RequestHeaders": headers,
        "WAFResponse": record.decision,
        "Signals": signals,
        "ResponseCode": record.response_code,
        "Method": record.method,
        "Path": record.path,
        "RemoteAddr": record.client_address,
    });
    format!("{line}\n")
}

/// Returns the line with which the application logs it.
pub fn upstream_line(record: &UpstreamRecord) -> String {
    format!("{}\n", json!({ "helloworld-hit": record }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::witness::log_line::LogRecord as _;

    #[test]
    fn lines_are_read_as_what_they_were_made_of() {
        assert_eq!(
            ProxyRecord::parse(&proxy_line(&proxy())).expect_record(),
            proxy()
        );
        assert_eq!(
            UpstreamRecord::parse(&upstream_line(&upstream())).expect_record(),
            upstream()
        );
        let mut read = AgentRecord::parse(&agent_line(&agent())).expect_record();
        read.headers.clear();
        assert_eq!(read, agent());
    }

    #[test]
    fn both_ways_to_write_the_moment_mean_the_same() {
        assert_eq!(NOON.parse::<Timestamp>().expect("a moment"), NOON_TIMESTAMP);
    }
}
