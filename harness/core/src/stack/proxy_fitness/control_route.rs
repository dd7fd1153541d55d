//! The route of the deliverability control: a request with a certain header goes to the application past the agent.

use super::filter::{AUTHORIZATION_FILTER, Filter};
use crate::model::complaints::Complaints;
use crate::model::located::Position;
use crate::model::yaml_tree::Node;
use crate::stack::CONTROL_HEADER;

/// What is repeated to whoever has none.
const COPY: &str = "copy the first route of docs/your-own-configuration.md before yours: a request with the header goes to the application past the agent";

/// Complains of an HTTP connection manager without such a route. Where routes come from elsewhere, nothing is known of them.
pub(super) fn check(manager: &Node, filters: &[Filter<'_>], complaints: &mut Complaints<'_>) {
    let Some(table) = manager.get("route_config") else {
        return;
    };
    let hosts = table.get("virtual_hosts").map_or(&[][..], Node::items);
    let mut faults = Vec::new();
    let mut is_found = false;
    for host in hosts {
        let routes = host.get("routes").map_or(&[][..], Node::items);
        for (position, route) in routes.iter().enumerate() {
            let Some(header) = control_header(route) else {
                continue;
            };
            is_found = true;
            let around = Surroundings {
                table,
                host,
                before: &routes[..position],
            };
            let own = around.faults_of(route, header, filters);
            if own.is_empty() {
                return;
            }
            faults.extend(own);
        }
    }
    if !is_found && !manager.mentions(CONTROL_HEADER.0) {
        let place = hosts
            .first()
            .map_or(table.position, |host| host.place_of("routes"));
        let message = format!(
            "no route is for requests with the header `{}`",
            CONTROL_HEADER.0
        );
        faults.push((place, message, COPY.into()));
    }
    for (place, message, hint) in faults {
        complaints.add(place, message, hint);
    }
}

/// A place, what is wrong there and what to write.
type Fault = (Position, String, String);

/// Returns the matcher of the control's header.
fn control_header(route: &Node) -> Option<&Node> {
    let headers = route.at(&["match", "headers"])?;
    headers.items().iter().find(|header| {
        let name = header.get("name").and_then(Node::as_str);
        name.is_some_and(|name| name.eq_ignore_ascii_case(CONTROL_HEADER.0))
    })
}

/// Where a route stands.
struct Surroundings<'a> {
    table: &'a Node,
    host: &'a Node,
    before: &'a [Node],
}

impl Surroundings<'_> {
    fn faults_of(&self, route: &Node, header: &Node, filters: &[Filter<'_>]) -> Vec<Fault> {
        let mut faults = Vec::new();
        let (_, value) = CONTROL_HEADER;
        let exact = header
            .at(&["string_match", "exact"])
            .or_else(|| header.get("exact_match"));
        let is_other = exact.is_some_and(|exact| exact.as_str() != Some(value));
        if is_other || header.get("invert_match").is_some_and(Node::is_true) {
            faults.push((
                exact.map_or(header.position, |exact| exact.position),
                format!(
                    "the route of the deliverability control does not match the value `{value}`"
                ),
                format!("write `string_match: {{ exact: {value} }}`"),
            ));
        }
        if let Some(first) = self.before.iter().find(|before| matches_all(before)) {
            faults.push((
                route.position,
                format!(
                    "the route of the deliverability control is never reached: the route on line {} matches every request",
                    first.position.line
                ),
                "write it as the first route".into(),
            ));
        }
        for filter in filters {
            if self.passes(route, filter) {
                continue;
            }
            let name = filter.name().unwrap_or_default();
            faults.push((
                route.position,
                format!("the route of the deliverability control leads through the agent's filter `{name}`"),
                format!(
                    "write `typed_per_filter_config: {{ {name}: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, disabled: true }} }}` in the route"
                ),
            ));
        }
        faults
    }

    /// Returns whether a request on the route passes the filter by, as far as can be read off the configuration.
    fn passes(&self, route: &Node, filter: &Filter<'_>) -> bool {
        let is_chosen_otherwise = ["filter_enabled", "filter_enabled_metadata"]
            .iter()
            .any(|name| filter.settings.get(name).is_some());
        let own = filter.entry.get("typed_config");
        let is_wrapped = own.is_none_or(|own| {
            let url = own.get("@type").and_then(Node::as_str);
            !url.is_some_and(|url| url.ends_with(AUTHORIZATION_FILTER))
        });
        is_chosen_otherwise
            || is_wrapped
            || filter.entry.get("disabled").is_some_and(Node::is_true)
            || [route, self.host, self.table]
                .iter()
                .any(|holder| is_off(holder, filter))
    }
}

/// Returns whether a holder of settings by filter's name has the filter off.
fn is_off(holder: &Node, filter: &Filter<'_>) -> bool {
    let settings = holder.get("typed_per_filter_config");
    let own = settings.and_then(|settings| settings.get(filter.name()?));
    let mut is_off = false;
    if let Some(own) = own {
        own.visit(&mut |node| is_off |= node.get("disabled").is_some_and(Node::is_true));
    }
    is_off
}

fn matches_all(route: &Node) -> bool {
    let Some(matching) = route.get("match") else {
        return false;
    };
    let prefix = matching.get("prefix").and_then(Node::as_str);
    matching.fields().len() == 1 && matches!(prefix, Some("" | "/"))
}
