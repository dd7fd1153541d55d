//! One record of each witness, as tests start from them.

use jiff::Timestamp;

use super::agent::AgentRecord;
use super::join::Joined;
use super::proxy::ProxyRecord;
use super::upstream::UpstreamRecord;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_write_the_moment_mean_the_same() {
        assert_eq!(NOON.parse::<Timestamp>().expect("a moment"), NOON_TIMESTAMP);
    }
}
