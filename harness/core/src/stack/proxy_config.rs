//! What a proxy configuration must have so that the proxy can testify, and what it does for the agent.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use super::ADMIN_PORT;

/// The key under which each access-log line holds the proxy's collected records.
pub const TESTIMONY_KEY: &str = "conformance-proxy";

/// The fields of the collected records without which an outcome cannot be decided.
const TESTIMONY_FIELDS: [&str; 9] = [
    "id",
    "connection",
    "start",
    "status",
    "flags",
    "details",
    "upstream",
    "authorization-microseconds",
    "failure-mode-allowed",
];

/// How long Envoy waits for an authorization service whose `grpc_service` names no time-out.
const DEFAULT_AUTHORIZATION_TIMEOUT: Duration = Duration::from_millis(200);

/// The request headers by which the agent matches a response to its request.
///
/// Source: the vendor's guide for Envoy, `additional_request_headers_to_log`: "required".
const CORRELATION_HEADERS: [&str; 2] = ["x-sigsci-request-id", "x-sigsci-waf-response"];

/// A proxy configuration that was read and has what the suite needs.
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// The text, deployed as it is.
    pub text: String,
    /// The same as a tree.
    tree: Value,
}

/// Why a proxy configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProxyConfigError {
    /// The file cannot be read.
    #[error("cannot read the proxy configuration {path}")]
    Unreadable {
        /// The file.
        path: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The file is not YAML.
    #[error("the proxy configuration {path} is not valid YAML: {message}")]
    Malformed {
        /// The file.
        path: Utf8PathBuf,
        /// The parser's message, with the place.
        message: String,
    },
    /// Something is missing without which requests cannot be judged.
    #[error("the proxy configuration {path} {lacks}")]
    Unfit {
        /// The file.
        path: Utf8PathBuf,
        /// What it lacks, as a predicate.
        lacks: String,
        /// What to write.
        hint: String,
    },
}

impl ProxyConfig {
    /// Reads a configuration and checks that the proxy can testify with it.
    pub fn read(path: &Utf8Path) -> Result<Self, ProxyConfigError> {
        let text = fs_err::read_to_string(path).map_err(|source| ProxyConfigError::Unreadable {
            path: path.into(),
            source,
        })?;
        Self::parse(path, text)
    }

    fn parse(path: &Utf8Path, text: String) -> Result<Self, ProxyConfigError> {
        let tree: Value =
            serde_saphyr::from_str(&text).map_err(|error| ProxyConfigError::Malformed {
                path: path.into(),
                message: error.without_snippet().to_string(),
            })?;
        let config = Self { text, tree };
        let unfit = |lacks: &str, hint: &str| {
            Err(ProxyConfigError::Unfit {
                path: path.into(),
                lacks: lacks.into(),
                hint: hint.into(),
            })
        };
        if config
            .tree
            .pointer("/admin/address/socket_address/port_value")
            != Some(&Value::from(ADMIN_PORT))
        {
            return unfit(
                "has no admin endpoint on port 9901",
                "add `admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}`",
            );
        }
        let copy =
            "copy the `envoy.access_loggers.stdout` logger of envoy-configs/fail-closed.yaml";
        let Some(collected) = find_key(&config.tree, TESTIMONY_KEY) else {
            return unfit("writes no access log that the suite can read", copy);
        };
        if let Some(missing) = TESTIMONY_FIELDS
            .iter()
            .find(|field| collected.get(**field).is_none())
        {
            return unfit(&format!("does not log `{missing}`"), copy);
        }
        let listeners = config.tree.pointer("/static_resources/listeners");
        let shares_its_port = listeners
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .any(|listener| listener.get("enable_reuse_port") != Some(&Value::Bool(false)));
        if shares_its_port {
            return unfit(
                "has a listener that would share its port with another proxy silently",
                "add `enable_reuse_port: false` to each listener",
            );
        }
        Ok(config)
    }

