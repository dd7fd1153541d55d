//! The proxy's configuration of a benchmark: the user's own, with its listener once for each arm.

use serde_json::{Value, json};

use super::arm::Arm;
use super::error::BenchError;
use harness_core::stack::PROXY_PORT;
use harness_core::stack::proxy_fitness::{
    AGENT_LOG, AUTHORIZATION_FILTER, CONNECTION_MANAGER, TESTIMONY_KEY,
};

/// How a configuration names an agent in its own pod.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "::1", "localhost"];
/// The type of the settings by which a route disables the filter.
const PER_ROUTE: &str =
    "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute";

/// Makes the configuration with a listener for each arm; `name` is what errors call it.
///
/// # Errors
///
/// When the configuration has no plain listener that asks one agent over TCP.
pub fn for_arms(config: &Value, name: &str) -> Result<Value, BenchError> {
    let refuse = |reason| BenchError::Proxy {
        config: name.to_owned(),
        reason,
    };
    let listeners = config.pointer("/static_resources/listeners");
    let listener = listeners
        .and_then(Value::as_array)
        .and_then(|listeners| {
            listeners
                .iter()
                .find(|listener| port(listener) == Some(PROXY_PORT))
        })
        .ok_or_else(|| refuse("it has no listener for requests"))?;
    if find(listener, &|value| value.get("transport_socket").is_some()) {
        return Err(refuse(
            "its clients speak TLS, which the generator does not",
        ));
    }
    let agent = agent_cluster(listener).ok_or_else(|| refuse("it asks no agent over gRPC"))?;
    let clusters = config.pointer("/static_resources/clusters");
    let clusters = clusters
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let (agents, mut others): (Vec<_>, Vec<_>) = clusters
        .into_iter()
        .partition(|cluster| cluster.get("name") == Some(&Value::String(agent.clone())));
    let agent_cluster = agents
        .first()
        .ok_or_else(|| refuse("it has no cluster for the agent"))?;
    if port(agent_cluster).is_none() {
        return Err(refuse("its agent has no port"));
    }
    if agent_cluster.get("transport_socket").is_some() {
        return Err(refuse(
            "its agent speaks TLS, for which the agents here have no keys",
        ));
    }
    let is_elsewhere = |value: &Value| {
        let address = value
            .get("port_value")
            .and(value.get("address"))
            .and_then(Value::as_str);
        address.is_some_and(|address| !LOOPBACK.contains(&address))
    };
    if find(agent_cluster, &is_elsewhere) {
        return Err(refuse("its agent is not in the pod"));
    }
    let mut of_arms = Vec::new();
    for arm in Arm::ALL {
        of_arms.push(listener_of(arm, listener, &agent));
        if arm.asks() {
            let mut cluster = agent_cluster.clone();
            rename(&mut cluster, &agent, &cluster_of(arm));
            set_port(&mut cluster, arm.agent_port());
            others.push(cluster);
        }
    }
    let mut config = config.clone();
    config["static_resources"]["listeners"] = of_arms.into();
    config["static_resources"]["clusters"] = others.into();
    Ok(config)
}

fn cluster_of(arm: Arm) -> String {
    format!("agent-{arm}")
}

fn listener_of(arm: Arm, listener: &Value, agent: &str) -> Value {
    let mut listener = listener.clone();
    listener["name"] = format!("arm-{arm}").into();
    set_port(&mut listener, arm.listener_port());
    visit(&mut listener, &mut |value| {
        if is_of_type(value, CONNECTION_MANAGER) {
            value["stat_prefix"] = format!("arm-{arm}").into();
            if arm == Arm::Disabled {
                disable(value);
            }
        }
        // No request has an id here; its arm stands in the place of it.
        if let Some(Value::Object(line)) = value.get_mut(TESTIMONY_KEY) {
            line.insert("id".into(), arm.name().into());
        }
    });
    if !arm.asks() {
        remove(&mut listener, &|entry| {
            entry
                .get("typed_config")
                .is_some_and(|config| is_of_type(config, AGENT_LOG))
        });
    }
    if arm == Arm::Absent {
        let filter = filter_name(&listener);
        remove(&mut listener, &asks_agent);
        visit(&mut listener, &mut |value| {
            if let Some(Value::Object(settings)) = value.get_mut("typed_per_filter_config") {
                settings.retain(|name, _| Some(name) != filter.as_ref());
            }
        });
    }
    rename(&mut listener, agent, &cluster_of(arm));
    listener
}

