//! What passed between proxy and agent, as a witness: what the agent was shown, and what it answered when.

use jiff::Timestamp;
use serde::Deserialize;

use super::hops::Hop;
use super::log_line::{Glance, LogRecord, ParsedLine, RecordOf};
use super::text::Text;
pub use harness_wire::{WireAnswer, WireRecord, WireVerdict};

/// The header by which the agent tells the application which signals it raised.
///
/// Source: the vendor's "X-SigSci headers".
const TAGS_HEADER: &str = "x-sigsci-tags";

/// Whether the agent keeps a log of its decisions for the suite to read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AgentLog {
    /// It keeps none, or none that can be read: what it decided is known from the wire, else by the proxy's word.
    Absent,
    /// It logs every decision.
    #[default]
    Kept,
}

/// Whether what passes between proxy and agent is read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum WireReading {
    /// It is not read, or something of it was missed.
    #[default]
    Partial,
    /// All of it is.
    Whole,
}

impl LogRecord for WireRecord {
    fn parse(line: &str) -> ParsedLine<Self> {
        match serde_json::from_str::<Self>(line) {
            Ok(record) if record.id.is_empty() => ParsedLine::WithoutId(record),
            Ok(record) => ParsedLine::Record(record),
            Err(_) => ParsedLine::Other,
        }
    }

    fn glance(line: &str) -> ParsedLine<Glance<'_>> {
        let glance = |id: Text<'_>| Glance {
            id: id.into_owned().into(),
            of: RecordOf::Request,
        };
        match serde_json::from_str::<WireGlance<'_>>(line) {
            Ok(WireGlance { id }) if id.is_empty() => ParsedLine::WithoutId(glance(id)),
            Ok(WireGlance { id }) => ParsedLine::Record(glance(id)),
            Err(_) => ParsedLine::Other,
        }
    }
}

#[derive(Deserialize)]
struct WireGlance<'a> {
    #[serde(borrow)]
    id: Text<'a>,
}

/// The last check of a request, among what the wire has of it. A request whose redirects the proxy follows is checked several times.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastCheck<'a> {
    /// What was last seen of it.
    pub record: &'a WireRecord,
    /// Whether the proxy had given it up before it was answered.
    pub given_up: bool,
}

/// Finds the last check. A check that the proxy gave up has a record of its own for the answer that came all the same.
pub(super) fn last_check(records: &[WireRecord]) -> Option<LastCheck<'_>> {
    let last_asked = records.iter().map(|record| record.asked_at).max()?;
    let mut checks = records
        .iter()
        .filter(|record| record.asked_at == last_asked);
    let record = checks.clone().next_back()?;
    Some(LastCheck {
        record,
        given_up: record.answer.is_some() && checks.any(|record| record.answer.is_none()),
    })
}

/// Leaves the checks of earlier hops out: they were asked first, one for each hop that the proxy got an answer about.
pub(super) fn of_last_hop(mut records: Vec<WireRecord>, earlier: &[Hop]) -> Vec<WireRecord> {
    let is_answered = |hop: &&Hop| hop.proxy.asked() && !hop.proxy.agent_failed();
    for _ in earlier.iter().filter(is_answered) {
        let first = records.iter().map(|record| record.asked_at).min();
        records.retain(|record| Some(record.asked_at) != first);
    }
    records
}

/// Returns what the agent was last shown of a request.
pub fn shown(records: &[WireRecord]) -> Option<&WireRecord> {
    last_check(records).map(|check| check.record)
}

/// Returns the value of a header that the agent's answer sets.
pub fn header_set<'a>(records: &'a [WireRecord], name: &str) -> Option<&'a str> {
    let answer = shown(records)?.answer.as_ref()?;
    let mut headers = answer.headers.iter();
    headers
        .find(|(set, _)| set.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// Returns whether the agent told the application of signals.
pub(super) fn is_tagged(answer: &WireAnswer) -> bool {
    let mut headers = answer.headers.iter();
    headers.any(|(name, value)| name.eq_ignore_ascii_case(TAGS_HEADER) && !value.trim().is_empty())
}

/// Says in one line what the wire has of a request.
pub fn describe(records: &[WireRecord]) -> Option<String> {
    let LastCheck { record, given_up } = last_check(records)?;
    let answer = match &record.answer {
        None => "it gave no answer".into(),
        Some(answer) => {
            let verdict = match &answer.verdict {
                WireVerdict::Allowed => "it answered OK".to_owned(),
                WireVerdict::Denied { status } => format!("it denied with {status}"),
                WireVerdict::Failed { code, message } => {
                    format!("it answered with gRPC status {code} ({message})")
                }
                WireVerdict::Undecodable { reason } => {
                    format!("it answered something that cannot be read: {reason}")
                }
            };
            let after = microseconds_between(record.asked_at, answer.at);
            let late = if given_up {
                ", when the proxy had given up"
            } else {
                ""
            };
            format!("{verdict} after {after} µs{late}")
        }
    };
    let body = match (record.body_length, record.size) {
        (0, ..=0) => "no body".to_owned(),
        (shown, all) if u64::try_from(all).is_ok_and(|all| all > shown) => {
            format!("{shown} of {all} bytes of body")
        }
        (shown, _) => format!("{shown} bytes of body"),
    };
    Some(format!(
        "wire: the agent was shown {} {} with {} headers and {body}; {answer}",
        record.method,
        record.path,
        record.headers.len()
    ))
}

fn microseconds_between(start: Timestamp, end: Timestamp) -> i128 {
    end.duration_since(start).as_micros()
}
