//! The harness's handle of a Deployment in a cluster.

use std::iter;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod as KubePodObject;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::core::DynamicObject;
use kube::core::discovery::ApiResource;
use tokio::task::JoinHandle;

use crate::kube::api::exec::exec;
use crate::kube::api::fault::{ask, bounded, fault, is_absent};
use crate::kube::api::image_names::ImageNames;
use crate::kube::api::labels::FIELD_MANAGER;
use crate::kube::api::objects::{self, DRIVER};
use crate::kube::fleet::fleet_objects::{self, FLEET, PolicyVersion};
use crate::kube::fleet::members::{Members, Nursery, discover};
use crate::kube::fleet::status::unsettled;
use crate::polling::Polling;
use crate::{DriverProcess, EnvironmentFault, Eviction, Fleet, FleetMember, TemplateChange};
use harness_core::model::timeouts::TimedOut;
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::Stack;

/// Between two polls of the Deployment.
const POLL_EVERY: Duration = Duration::from_millis(200);
/// The status by which the API says that a budget does not allow an eviction.
const TOO_MANY_REQUESTS: u16 = 429;

/// A Deployment of a cluster.
#[derive(Debug)]
pub(in crate::kube) struct KubeFleet {
    nursery: Nursery,
    images: ImageNames,
    wanted: Mutex<Wanted>,
    members: Arc<Members>,
    discovery: JoinHandle<()>,
    policy: tokio::sync::OnceCell<PolicyVersion>,
}

/// What the Deployment was asked to be last.
#[derive(Clone, Debug)]
struct Wanted {
    stack: Stack,
    replicas: u32,
    revision: u32,
}

impl KubeFleet {
    /// Creates the Deployment in a namespace that has everything else of the stack.
    pub(in crate::kube) async fn create(
        nursery: Nursery,
        images: ImageNames,
        replicas: u32,
    ) -> Result<Self, EnvironmentFault> {
        let members = Arc::<Members>::default();
        let fleet = Self {
            wanted: Mutex::new(Wanted {
                stack: nursery.stack.clone(),
                replicas,
                revision: 0,
            }),
            images,
            discovery: tokio::spawn(discover(nursery.clone(), members.clone())),
            members,
            nursery,
            policy: tokio::sync::OnceCell::new(),
        };
        fleet.apply().await?;
        Ok(fleet)
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn apply(&self) -> Result<(), EnvironmentFault> {
        let Wanted {
            stack,
            replicas,
            revision,
        } = self.wanted().clone();
        let space = &self.nursery.maker.space;
        let mut pod = objects::pod(&space.run, &stack, &self.images);
        space.images.pulls.put_into_pod_under_test(&mut pod, &stack);
        let object = fleet_objects::deployment(&space.run, pod, replicas, revision);
        space
            .apply(&self.nursery.namespace.name, FLEET, &object)
            .await
            .map(|_| ())
    }

    fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(
            self.nursery.maker.space.client.clone(),
            &self.nursery.namespace.name,
        )
    }

    /// Applies the budget at the first eviction, and returns the version of its group that the server has.
    async fn policy(&self) -> Result<PolicyVersion, EnvironmentFault> {
        self.policy
            .get_or_try_init(|| async {
                let client = &self.nursery.maker.space.client;
                let groups = ask("ask the API for its groups", client.list_api_groups()).await?;
                let has_v1 = groups.groups.iter().any(|group| {
                    let versions = &mut group.versions.iter();
                    versions.any(|version| version.group_version == PolicyVersion::V1.as_str())
                });
                let version = if has_v1 {
                    PolicyVersion::V1
                } else {
                    PolicyVersion::V1Beta1
                };
                let (group, version_name) = version
                    .as_str()
                    .split_once('/')
                    .expect("the name of a version has a group");
                let resource = ApiResource {
                    group: group.into(),
                    version: version_name.into(),
                    api_version: version.as_str().into(),
                    kind: "PodDisruptionBudget".into(),
                    plural: "poddisruptionbudgets".into(),
                };
                let budgets: Api<DynamicObject> =
                    Api::namespaced_with(client.clone(), &self.nursery.namespace.name, &resource);
                let budget = fleet_objects::budget(&self.nursery.maker.space.run, version);
                let budget = Patch::Apply(budget);
                let parameters = PatchParams::apply(FIELD_MANAGER).force();
                let applied = budgets.patch(FLEET, &parameters, &budget);
                ask("apply the disruption budget", applied).await?;
                Ok(version)
            })
            .await
            .copied()
    }
}

