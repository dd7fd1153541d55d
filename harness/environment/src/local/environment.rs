//! Makes pods on this machine.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use camino::Utf8PathBuf;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::time;

use super::container_logs::ContainerLogs;
use super::control_client::ControlClient;
use super::egress;
use super::folder_sockets::FolderSockets;
use super::image_table::ImageTable;
use super::plan::PodPlan;
use super::planning::{self, Privileges};
use super::pod::{LocalPod, PodParts};
use super::protocol::ControlRequest;
use super::stage_thread;
use crate::pod_timeline::PodTimeline;
use crate::run_folder::{self, RunFolder};
use crate::{Addresses, Environment, EnvironmentFault, Pod, ServiceTranslation};
use harness_core::model::agent_egress::AgentEgress;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_core::model::feature::{Feature, FeatureSet};
use harness_core::model::identity::{PodName, RunId};
use harness_core::model::kubelet::Kubelet;
use harness_core::model::timeline::TimelineEvent;
use harness_core::model::timeouts::TimedOut;
use harness_core::stack::Stack;

/// How long a supervisor may take from its start until it reports that the pod exists.
const POD_CREATED_WITHIN: Duration = Duration::from_secs(10);

/// How much of what the supervisor says is reported when a pod cannot be created, in bytes.
const REPORTED_TAIL: u64 = 2048;

/// Where a local environment finds and puts things.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// The executables behind the image names.
    pub images: ImageTable,
    /// The `conformance` executable, which is started again for each pod.
    pub conformance: Utf8PathBuf,
    /// The folder of short-lived files: `<runtime>/<run>/<pod>/`.
    pub runtime: Utf8PathBuf,
    /// What the agent's container reaches outside of its pod.
    pub agent_egress: AgentEgress,
}

/// Runs pods as namespaces of this machine.
#[derive(Debug)]
pub struct LocalEnvironment {
    options: LocalOptions,
    privileges: Privileges,
    runs: Mutex<BTreeMap<RunId, Arc<RunFolder>>>,
}

impl LocalEnvironment {
    /// Makes the environment. Nothing is started, and a run's folder is made and locked with its
    /// first pod.
    pub fn new(options: LocalOptions) -> Self {
        Self {
            options,
            privileges: Privileges::of_this_process(),
            runs: Mutex::default(),
        }
    }

    fn run_folder(&self, run: &RunId) -> io::Result<Arc<RunFolder>> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = runs.get(run) {
            return Ok(Arc::clone(folder));
        }
        let folder = Arc::new(RunFolder::create(&self.options.runtime, run)?);
        runs.insert(run.clone(), Arc::clone(&folder));
        Ok(folder)
    }

    /// Starts the stage with the control socket and the lifeline in its hands.
    async fn start_stage(
        &self,
        name: &PodName,
        control: &ControlClient,
        logs: &ContainerLogs,
    ) -> io::Result<Child> {
        let listener = UnixListener::bind(control.socket())?;
        let label = run_folder::label(name);
        let mut command = Command::new(&self.options.conformance);
        command
            .arg0(&label)
            .args(["pod-stage", &label])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(OwnedFd::from(listener))
            .stderr(logs.of_supervisor()?)
            // A Ctrl-C at the terminal is the harness' to handle.
            .process_group(0)
            .kill_on_drop(true);
        for name in ["RUST_BACKTRACE", "RUST_LOG"] {
            if let Ok(value) = std::env::var(name) {
                command.env(name, value);
            }
        }
        logs.hand_down(&mut command)?;
        stage_thread::spawn(command).await
    }
}

#[async_trait]
impl Environment for LocalEnvironment {
    fn kind(&self) -> EnvironmentKind {
        EnvironmentKind::Local
    }

    fn kubelet(&self) -> Kubelet {
        Kubelet::Rehearsed
    }

    fn features(&self) -> FeatureSet {
        let mut features = FeatureSet::from([
            Feature::ContainerFaults,
            Feature::NativeSidecar,
            Feature::PreStopExec,
            Feature::PreStopSleep,
            Feature::ReadOnlyRootfs,
            Feature::ResourceUsage,
            Feature::StartupProbeGrpc,
            Feature::StartupProbeHttp,
            Feature::StartupProbeTcp,
            // Either is rehearsed, as a scenario needs it.
            Feature::TerminatingEndpointsUnused,
            Feature::TerminatingEndpointsUsed,
        ]);
        match self.privileges {
            Privileges::Root => {
                features.insert(Feature::RunAsUser);
            }
            Privileges::User => {}
        }
        features
    }