/// Disables the filter that asks the agent for everything that a connection manager routes. What a route says of it comes before what its host says.
fn disable(manager: &mut Value) {
    let Some(filter) = filter_name(manager) else {
        return;
    };
    let disabled = json!({ "@type": PER_ROUTE, "disabled": true });
    let hosts = manager.pointer_mut("/route_config/virtual_hosts");
    for host in hosts.and_then(Value::as_array_mut).into_iter().flatten() {
        visit(host, &mut |value| {
            if let Some(settings) = value
                .get_mut("typed_per_filter_config")
                .and_then(|settings| settings.get_mut(&filter))
            {
                *settings = disabled.clone();
            }
        });
        host["typed_per_filter_config"][&filter] = disabled.clone();
    }
}

/// Returns whether an entry of a filter chain is the filter that asks the agent: another one may ask another service over HTTP.
fn asks_agent(entry: &Value) -> bool {
    entry.get("typed_config").is_some_and(|config| {
        is_of_type(config, AUTHORIZATION_FILTER) && config.get("grpc_service").is_some()
    })
}

/// Returns the name of the filter that asks the agent.
fn filter_name(value: &Value) -> Option<String> {
    let mut name = None;
    visit_ref(value, &mut |value| {
        if name.is_none() && asks_agent(value) {
            name = value.get("name").and_then(Value::as_str).map(Into::into);
        }
    });
    name
}

/// Returns the cluster that the filter asks.
fn agent_cluster(listener: &Value) -> Option<String> {
    let mut cluster = None;
    visit_ref(listener, &mut |value| {
        if cluster.is_none() && asks_agent(value) {
            let named = value.pointer("/typed_config/grpc_service/envoy_grpc/cluster_name");
            cluster = named.and_then(Value::as_str).map(Into::into);
        }
    });
    cluster
}

fn is_of_type(value: &Value, url_end: &str) -> bool {
    let url = value.get("@type").and_then(Value::as_str);
    url.is_some_and(|url| url.ends_with(url_end))
}

/// Takes what is unwanted out of every list.
fn remove(value: &mut Value, is_unwanted: &impl Fn(&Value) -> bool) {
    visit(value, &mut |value| {
        if let Value::Array(items) = value {
            items.retain(|item| !is_unwanted(item));
        }
    });
}

/// Gives what is called by one name another.
fn rename(value: &mut Value, from: &str, to: &str) {
    visit(value, &mut |value| {
        for field in ["name", "cluster_name"] {
            if let Some(name) = value.get_mut(field)
                && name == from
            {
                *name = to.into();
            }
        }
    });
}

/// Returns the first port below a value.
fn port(value: &Value) -> Option<u16> {
    let mut port = None;
    visit_ref(value, &mut |value| {
        let number = value.get("port_value").and_then(Value::as_u64);
        port = port.or(number.and_then(|number| u16::try_from(number).ok()));
    });
    port
}

fn set_port(value: &mut Value, port: u16) {
    visit(value, &mut |value| {
        if let Some(number) = value.get_mut("port_value") {
            *number = port.into();
        }
    });
}

fn find(value: &Value, is_wanted: &impl Fn(&Value) -> bool) -> bool {
    let mut found = false;
    visit_ref(value, &mut |value| found |= is_wanted(value));
    found
}

