//! The proxy's configuration of a benchmark: the user's own, with its listener once for each arm.

use serde_json::{Value, json};

use super::agent_way::AgentWay;
use super::arm::Arm;
use super::error::BenchError;
use super::json_tree::{find, is_of_type, port, remove, rename, set_port, visit, visit_mut};
use harness_core::stack::PROXY_PORT;
use harness_core::stack::proxy_fitness::{
    AGENT_LOG, AUTHORIZATION_FILTER, CONNECTION_MANAGER, TESTIMONY_KEY,
};

/// The type of the settings by which a route disables the filter.
const PER_ROUTE: &str =
    "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute";

/// What is asked of the configuration of one proxy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// What errors call the configuration.
    pub(super) name: &'a str,
    /// The arms that the proxy serves.
    pub(super) arms: &'a [Arm],
    /// The port of its admin endpoint.
    pub(super) admin_port: u16,
}

/// Makes the configuration with a listener for each arm, and says how the arms' agents are reached.
///
/// # Errors
///
/// When the configuration has no plain listener that asks one agent in its own pod.
pub(super) fn for_arms(
    config: &Value,
    wanted: Wanted<'_>,
) -> Result<(Value, AgentWay), BenchError> {
    let refuse = |reason| BenchError::Proxy {
        config: wanted.name.to_owned(),
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
    let way = AgentWay::of_cluster(agent_cluster).map_err(refuse)?;
    let mut of_arms = Vec::new();
    for &arm in wanted.arms {
        of_arms.push(listener_of(arm, listener, &agent));
        if arm.asks() {
            let mut cluster = agent_cluster.clone();
            rename(&mut cluster, &agent, &cluster_of(arm));
            way.lead_to(arm, &mut cluster);
            others.push(cluster);
        }
    }
    let mut config = config.clone();
    config["static_resources"]["listeners"] = of_arms.into();
    config["static_resources"]["clusters"] = others.into();
    if let Some(admin) = config.get_mut("admin") {
        set_port(admin, wanted.admin_port);
    }
    Ok((config, way))
}

fn cluster_of(arm: Arm) -> String {
    format!("agent-{arm}")
}

fn listener_of(arm: Arm, listener: &Value, agent: &str) -> Value {
    let mut listener = listener.clone();
    listener["name"] = format!("arm-{arm}").into();
    set_port(&mut listener, arm.listener_port());
    visit_mut(&mut listener, &mut |value| {
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
        visit_mut(&mut listener, &mut |value| {
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
        visit_mut(host, &mut |value| {
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
    visit(value, &mut |value| {
        if name.is_none() && asks_agent(value) {
            name = value.get("name").and_then(Value::as_str).map(Into::into);
        }
    });
    name
}

/// Returns the cluster that the filter asks.
fn agent_cluster(listener: &Value) -> Option<String> {
    let mut cluster = None;
    visit(listener, &mut |value| {
        if cluster.is_none() && asks_agent(value) {
            let named = value.pointer("/typed_config/grpc_service/envoy_grpc/cluster_name");
            cluster = named.and_then(Value::as_str).map(Into::into);
        }
    });
    cluster
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(name: &str) -> Result<Value, BenchError> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../envoy-configs");
        let path = camino::Utf8PathBuf::from(format!("{folder}/{name}.yaml"));
        let config = harness_core::stack::proxy_config::ProxyConfig::read(&path).expect("fit");
        let wanted = Wanted {
            name,
            arms: &Arm::ALL,
            admin_port: 9901,
        };
        for_arms(&config.to_json(), wanted).map(|(config, _)| config)
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
                    visit(&config["static_resources"]["listeners"][1], &mut |value| {
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
        let expected = [
            ("agent-service", "its agent is not in the pod"),
            ("agent-service-standby", "its agent is not in the pod"),
            (
                "tls-for-clients",
                "its clients speak TLS, which the generator does not",
            ),
            (
                "tls-stranger",
                "it speaks TLS with its agent by files other than `ca.crt`, `tls.crt` and `tls.key`, which a benchmark makes",
            ),
        ];
        let refused: Vec<(&str, &str)> = refused
            .iter()
            .map(|(name, reason)| (name.as_str(), *reason))
            .collect();
        assert_eq!(refused, expected);
    }
}
