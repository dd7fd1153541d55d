//! Makes or reaches a cluster and asks what can be done there.

use std::sync::Arc;

use crate::EnvironmentFault;
use crate::kube::api::connection::ApiConnection;
use crate::kube::api::endpoints::EndpointsApi;
use crate::kube::capabilities::Capabilities;
use crate::kube::cluster::run_cluster::Cluster;
use crate::kube::environment::KubeEnvironment;
use crate::kube::options::KubeOptions;
use crate::kube::pod::pod_maker::PodMaker;
use crate::kube::space::observer::Observers;
use crate::kube::space::observing::Observing;
use crate::kube::space::run_space::RunSpace;
use crate::kube::space::sweep::sweep_namespaces;
use crate::kube::timeline::kubelet_acts::KubeletActs;
use crate::kube::trials::admission_trial::{PodAdmission, try_admission};
use crate::kube::trials::agent_probe::{AgentTraits, probe_agent};
use crate::kube::trials::node_census::{NodeCensus, count_nodes};
use crate::kube::trials::service_trial::{ServiceReach, try_service};
use crate::kube::trials::terminating_trial::{TerminatingReach, try_terminating};
use crate::run_folder::RunFolder;
use harness_artifacts::image::ImageRole;

impl KubeEnvironment {
    /// Makes or reaches the cluster, loads the images and asks what can be done there.
    ///
    /// # Errors
    ///
    /// When the cluster cannot be had, or images have no name. What was made until then is removed.
    pub async fn prepare(
        options: KubeOptions,
        say: &(impl Fn(&str) + Sync),
    ) -> Result<Self, EnvironmentFault> {
        let images = options.image_names()?;
        let named = &options.images.named;
        let folder = RunFolder::create(&options.runtime, &options.run).map_err(|source| {
            EnvironmentFault::Io {
                action: "make the run's folder".into(),
                source,
            }
        })?;
        let mut cluster =
            Box::pin(Cluster::have(options.cluster_request(folder.path()), say)).await?;
        let prepared = async {
            if let Some(built) = &options.built {
                cluster.load(built, named, say).await?;
                options.delivery().deliver(built, named, say).await?;
            }
            let connection = ApiConnection::open(&cluster.source())
                .await
                .map_err(|error| cluster.explain(error))?;
            let swept = sweep_namespaces(&connection.client).await?;
            if !swept.is_empty() {
                say(&format!(
                    "removed what earlier runs left: {}",
                    swept.join(", ")
                ));
            }
            let run_images = options.run_images(&connection, &images).await?;
            let space = Arc::new(RunSpace::new(
                connection.client.clone(),
                EndpointsApi::of(connection.release),
                options.run.clone(),
                run_images,
                options.keeping,
            ));
            let questions = async {
                let nodes = count_nodes(&connection.client, cluster.own_nodes()).await?;
                let observing = Observers::are_allowed(&space).await?;
                let agent = match named.of(ImageRole::Agent) {
                    Some(image) => Some(probe_agent(&space, image).await?),
                    None => None,
                };
                let services = Box::pin(try_service(&space, options.service_trial, say)).await?;
                let terminating =
                    Box::pin(try_terminating(&space, options.terminating_trial, say)).await?;
                let admission = try_admission(&space, options.admission_trial).await?;
                let found = Found {
                    observing,
                    agent,
                    services,
                    terminating,
                    nodes,
                    admission,
                };
                Ok::<_, EnvironmentFault>(found)
            };
            match questions.await {
                Ok(found) => Ok((connection, space, found)),
                Err(error) => {
                    // Only the error that came first is reported.
                    let _ = space.remove_all().await;
                    Err(error)
                }
            }
        };
        let prepared = Box::pin(prepared).await;
        match prepared {
            Ok((connection, space, found)) => Ok(Self {
                kind: options.cluster.kind(),
                maker: PodMaker {
                    space: space.clone(),
                    observers: Arc::default(),
                    observing: found.observing.clone(),
                    kubelet_acts: KubeletActs::of(connection.release),
                },
                capabilities: Capabilities {
                    release: connection.release,
                    cluster: connection.facts(),
                    observing: found.observing,
                    services: found.services,
                    terminating: found.terminating,
                    nodes: found.nodes,
                    admission: found.admission,
                    images,
                    presence: options.presence(&cluster),
                    digests: space.images.census.digests(),
                },
                connection,
                cluster: tokio::sync::Mutex::new(cluster),
                space,
                agent: found.agent,
                _folder: folder,
            }),
            Err(error) => {
                // Only the error that came first is reported.
                let _ = cluster.remove().await;
                Err(error)
            }
        }
    }
}

/// What a cluster has said of itself.
struct Found {
    observing: Observing,
    agent: Option<AgentTraits>,
    services: ServiceReach,
    terminating: TerminatingReach,
    nodes: NodeCensus,
    admission: PodAdmission,
}
