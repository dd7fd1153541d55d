//! Removes a cluster until its tool no longer lists it.

use std::time::Duration;

use camino::Utf8Path;

use crate::EnvironmentFault;
use crate::kube::cluster::tool::{ClusterTool, clusters_of, remove_made};
use crate::kube::cluster::tool_processes::end_tools_of;
use crate::polling::Polling;
use harness_core::model::timeouts::TimedOut;

/// How long a cluster may take to be gone from its tool's list.
const GONE_WITHIN: Duration = Duration::from_mins(1);
/// How often the list is polled.
const POLL_EVERY: Duration = Duration::from_millis(500);

/// Removes a cluster, and whatever is still at work on it for a harness that is gone.
pub(super) async fn remove_until_gone(
    tool: ClusterTool,
    name: &str,
    kubeconfig: &Utf8Path,
) -> Result<(), EnvironmentFault> {
    end_tools_of(name)
        .await
        .map_err(|source| EnvironmentFault::Io {
            action: format!("end what still works on the cluster {name}"),
            source,
        })?;
    let mut polling = Polling::within(GONE_WITHIN, POLL_EVERY);
    while polling.next().await {
        // What the engine was making when its client was killed may come to be after a first removal.
        remove_made(tool, name, kubeconfig).await?;
        if !clusters_of(tool).await?.iter().any(|known| known == name) {
            return Ok(());
        }
    }
    Err(TimedOut {
        waited_for: format!("the cluster {name} to be gone"),
        budget: GONE_WITHIN.into(),
        last_seen: format!("{} still lists it", tool.name()),
    }
    .into())
}