fn visit_ref(value: &Value, see: &mut impl FnMut(&Value)) {
    see(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| visit_ref(item, see)),
        Value::Object(fields) => fields.values().for_each(|field| visit_ref(field, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn visit(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    if value.is_object() || value.is_array() {
        change(value);
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, change)),
        Value::Object(fields) => fields.values_mut().for_each(|field| visit(field, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(name: &str) -> Result<Value, BenchError> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../envoy-configs");
        let path = camino::Utf8PathBuf::from(format!("{folder}/{name}.yaml"));
        let config = harness_core::stack::proxy_config::ProxyConfig::read(&path).expect("fit");
        for_arms(&config.to_json(), name)
    }

    #[test]
    fn each_arm_has_its_listener_and_each_that_asks_its_cluster() {
        let config = shipped("fail-closed").expect("it can be measured");
        let listeners = config["static_resources"]["listeners"]
            .as_array()
            .expect("a list");
        for (arm, listener) in Arm::ALL.into_iter().zip(listeners) {
            assert_eq!(port(listener), Some(arm.listener_port()));
            let has = |url: &str| find(listener, &|value| is_of_type(value, url));
            assert_eq!(has(AUTHORIZATION_FILTER), arm != Arm::Absent, "{arm}");
            assert_eq!(has(AGENT_LOG), arm.asks(), "{arm}");
            let cluster = agent_cluster(listener);
            assert_eq!(cluster, (arm != Arm::Absent).then(|| cluster_of(arm)));
            let disabled = |value: &Value| {
                value.get("routes").is_some() && value.get("typed_per_filter_config").is_some()
            };
            assert_eq!(find(listener, &disabled), arm == Arm::Disabled, "{arm}");
        }
        let clusters = config["static_resources"]["clusters"]
            .as_array()
            .expect("a list");
        for arm in Arm::ALL.into_iter().filter(|arm| arm.asks()) {
            let own = clusters
                .iter()
                .find(|cluster| cluster["name"] == cluster_of(arm));
            assert_eq!(own.and_then(port), Some(arm.agent_port()));
        }
        assert!(
            !config.to_string().contains("sigsci-agent-grpc\"},"),
            "nobody asks the agent of the manifest"
        );
    }

    #[test]
    fn a_route_that_has_the_filter_otherwise_is_disabled_too() {
        let mut manager = json!({
            "http_filters": [{ "name": "waf", "typed_config": { "@type": "x/ext_authz.v3.ExtAuthz", "grpc_service": {} } }],
            "route_config": { "virtual_hosts": [{ "routes": [
                { "typed_per_filter_config": { "waf": { "check_settings": {} }, "other": {} } },
            ] }] },
        });
        disable(&mut manager);
        let host = &manager["route_config"]["virtual_hosts"][0];
        assert_eq!(host["typed_per_filter_config"]["waf"]["disabled"], true);
        let route = &host["routes"][0]["typed_per_filter_config"];
        assert_eq!(
            route["waf"],
            json!({ "@type": PER_ROUTE, "disabled": true })
        );
        assert_eq!(route["other"], json!({}));
    }

    #[test]
    fn each_shipped_configuration_is_measured_or_refused_with_a_reason() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../envoy-configs");
        let mut refused = std::collections::BTreeMap::new();
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_stem()
                .and_then(|name| name.to_str())
                .expect("UTF-8")
                .to_owned();
            match shipped(&name) {
                Ok(config) => {
                    let listeners = config.pointer("/static_resources/listeners");
                    assert_eq!(
                        listeners.and_then(Value::as_array).map(Vec::len),
                        Some(6),
                        "{name}"
                    );
                    let mut disabled = Vec::new();
                    visit_ref(&config["static_resources"]["listeners"][1], &mut |value| {
                        let settings = value
                            .get("typed_per_filter_config")
                            .and_then(Value::as_object);
                        let of_filter = |(filter, settings): (&String, &Value)| {
                            (filter_name(&config).as_ref() == Some(filter))
                                .then(|| settings["disabled"].clone())
                        };
                        disabled.extend(settings.into_iter().flatten().filter_map(of_filter));
                    });
                    assert!(
                        disabled.iter().all(|is_disabled| *is_disabled == true),
                        "{name}"
                    );
                    assert!(!disabled.is_empty(), "{name}");
                }
                Err(BenchError::Proxy { reason, .. }) => {
                    refused.insert(name, reason);
                }
                Err(error) => panic!("{name}: {error}"),
            }
        }
        let tls = "its agent speaks TLS, for which the agents here have no keys";
        let expected = [
            ("agent-service", "its agent is not in the pod"),
            ("agent-service-standby", "its agent is not in the pod"),
            ("tls", tls),
            (
                "tls-for-clients",
                "its clients speak TLS, which the generator does not",
            ),
            ("tls-stranger", tls),
            ("unix-socket", "its agent has no port"),
        ];
        let refused: Vec<(&str, &str)> = refused
            .iter()
            .map(|(name, reason)| (name.as_str(), *reason))
            .collect();
        assert_eq!(refused, expected);
    }
}
