//! The WAF data log: one JSON line per request, in the vendor's documented format.

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use crate::exchange::CheckedRequest;
use crate::inspect::Signal;
use crate::mutant::FaultHooks;
use crate::settings::DataLogTarget;

/// Writes lines to a file or to the standard output.
#[derive(Debug)]
pub struct DataLog {
    file: Mutex<std::fs::File>,
    logs_all: bool,
    fault_hooks: FaultHooks,
}

/// One line of the log.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Record {
    version: &'static str,
    timestamp: Timestamp,
    method: String,
    path: String,
    protocol: String,
    remote_addr: String,
    #[serde(rename = "RequestIDStr")]
    request_id: String,
    request_headers: Vec<NamedValue>,
    response_code: u32,
    response_headers: Vec<NamedValue>,
    response_millis: u64,
    response_size: u64,
    scheme: String,
    server_hostname: String,
    server_name: String,
    signals: Vec<SignalRecord>,
    #[serde(rename = "TLSCipher")]
    tls_cipher: String,
    #[serde(rename = "TLSProtocol")]
    tls_protocol: String,
    #[serde(rename = "URI")]
    uri: String,
    user_agent: String,
    #[serde(rename = "WAFResponse")]
    waf_response: u16,
}

/// A header.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NamedValue {
    /// The header's name.
    pub name: String,
    /// Its value, cut to a bounded length.
    pub value: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SignalRecord {
    #[serde(rename = "Type")]
    kind: &'static str,
    location: &'static str,
    name: String,
    value: String,
    detector: String,
    redaction: u8,
    attrs: serde_json::Map<String, serde_json::Value>,
}

/// What the access log reports about the answer to a request.
#[derive(Clone, Debug, Default)]
pub struct ResponseData {
    /// The HTTP status; 0 when there was none.
    pub code: u32,
    /// The headers, in name order.
    pub headers: Vec<(String, String)>,
    /// From the request's first byte to the response's last, in milliseconds.
    pub millis: u64,
    /// The length of the body in bytes.
    pub size: u64,
    /// The TLS version, empty without TLS.
    pub tls_protocol: String,
    /// The TLS cipher suite's number, empty without TLS.
    pub tls_cipher: String,
}

impl DataLog {
    /// Opens the log for appending.
    ///
    /// # Errors
    ///
    /// The file cannot be opened.
    pub fn open(target: &DataLogTarget, fault_hooks: FaultHooks) -> io::Result<Self> {
        let file = if target.path == Path::new("/dev/stdout") {
            // Opening the device again would fail where the output is a socket, and write at the start of a file.
            io::stdout().as_fd().try_clone_to_owned()?.into()
        } else {
            fs_err::OpenOptions::new()
                .create(true)
                .append(true)
                .open(&target.path)?
                .into_file()
        };
        Ok(Self {
            file: Mutex::new(file),
            logs_all: target.logs_all,
            fault_hooks,
        })
    }

    /// Says whether a request with these signals has a line.
    pub fn wants(&self, signals: &[Signal]) -> bool {
        self.logs_all || !signals.is_empty()
    }

    /// Writes a line, in one write so that lines never interleave. A record that has no place in this log is dropped.
    pub fn write(&self, record: &Record) {
        if !self.logs_all && record.signals.is_empty() {
            return;
        }
        let mut line = match serde_json::to_vec(record) {
            Ok(line) => line,
            Err(error) => {
                tracing::error!(%error, "a data log line could not be put together");
                return;
            }
        };
        line.push(b'\n');
        let line = self.fault_hooks.write_down(line);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(&line) {
            tracing::error!(%error, "a data log line was lost");
        }
        self.fault_hooks.contradict(&line, &file);
    }

    /// Writes a line for each record.
    pub fn write_all(&self, records: &[Record]) {
        for record in records {
            self.write(record);
        }
    }
}

impl Record {
    /// Describes a request at the moment of the decision; its response is not known yet.
    pub fn of_request(
        request: &CheckedRequest,
        client_address: &str,
        request_id: &str,
        signals: &[Signal],
        waf_response: u16,
    ) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            timestamp: Timestamp::now(),
            method: bounded(&request.method),
            path: bounded(request.path()),
            protocol: bounded(&request.protocol),
            remote_addr: bounded(client_address),
            request_id: request_id.into(),
            request_headers: named_values(&request.headers),
            response_code: 0,
            response_headers: vec![],
            response_millis: 0,
            response_size: 0,
            scheme: bounded(&request.scheme),
            server_hostname: nix::unistd::gethostname()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            server_name: bounded(&request.host),
            signals: signals.iter().map(SignalRecord::of).collect(),
            tls_cipher: String::new(),
            tls_protocol: String::new(),
            uri: bounded(&request.target),
            user_agent: bounded(request.header("user-agent").unwrap_or_default()),
            waf_response,
        }
    }

    /// Adds what the access log reported about the response.
    pub fn complete(&mut self, response: ResponseData) {
        self.response_code = response.code;
        self.response_headers = named_values(&response.headers);
        self.response_millis = response.millis;
        self.response_size = response.size;
        self.tls_cipher = response.tls_cipher;
        self.tls_protocol = response.tls_protocol;
    }

    /// Adds a signal that the response raised, unless the agent itself was the one that answered.
    pub fn add_response_signal(&mut self, signal: &Signal) {
        if self.waf_response == ALLOWED {
            self.signals.push(SignalRecord::of(signal));
        }
    }

    /// Returns roughly how many bytes the record occupies.
    pub fn weight(&self) -> usize {
        let headers: usize = self
            .request_headers
            .iter()
            .map(|header| header.name.len() + header.value.len() + 48)
            .sum();
        let signals: usize = self
            .signals
            .iter()
            .map(|signal| signal.value.len() + 256)
            .sum();
        1_024 + self.uri.len() * 2 + headers + signals
    }
}

impl SignalRecord {
    fn of(signal: &Signal) -> Self {
        Self {
            kind: signal.kind.as_str(),
            location: signal.location.as_str(),
            name: signal.name.clone(),
            value: signal.value.clone(),
            detector: signal.detector.clone(),
            redaction: 0,
            attrs: serde_json::Map::new(),
        }
    }
}

fn named_values(headers: &[(String, String)]) -> Vec<NamedValue> {
    headers
        .iter()
        .take(HEADER_LIMIT)
        .map(|(name, value)| NamedValue {
            name: bounded(name),
            value: bounded(value),
        })
        .collect()
}

fn bounded(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES)].into()
}

const ALLOWED: u16 = 200;
const TEXT_BYTES: usize = 4_096;
const HEADER_LIMIT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_exactly_the_documented_fields() {
        let record = Record::of_request(&CheckedRequest::default(), "192.0.2.1", "id", &[], 200);
        let value = serde_json::to_value(record).expect("serialisable");
        let names: Vec<&String> = value.as_object().expect("an object").keys().collect();
        assert_eq!(
            names,
            [
                "Version",
                "Timestamp",
                "Method",
                "Path",
                "Protocol",
                "RemoteAddr",
                "RequestIDStr",
                "RequestHeaders",
                "ResponseCode",
                "ResponseHeaders",
                "ResponseMillis",
                "ResponseSize",
                "Scheme",
                "ServerHostname",
                "ServerName",
                "Signals",
                "TLSCipher",
                "TLSProtocol",
                "URI",
                "UserAgent",
                "WAFResponse",
            ]
        );
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let cut = bounded(&"é".repeat(4_000));
        assert!(
            cut.len() <= TEXT_BYTES && cut.chars().all(|character| character == 'é'),
            "{}",
            cut.len()
        );
    }
}