    fn why_not(&self, feature: Feature) -> Option<String> {
        let reasons = [
            (
                Feature::AgentService,
                "pods here have no network between them",
            ),
            (
                Feature::MemoryLimits,
                "containers here have no control group of their own",
            ),
            (
                Feature::RunAsUser,
                "a harness that is not root has one user only",
            ),
            (
                Feature::SeccompProfile,
                "containers here have no container runtime, and so none of its profiles",
            ),
            (
                Feature::PodSecurityAdmission,
                "there is no API server that would refuse a pod",
            ),
        ];
        let mut reasons = reasons.into_iter();
        let (_, reason) = reasons.find(|(missing, _)| *missing == feature)?;
        Some(reason.into())
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let kernel = nix::sys::utsname::uname().map_or_else(
            |errno| errno.to_string(),
            |name| name.release().to_string_lossy().into_owned(),
        );
        BTreeMap::from([
            ("kernel".into(), kernel),
            (
                "kubelet".into(),
                "none: its rules are rehearsed by this harness".into(),
            ),
            ("privileges".into(), self.privileges.to_string()),
            ("runtime".into(), "Linux namespaces".into()),
        ])
    }

    async fn create(&self, name: PodName, stack: &Stack) -> Result<Arc<dyn Pod>, EnvironmentFault> {
        let run = self
            .run_folder(&name.run)
            .map_err(failed_to("lock the run's folder"))?;
        let place = run.path().join(name.to_string());
        let mut plan = planning::plan(&name, stack, &place, &self.options.images, self.privileges)?;
        egress::equip(&mut plan, &self.options.agent_egress);
        let containers = plan.rules.containers.iter();
        let logs = ContainerLogs::create(containers.map(|container| container.name.clone()))
            .map_err(failed_to("make the pod's logs"))?;
        fs_err::create_dir(&place).map_err(failed_to("make the pod's folder"))?;
        let folder = FolderGuard(Some(place.clone()));
        let sockets = FolderSockets::open(&place).map_err(failed_to("open the pod's folder"))?;
        let egress = egress::open(&self.options.agent_egress, &sockets)
            .map_err(failed_to("open the agent's way out"))?;
        let control = Arc::new(ControlClient::new(sockets));
        let mut stage = self
            .start_stage(&name, &control, &logs)
            .await
            .map_err(failed_to("start the pod's stage"))?;
        let (lifeline, first, reports) = first_event(&mut stage, &control, &plan, &logs).await?;
        let timeline = Arc::new(PodTimeline::new());
        timeline.append(first);
        let parts = PodParts {
            addresses: Addresses {
                pod_ip: plan.pod_ip.clone(),
                service: format!("{}:{}", plan.service_ip, plan.service_port),
                translation: ServiceTranslation::ByClient,
            },
            folder: folder.release(),
            logs,
            control,
            timeline,
            lifeline: Mutex::new(Some(lifeline)),
            kill: watch::Sender::new(false),
            egress,
            run,
        };
        Ok(Arc::new(LocalPod::new(parts, stage, reports)))
    }
}

/// Removes the folder of a pod that was not created after all.
struct FolderGuard(Option<Utf8PathBuf>);

impl FolderGuard {
    fn release(mut self) -> Utf8PathBuf {
        self.0.take().expect("released once")
    }
}

impl Drop for FolderGuard {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            let _ = fs_err::remove_dir_all(folder);
        }
    }
}

/// Hands the plan over and waits until the supervisor reports that the pod exists.
async fn first_event(
    stage: &mut Child,
    control: &ControlClient,
    plan: &PodPlan,
    logs: &ContainerLogs,
) -> Result<(ChildStdin, TimelineEvent, BufReader<UnixStream>), EnvironmentFault> {
    let report = async {
        let mut lifeline = stage.stdin.take().expect("the stage was given a pipe");
        let mut line = serde_json::to_vec(plan)?;
        line.push(b'\n');
        lifeline.write_all(&line).await?;
        let connection = control
            .open(&ControlRequest::Watch)
            .await
            .map_err(io::Error::other)?;
        let mut reports = BufReader::new(connection);
        let mut line = String::new();
        reports.read_line(&mut line).await?;
        let first = serde_json::from_str(&line)?;
        Ok::<_, io::Error>((lifeline, first, reports))
    };
    match time::timeout(POD_CREATED_WITHIN, report).await {
        Ok(Ok(parts)) => Ok(parts),
        Ok(Err(error)) => {
            let _ = stage.kill().await;
            let said = tail(logs);
            Err(EnvironmentFault::PodLost {
                reason: if said.is_empty() {
                    format!("its supervisor did not start: {error}")
                } else {
                    format!("its supervisor did not start: {said}")
                },
            })
        }
        Err(_) => Err(EnvironmentFault::TimedOut(TimedOut {
            waited_for: "the pod's supervisor to start".into(),
            budget: POD_CREATED_WITHIN.into(),
            last_seen: tail(logs),
        })),
    }
}

fn tail(logs: &ContainerLogs) -> String {
    String::from_utf8_lossy(&logs.tail_of_supervisor(REPORTED_TAIL))
        .trim()
        .escape_debug()
        .to_string()
}

fn failed_to(action: &'static str) -> impl FnOnce(io::Error) -> EnvironmentFault {
    move |source| EnvironmentFault::Io {
        action: action.into(),
        source,
    }
}
