//! The settings as texts: flags by clap, each with the environment variable of the same name.
//!
//! The secret key has no flag. Every process on the node can read another's argument list, its environment only the owner
//! can; a flag would invite people to publish the key.

use std::ffi::OsString;
use std::fmt;

use clap::{CommandFactory, Parser};

use crate::mutant;
use crate::settings::stub_arguments::StubArguments;

/// The settings as they were written, before validation.
#[derive(Parser)]
#[command(
    name = "agent-stub",
    version,
    about = "A reference WAF agent: ext_authz and access-log services for Envoy",
    disable_help_subcommand = true
)]
pub struct Arguments {
    /// Print every option with its variable and default, then exit
    #[arg(long)]
    pub usage: bool,
    /// Print every mutant that `STUB_MUTANT` can name, with what is wrong about it, then exit
    #[arg(long)]
    pub mutants: bool,
    /// Access key id of the site (required)
    #[arg(long, env = "SIGSCI_ACCESSKEYID", hide_env_values = true)]
    pub accesskeyid: Option<String>,
    /// Address of the gRPC listener, host:port or `unix:/path` (required; that the vendor takes a path is not documented)
    #[arg(long, env = "SIGSCI_ENVOY_GRPC_ADDRESS", hide_env_values = true)]
    pub envoy_grpc_address: Option<String>,
    /// PEM certificate chain of the gRPC listener
    #[arg(long, env = "SIGSCI_ENVOY_GRPC_CERT", hide_env_values = true)]
    pub envoy_grpc_cert: Option<String>,
    /// PEM private key of the gRPC listener
    #[arg(long, env = "SIGSCI_ENVOY_GRPC_KEY", hide_env_values = true)]
    pub envoy_grpc_key: Option<String>,
    /// Whether Envoy sends response data by its access-log service
    #[arg(
        long,
        env = "SIGSCI_ENVOY_EXPECT_RESPONSE_DATA",
        hide_env_values = true,
        default_value = "false"
    )]
    pub envoy_expect_response_data: String,
    /// Module listener: a unix socket's path or host:port
    #[arg(
        long,
        env = "SIGSCI_RPC_ADDRESS",
        hide_env_values = true,
        default_value = "/sigsci/tmp/sigsci.sock"
    )]
    pub rpc_address: String,
    /// Directory of the cached rules and geolocation data
    #[arg(
        long,
        env = "SIGSCI_SHARED_CACHE_DIR",
        hide_env_values = true,
        default_value = "/sigsci/tmp/cache"
    )]
    pub shared_cache_dir: String,
    /// Address that answers GET /startup
    #[arg(long, env = "SIGSCI_STARTUP_PROBE_LISTENER", hide_env_values = true)]
    pub startup_probe_listener: Option<String>,
    /// File that exists once the rules are loaded
    #[arg(long, env = "SIGSCI_STARTUP_PROBE_FILEPATH", hide_env_values = true)]
    pub startup_probe_filepath: Option<String>,
    /// File of the WAF data log, or /dev/stdout
    #[arg(long, env = "SIGSCI_WAF_DATA_LOG", hide_env_values = true)]
    pub waf_data_log: Option<String>,
    /// Whether the WAF data log holds requests without signals too
    #[arg(
        long,
        env = "SIGSCI_WAF_DATA_LOG_ALL",
        hide_env_values = true,
        default_value = "false"
    )]
    pub waf_data_log_all: String,
    /// How long a request waits for its response data
    #[arg(
        long,
        env = "SIGSCI_CONTEXT_EXPIRATION",
        hide_env_values = true,
        default_value = "10s"
    )]
    pub context_expiration: String,
    /// How often expired contexts are cleaned up
    #[arg(
        long,
        env = "SIGSCI_CLEANER_INTERVAL",
        hide_env_values = true,
        default_value = "10s"
    )]
    pub cleaner_interval: String,
    /// Request header that holds the client's address: its first element, or the peer where that is no address
    #[arg(
        long,
        env = "SIGSCI_CLIENT_IP_HEADER",
        hide_env_values = true,
        default_value = "X-Forwarded-For"
    )]
    pub client_ip_header: String,
    /// Where `StatsD` counters go by UDP, host:port
    #[arg(long, env = "SIGSCI_STATSD_ADDRESS", hide_env_values = true)]
    pub statsd_address: Option<String>,
    /// Headers set on the forwarded request, name:val,…; `$AgentResponse`, `$RequestID` and `$TagList` are replaced
    #[arg(long, env = "SIGSCI_CUSTOM_REQUEST_HEADERS", hide_env_values = true)]
    pub custom_request_headers: Option<String>,
    /// Accepted and ignored
    #[arg(long, env = "SIGSCI_SERVER_FLAVOR", hide_env_values = true)]
    pub server_flavor: Option<String>,
    /// The settings that only this agent has
    #[command(flatten)]
    pub stub: StubArguments,
}

