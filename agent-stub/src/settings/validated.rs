//! The settings as the agent uses them: parsed, complete and consistent.

use std::path::PathBuf;
use std::time::Duration;

use crate::settings::block_answer::BlockAnswer;
use crate::settings::header_list::HeaderSetting;

/// All settings. The keys are only checked for presence and are not kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where Envoy speaks gRPC to the agent.
    pub grpc_address: ListenAddress,
    /// The certificate and key of that listener; plain text without.
    pub tls: Option<TlsFiles>,
    /// The longest gRPC message that is read, in bytes.
    pub longest_message: usize,
    /// Where modules would speak to the agent.
    pub rpc_address: RpcAddress,
    /// Where rules and geolocation data are kept.
    pub cache_directory: PathBuf,
    /// Where `GET /startup` is answered.
    pub startup_probe_listener: Option<ListenAddress>,
    /// The file that says that the rules are loaded.
    pub startup_probe_file: Option<PathBuf>,
    /// Where the WAF data log goes.
    pub data_log: Option<DataLogTarget>,
    /// Where `StatsD` counters go.
    pub statsd_address: Option<ListenAddress>,
    /// What is done with signals.
    pub mode: Mode,
    /// What a blocked client is sent.
    pub block_answer: BlockAnswer,
    /// How the forwarded request is changed.
    pub forwarded: ForwardedRequest,
    /// The request header with the client's address, lower-case.
    pub client_ip_header: String,
    /// Delays and intervals.
    pub timings: Timings,
    /// Whether response data is expected, and so waited for.
    pub expects_response_data: bool,
}

/// A `host:port` to listen on or to send to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListenAddress {
    /// The host: a name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// The files of a TLS identity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsFiles {
    /// The PEM certificate chain.
    pub certificate: PathBuf,
    /// The PEM private key.
    pub key: PathBuf,
}

/// Where modules would speak to the agent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RpcAddress {
    /// A TCP address.
    Tcp(ListenAddress),
    /// A unix socket.
    Unix(PathBuf),
}

/// Where the WAF data log goes, and which requests it holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DataLogTarget {
    /// The file; `/dev/stdout` is the process's own standard output.
    pub path: PathBuf,
    /// Whether requests without signals are logged too.
    pub logs_all: bool,
}

/// What is done with signals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// A request with signals is blocked.
    Block,
    /// A request with signals is tagged and let through.
    Log,
    /// Nothing is inspected.
    Off,
}

/// How the request that goes on to the upstream is changed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ForwardedRequest {
    /// Headers set over what is there.
    pub set_headers: Vec<HeaderSetting>,
    /// Headers added to what is there.
    pub append_headers: Vec<HeaderSetting>,
    /// Headers taken away.
    pub remove_headers: Vec<String>,
    /// Query parameters set.
    pub set_query: Vec<HeaderSetting>,
    /// Query parameters taken away.
    pub remove_query: Vec<String>,
}

/// Delays and intervals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timings {
    /// How long a request waits for its response data.
    pub context_expiration: Duration,
    /// How often waiting requests are looked through.
    pub cleaner_interval: Duration,
    /// How long the agent takes before it opens its listeners.
    pub start_delay: Duration,
    /// When the rules are loaded.
    pub rules_delay: RulesDelay,
    /// How long each answer is held back.
    pub decision_delay: Duration,
}

/// When the rules are loaded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RulesDelay {
    /// This long after the start.
    After(Duration),
    /// Not at all.
    Never,
}