    /// Returns what procedures and judges need to know of the configuration.
    pub fn facts(&self) -> ProxyFacts {
        let mut filters = Vec::new();
        find_type(&self.tree, "ext_authz.v3.ExtAuthz", &mut filters);
        // A service that is asked over HTTP is not the agent.
        let services = filters
            .iter()
            .filter_map(|filter| filter.get("grpc_service"));
        let authorization_timeouts = services.map(|service| {
            service
                .get("timeout")
                .and_then(Value::as_str)
                .and_then(seconds)
                .unwrap_or(DEFAULT_AUTHORIZATION_TIMEOUT)
        });
        let mut loggers = Vec::new();
        find_type(&self.tree, "grpc.v3.HttpGrpcAccessLogConfig", &mut loggers);
        let is_logged = |name: &str| {
            loggers.iter().all(|logger| {
                let listed = logger.get("additional_request_headers_to_log");
                let mut listed = listed.and_then(Value::as_array).into_iter().flatten();
                listed.any(|header| {
                    header
                        .as_str()
                        .is_some_and(|header| header.eq_ignore_ascii_case(name))
                })
            })
        };
        ProxyFacts {
            sends_response_data: !loggers.is_empty(),
            unlogged_headers: CORRELATION_HEADERS
                .into_iter()
                .filter(|name| !is_logged(name))
                .collect(),
            passes_bodies: filters
                .iter()
                .any(|filter| filter.get("with_request_body").is_some()),
            authorization_timeout: authorization_timeouts.clone().min(),
            longest_authorization_timeout: authorization_timeouts.max(),
        }
    }
}

/// What a proxy does for the agent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProxyFacts {
    /// Whether it sends response data.
    pub sends_response_data: bool,
    /// The headers by which the agent matches a response to its request and that response data lacks.
    pub unlogged_headers: Vec<&'static str>,
    /// Whether a filter passes bodies to the agent.
    pub passes_bodies: bool,
    /// How long it waits for a decision over gRPC; the shortest time where it has several filters, none without a filter.
    pub authorization_timeout: Option<Duration>,
    /// The same; the longest time where it has several filters.
    pub longest_authorization_timeout: Option<Duration>,
}

/// Reads a duration as Envoy's JSON writes it: `5.2s`.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn find_key<'a>(tree: &'a Value, wanted: &str) -> Option<&'a Value> {
    match tree {
        Value::Object(fields) => fields
            .get(wanted)
            .or_else(|| fields.values().find_map(|value| find_key(value, wanted))),
        Value::Array(items) => items.iter().find_map(|item| find_key(item, wanted)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Collects the objects of a type, by the end of its URL.
fn find_type<'a>(tree: &'a Value, suffix: &str, found: &mut Vec<&'a Value>) {
    match tree {
        Value::Object(fields) => {
            let is_wanted = fields
                .get("@type")
                .and_then(Value::as_str)
                .is_some_and(|url| url.ends_with(suffix));
            if is_wanted {
                found.push(tree);
            }
            for value in fields.values() {
                find_type(value, suffix, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                find_type(item, suffix, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn shipped(name: &str) -> String {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../envoy-configs");
        fs_err::read_to_string(root.join(format!("{name}.yaml"))).expect("shipped")
    }

    #[rstest]
    #[case("fail-closed", true, 5200)]
    #[case("fail-open", true, 1000)]
    #[case("no-access-log-service", false, 5200)]
    fn shipped_configurations_are_fit_and_known_by_what_they_do_for_the_agent(
        #[case] name: &str,
        #[case] sends: bool,
        #[case] waits_milliseconds: u64,
    ) {
        let config = ProxyConfig::parse("x.yaml".into(), shipped(name)).expect("fit");
        let waits = Some(Duration::from_millis(waits_milliseconds));
        assert_eq!(
            config.facts(),
            ProxyFacts {
                sends_response_data: sends,
                unlogged_headers: Vec::new(),
                passes_bodies: true,
                authorization_timeout: waits,
                longest_authorization_timeout: waits,
            }
        );
    }

    #[test]
    fn of_several_filters_the_shortest_wait_and_the_longest_are_known() {
        let another =
            "another: { \"@type\": x/ext_authz.v3.ExtAuthz, grpc_service: { timeout: 7s } }\n";
        let config = format!("{another}{}", shipped("agent-before-authentication"));
        let facts = ProxyConfig::parse("x.yaml".into(), config)
            .expect("fit")
            .facts();
        let [shortest, longest] = [5_200, 7_000].map(|wait| Some(Duration::from_millis(wait)));
        assert_eq!(facts.authorization_timeout, shortest);
        assert_eq!(facts.longest_authorization_timeout, longest);
    }

    #[rstest]
    #[case("port_value: 9901", "port_value: 9902", "admin endpoint")]
    #[case(
        "authorization-microseconds:",
        "something:",
        "`authorization-microseconds`"
    )]
    #[case("conformance-proxy:", "something-else:", "access log")]
    #[case(
        "enable_reuse_port: false",
        "enable_reuse_port: true",
        "share its port"
    )]
    fn a_configuration_that_cannot_testify_is_refused(
        #[case] from: &str,
        #[case] to: &str,
        #[case] complaint: &str,
    ) {
        let broken = shipped("fail-closed").replace(from, to);
        let error = ProxyConfig::parse("x.yaml".into(), broken).expect_err("unfit");
        assert!(error.to_string().contains(complaint), "{error}");
    }
}
