//! How a proxy reaches its agent: over TCP or a unix socket, in the clear or over TLS; and how an agent of a benchmark is told to listen so.

use serde_json::{Value, json};

use super::arm::Arm;
use super::json_tree::{find, port, set_port, visit, visit_mut};
use harness_core::model::container::AGENT_ADDRESS_VARIABLE;
use harness_core::stack::certificates::{CA_FILE, CERTIFICATE_FILE, KEY_FILE};

/// How a configuration names an agent in its own pod.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "::1", "localhost"];
/// Where the agents' sockets are, in a volume that proxies and agents share.
pub(super) const SOCKETS_FOLDER: &str = "/run/conformance-agents";
/// Where certificates are mounted for a proxy that trusts any.
const USUAL_CERTIFICATES_FOLDER: &str = "/etc/conformance/tls";
/// The agent's own settings of its certificate.
///
/// Source: the vendor's agent options `envoy-grpc-cert` and `envoy-grpc-key`.
const CERTIFICATE_VARIABLE: &str = "SIGSCI_ENVOY_GRPC_CERT";
const KEY_VARIABLE: &str = "SIGSCI_ENVOY_GRPC_KEY";

/// The variables of an agent that follow from how its proxy reaches it.
pub(super) const VARIABLES: [&str; 3] =
    [AGENT_ADDRESS_VARIABLE, CERTIFICATE_VARIABLE, KEY_VARIABLE];

/// How a proxy reaches its agent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct AgentWay {
    socket: Socket,
    /// The folder of certificates in proxy and agent, where they speak TLS.
    pub(super) certificates_at: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Socket {
    Tcp,
    Unix,
}

impl AgentWay {
    /// Reads it from the agent's cluster.
    ///
    /// # Errors
    ///
    /// Why no agent of a benchmark can stand in the place of this one.
    pub(super) fn of_cluster(cluster: &Value) -> Result<Self, &'static str> {
        let is_elsewhere = |value: &Value| {
            let address = value
                .get("port_value")
                .and(value.get("address"))
                .and_then(Value::as_str);
            address.is_some_and(|address| !LOOPBACK.contains(&address))
        };
        if find(cluster, &is_elsewhere) {
            return Err("its agent is not in the pod");
        }
        let socket = if find(cluster, &|value| pipe(value).is_some()) {
            Socket::Unix
        } else if port(cluster).is_some() {
            Socket::Tcp
        } else {
            return Err("its agent has neither port nor socket");
        };
        Ok(Self {
            socket,
            certificates_at: certificates_at(cluster)?,
        })
    }

    /// Makes a cluster that leads to the agent of its configuration lead to that of an arm.
    pub(super) fn lead_to(&self, arm: Arm, cluster: &mut Value) {
        match self.socket {
            Socket::Tcp => set_port(cluster, arm.agent_port()),
            Socket::Unix => visit_mut(cluster, &mut |value| {
                if pipe(value).is_some() {
                    value["pipe"] = json!({ "path": socket_of(arm) });
                }
            }),
        }
    }

    /// Returns the environment variables by which the agent of an arm listens where its proxy looks for it.
    pub(super) fn variables(&self, arm: Arm) -> Vec<(&'static str, String)> {
        let address = match self.socket {
            Socket::Tcp => format!("localhost:{}", arm.agent_port()),
            Socket::Unix => format!("unix:{}", socket_of(arm)),
        };
        let mut variables = vec![(AGENT_ADDRESS_VARIABLE, address)];
        if let Some(folder) = &self.certificates_at {
            variables.push((CERTIFICATE_VARIABLE, format!("{folder}/{CERTIFICATE_FILE}")));
            variables.push((KEY_VARIABLE, format!("{folder}/{KEY_FILE}")));
        }
        variables
    }

    /// Returns whether proxy and agent share a volume for the socket.
    pub(super) fn needs_a_volume(&self) -> bool {
        self.socket == Socket::Unix
    }
}

fn socket_of(arm: Arm) -> String {
    format!("{SOCKETS_FOLDER}/{arm}.sock")
}

fn pipe(value: &Value) -> Option<&str> {
    value.pointer("/pipe/path").and_then(Value::as_str)
}

/// Returns the folder in which the proxy looks for its certificates; none where it speaks in the clear.
fn certificates_at(cluster: &Value) -> Result<Option<String>, &'static str> {
    let Some(transport) = cluster.get("transport_socket") else {
        return Ok(None);
    };
    let mut files = Vec::new();
    visit(transport, &mut |value| {
        files.extend(
            value
                .get("filename")
                .and_then(Value::as_str)
                .map(str::to_owned),
        );
    });
    let folder = |file: &str| {
        let (folder, name) = file.rsplit_once('/')?;
        [CA_FILE, CERTIFICATE_FILE, KEY_FILE]
            .contains(&name)
            .then(|| folder.to_owned())
    };
    let mut folders = Vec::new();
    for file in &files {
        let folder = folder(file).ok_or(
            "it speaks TLS with its agent by files other than `ca.crt`, `tls.crt` and `tls.key`, which a benchmark makes",
        )?;
        folders.push(folder);
    }
    folders.dedup();
    match &folders[..] {
        [] => Ok(Some(USUAL_CERTIFICATES_FOLDER.to_owned())),
        [folder] => Ok(Some(folder.clone())),
        [_, _, ..] => Err("it looks for certificates of its agent in several folders"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn tls(files: &[&str]) -> Value {
        let files: Vec<Value> = { files.iter() }
            .map(|file| json!({ "filename": file }))
            .collect();
        json!({ "address": { "socket_address": { "address": "127.0.0.1", "port_value": 9999 } }, "transport_socket": { "files": files } })
    }

    #[rstest]
    #[case(&["/x/tls/ca.crt", "/x/tls/tls.crt"], Ok(Some("/x/tls")))]
    #[case(&[], Ok(Some(USUAL_CERTIFICATES_FOLDER)))]
    #[case(&["/x/stranger-ca.crt"], Err("files other than"))]
    #[case(&["/x/ca.crt", "/y/tls.crt"], Err("several folders"))]
    #[case(&["ca.crt"], Err("files other than"))]
    fn certificates_are_put_where_the_proxy_looks_for_them(
        #[case] files: &[&str],
        #[case] expected: Result<Option<&str>, &str>,
    ) {
        let way = AgentWay::of_cluster(&tls(files));
        match (way, expected) {
            (Ok(way), Ok(folder)) => {
                assert_eq!(way.certificates_at.as_deref(), folder);
                let variables = way.variables(Arm::B);
                let folder = folder.expect("TLS");
                assert_eq!(variables[0].1, "localhost:9105");
                assert_eq!(variables[1].1, format!("{folder}/tls.crt"));
            }
            (Err(reason), Err(said)) => assert!(reason.contains(said), "{reason}"),
            (way, expected) => panic!("{way:?} is not {expected:?}"),
        }
    }

    #[test]
    fn a_socket_is_the_arms_own() {
        let mut cluster = json!({ "endpoint": { "address": { "pipe": { "path": "/sigsci/tmp/envoy-grpc.sock", "mode": 438 } } } });
        let way = AgentWay::of_cluster(&cluster).expect("a socket");
        assert!(way.needs_a_volume());
        way.lead_to(Arm::Null, &mut cluster);
        let address = &way.variables(Arm::Null)[0].1;
        let path = cluster
            .pointer("/endpoint/address/pipe/path")
            .expect("a path");
        assert_eq!(
            Some(address.as_str()),
            path.as_str().map(|path| format!("unix:{path}")).as_deref()
        );
    }
}
