//! Calls that one driver makes, and the plan that it is given.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::procedure::contract::ContractConnection;
use crate::procedure::deployment::Deployment;
use harness_core::model::container::AGENT_ADDRESS_VARIABLE;
use harness_environment::authority;
use harness_traffic::contract::plan::{
    CallGroup, Completion, ContractPlan, PlannedCall, PlannedConnection,
};
use harness_traffic::plan::TlsPlan;

/// The port of the guide's manifest.
const DEFAULT_PORT: u16 = 9999;
/// The name that the agent's certificate must have.
const SERVER_NAME: &str = "localhost";

/// Calls that one driver makes.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// What is done, in order.
    pub(super) steps: Vec<Step>,
}

/// Calls that are made at the same time.
#[derive(Debug)]
pub(super) struct Step {
    /// The case.
    pub(super) name: String,
    /// How the agent is reached.
    pub(super) connection: ContractConnection,
    /// When the calls are completed.
    pub(super) completion: Completion,
    /// The calls.
    pub(super) calls: Vec<PlannedCall>,
}

impl Round {
    /// Returns the plan: steps that follow each other and go the same way share a connection.
    pub(super) fn plan(self, deployment: &Deployment) -> ContractPlan {
        let mut connections: Vec<(ContractConnection, PlannedConnection)> = Vec::new();
        for step in self.steps {
            let group = CallGroup {
                name: step.name,
                calls: step.calls,
                completion: step.completion,
            };
            if let Some((kind, connection)) = connections.last_mut()
                && *kind == step.connection
            {
                connection.groups.push(group);
                continue;
            }
            let connection = PlannedConnection {
                name: format!("connection-{}", connections.len() + 1),
                address: address(deployment),
                tls: tls(step.connection, deployment),
                groups: vec![group],
            };
            connections.push((step.connection, connection));
        }
        ContractPlan {
            connections: connections
                .into_iter()
                .map(|(_, connection)| connection)
                .collect(),
            call_timeout_milliseconds: u64::try_from(
                deployment.timeouts.request.as_duration().as_millis(),
            )
            .unwrap_or(u64::MAX),
        }
    }
}

/// Returns the agent's address as it is reached from outside the pod.
fn address(deployment: &Deployment) -> String {
    let port = deployment
        .stack
        .agent_variable(AGENT_ADDRESS_VARIABLE)
        .and_then(|address| address.rsplit_once(':'))
        .and_then(|(_, port)| port.parse().ok())
        .unwrap_or(DEFAULT_PORT);
    authority(&deployment.pod().addresses().pod_ip, port)
}

fn tls(connection: ContractConnection, deployment: &Deployment) -> Option<TlsPlan> {
    let certificates = &deployment.keys.certificates;
    let authority = match connection {
        ContractConnection::Plaintext => return None,
        ContractConnection::Tls => &certificates.ca,
        ContractConnection::TlsTrustingAStranger => &certificates.stranger_ca,
    };
    Some(TlsPlan {
        server_name: SERVER_NAME.into(),
        ca_pem_base64: STANDARD.encode(authority),
        alpn: vec!["h2".into()],
    })
}
