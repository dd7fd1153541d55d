//! What the suite needs of a proxy configuration so that requests can be judged, checked before anything is started.
//!
//! A configuration that is wrong is not refused here: judging it is what scenarios are for. It is refused where the suite could not judge it.
//! The needs stand, with their reasons, in `docs/your-own-configuration.md`.

use super::{ADMIN_PORT, PROXY_PORT};
use crate::model::complaints::Complaints;
use crate::model::located::Position;
use crate::model::yaml_tree::Node;

mod access_log;
mod control_route;
mod filter;
mod start_time;

pub use self::access_log::{AGENT_LOG, TESTIMONY_KEY};
pub use self::filter::{AUTHORIZATION_FILTER, FILTER_PREFIX};

/// The end of the URL of an HTTP connection manager's type.
pub const CONNECTION_MANAGER: &str = "http_connection_manager.v3.HttpConnectionManager";

/// The HTTP connection manager's prefix in the counters that the totals are compared with.
pub const CONNECTION_MANAGER_PREFIX: &str = "ingress";

/// Complains of everything that a configuration lacks.
pub(super) fn check(config: &Node, complaints: &mut Complaints<'_>) {
    check_admin(config, complaints);
    let listeners = config.at(&["static_resources", "listeners"]);
    let listeners = listeners.map_or(&[][..], Node::items);
    let front: Vec<&Node> = listeners
        .iter()
        .filter(|listener| addresses(listener).any(|address| port(address) == Some(PROXY_PORT)))
        .collect();
    if front.is_empty() {
        complain_of_port(config, listeners, complaints);
    }
    for listener in &front {
        check_listener(listener, complaints);
    }
    // What else is wrong with the listener that has another port is reported with it.
    let judged = if front.is_empty() {
        listeners
            .iter()
            .filter(|listener| filter::asks(listener))
            .collect()
    } else {
        front
    };
    for listener in judged {
        let managers = listener.of_type(CONNECTION_MANAGER);
        if managers.is_empty() {
            complaints.add(
                listener.position,
                "the listener has no HTTP connection manager",
                "add a filter `envoy.filters.network.http_connection_manager`",
            );
        }
        for manager in managers {
            check_manager(manager, complaints);
        }
    }
}

fn check_admin(config: &Node, complaints: &mut Complaints<'_>) {
    let whole = format!(
        "write `admin: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {ADMIN_PORT} }} }} }}`"
    );
    let Some(admin) = config.get("admin") else {
        let start = Position {
            line: 1,
            column: 1,
            length: 1,
        };
        return complaints.add(start, "the proxy has no admin endpoint", whole);
    };
    let place = config.place_of("admin");
    let Some(address) = admin.at(&["address", "socket_address"]) else {
        return complaints.add(place, "the admin endpoint has no TCP port", whole);
    };
    if port(address) != Some(ADMIN_PORT) {
        let value = address.get("port_value");
        complaints.add(
            value.map_or(place, |value| value.position),
            format!("the admin endpoint is not on port {ADMIN_PORT}"),
            format!("write `port_value: {ADMIN_PORT}`: counters and readiness are asked for there"),
        );
    }
    if let Some(host) = address.get("address")
        && host.as_str() != Some("127.0.0.1")
        && !takes_every_address(address)
    {
        complaints.add(
            host.position,
            "the admin endpoint does not answer at 127.0.0.1",
            "write `address: 127.0.0.1`",
        );
    }
}

fn complain_of_port(config: &Node, listeners: &[Node], complaints: &mut Complaints<'_>) {
    let mut ports = listeners
        .iter()
        .filter(|listener| filter::asks(listener))
        .chain(listeners)
        .flat_map(addresses)
        .filter_map(|address| address.get("port_value"));
    let place = match (ports.next(), config.get("static_resources")) {
        (Some(value), _) => value.position,
        (None, Some(resources)) => resources.place_of("listeners"),
        (None, None) => config.position,
    };
    complaints.add(
        place,
        format!("no listener is on port {PROXY_PORT}"),
        format!("write `socket_address: {{ address: 0.0.0.0, port_value: {PROXY_PORT} }}`: requests are sent there"),
    );
}

fn check_listener(listener: &Node, complaints: &mut Complaints<'_>) {
    let on_port = || addresses(listener).filter(|address| port(address) == Some(PROXY_PORT));
    if !on_port().any(takes_connections_of_pods)
        && let Some(host) = on_port().find_map(|address| address.get("address"))
    {
        complaints.add(
            host.position,
            format!("the listener on port {PROXY_PORT} takes no connection from outside the pod"),
            "write `address: 0.0.0.0`: requests come in through a Service",
        );
    }
    let shares = listener.get("enable_reuse_port");
    if !shares.is_some_and(|shares| shares.to_json() == serde_json::Value::Bool(false)) {
        complaints.add(
            shares.map_or(listener.position, |shares| shares.position),
            "the listener would share its port with another proxy silently",
            "write `enable_reuse_port: false` in the listener",
        );
    }
}

fn check_manager(manager: &Node, complaints: &mut Complaints<'_>) {
    let filters = filter::of_agent(manager);
    if !filters.is_empty() {
        check_prefix(manager, complaints);
        filter::check(&filters, complaints);
        control_route::check(manager, &filters, complaints);
    }
    access_log::check(manager, &filters, complaints);
}

fn check_prefix(manager: &Node, complaints: &mut Complaints<'_>) {
    let prefix = manager.get("stat_prefix");
    if prefix.and_then(Node::as_str) != Some(CONNECTION_MANAGER_PREFIX) {
        complaints.add(
            prefix.map_or(manager.position, |prefix| prefix.position),
            format!("the `stat_prefix` of the HTTP connection manager is not `{CONNECTION_MANAGER_PREFIX}`"),
            format!(
                "write `stat_prefix: {CONNECTION_MANAGER_PREFIX}`: the counters `http.ingress.ext_authz.waf.*` are compared with the outcomes"
            ),
        );
    }
}

/// Returns every socket address of a listener.
fn addresses(listener: &Node) -> impl Iterator<Item = &Node> {
    let further = listener.get("additional_addresses");
    let further = further.map_or(&[][..], Node::items).iter();
    std::iter::once(listener)
        .chain(further)
        .filter_map(|holder| holder.at(&["address", "socket_address"]))
}

fn port(address: &Node) -> Option<u16> {
    u16::try_from(address.get("port_value")?.as_u64()?).ok()
}

/// Returns whether connections to every address of IPv4 are taken.
fn takes_every_address(address: &Node) -> bool {
    match address.get("address").and_then(Node::as_str) {
        Some("0.0.0.0") => true,
        Some("::") => address.get("ipv4_compat").is_some_and(Node::is_true),
        Some(_) | None => false,
    }
}

/// Returns whether a pod's own address may be meant: it is not known before the pod is there.
fn takes_connections_of_pods(address: &Node) -> bool {
    let host = address.get("address").and_then(Node::as_str);
    takes_every_address(address)
        || host.is_none_or(|host| {
            let is_loopback = host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
            !is_loopback && host != "::"
        })
}

#[cfg(test)]
mod tests;