#[async_trait]
impl Fleet for KubeFleet {
    fn pods(&self) -> Vec<FleetMember> {
        self.members.all()
    }

    fn service(&self) -> String {
        self.nursery.service.clone()
    }

    async fn start_driver(&self) -> Result<DriverProcess, EnvironmentFault> {
        let pods = self.nursery.maker.space.driver_pods().await?;
        let exec = exec(&pods, DRIVER, DRIVER, objects::command("drive")).await?;
        Ok(DriverProcess {
            stdin: exec.stdin,
            stdout: Box::new(exec.stdout),
            guard: Box::new(exec.guard),
        })
    }

    async fn roll_out(&self, change: TemplateChange) -> Result<(), EnvironmentFault> {
        if let TemplateChange::Stack(stack) = change {
            let space = &self.nursery.maker.space;
            for (name, values) in &stack.secrets {
                let object = objects::secret(name, &space.run, values);
                space
                    .apply(&self.nursery.namespace.name, name, &object)
                    .await?;
            }
            self.wanted().stack = *stack;
        }
        self.wanted().revision += 1;
        self.apply().await
    }

    async fn scale(&self, replicas: u32) -> Result<(), EnvironmentFault> {
        self.wanted().replicas = replicas;
        self.apply().await
    }

    async fn evict(&self, pod: &str) -> Result<Eviction, EnvironmentFault> {
        let version = self.policy().await?;
        let namespace = &self.nursery.namespace.name;
        let action = format!("evict the pod `{pod}`");
        let body = fleet_objects::eviction(pod, namespace, version);
        let body = serde_json::to_vec(&body).expect("the request has only string keys");
        let request = http::Request::post(format!(
            "/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
        ))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body)
        .expect("names of Kubernetes are valid in a path");
        let asked = self.nursery.asks_once.request::<serde_json::Value>(request);
        match bounded(&action, asked).await? {
            Ok(_) => Ok(Eviction::Granted),
            Err(kube::Error::Api(status)) if status.code == TOO_MANY_REQUESTS => {
                Ok(Eviction::Refused)
            }
            Err(error) => Err(fault(&action, &error)),
        }
    }

    async fn cordon_node_of(&self, pod: &str) -> Result<Vec<String>, EnvironmentFault> {
        let Some(node) = self.members.node_of(pod) else {
            return Err(EnvironmentFault::PodLost {
                reason: format!("the node of `{pod}` is not known"),
            });
        };
        self.nursery.maker.space.cordon(&node).await?;
        Ok(self.members.on_node(&node))
    }

    async fn uncordon(&self) -> Result<(), EnvironmentFault> {
        self.nursery.maker.space.open_nodes().await
    }

    async fn kill(&self, pod: &str) -> Result<(), EnvironmentFault> {
        let pods: Api<KubePodObject> = Api::namespaced(
            self.nursery.maker.space.client.clone(),
            &self.nursery.namespace.name,
        );
        let parameters = DeleteParams::default().grace_period(0);
        let action = format!("kill the pod `{pod}`");
        match bounded(&action, pods.delete(pod, &parameters)).await? {
            Ok(_) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(fault(&action, &error)),
        }
    }

    async fn await_settled(&self, within: TimeSpan) -> Result<(), EnvironmentFault> {
        let deployments = self.deployments();
        let containers = self.nursery.stack.containers().count();
        let mut polling = Polling::within(within.as_duration(), POLL_EVERY);
        let mut last_seen = String::new();
        while polling.next().await {
            let deployment = ask("look at the Deployment", deployments.get(FLEET)).await?;
            match unsettled(&deployment, self.members.left(containers)) {
                Some(missing) => {
                    let waiting = self.members.waiting().into_iter();
                    last_seen = iter::once(missing)
                        .chain(waiting)
                        .collect::<Vec<_>>()
                        .join("; ");
                }
                None => return Ok(()),
            }
        }
        Err(TimedOut {
            waited_for: "the fleet to settle".into(),
            budget: within,
            last_seen,
        }
        .into())
    }

    async fn remove(&self) -> Result<(), EnvironmentFault> {
        let opened = self.uncordon().await;
        // The Deployment and its pods go with their namespace.
        self.nursery
            .maker
            .space
            .remove_namespace(&self.nursery.namespace)
            .await;
        opened
    }
}

impl Drop for KubeFleet {
    fn drop(&mut self) {
        self.discovery.abort();
    }
}
