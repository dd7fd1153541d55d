//! Collects the records of proxy, agent and application from their containers' logs, as the logs grow.

use std::collections::BTreeSet;

use super::agent::AgentRecord;
use super::ids::IdSet;
use super::proxy::ProxyRecord;
pub use super::records::Records;
use super::upstream::UpstreamRecord;
use super::wire::{AgentLog, WireReading, WireRecord};

/// The longest line that is read as a record, in bytes. A longer one is passed over.
const LINE_LIMIT_BYTES: usize = 1024 * 1024;

/// What the witnesses beside the client recorded.
#[derive(Clone, Debug, Default)]
pub struct CollectedRecords {
    /// The proxy's records.
    pub proxy: Records<ProxyRecord>,
    /// The agent's records.
    pub agent: Records<AgentRecord>,
    /// The application's records.
    pub upstream: Records<UpstreamRecord>,
    /// What passed between proxy and agent.
    pub wire: Records<WireRecord>,
    /// Whether all that passed there is read.
    pub wire_reading: WireReading,
    /// Whether the agent keeps a log.
    pub agent_log: AgentLog,
}

impl CollectedRecords {
    /// Adds what the proxy's log has grown by.
    pub fn add_proxy(&mut self, lines: &str) {
        for line in lines.lines() {
            self.proxy.add(line);
        }
    }

    /// Adds what the agent's log has grown by.
    pub fn add_agent(&mut self, lines: &str) {
        for line in lines.lines() {
            self.agent.add(line);
        }
    }

    /// Adds what the application's log has grown by.
    pub fn add_upstream(&mut self, lines: &str) {
        for line in lines.lines() {
            self.upstream.add(line);
        }
    }

    /// Adds what was read of a check.
    ///
    /// # Panics
    ///
    /// Never: a record has only fields that JSON can hold.
    pub fn add_wire(&mut self, record: &WireRecord) {
        let line = serde_json::to_string(record).expect("it has only texts and numbers");
        self.wire.add(&line);
    }

    /// Returns how many mirrored copies the application has recorded.
    pub const fn mirrored(&self) -> u64 {
        self.upstream.mirrored()
    }

    /// Tells whether some witness has recorded a request.
    pub fn knows(&self, id: &str) -> bool {
        self.proxy.has(id) || self.agent.has(id) || self.upstream.has(id) || self.wire.has(id)
    }

    /// Returns how many records the witnesses have of a request.
    pub fn count(&self, id: &str) -> usize {
        self.proxy.count(id) + self.agent.count(id) + self.upstream.count(id) + self.wire.count(id)
    }

    /// Returns the ids that some witness recorded and that are not among these.
    pub fn strangers(&self, known: &IdSet) -> BTreeSet<String> {
        self.proxy
            .ids_not_in(known)
            .chain(self.agent.ids_not_in(known))
            .chain(self.upstream.ids_not_in(known))
            .chain(self.wire.ids_not_in(known))
            .collect()
    }
}

/// Cuts a log that is read piece by piece into its complete lines.
#[derive(Debug, Default)]
pub struct LineCutter {
    /// How many bytes of the log have been taken in.
    pub offset: u64,
    rest: Vec<u8>,
    skipping: bool,
}

impl LineCutter {
    /// Takes the next piece and returns the lines that are complete with it. A line that is still being written is kept for later.
    pub fn take(&mut self, piece: &[u8]) -> String {
        self.offset += piece.len() as u64;
        let Some(end) = piece.iter().rposition(|byte| *byte == b'\n') else {
            self.keep(piece);
            return String::new();
        };
        let mut lines = std::mem::take(&mut self.rest);
        let mut piece = piece;
        let mut end = end;
        if self.skipping {
            let first = piece.iter().position(|byte| *byte == b'\n').unwrap_or(end);
            piece = &piece[first + 1..];
            self.skipping = false;
            let Some(last) = piece.iter().rposition(|byte| *byte == b'\n') else {
                self.keep(piece);
                return String::new();
            };
            end = last;
        }
        lines.extend_from_slice(&piece[..=end]);
        self.keep(&piece[end + 1..]);
        String::from_utf8_lossy(&lines).into_owned()
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.skipping {
            return;
        }
        self.rest.extend_from_slice(piece);
        if self.rest.len() > LINE_LIMIT_BYTES {
            self.rest = Vec::new();
            self.skipping = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_that_is_still_being_written_is_kept_for_later() {
        let mut cutter = LineCutter::default();
        assert_eq!(cutter.take(b"one\ntw"), "one\n");
        assert_eq!(cutter.take(b"o"), "");
        assert_eq!(cutter.take(b"\nthree\n"), "two\nthree\n");
        assert_eq!(cutter.offset, 14);
    }

    #[test]
    fn an_endless_line_is_passed_over_and_the_next_one_is_read() {
        let mut cutter = LineCutter::default();
        assert_eq!(cutter.take(b"before\n"), "before\n");
        for _ in 0..3 {
            assert_eq!(cutter.take(&vec![b'x'; LINE_LIMIT_BYTES]), "");
        }
        assert!(cutter.rest.len() <= LINE_LIMIT_BYTES);
        assert_eq!(cutter.take(b"end\nafter\nand"), "after\n");
        assert_eq!(cutter.take(b" more\n"), "and more\n");
    }

    #[test]
    fn a_hit_without_an_id_is_counted() {
        let hit = r#"{"helloworld-hit":{"at":"2026-11-24T05:37:33.1Z","id":null,"method":"GET","target":"/","headers":[],"body-length":0,"body-sha256":"","complete":true}}"#;
        let mut collected = CollectedRecords::default();
        collected.add_upstream(hit);
        assert_eq!(collected.upstream.without_id.len(), 1);
        assert_eq!(collected.upstream.requests(), 0);
    }

    proptest! {
        #[test]
        fn any_cutting_yields_the_same_lines(text in "[ab\n]{0,60}", cuts in prop::collection::vec(0_usize..8, 0..20)) {
            let mut cutter = LineCutter::default();
            let mut lines = String::new();
            let mut rest = text.as_bytes();
            for cut in cuts {
                let (piece, tail) = rest.split_at(cut.min(rest.len()));
                lines.push_str(&cutter.take(piece));
                rest = tail;
            }
            lines.push_str(&cutter.take(rest));
            let complete = text.rfind('\n').map_or("", |end| &text[..=end]);
            prop_assert_eq!(lines, complete);
        }
    }
}
