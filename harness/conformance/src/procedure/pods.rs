//! The pods that a procedure is carried out on: one, or those of a fleet.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use camino::Utf8PathBuf;

use harness_environment::{
    DriverProcess, EnvironmentFault, Fleet, FleetMember, Pod, ServiceTranslation,
};
use harness_verdict::judge::lifecycle::render;

/// The pods of a deployment.
#[async_trait]
pub trait Pods: fmt::Debug + Send + Sync + Sized + 'static {
    /// How long is waited between two looks at what the witnesses of these pods have recorded.
    const POLL_INTERVAL: Duration;

    /// Returns every pod that there ever was, with its name.
    fn members(&self) -> Vec<FleetMember>;

    /// Returns the folder of a pod's evidence, relative to the scenario's.
    fn folder_of(&self, member: &FleetMember) -> Utf8PathBuf;

    /// Returns what was seen last of the pods, for a time-out.
    fn last_seen(&self) -> String;

    /// Starts `conformance drive` where its traffic reaches the pods without crossing an API server.
    async fn start_driver(&self) -> Result<DriverProcess, EnvironmentFault>;

    /// Returns the address of the Service where the driver has to find out itself where it leads; none where the node does.
    fn service_translated_by_driver(&self) -> Option<String>;

    /// Removes the pods with everything that was made for them.
    async fn remove(&self) -> Result<(), EnvironmentFault>;
}

/// The one pod of a scenario.
#[derive(Clone, Debug)]
pub struct OnePod(pub Arc<dyn Pod>);

/// The pods of a Deployment behind one Service.
#[derive(Clone, Debug)]
pub struct PodFleet(pub Arc<dyn Fleet>);

#[async_trait]
impl Pods for OnePod {
    const POLL_INTERVAL: Duration = Duration::from_millis(15);

    fn members(&self) -> Vec<FleetMember> {
        vec![FleetMember {
            name: "pod".into(),
            pod: self.0.clone(),
        }]
    }

    fn folder_of(&self, _: &FleetMember) -> Utf8PathBuf {
        Utf8PathBuf::new()
    }

    fn last_seen(&self) -> String {
        render(&self.0.timeline(), None)
    }

    async fn start_driver(&self) -> Result<DriverProcess, EnvironmentFault> {
        self.0.start_driver().await
    }

    fn service_translated_by_driver(&self) -> Option<String> {
        let addresses = self.0.addresses();
        match addresses.translation {
            ServiceTranslation::ByClient => Some(addresses.service),
            ServiceTranslation::ByNode => None,
        }
    }

    async fn remove(&self) -> Result<(), EnvironmentFault> {
        self.0.remove().await
    }
}

#[async_trait]
impl Pods for PodFleet {
    const POLL_INTERVAL: Duration = Duration::from_millis(300);

    fn members(&self) -> Vec<FleetMember> {
        self.0.pods()
    }

    fn folder_of(&self, member: &FleetMember) -> Utf8PathBuf {
        Utf8PathBuf::from("pods").join(&member.name)
    }

    fn last_seen(&self) -> String {
        format!("the fleet has had {} pods", self.0.pods().len())
    }

    async fn start_driver(&self) -> Result<DriverProcess, EnvironmentFault> {
        self.0.start_driver().await
    }

    fn service_translated_by_driver(&self) -> Option<String> {
        None
    }

    async fn remove(&self) -> Result<(), EnvironmentFault> {
        self.0.remove().await
    }
}
