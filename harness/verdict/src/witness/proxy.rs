//! The proxy's collected records: Envoy's access log as `envoy-configs/` has it written.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::log_line::{Glance, LogRecord, ParsedLine, RecordOf};
use super::proxy_line::ProxyLine;

/// Response code details of a request that the agent denied (Envoy's `ResponseCodeDetails`).
pub const DETAILS_DENIED: &str = "ext_authz_denied";
/// Response code details of a request that was denied because the agent could not be asked.
pub const DETAILS_ERROR: &str = "ext_authz_error";
/// Response code details of a request that was sent on to where the application redirected it: the client never saw that answer.
pub const DETAILS_REDIRECT: &str = "internal_redirect";
/// Response code details of an answer that the application gave.
pub const DETAILS_UPSTREAM: &str = "via_upstream";

/// One line of the proxy's access log.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProxyRecord {
    /// The request's id.
    pub id: String,
    /// The client's connection, as the proxy numbers them; none where the configuration does not log it.
    #[serde(default)]
    pub connection: Option<u64>,
    /// When the proxy began with the request.
    #[schemars(with = "String")]
    pub start: Timestamp,
    /// The status that the client was sent; 0 when none was.
    pub status: u16,
    /// Envoy's response flags; empty when none is set.
    pub flags: Vec<String>,
    /// Envoy's response code details.
    pub details: String,
    /// The address of the application that the request went to.
    pub upstream: Option<String>,
    /// How often the request was sent to the application; none where the configuration does not log it.
    #[serde(default)]
    pub attempts: Option<u32>,
    /// The agent's own name for the request, as the proxy passes it on; none where the configuration does not log it.
    #[serde(default)]
    pub agent_request_id: Option<String>,
    /// The address from which the connection came; none where the configuration does not log it.
    #[serde(default)]
    pub peer_address: Option<String>,
    /// How long an authorization service beside the agent was waited for; none when it was not asked, or is not logged.
    #[serde(default)]
    pub authentication_microseconds: Option<u64>,
    /// How long the agent was waited for; none when it was not asked.
    pub authorization_microseconds: Option<u64>,
    /// Whether the request carries the mark of a request that passed because the agent failed.
    pub failure_mode_allowed: bool,
    /// From the first byte received to the last byte sent.
    pub duration_milliseconds: u64,
}

impl LogRecord for ProxyRecord {
    /// Reads one line of the proxy's log.
    fn parse(line: &str) -> ParsedLine<Self> {
        ProxyLine::read(line).map(ProxyLine::into_record)
    }

    fn glance(line: &str) -> ParsedLine<Glance<'_>> {
        ProxyLine::read(line).map(|line| Glance {
            id: line.into_id(),
            of: RecordOf::Request,
        })
    }
}

impl ProxyRecord {
    /// Returns whether the proxy asked the agent.
    pub const fn asked(&self) -> bool {
        self.authorization_microseconds.is_some()
    }

    /// Returns whether the proxy asked an authorization service beside the agent. A denial may then be the other's.
    pub const fn asked_another(&self) -> bool {
        self.authentication_microseconds.is_some()
    }

    /// Returns whether another authorization service denied before the agent was asked.
    pub fn was_denied_unasked(&self) -> bool {
        self.details == DETAILS_DENIED && self.asked_another() && !self.asked()
    }

    /// Returns whether the proxy asked the agent and got no usable answer.
    pub fn agent_failed(&self) -> bool {
        self.asked() && (self.details == DETAILS_ERROR || self.failure_mode_allowed)
    }

    /// Returns when the proxy stopped waiting for the agent.
    pub fn agent_awaited_until(&self) -> Option<Timestamp> {
        let waited = i64::try_from(self.authorization_microseconds?).ok()?;
        self.start
            .checked_add(SignedDuration::from_micros(waited))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"conformance-proxy":{"id":"a.b.0.r","connection":7,"start":"2026-11-24T05:37:33.100000Z","status":200,"flags":"-","details":"via_upstream","upstream":"127.0.0.1:8080","authorization-microseconds":"816","failure-mode-allowed":"true","duration-milliseconds":2,"bytes-received":0}}"#;

    #[test]
    fn a_line_of_envoy_is_read() {
        let record = ProxyRecord::parse(LINE).expect_record();
        assert_eq!(record.status, 200);
        assert_eq!(record.connection, Some(7));
        assert_eq!(record.authorization_microseconds, Some(816));
        assert_eq!(record.attempts, None);
        assert!(record.agent_failed());
        assert!(record.flags.is_empty());
        assert_eq!(
            record.agent_awaited_until(),
            Some("2026-11-24T05:37:33.100816Z".parse().expect("valid"))
        );
    }

    #[test]
    fn what_only_some_configurations_log_is_read() {
        let line = LINE.replace(
            r#""connection":7"#,
            r#""attempts":2,"peer-address":"10.1.0.2","authentication-microseconds":"9""#,
        );
        let record = ProxyRecord::parse(&line).expect_record();
        assert_eq!(record.attempts, Some(2));
        assert_eq!(record.peer_address.as_deref(), Some("10.1.0.2"));
        assert_eq!(record.authentication_microseconds, Some(9));
        assert!(record.asked_another());
        assert!(!record.was_denied_unasked());
    }

    #[test]
    fn a_forged_mark_on_a_request_that_was_not_checked_is_no_failure() {
        let line = LINE.replace("\"816\"", "null");
        let record = ProxyRecord::parse(&line).expect_record();
        assert!(!record.agent_failed());
    }

    #[test]
    fn other_lines_are_no_records() {
        for line in ["", "[info] started", "{}"] {
            assert_eq!(ProxyRecord::parse(line), ParsedLine::Other, "{line}");
        }
        let nameless = LINE.replace("\"a.b.0.r\"", "null");
        assert!(matches!(
            ProxyRecord::parse(&nameless),
            ParsedLine::WithoutId(record) if record.id.is_empty()
        ));
    }
}
