//! Waits until the nodes know that a Service has no endpoints.

use std::time::Duration;

use crate::EnvironmentFault;
use crate::kube::api::exec::{ask_line, exec};
use crate::kube::api::objects::{self, DRIVER};
use crate::kube::space::run_space::RunSpace;

/// How long the answer about a Service may take.
const SERVICE_KNOWN_WITHIN: Duration = Duration::from_secs(20);
/// The longest answer, in bytes.
const LONGEST_ANSWER: u64 = 1024;

/// How the wait for a refusal ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::kube) enum RefusalSeen {
    /// Connections are not accepted.
    Yes,
    /// They still were at the end.
    StillAccepted,
}

/// Waits until a Service's `host:port` refuses connections of the driver's pod. Before the node knows a Service its address has no owner,
/// and traffic to it may leave the cluster.
pub(in crate::kube) async fn await_refusal(
    space: &RunSpace,
    address: &str,
) -> Result<RefusalSeen, EnvironmentFault> {
    let pods = space.driver_pods().await?;
    let mut command = objects::command("await-refusal");
    command.push(address.to_owned());
    let mut exec = exec(&pods, DRIVER, DRIVER, command).await?;
    let said = ask_line(&mut exec, b"", LONGEST_ANSWER, SERVICE_KNOWN_WITHIN).await?;
    let said = String::from_utf8_lossy(&said);
    if said.trim() != "refused" {
        // Some networks answer nothing for a Service without endpoints; its traffic stays inside all the same.
        tracing::warn!(%address, said = said.trim(), "a Service without endpoints does not refuse connections");
    }
    Ok(if said.trim() == "accepted" {
        RefusalSeen::StillAccepted
    } else {
        RefusalSeen::Yes
    })
}
