//! What the logs of proxy and application say of a generation.

use std::collections::BTreeMap;

use serde_json::Value;

use super::arm::Arm;
use harness_core::stack::proxy_fitness::TESTIMONY_KEY;

/// What a line of the application begins with that records a request.
const HIT: &[u8] = b"{\"helloworld-hit\"";

/// What the proxy's log says of an arm.
#[derive(Clone, Debug, Default)]
pub struct ProxySeen {
    /// How many requests there were.
    pub requests: u64,
    /// How many went on without the agent's decision.
    pub failed_open: u64,
    /// How many the agent was asked about and decided.
    pub decided: u64,
    /// How long each request waited for the agent, in microseconds.
    pub authorization_microseconds: Vec<u32>,
}

/// Reads what the proxy's log says; lines that are none of its records say nothing.
pub(super) fn proxy_seen(log: &[u8]) -> BTreeMap<Arm, ProxySeen> {
    let mut seen: BTreeMap<Arm, ProxySeen> = BTreeMap::new();
    for line in lines(log) {
        let Ok(line) = serde_json::from_slice::<Value>(line) else {
            continue;
        };
        let Some(record) = line.get(TESTIMONY_KEY) else {
            continue;
        };
        let Some(arm) = record
            .get("arm")
            .and_then(|arm| serde_json::from_value(arm.clone()).ok())
        else {
            continue;
        };
        let seen = seen.entry(arm).or_default();
        seen.requests += 1;
        let failed_open = { record.get("failure-mode-allowed") }.is_some_and(|mark| mark == "true");
        let waited = record.get("authorization-microseconds");
        let waited = waited.and_then(|text| match text {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
        });
        match (failed_open, waited) {
            (true, _) => seen.failed_open += 1,
            (false, Some(_)) => seen.decided += 1,
            (false, None) => {}
        }
        seen.authorization_microseconds.extend(waited);
    }
    seen
}

/// Counts the requests that the application was reached by.
pub(super) fn hits(log: &[u8]) -> u64 {
    let hits = lines(log).filter(|line| line.starts_with(HIT)).count();
    hits.try_into().unwrap_or(u64::MAX)
}

fn lines(log: &[u8]) -> impl Iterator<Item = &[u8]> {
    log.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_arm_has_its_requests_and_how_long_they_waited() {
        let log = br#"[info] starting
{"conformance-proxy":{"arm":"null","authorization-microseconds":"120","failure-mode-allowed":"-"}}
{"conformance-proxy":{"arm":"b","authorization-microseconds":null,"failure-mode-allowed":"true"}}
{"conformance-proxy":{"arm":"nobody's"}}
{"something":"else"}
"#;
        let seen = proxy_seen(log);
        assert_eq!(seen.keys().collect::<Vec<_>>(), [&Arm::Null, &Arm::B]);
        assert_eq!(seen[&Arm::Null].authorization_microseconds, [120]);
        assert_eq!(
            (seen[&Arm::Null].requests, seen[&Arm::Null].failed_open),
            (1, 0)
        );
        assert_eq!((seen[&Arm::B].requests, seen[&Arm::B].failed_open), (1, 1));
        let application =
            b"helloworld 0.1.0\n{\"helloworld-hit\":{}}\n{\"helloworld-authentication\":{}}\n";
        assert_eq!(hits(application), 1);
    }
}
