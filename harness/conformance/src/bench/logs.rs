//! What the logs of proxy and application say of a generation.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::arm::Arm;
use harness_verdict::witness::log_line::{LogRecord as _, ParsedLine};
use harness_verdict::witness::proxy::ProxyRecord;
use harness_verdict::witness::upstream::UpstreamRecord;

/// What the proxy's log says of an arm.
#[derive(Clone, Debug, Default)]
pub struct ProxySeen {
    /// How many requests there were.
    pub requests: u64,
    /// How many the agent was asked about.
    pub asked: u64,
    /// How many went on without the agent's decision, though it was asked.
    pub failed_open: u64,
    /// How many the proxy itself denied, since the agent did not decide.
    pub failed_closed: u64,
    /// How long each request waited for the agent, in microseconds.
    pub authorization_microseconds: Vec<u64>,
}

/// Reads what the proxy's log says; lines that are none of its records say nothing. A record has the name of its arm in the place of a request's id.
pub(super) fn proxy_seen(log: &[u8]) -> BTreeMap<Arm, ProxySeen> {
    let mut seen: BTreeMap<Arm, ProxySeen> = BTreeMap::new();
    for line in String::from_utf8_lossy(log).lines() {
        let ParsedLine::Record(record) = ProxyRecord::parse(line) else {
            continue;
        };
        let Some(arm) = Arm::of_name(&record.id) else {
            continue;
        };
        let seen = seen.entry(arm).or_default();
        seen.requests += 1;
        seen.asked += u64::from(record.asked());
        seen.failed_open += u64::from(record.failure_mode_allowed);
        seen.failed_closed += u64::from(record.agent_failed() && !record.failure_mode_allowed);
        seen.authorization_microseconds
            .extend(record.authorization_microseconds);
    }
    seen
}

/// What the application's log says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Hits {
    /// How many requests it was reached by, without copies that the proxy mirrored.
    pub requests: u64,
    /// The longest time between two of them, by its own clock.
    pub longest_gap: Duration,
}

/// Reads what the application's log says.
pub(super) fn hits(log: &[u8]) -> Hits {
    let log = String::from_utf8_lossy(log);
    let hits = log
        .lines()
        .filter_map(|line| match UpstreamRecord::parse(line) {
            ParsedLine::Record(hit) | ParsedLine::WithoutId(hit) => {
                (!hit.is_mirrored()).then_some(hit.at)
            }
            ParsedLine::Other => None,
        });
    let mut hits: Vec<Timestamp> = hits.collect();
    hits.sort_unstable();
    let gaps = hits.windows(2).map(|pair| pair[1].duration_since(pair[0]));
    Hits {
        requests: hits.len().try_into().unwrap_or(u64::MAX),
        longest_gap: gaps.max().unwrap_or_default().unsigned_abs(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(id: &str, authorization: Option<u64>, mark: &str) -> String {
        line_with(id, authorization, mark, "via_upstream")
    }

    fn line_with(id: &str, authorization: Option<u64>, mark: &str, details: &str) -> String {
        let record = json!({
            "id": id, "start": "2026-11-24T05:37:33.1Z", "status": 200, "details": details,
            "authorization-microseconds": authorization, "failure-mode-allowed": mark,
        });
        json!({ "conformance-proxy": record }).to_string()
    }

    #[test]
    fn each_arm_has_its_requests_and_how_long_they_waited() {
        let log = [
            "[info] starting".into(),
            line("null", Some(120), "-"),
            line("b", Some(7), "true"),
            line_with("a", Some(9), "-", "ext_authz_error"),
            line_with("a", Some(9), "-", "ext_authz_denied"),
            line("disabled", None, "-"),
            line("another", None, "-"),
        ];
        let seen = proxy_seen(log.join("\n").as_bytes());
        assert_eq!(seen.len(), 4);
        assert_eq!(seen[&Arm::Null].authorization_microseconds, [120]);
        let counts = |arm| {
            let seen = &seen[&arm];
            (
                seen.requests,
                seen.asked,
                seen.failed_open,
                seen.failed_closed,
            )
        };
        assert_eq!(counts(Arm::Null), (1, 1, 0, 0));
        assert_eq!(counts(Arm::B), (1, 1, 1, 0));
        assert_eq!(counts(Arm::A), (2, 2, 0, 1));
        assert_eq!(counts(Arm::Disabled), (1, 0, 0, 0));
    }

    #[test]
    fn hits_are_requests_and_neither_copies_nor_questions() {
        let hit = |host: &str, at: &str| {
            let hit = json!({
                "at": format!("2026-11-24T05:37:{at}Z"), "id": null, "method": "GET", "target": "/", "headers": [["host", host]],
                "body-length": 0, "body-sha256": "", "complete": true,
            });
            json!({ "helloworld-hit": hit }).to_string()
        };
        let log = [
            "helloworld 0.1.0".into(),
            hit("shop", "33.5"),
            hit("shop", "33.1"),
            hit("shop-shadow", "39.1"),
            "{\"helloworld-authentication\":{}}".into(),
        ];
        let hits = hits(log.join("\n").as_bytes());
        assert_eq!(hits.requests, 2);
        assert_eq!(hits.longest_gap, Duration::from_millis(400));
    }
}
