//! A Deployment of the stack behind its Service: the pods that it has had, and what can be done to it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{DriverProcess, EnvironmentFault, Pod};
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::Stack;

/// A fleet that was created.
///
/// Dropping the last handle ends what follows its pods; [`Fleet::remove`] removes them.
#[async_trait]
pub trait Fleet: fmt::Debug + Send + Sync {
    /// Returns every pod that was ever seen, in the order in which they came.
    fn pods(&self) -> Vec<FleetMember>;

    /// Returns the address of the Service in front of the pods: `host:port`.
    fn service(&self) -> String;

    /// Starts `conformance drive` where its traffic reaches the Service without crossing an API server.
    async fn start_driver(&self) -> Result<DriverProcess, EnvironmentFault>;

    /// Changes the template of the pods, and so replaces every one of them.
    async fn roll_out(&self, change: TemplateChange) -> Result<(), EnvironmentFault>;

    /// Asks for so many pods.
    async fn scale(&self, replicas: u32) -> Result<(), EnvironmentFault>;

    /// Asks once for a pod's eviction, under a budget that keeps all but one of the pods available.
    async fn evict(&self, pod: &str) -> Result<Eviction, EnvironmentFault>;

    /// Lets the node of a pod take no more pods until [`Fleet::uncordon`]; returns the fleet's pods on that node.
    async fn cordon_node_of(&self, pod: &str) -> Result<Vec<String>, EnvironmentFault>;

    /// Lets the nodes that were cordoned take pods again.
    async fn uncordon(&self) -> Result<(), EnvironmentFault>;

    /// Deletes a pod without grace.
    async fn kill(&self, pod: &str) -> Result<(), EnvironmentFault>;

    /// Waits until the pods are those of the last change, as many as were asked for, all available, and no other is left.
    ///
    /// # Errors
    ///
    /// When they are not in time; the error has the last status.
    async fn await_settled(&self, within: TimeSpan) -> Result<(), EnvironmentFault>;

    /// Removes the fleet with everything that was made for it.
    async fn remove(&self) -> Result<(), EnvironmentFault>;
}

/// One pod of a fleet.
#[derive(Clone, Debug)]
pub struct FleetMember {
    /// Its name in its namespace.
    pub name: String,
    /// The pod.
    pub pod: Arc<dyn Pod>,
}

/// A change of the pods' template.
#[derive(Clone, Debug)]
pub enum TemplateChange {
    /// None but a mark by which every pod is another one.
    Restart,
    /// Another stack. The secrets that differ are applied before the pods are replaced.
    Stack(Box<Stack>),
}

/// What became of a request for an eviction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Eviction {
    /// The pod is on its way out.
    Granted,
    /// The budget does not allow it now.
    Refused,
}
