//! Counts the nodes that take pods, before scenarios rely on there being several.

use std::time::Duration;

use kube::Client;

use crate::EnvironmentFault;
use crate::kube::api::nodes::{count_open_nodes, open_all};
use crate::polling::Polling;
use harness_core::model::feature::{Feature, FeatureSet};
use harness_core::model::timeouts::TimedOut;

/// How long the nodes of a cluster that was just made may take until they take pods.
const OPEN_WITHIN: Duration = Duration::from_mins(2);
/// Between two looks at them.
const POLL_EVERY: Duration = Duration::from_millis(500);

/// Whose nodes there are, and how many take pods.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::kube) enum NodeCensus {
    /// They are the harness's own: one may be drained.
    Own(usize),
    /// They are the user's, and are left alone.
    Foreign,
}

impl NodeCensus {
    /// Returns the features that follow.
    pub(in crate::kube) fn features(self) -> FeatureSet {
        match self {
            Self::Own(2..) => FeatureSet::from([Feature::NodeDrain]),
            Self::Own(_) | Self::Foreign => FeatureSet::new(),
        }
    }

    /// Returns why no node is drained.
    pub(in crate::kube) fn why_no_drain(self) -> String {
        match self {
            Self::Own(_) => {
                "the cluster has one node that takes pods: `--nodes 2` makes one of two".into()
            }
            Self::Foreign => {
                "the nodes of a cluster that the harness has not made are left alone".into()
            }
        }
    }

    /// Returns what the report says of the nodes; nothing of those that were not counted.
    pub(in crate::kube) fn fact(self) -> Option<String> {
        match self {
            Self::Own(count) => Some(format!("{count} take pods")),
            Self::Foreign => None,
        }
    }
}

/// Counts the nodes that take pods, once as many do as the harness has made; `own` is none where it has made none.
pub(in crate::kube) async fn count_nodes(
    client: &Client,
    own: Option<u8>,
) -> Result<NodeCensus, EnvironmentFault> {
    let Some(wanted) = own.map(usize::from) else {
        return Ok(NodeCensus::Foreign);
    };
    open_all(client).await?;
    let mut polling = Polling::within(OPEN_WITHIN, POLL_EVERY);
    let mut open = 0;
    while polling.next().await {
        open = count_open_nodes(client).await?;
        if open >= wanted {
            return Ok(NodeCensus::Own(open));
        }
    }
    Err(TimedOut {
        waited_for: format!("{wanted} nodes to take pods"),
        budget: OPEN_WITHIN.into(),
        last_seen: format!("{open} do"),
    }
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_drained_only_where_it_is_ours_and_another_one_takes_its_pods() {
        let drains = |census: NodeCensus| census.features().contains(&Feature::NodeDrain);
        assert!(drains(NodeCensus::Own(2)));
        assert!(!drains(NodeCensus::Own(1)));
        assert!(!drains(NodeCensus::Foreign));
        assert!(NodeCensus::Own(1).why_no_drain().contains("--nodes 2"));
    }
}
