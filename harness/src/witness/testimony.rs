//! Collects the testimony of proxy, agent and application from their containers' logs.

use std::collections::BTreeMap;

use super::agent::AgentRecord;
use super::proxy::ProxyRecord;
use super::upstream::UpstreamRecord;

/// What three witnesses recorded, by request id.
#[derive(Clone, Debug, Default)]
pub struct Testimony {
    /// The proxy's records.
    pub proxy: BTreeMap<String, Vec<ProxyRecord>>,
    /// The agent's records.
    pub agent: BTreeMap<String, Vec<AgentRecord>>,
    /// The application's records.
    pub upstream: BTreeMap<String, Vec<UpstreamRecord>>,
    /// How many requests reached the application without an id.
    pub upstream_without_id: u64,
}

impl Testimony {
    /// Reads the logs of the three containers. Lines that are no testimony are passed over.
    pub fn read(proxy: &[u8], agent: &[u8], upstream: &[u8]) -> Self {
        let mut testimony = Self::default();
        for record in lines(proxy).filter_map(|line| ProxyRecord::parse(&line)) {
            testimony
                .proxy
                .entry(record.id.clone())
                .or_default()
                .push(record);
        }
        for record in lines(agent).filter_map(|line| AgentRecord::parse(&line)) {
            testimony
                .agent
                .entry(record.id.clone())
                .or_default()
                .push(record);
        }
        for record in lines(upstream).filter_map(|line| UpstreamRecord::parse(&line)) {
            match record.id.clone() {
                Some(id) => testimony.upstream.entry(id).or_default().push(record),
                None => testimony.upstream_without_id += 1,
            }
        }
        testimony
    }

    /// Returns every id that some witness recorded.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.proxy
            .keys()
            .chain(self.agent.keys())
            .chain(self.upstream.keys())
            .map(String::as_str)
    }
}

/// Splits a log into its complete lines: a line that is still being written is left for later.
fn lines(log: &[u8]) -> impl Iterator<Item = String> {
    let complete = log
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(&log[..0], |end| &log[..end]);
    complete
        .split(|byte| *byte == b'\n')
        .map(|line| String::from_utf8_lossy(line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_line_is_left_for_later() {
        let hit = r#"{"helloworld-hit":{"at":"2026-11-24T05:37:33.1Z","id":null,"method":"GET","target":"/","headers":[],"body-length":0,"body-sha256":"","complete":true}}"#;
        let whole = format!("{hit}\n");
        assert_eq!(
            Testimony::read(b"", b"", hit.as_bytes()).upstream_without_id,
            0
        );
        assert_eq!(
            Testimony::read(b"", b"", whole.as_bytes()).upstream_without_id,
            1
        );
    }
}
