//! The `ext_authz` filters that ask the agent: the counters and the account of each question that the suite reads.

use crate::model::complaints::Complaints;
use crate::model::yaml_tree::Node;

/// The end of the URL of an `ext_authz` filter's type.
pub const AUTHORIZATION_FILTER: &str = "ext_authz.v3.ExtAuthz";

/// The filter's prefix in the counters that the totals are compared with.
pub const FILTER_PREFIX: &str = "waf";

/// A filter of an HTTP connection manager that asks the agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter<'a> {
    /// The entry in `http_filters`.
    pub(super) entry: &'a Node,
    /// The filter's own settings; below the entry's `typed_config`, or wrapped by another filter that chooses.
    pub(super) settings: &'a Node,
}

impl<'a> Filter<'a> {
    /// Returns its name, by which routes and the access log refer to it.
    pub(super) fn name(&self) -> Option<&'a str> {
        self.entry.get("name").and_then(Node::as_str)
    }
}

/// Returns whether anything below asks a service over gRPC.
pub(super) fn asks(node: &Node) -> bool {
    let filters = node.of_type(AUTHORIZATION_FILTER);
    filters
        .iter()
        .any(|filter| filter.get("grpc_service").is_some())
}

/// Returns the filters that ask the agent. A service that is asked over HTTP is not the agent; of several that are asked over gRPC the
/// agent's is the one whose counters have its prefix.
pub(super) fn of_agent(manager: &Node) -> Vec<Filter<'_>> {
    let entries = manager.get("http_filters").map_or(&[][..], Node::items);
    let all: Vec<Filter<'_>> = entries
        .iter()
        .flat_map(|entry| {
            let settings = entry.of_type(AUTHORIZATION_FILTER).into_iter();
            settings.map(move |settings| Filter { entry, settings })
        })
        .filter(|filter| filter.settings.get("grpc_service").is_some())
        .collect();
    let named: Vec<Filter<'_>> = all.iter().copied().filter(has_prefix).collect();
    if named.is_empty() { all } else { named }
}

/// Complains of filters whose counters are not found, or that give no account of their questions.
pub(super) fn check(filters: &[Filter<'_>], complaints: &mut Complaints<'_>) {
    if let Some(filter) = filters.first()
        && !filters.iter().any(has_prefix)
    {
        let prefix = filter.settings.get("stat_prefix");
        complaints.add(
            prefix.map_or(filter.settings.position, |prefix| prefix.position),
            format!("the `stat_prefix` of the agent's `ext_authz` filter is not `{FILTER_PREFIX}`"),
            format!(
                "write `stat_prefix: {FILTER_PREFIX}` in the filter: the counters `http.ingress.ext_authz.waf.*` are compared with the outcomes"
            ),
        );
    }
    for filter in filters {
        let emits = filter.settings.get("emit_filter_state_stats");
        if !emits.is_some_and(Node::is_true) {
            complaints.add(
                emits.map_or(filter.settings.position, |emits| emits.position),
                "the agent's `ext_authz` filter does not say whether it asked: `emit_filter_state_stats` is not on",
                "write `emit_filter_state_stats: true` in the filter: the access log takes `authorization-microseconds` from there",
            );
        }
    }
}

fn has_prefix(filter: &Filter<'_>) -> bool {
    filter.settings.get("stat_prefix").and_then(Node::as_str) == Some(FILTER_PREFIX)
}
