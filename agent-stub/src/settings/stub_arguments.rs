//! The settings that only this agent has, as texts: what the vendor's agent receives from its cloud, and faults on demand.

use clap::Args;

/// The settings that only this agent has, as they were written.
#[derive(Args, Debug)]
pub struct StubArguments {
    /// How long the agent takes before it opens its listeners
    #[arg(
        long,
        env = "STUB_START_DELAY",
        hide_env_values = true,
        default_value = "0"
    )]
    pub stub_start_delay: String,
    /// The cloud's metadata service, host:port, that is asked before the listeners open
    #[arg(long, env = "STUB_METADATA_ADDRESS", hide_env_values = true)]
    pub stub_metadata_address: Option<String>,
    /// How long its answer is waited for
    #[arg(
        long,
        env = "STUB_METADATA_TIMEOUT",
        hide_env_values = true,
        default_value = "1s"
    )]
    pub stub_metadata_timeout: String,
    /// How long after the start the rules are loaded, or `never`
    #[arg(
        long,
        env = "STUB_RULES_DELAY",
        hide_env_values = true,
        default_value = "0"
    )]
    pub stub_rules_delay: String,
    /// JSON file that SIGHUP reads again: `{"block_code":406,"mode":"block"}`, each optional, in place of `STUB_BLOCK_CODE` and `STUB_MODE`
    #[arg(long, env = "STUB_RULES_FILE", hide_env_values = true)]
    pub stub_rules_file: Option<String>,
    /// How long after SIGHUP the rules file is read; the old rules hold until then
    #[arg(
        long,
        env = "STUB_RULES_RELOAD_DELAY",
        hide_env_values = true,
        default_value = "0"
    )]
    pub stub_rules_reload_delay: String,
    /// How the access-log service behaves while checks are answered: serve, refuse (no stream is taken), stall (nothing is read) or break=n (each stream ends after n messages)
    #[arg(
        long,
        env = "STUB_ACCESS_LOG",
        hide_env_values = true,
        default_value = "serve"
    )]
    pub stub_access_log: String,
    /// Access key id whose rules never load, as with a cloud that refuses it
    #[arg(long, env = "STUB_REJECTED_ACCESSKEYID", hide_env_values = true)]
    pub stub_rejected_accesskeyid: Option<String>,
    /// One deliberate fault, by its name in the list of `--mutants`
    #[arg(long, env = "STUB_MUTANT", hide_env_values = true)]
    pub stub_mutant: Option<String>,
    /// Protection mode: block, log or off
    #[arg(
        long,
        env = "STUB_MODE",
        hide_env_values = true,
        default_value = "block"
    )]
    pub stub_mode: String,
    /// When signals block: `immediate` at the first attack signal, `threshold` once an address has sent enough of them
    #[arg(
        long,
        env = "STUB_BLOCKING",
        hide_env_values = true,
        default_value = "immediate"
    )]
    pub stub_blocking: String,
    /// Attack signals from one address, each class once a request, that flag it: 1 to 10000
    #[arg(
        long,
        env = "STUB_THRESHOLD",
        hide_env_values = true,
        default_value = "50"
    )]
    pub stub_threshold: String,
    /// Span in which those signals count together
    #[arg(
        long,
        env = "STUB_THRESHOLD_INTERVAL",
        hide_env_values = true,
        default_value = "1m"
    )]
    pub stub_threshold_interval: String,
    /// How long a flagged address stays flagged; its requests with attack signals are blocked
    #[arg(
        long,
        env = "STUB_FLAG_DURATION",
        hide_env_values = true,
        default_value = "24h"
    )]
    pub stub_flag_duration: String,
    /// Which element of the client address header counts: 0 is the first, n is the n-th from the end
    #[arg(
        long,
        env = "STUB_TRUSTED_HOPS",
        hide_env_values = true,
        default_value = "0"
    )]
    pub stub_trusted_hops: String,
    /// Whether anomalies are raised too. Off by default: a request without user agent is one, and test clients often send none
    #[arg(
        long,
        env = "STUB_ANOMALY_SIGNALS",
        hide_env_values = true,
        default_value = "false"
    )]
    pub stub_anomaly_signals: String,
    /// Status of a blocked request: 301, 302 or 400 to 599
    #[arg(
        long,
        env = "STUB_BLOCK_CODE",
        hide_env_values = true,
        default_value = "406"
    )]
    pub stub_block_code: String,
    /// Body of a blocked request [default: code and reason]
    #[arg(long, env = "STUB_BLOCK_BODY", hide_env_values = true)]
    pub stub_block_body: Option<String>,
    /// Content type of that body [default: text/plain]
    #[arg(long, env = "STUB_BLOCK_CONTENT_TYPE", hide_env_values = true)]
    pub stub_block_content_type: Option<String>,
    /// Target of a 301 or 302
    #[arg(long, env = "STUB_REDIRECT_URL", hide_env_values = true)]
    pub stub_redirect_url: Option<String>,
    /// Headers appended to the forwarded request, name:val,…
    #[arg(long, env = "STUB_APPEND_REQUEST_HEADERS", hide_env_values = true)]
    pub stub_append_request_headers: Option<String>,
    /// Headers removed from the forwarded request
    #[arg(long, env = "STUB_REMOVE_REQUEST_HEADERS", hide_env_values = true)]
    pub stub_remove_request_headers: Option<String>,
    /// Query parameters set on the forwarded request, name:val,…
    #[arg(long, env = "STUB_SET_QUERY", hide_env_values = true)]
    pub stub_set_query: Option<String>,
    /// Query parameters removed from the forwarded request
    #[arg(long, env = "STUB_REMOVE_QUERY", hide_env_values = true)]
    pub stub_remove_query: Option<String>,
    /// How long each decision is held back
    #[arg(
        long,
        env = "STUB_DECISION_DELAY",
        hide_env_values = true,
        default_value = "0"
    )]
    pub stub_decision_delay: String,
    /// Longest gRPC message that is read
    #[arg(
        long,
        env = "STUB_GRPC_MAX_MESSAGE_BYTES",
        hide_env_values = true,
        default_value = "4194304"
    )]
    pub stub_grpc_max_message_bytes: String,
    /// Whether a request may ask for a fault by `x-stub-fault`: grpc-status[=n], check-status=n, denied-status=n, invalid-header[=name|value], delay=span, goaway, reset, stream-reset, allocate=nMiB
    #[arg(
        long,
        env = "STUB_FAULTS",
        hide_env_values = true,
        default_value = "false"
    )]
    pub stub_faults: String,
    /// gRPC status of `x-stub-fault: grpc-status` without a number: 0 to 16
    #[arg(
        long,
        env = "STUB_GRPC_STATUS",
        hide_env_values = true,
        default_value = "14"
    )]
    pub stub_grpc_status: String,
}