impl fmt::Debug for Arguments {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Arguments").finish_non_exhaustive()
    }
}

/// What a command line asks for.
#[derive(Debug)]
pub enum ReadArguments {
    /// Serve with these settings.
    Serve(Box<Arguments>),
    /// Print this text and exit with success.
    Print(String),
    /// Say this line and exit with the code for bad settings.
    Refuse(String),
}

impl Arguments {
    /// Reads the command line and the environment.
    pub fn read(command_line: impl IntoIterator<Item = OsString>) -> ReadArguments {
        let command_line: Vec<OsString> = command_line.into_iter().collect();
        if command_line.iter().any(names_the_secret) {
            return ReadArguments::Refuse(
                "the secret key is read from SIGSCI_SECRETACCESSKEY only: arguments are visible to other processes".into(),
            );
        }
        match Self::try_parse_from(command_line) {
            Ok(arguments) if arguments.usage => ReadArguments::Print(usage()),
            Ok(arguments) if arguments.mutants => ReadArguments::Print(mutant::listing()),
            Ok(arguments) => ReadArguments::Serve(Box::new(arguments)),
            Err(error) if error.use_stderr() => {
                ReadArguments::Refuse(first_line(&error.to_string()))
            }
            Err(help_or_version) => ReadArguments::Print(help_or_version.to_string()),
        }
    }
}

fn names_the_secret(argument: &OsString) -> bool {
    argument
        .to_string_lossy()
        .trim_start_matches('-')
        .to_ascii_lowercase()
        .starts_with("secretaccesskey")
}

fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ")
        .into()
}

/// Lists every option with its variable and default, one a line.
pub fn usage() -> String {
    use fmt::Write as _;

    let mut text = String::from("agent-stub: options, variables and defaults\n");
    let command = Arguments::command();
    for argument in command.get_arguments() {
        let Some(long) = argument.get_long() else {
            continue;
        };
        let variable = argument
            .get_env()
            .map_or_else(|| "-".into(), |name| name.to_string_lossy());
        let defaults: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy())
            .collect();
        let default = if defaults.is_empty() {
            "-".into()
        } else {
            defaults.join(",")
        };
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        writeln!(text, "--{long}\t{variable}\t{default}\t{help}")
            .expect("writing to a String succeeds");
    }
    text.push_str("-\tSIGSCI_SECRETACCESSKEY\t-\tSecret access key of the site (required; environment only)\n");
    text
}

/// Names the variables that are set and have no effect, one line each.
pub fn warnings(variable_names: impl IntoIterator<Item = OsString>) -> Vec<String> {
    let command = Arguments::command();
    let known: Vec<_> = command
        .get_arguments()
        .filter_map(|argument| argument.get_env())
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name != "SIGSCI_SERVER_FLAVOR")
        .chain(["SIGSCI_SECRETACCESSKEY".into()])
        .collect();
    let mut ignored: Vec<String> = variable_names
        .into_iter()
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| {
            (name.starts_with("SIGSCI_") || name.starts_with("STUB_")) && !known.contains(name)
        })
        .map(|name| {
            format!(
                "{} is ignored: this agent has no such option",
                name.escape_debug()
            )
        })
        .collect();
    ignored.sort();
    ignored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usage_names_each_option_with_variable_and_default() {
        let usage = usage();
        for expected in [
            "--envoy-grpc-address\tSIGSCI_ENVOY_GRPC_ADDRESS\t-",
            "--rpc-address\tSIGSCI_RPC_ADDRESS\t/sigsci/tmp/sigsci.sock",
            "--stub-block-code\tSTUB_BLOCK_CODE\t406",
            "--stub-threshold-interval\tSTUB_THRESHOLD_INTERVAL\t1m",
            "SIGSCI_SECRETACCESSKEY",
        ] {
            assert!(usage.contains(expected), "{expected}\n{usage}");
        }
    }

    #[test]
    fn unknown_variables_are_named_and_known_ones_are_not() {
        let names = [
            "SIGSCI_MAX_PROCS",
            "SIGSCI_RPC_ADDRESS",
            "SIGSCI_SERVER_FLAVOR",
            "STUB_MODES",
            "STUB_MODE",
            "PATH",
        ];
        let lines = warnings(names.map(OsString::from));
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("SIGSCI_MAX_PROCS "), "{lines:?}");
        assert!(lines[1].starts_with("SIGSCI_SERVER_FLAVOR "), "{lines:?}");
        assert!(lines[2].starts_with("STUB_MODES "), "{lines:?}");
    }

    #[test]
    fn a_secret_on_the_command_line_is_refused_without_repeating_it() {
        let read = Arguments::read(["agent-stub", "--secretaccesskey=hunter2"].map(OsString::from));
        let ReadArguments::Refuse(line) = read else {
            panic!("{read:?}")
        };
        assert!(
            line.contains("SIGSCI_SECRETACCESSKEY") && !line.contains("hunter2"),
            "{line}"
        );
    }
}
