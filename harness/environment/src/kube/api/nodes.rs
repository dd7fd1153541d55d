//! The nodes of a cluster: how many take pods, and how one is kept from taking more.

use k8s_openapi::api::core::v1::Node;
use kube::Client;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::EnvironmentFault;
use crate::kube::api::fault::ask;

/// Whether a node takes pods.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::kube) enum Scheduling {
    /// It takes none, and keeps those that it has.
    Cordoned,
    /// It takes pods.
    Open,
}

/// Returns how many nodes are ready and take pods without tolerations.
pub(in crate::kube) async fn count_open_nodes(client: &Client) -> Result<usize, EnvironmentFault> {
    Ok(list(client)
        .await?
        .iter()
        .filter(|node| is_open(node))
        .count())
}

/// Lets every node take pods that a run has cordoned and that was killed before it could open it again. For clusters of the harness's own alone.
pub(in crate::kube) async fn open_all(client: &Client) -> Result<(), EnvironmentFault> {
    for node in list(client).await? {
        if let (true, Some(name)) = (is_cordoned(&node), &node.metadata.name) {
            schedule(client, name, Scheduling::Open).await?;
        }
    }
    Ok(())
}

async fn list(client: &Client) -> Result<Vec<Node>, EnvironmentFault> {
    let nodes: Api<Node> = Api::all(client.clone());
    let listed = ask("list the nodes", nodes.list(&ListParams::default())).await?;
    Ok(listed.items)
}

fn is_cordoned(node: &Node) -> bool {
    node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true)
}

fn is_open(node: &Node) -> bool {
    let spec = node.spec.as_ref();
    let taints = spec.and_then(|spec| spec.taints.as_ref());
    let repels = taints.is_some_and(|taints| {
        let mut taints = taints.iter();
        taints.any(|taint| taint.effect == "NoSchedule" || taint.effect == "NoExecute")
    });
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let is_ready = conditions.is_some_and(|conditions| {
        let mut conditions = conditions.iter();
        conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
    });
    is_ready && !is_cordoned(node) && !repels
}

/// Lets a node take pods, or no more of them.
pub(in crate::kube) async fn schedule(
    client: &Client,
    node: &str,
    scheduling: Scheduling,
) -> Result<(), EnvironmentFault> {
    let nodes: Api<Node> = Api::all(client.clone());
    let (action, unschedulable) = match scheduling {
        Scheduling::Cordoned => (format!("cordon the node `{node}`"), true),
        Scheduling::Open => (format!("uncordon the node `{node}`"), false),
    };
    let patch = Patch::Merge(json!({ "spec": { "unschedulable": unschedulable } }));
    let parameters = PatchParams::default();
    ask(&action, nodes.patch(node, &parameters, &patch))
        .await
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::Value;

    use super::*;

    #[rstest]
    #[case::ready(json!({}), "True", true)]
    #[case::not_ready(json!({}), "False", false)]
    #[case::unknown(json!({}), "Unknown", false)]
    #[case::cordoned(json!({ "unschedulable": true }), "True", false)]
    #[case::control_plane(
        json!({ "taints": [{ "key": "node-role.kubernetes.io/master", "effect": "NoSchedule" }] }), "True", false
    )]
    #[case::preference(
        json!({ "taints": [{ "key": "a", "effect": "PreferNoSchedule" }] }), "True", true
    )]
    fn a_node_takes_pods_that_is_ready_and_neither_cordoned_nor_tainted(
        #[case] spec: Value,
        #[case] ready: &str,
        #[case] open: bool,
    ) {
        let node = json!({
            "spec": spec,
            "status": { "conditions": [
                { "type": "MemoryPressure", "status": "False" }, { "type": "Ready", "status": ready }
            ] },
        });
        let node: Node = serde_json::from_value(node).expect("a node");
        assert_eq!(is_open(&node), open);
    }
}
