//! A proxy configuration that was read, and what it does for the agent.

use std::sync::Arc;
use std::time::Duration;

use camino::Utf8Path;

use super::file_error::StackFileError;
use super::proxy_fitness::{self, AGENT_LOG, AUTHORIZATION_FILTER};
use super::tap::tapped;
use crate::model::complaints::Complaints;
use crate::model::diagnostic::Diagnostic;
use crate::model::parse::parse;
use crate::model::yaml_tree::Node;

/// What errors call the file.
const WHAT: &str = "proxy configuration";
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
    pub text: Arc<str>,
    /// The same as a tree.
    tree: Node,
}

impl ProxyConfig {
    /// Reads a configuration and checks that requests can be judged with it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is unfit as [`ProxyConfig::parse`] says.
    pub fn read(path: &Utf8Path) -> Result<Self, StackFileError> {
        let text = fs_err::read_to_string(path).map_err(|source| StackFileError::Unreadable {
            what: WHAT,
            path: path.into(),
            source,
        })?;
        let mut faults = Vec::new();
        Self::parse(path, &text.into(), &mut faults).ok_or_else(|| StackFileError::Unfit {
            what: WHAT,
            path: path.into(),
            faults,
        })
    }

    /// Reads the configuration that `text` is; complaints name everything that keeps the suite from judging with it, each with its place.
    pub fn parse(
        file: &Utf8Path,
        text: &Arc<str>,
        complaints: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let tree: Node = parse(file, text, complaints)?;
        let mut own = Vec::new();
        let mut list = Complaints {
            file,
            text,
            list: &mut own,
        };
        proxy_fitness::check(&tree, &mut list);
        // What is written once and used twice is wrong once.
        own.sort_by_cached_key(|fault| (fault.position, fault.message.clone()));
        own.dedup_by(|left, right| {
            left.position == right.position && left.message == right.message
        });
        let is_fit = own.is_empty();
        complaints.extend(own);
        is_fit.then(|| Self {
            text: text.clone(),
            tree,
        })
    }

    /// Returns the configuration without the places of its values.
    pub fn to_json(&self) -> serde_json::Value {
        self.tree.to_json()
    }

    /// Returns the configuration with a tap around the sockets to the agent, and otherwise the same; none where no tap can be put into it.
    pub fn tapped(&self) -> Option<String> {
        tapped(&self.text, &self.tree)
    }

    /// Returns what procedures and judges need to know of the configuration.
    pub fn facts(&self) -> ProxyFacts {
        let filters = self.tree.of_type(AUTHORIZATION_FILTER);
        // A service that is asked over HTTP is not the agent.
        let services = filters
            .iter()
            .filter_map(|filter| filter.get("grpc_service"));
        let authorization_timeouts = services.map(|service| {
            service
                .get("timeout")
                .and_then(Node::as_str)
                .and_then(seconds)
                .unwrap_or(DEFAULT_AUTHORIZATION_TIMEOUT)
        });
        let loggers = self.tree.of_type(AGENT_LOG);
        let is_logged = |name: &str| {
            loggers.iter().all(|logger| {
                let listed = logger.get("additional_request_headers_to_log");
                let mut listed = listed.map_or(&[][..], Node::items).iter();
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn shipped(name: &str) -> String {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../envoy-configs");
        fs_err::read_to_string(root.join(format!("{name}.yaml"))).expect("shipped")
    }

    fn parsed(text: String) -> ProxyConfig {
        let mut faults = Vec::new();
        let config = ProxyConfig::parse("x.yaml".into(), &text.into(), &mut faults);
        config.unwrap_or_else(|| panic!("{faults:?}"))
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
        let config = parsed(shipped(name));
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
        let facts = parsed(config).facts();
        let [shortest, longest] = [5_200, 7_000].map(|wait| Some(Duration::from_millis(wait)));
        assert_eq!(facts.authorization_timeout, shortest);
        assert_eq!(facts.longest_authorization_timeout, longest);
    }
}
