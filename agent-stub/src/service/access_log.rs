//! The access-log service: Envoy streams its log entries here, and with them the response data.

use std::sync::Arc;

use envoy_types::pb::envoy::data::accesslog::v3::{
    AccessLogType, HttpAccessLogEntry, TlsProperties, tls_properties::TlsVersion,
};
use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_server::AccessLogService;
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::LogEntries;
use envoy_types::pb::envoy::service::accesslog::v3::{
    StreamAccessLogsMessage, StreamAccessLogsResponse,
};
use envoy_types::pb::google::protobuf;
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

use crate::agent::AgentPhase;
use crate::context::{Contexts, EntryKey, Match};
use crate::data_log::{DataLog, ResponseData};
use crate::decision::REQUEST_ID_HEADER;
use crate::mutant::FaultHooks;
use crate::settings::{AccessLogFaults, Settings};
use crate::statsd::{Counter, Statsd};

/// Takes access-log entries and completes the requests that they belong to.
#[derive(Clone, Debug)]
pub struct AccessLog {
    contexts: Arc<Contexts>,
    data_log: Option<Arc<DataLog>>,
    statsd: Arc<Statsd>,
    phase: watch::Receiver<AgentPhase>,
    service: AccessLogFaults,
    fault_hooks: FaultHooks,
}

impl AccessLog {
    /// Completes these contexts until the phase says to close.
    pub fn new(
        contexts: Arc<Contexts>,
        data_log: Option<Arc<DataLog>>,
        statsd: Arc<Statsd>,
        phase: watch::Receiver<AgentPhase>,
        settings: &Settings,
    ) -> Self {
        Self {
            contexts,
            data_log,
            statsd,
            phase,
            service: settings.access_log,
            fault_hooks: settings.fault_hooks.clone(),
        }
    }

    fn take(&self, message: StreamAccessLogsMessage) {
        match message.log_entries {
            Some(LogEntries::HttpLogs(entries)) => {
                let mut entries = entries.log_entry;
                entries.retain(is_final);
                self.fault_hooks
                    .taken(entries)
                    .into_iter()
                    .for_each(|entry| self.take_entry(entry));
            }
            Some(LogEntries::TcpLogs(_)) | None => {}
        }
    }

    fn take_entry(&self, mut entry: HttpAccessLogEntry) {
        let request = entry.request.take().unwrap_or_default();
        let own_id = request
            .request_headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(REQUEST_ID_HEADER))
            .map(|(_, value)| value.as_str());
        let credited = self.fault_hooks.credited(own_id, &self.contexts);
        let key = EntryKey {
            request_id: credited.as_deref().or(own_id),
            proxy_request_id: &request.request_id,
        };
        let response = self.fault_hooks.understand(response_data(entry));
        match self
            .contexts
            .complete(key, response, self.data_log.as_deref())
        {
            Match::Found => {}
            Match::NotFound => self.statsd.count(&[Counter::UnmatchedEntry]),
        }
    }
}

#[tonic::async_trait]
impl AccessLogService for AccessLog {
    async fn stream_access_logs(
        &self,
        request: Request<Streaming<StreamAccessLogsMessage>>,
    ) -> Result<Response<StreamAccessLogsResponse>, Status> {
        let mut stream = self.fault_hooks.take_stream()?;
        let mut messages = request.into_inner();
        let mut phase = self.phase.clone();
        let mut left = match self.service {
            AccessLogFaults::Break(count) => Some(count),
            AccessLogFaults::Refuse => {
                return Err(Status::unavailable("no access log is taken, on demand"));
            }
            AccessLogFaults::Serve => None,
            AccessLogFaults::Stall => {
                // Nothing is read, so the proxy's window fills and stays full.
                let _closing = phase.wait_for(|phase| *phase == AgentPhase::Closing).await;
                return Ok(Response::new(StreamAccessLogsResponse {}));
            }
        };
        loop {
            if left == Some(0) {
                tracing::info!("the access-log stream ends, on demand");
                self.fault_hooks.lose_stream(&self.contexts);
                return Err(Status::unavailable("the stream ends, on demand"));
            }
            let message = tokio::select! {
                message = messages.message() => message?,
                // Envoy never ends this stream by itself, so the agent must, or it could not stop gracefully.
                _ = phase.wait_for(|phase| *phase == AgentPhase::Closing) => break,
            };
            let Some(message) = message else {
                break;
            };
            left = left.map(|left| left - 1);
            if let Some(message) = stream.receive(message).await? {
                self.take(message);
            }
        }
        Ok(Response::new(StreamAccessLogsResponse {}))
    }
}

// Envoy may report a request several times while it is under way; the last report has the response.
fn is_final(entry: &HttpAccessLogEntry) -> bool {
    let kind = entry
        .common_properties
        .as_ref()
        .map_or(0, |common| common.access_log_type);
    kind == i32::from(AccessLogType::NotSet) || kind == i32::from(AccessLogType::DownstreamEnd)
}

fn response_data(entry: HttpAccessLogEntry) -> ResponseData {
    let common = entry.common_properties.unwrap_or_default();
    let response = entry.response.unwrap_or_default();
    let mut headers: Vec<(String, String)> = response.response_headers.into_iter().collect();
    headers.sort();
    let (tls_protocol, tls_cipher) = common.tls_properties.as_ref().map(tls).unwrap_or_default();
    ResponseData {
        code: response.response_code.map_or(0, |code| code.value),
        headers,
        millis: common
            .duration
            .or(common.time_to_last_downstream_tx_byte)
            .as_ref()
            .map_or(0, millis),
        size: response.response_body_bytes,
        tls_protocol,
        tls_cipher,
    }
}

// The parts are signed in the protocol; a negative span is as good as none.
fn millis(duration: &protobuf::Duration) -> u64 {
    let seconds = u64::try_from(duration.seconds).unwrap_or_default();
    let subsecond = u64::try_from(duration.nanos / 1_000_000).unwrap_or_default();
    seconds.saturating_mul(1_000).saturating_add(subsecond)
}

fn tls(properties: &TlsProperties) -> (String, String) {
    let version = match properties.tls_version() {
        TlsVersion::VersionUnspecified => "",
        TlsVersion::TlSv1 => "TLSv1",
        TlsVersion::TlSv11 => "TLSv1.1",
        TlsVersion::TlSv12 => "TLSv1.2",
        TlsVersion::TlSv13 => "TLSv1.3",
    };
    let cipher = properties
        .tls_cipher_suite
        .map(|suite| format!("0x{:04x}", suite.value));
    (version.into(), cipher.unwrap_or_default())
}
