//! Makes the messages of an access-log stream from what a scenario says of them.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::data::accesslog::v3::{
    AccessLogCommon, HttpAccessLogEntry, HttpRequestProperties, HttpResponseProperties,
    TcpAccessLogEntry,
};
use envoy_types::pb::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::{
    HttpAccessLogEntries, Identifier, LogEntries, TcpAccessLogEntries,
};
use envoy_types::pb::google::protobuf::UInt32Value;
use prost::Message;

use super::sent::SentCall;
use crate::procedure::contract::{AccessLogSpec, IdentifierPlace, LogEntrySpec, UnknownFields};
use harness_verdict::judge::contract::CORRELATION_HEADERS;
use harness_verdict::witness::call::CallAnswer;

/// A text under a field number that the protocol does not use.
const UNKNOWN_FIELDS: &[u8] = b"\xca\x3e\x07unknown";
/// The status of an entry whose scenario names none.
const DEFAULT_RESPONSE_CODE: u16 = 200;

/// A check that was made, with its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnsweredCheck<'a> {
    pub(super) sent: &'a SentCall,
    pub(super) answer: &'a CallAnswer,
}

/// Returns the messages of each stream.
pub(super) fn streams<'a>(
    spec: &AccessLogSpec,
    checks_of: impl Fn(&str) -> Vec<AnsweredCheck<'a>>,
) -> Vec<Vec<Vec<u8>>> {
    let mut contents = Vec::new();
    for entry in &spec.entries {
        contents.extend(batches(spec, entry, &checks_of));
    }
    let count = spec.streams.as_ref().map_or(1, |streams| streams.value);
    let mut streams: Vec<Vec<Vec<u8>>> = vec![Vec::new(); usize::try_from(count).unwrap_or(1)];
    let width = streams.len();
    let mut contents = contents.into_iter();
    for number in 0_usize.. {
        let content = contents.next();
        // A stream without entries still has a first message.
        if content.is_none() && number >= width {
            break;
        }
        let stream = &mut streams[number % width];
        let is_first = stream.is_empty();
        stream.push(message(spec, content, is_first));
    }
    streams
}

fn message(spec: &AccessLogSpec, content: Option<LogEntries>, is_first: bool) -> Vec<u8> {
    let identified = match spec.identifier {
        IdentifierPlace::Every => true,
        IdentifierPlace::First => is_first,
        IdentifierPlace::Nowhere => false,
    };
    let message = StreamAccessLogsMessage {
        identifier: identified.then(|| Identifier {
            node: Some(Node {
                id: "envoy-frontproxy".into(),
                cluster: "conformance".into(),
                ..Node::default()
            }),
            log_name: "sigsci-agent-grpc".into(),
        }),
        log_entries: content,
    };
    let mut bytes = message.encode_to_vec();
    match spec.unknown_fields {
        UnknownFields::Absent => {}
        UnknownFields::Appended => bytes.extend_from_slice(UNKNOWN_FIELDS),
    }
    bytes
}

/// Makes the entries of one item, cut into what each message holds.
fn batches<'a>(
    spec: &AccessLogSpec,
    entry: &LogEntrySpec,
    checks_of: &impl Fn(&str) -> Vec<AnsweredCheck<'a>>,
) -> Vec<LogEntries> {
    let batch = spec
        .batch
        .as_ref()
        .and_then(|batch| usize::try_from(batch.value).ok())
        .unwrap_or(usize::MAX);
    if let Some(count) = &entry.tcp {
        let entries = vec![TcpAccessLogEntry::default(); usize::try_from(**count).unwrap_or(1)];
        return entries
            .chunks(batch)
            .map(|entries| {
                LogEntries::TcpLogs(TcpAccessLogEntries {
                    log_entry: entries.to_vec(),
                })
            })
            .collect();
    }
    let code = entry
        .response_code
        .as_ref()
        .map_or(DEFAULT_RESPONSE_CODE, |code| code.value);
    let entries: Vec<HttpAccessLogEntry> = match (&entry.check, &entry.unknown) {
        (Some(name), _) => checks_of(name)
            .into_iter()
            .map(|check| of_check(check, code))
            .collect(),
        (None, Some(count)) => (0..**count)
            .map(|number| of_stranger(number, code))
            .collect(),
        (None, None) => Vec::new(),
    };
    entries
        .chunks(batch)
        .map(|entries| {
            LogEntries::HttpLogs(HttpAccessLogEntries {
                log_entry: entries.to_vec(),
            })
        })
        .collect()
}

/// What Envoy would report: the headers that the agent has set come back, those of a denial went to the client.
fn of_check(check: AnsweredCheck<'_>, code: u16) -> HttpAccessLogEntry {
    let headers = match check.answer.denied_status {
        Some(_) => HashMap::new(),
        None => CORRELATION_HEADERS
            .into_iter()
            .filter_map(|name| {
                let value = check.answer.header_values(name).next()?;
                Some((name.to_owned(), value.to_owned()))
            })
            .collect(),
    };
    entry(
        &check.sent.path,
        check.sent.proxy_request_id.clone(),
        headers,
        code,
    )
}

fn of_stranger(number: u32, code: u16) -> HttpAccessLogEntry {
    let headers = HashMap::from([
        (CORRELATION_HEADERS[0].to_owned(), format!("{number:024x}")),
        (CORRELATION_HEADERS[1].to_owned(), "200".to_owned()),
    ]);
    let id = format!("00000000-0000-4000-8000-{number:012x}");
    entry("/never-checked", id, headers, code)
}

fn entry(
    path: &str,
    proxy_request_id: String,
    request_headers: HashMap<String, String>,
    code: u16,
) -> HttpAccessLogEntry {
    HttpAccessLogEntry {
        common_properties: Some(AccessLogCommon::default()),
        request: Some(HttpRequestProperties {
            path: path.into(),
            request_id: proxy_request_id,
            request_headers,
            ..HttpRequestProperties::default()
        }),
        response: Some(HttpResponseProperties {
            response_code: Some(UInt32Value {
                value: u32::from(code),
            }),
            ..HttpResponseProperties::default()
        }),
        ..HttpAccessLogEntry::default()
    }
}
