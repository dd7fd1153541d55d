//! The settings as the agent uses them: parsed, complete and consistent.

use std::path::PathBuf;
use std::time::Duration;

use crate::mutant::FaultHooks;
use crate::settings::header_list::HeaderSetting;
use crate::settings::policy::Policy;

/// All settings. The keys are only checked for presence and are not kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where Envoy speaks gRPC to the agent.
    pub grpc_address: SocketTarget,
    /// The certificate and key of that listener; plain text without.
    pub tls: Option<TlsFiles>,
    /// The longest gRPC message that is read, in bytes.
    pub longest_message: usize,
    /// Where modules would speak to the agent.
    pub rpc_address: SocketTarget,
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
    /// What is done with signals, before a rules file says otherwise.
    pub policy: Policy,
    /// The file that may say otherwise.
    pub rules_file: Option<PathBuf>,
    /// Whether rules are given out for the access key.
    pub access: Access,
    /// How the access-log service behaves.
    pub access_log: AccessLogFaults,
    /// When attack signals block.
    pub blocking: Blocking,
    /// Whether anomalies are raised.
    pub anomalies: Switch,
    /// Whether requests may ask for faults.
    pub faults: Faults,
    /// What is asked of the cloud's metadata service before anything opens.
    pub metadata: Option<MetadataQuestion>,
    /// Whether the agent behaves as it should, or as a mutant.
    pub fault_hooks: FaultHooks,
    /// How the forwarded request is changed.
    pub forwarded: ForwardedRequest,
    /// Where a client's address is read.
    pub client_address: ClientAddressSource,
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

/// What is listened on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SocketTarget {
    /// A TCP address.
    Tcp(ListenAddress),
    /// A unix socket.
    Unix(PathBuf),
}

/// A question to the cloud's metadata service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MetadataQuestion {
    /// Where the service is.
    pub address: ListenAddress,
    /// How long an answer is waited for.
    pub patience: Duration,
}

/// Where the WAF data log goes, and which requests it holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DataLogTarget {
    /// The file; `/dev/stdout` is the process's own standard output.
    pub path: PathBuf,
    /// Whether requests without signals are logged too.
    pub logs_all: bool,
}

/// How the access-log service behaves while checks are answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AccessLogFaults {
    /// Each stream ends after this many messages.
    Break(u32),
    /// No stream is taken.
    Refuse,
    /// Every entry is taken.
    Serve,
    /// Streams are taken, and nothing is read from them.
    Stall,
}

/// Whether rules are given out for an access key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// They are.
    Accepted,
    /// They never load.
    Rejected,
}

/// When attack signals block, in the mode that blocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Blocking {
    /// At once.
    Immediate,
    /// Once their sender is flagged.
    Threshold(Threshold),
}

/// What flags an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Threshold {
    /// This many attack signals, each class counted once a request,
    pub signals: u32,
    /// within this span,
    pub interval: Duration,
    /// flag it for this long.
    pub flag_duration: Duration,
}

/// Whether something optional is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Switch {
    /// It is not.
    Off,
    /// It is.
    On,
}

/// Whether a request may ask for a fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Faults {
    /// It may not; its wish is a header like any other.
    Never,
    /// It may.
    OnDemand {
        /// The gRPC status of a fault that names none.
        default_status: i32,
    },
}

/// Where a client's address is read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientAddressSource {
    /// The request header, lower-case.
    pub header: String,
    /// Which of its elements.
    pub element: AddressElement,
}

/// An element of a comma-separated list of addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AddressElement {
    /// The first one, which any client can write.
    First,
    /// The n-th from the end, which the n-th trusted proxy wrote.
    FromEnd(usize),
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
    /// How long after its signal a reload happens.
    pub rules_reload_delay: Duration,
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
