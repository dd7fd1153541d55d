//! What the component tests share: an agent in this process, and the messages that Envoy would send it.

use std::collections::HashMap;
use std::time::Duration;

use agent_stub::agent::RunningAgent;
use agent_stub::settings::{Arguments, Settings};
use clap::Parser as _;
use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::data::accesslog::v3::{
    AccessLogCommon, HttpAccessLogEntry, HttpRequestProperties, HttpResponseProperties,
};
use envoy_types::pb::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_client::AccessLogServiceClient;
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::{
    HttpAccessLogEntries, Identifier, LogEntries,
};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use envoy_types::pb::google::protobuf::{Duration as ProtobufDuration, UInt32Value};
use tempfile::TempDir;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// A request target that carries an attack.
pub(crate) const ATTACK: &str = "/search?q=%3Cscript%3Ealert(1)%3C/script%3E";
/// The longest that a test waits for a condition.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An agent in this process, with its files in a directory of its own.
pub(crate) struct TestAgent {
    pub(crate) agent: RunningAgent,
    pub(crate) directory: TempDir,
    pub(crate) channel: Channel,
}

impl TestAgent {
    /// Starts an agent with these flags beside the ones that every agent needs, and connects to it.
    pub(crate) async fn start(flags: &[&str]) -> Self {
        let mut started = Self::start_unconnected(flags);
        let address = started.agent.grpc_addresses()[0];
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a valid URL");
        started.channel = endpoint.connect().await.expect("the agent listens");
        started
    }

    /// Starts an agent; the channel connects in plain text when it is first used.
    pub(crate) fn start_unconnected(flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let agent = RunningAgent::start(&settings(&directory, flags)).expect("the agent starts");
        let address = agent.grpc_addresses()[0];
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .expect("a valid URL")
            .connect_lazy();
        Self {
            agent,
            directory,
            channel,
        }
    }

    pub(crate) async fn check(&self, request: HttpRequest) -> Result<CheckResponse, Status> {
        self.check_message(message(request)).await
    }

    pub(crate) async fn check_message(
        &self,
        message: CheckRequest,
    ) -> Result<CheckResponse, Status> {
        let mut client = AuthorizationClient::new(self.channel.clone());
        client.check(message).await.map(tonic::Response::into_inner)
    }

    /// Sends access-log entries in one stream and waits until the agent has taken them.
    pub(crate) async fn log(&self, entries: Vec<HttpAccessLogEntry>) {
        let identifier = Identifier {
            log_name: "sigsci-agent-grpc".into(),
            ..Identifier::default()
        };
        let first = StreamAccessLogsMessage {
            identifier: Some(identifier),
            log_entries: None,
        };
        let second = StreamAccessLogsMessage {
            identifier: None,
            log_entries: Some(LogEntries::HttpLogs(HttpAccessLogEntries {
                log_entry: entries,
            })),
        };
        let mut client = AccessLogServiceClient::new(self.channel.clone());
        client
            .stream_access_logs(tokio_stream::iter([first, second]))
            .await
            .expect("the log is taken");
    }

    /// Returns the lines of the data log so far.
    pub(crate) fn data_log(&self) -> Vec<serde_json::Value> {
        let text =
            std::fs::read_to_string(self.directory.path().join("waf.log")).expect("the log exists");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a JSON line"))
            .collect()
    }

    /// Waits until the data log has this many lines, and returns them.
    pub(crate) async fn await_data_log(&self, lines: usize) -> Vec<serde_json::Value> {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let log = self.data_log();
                if log.len() >= lines {
                    return log;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("the log never had {lines} lines: {:?}", self.data_log()))
    }
}

pub(crate) fn settings(directory: &TempDir, flags: &[&str]) -> Settings {
    let path = |name: &str| directory.path().join(name).display().to_string();
    let mut all = vec![
        "agent-stub".to_owned(),
        "--accesskeyid=id".into(),
        format!("--rpc-address={}", path("sigsci.sock")),
        format!("--shared-cache-dir={}", path("cache")),
        format!("--waf-data-log={}", path("waf.log")),
    ];
    if !flags
        .iter()
        .any(|flag| flag.starts_with("--envoy-grpc-address="))
    {
        all.push("--envoy-grpc-address=127.0.0.1:0".into());
    }
    all.extend(
        flags
            .iter()
            .map(|flag| flag.replace("{dir}", &directory.path().display().to_string())),
    );
    let arguments = Arguments::try_parse_from(all).expect("known flags");
    Settings::from_arguments(&arguments, Some("secret")).expect("valid settings")
}

pub(crate) fn get(path: &str) -> HttpRequest {
    with_headers(path, &[])
}

pub(crate) fn with_headers(path: &str, headers: &[(&str, &str)]) -> HttpRequest {
    let headers: HashMap<String, String> = headers
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect();
    HttpRequest {
        method: "GET".into(),
        path: path.into(),
        host: "localhost:8000".into(),
        scheme: "http".into(),
        protocol: "HTTP/1.1".into(),
        headers,
        ..HttpRequest::default()
    }
}

pub(crate) fn message(request: HttpRequest) -> CheckRequest {
    CheckRequest {
        attributes: Some(AttributeContext {
            request: Some(Request {
                time: None,
                http: Some(request),
            }),
            ..AttributeContext::default()
        }),
    }
}

pub(crate) fn allowed(response: CheckResponse) -> OkHttpResponse {
    assert_eq!(
        response.status.as_ref().map(|status| status.code),
        Some(0),
        "{response:?}"
    );
    match response.http_response {
        Some(HttpResponse::OkResponse(ok)) => ok,
        other => panic!("not allowed: {other:?}"),
    }
}

pub(crate) fn denied(response: CheckResponse) -> DeniedHttpResponse {
    let code = i32::from(tonic::Code::PermissionDenied);
    assert_eq!(
        response.status.as_ref().map(|status| status.code),
        Some(code),
        "{response:?}"
    );
    match response.http_response {
        Some(HttpResponse::DeniedResponse(denied)) => denied,
        other => panic!("not denied: {other:?}"),
    }
}

pub(crate) fn header<'a>(headers: &'a [HeaderValueOption], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .filter_map(|option| option.header.as_ref())
        .find(|header| header.key == name)
        .map(|header| header.value.as_str())
}

/// An access-log entry with the agent's id among its request headers, and Envoy's own id.
pub(crate) fn entry(own_id: Option<&str>, proxy_id: &str, code: u32) -> HttpAccessLogEntry {
    HttpAccessLogEntry {
        common_properties: Some(AccessLogCommon {
            duration: Some(ProtobufDuration {
                seconds: 1,
                nanos: 234_567_890,
            }),
            ..AccessLogCommon::default()
        }),
        request: Some(HttpRequestProperties {
            request_id: proxy_id.into(),
            request_headers: own_id
                .map(|id| ("x-sigsci-request-id".to_owned(), id.to_owned()))
                .into_iter()
                .collect(),
            ..HttpRequestProperties::default()
        }),
        response: Some(HttpResponseProperties {
            response_code: Some(UInt32Value { value: code }),
            response_headers: [("server".to_owned(), "envoy".to_owned())].into(),
            response_body_bytes: 42,
            ..HttpResponseProperties::default()
        }),
        ..HttpAccessLogEntry::default()
    }
}
