//! The harness' handle of one pod.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use camino::Utf8PathBuf;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdin};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time;

use super::container_logs::ContainerLogs;
use super::control_client::{ControlClient, read_reply_exactly};
use super::egress::OpenEgress;
use super::protocol::{ControlReply, ControlRequest};
use crate::inspection::{InspectionAnswer, InspectionRequest};
use crate::pod_timeline::PodTimeline;
use crate::run_folder::RunFolder;
use crate::{
    Addresses, ContainerFault, DriverProcess, EnvironmentFault, FileChange, FileSystemView, Pod,
    PodHttpRequest, PodHttpResponse, PortStream,
};
use harness_core::model::container_usage::ContainerUsage;
use harness_core::model::timeline::TimelineEvent;
use harness_core::model::timeouts::TimedOut;
use harness_core::model::timespan::TimeSpan;

/// How long the supervisor may take to go once its lifeline is cut; after that its stage is killed.
const LIFELINE_OBEYED_WITHIN: Duration = Duration::from_secs(3);

/// How long the kernel may take to end a pod that was killed.
const KILLED_GONE_WITHIN: Duration = Duration::from_secs(5);

/// How long the supervisor may take to answer beyond what the request itself takes.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// A pod of this machine.
#[derive(Debug)]
pub(super) struct LocalPod {
    pub parts: PodParts,
    keeper: JoinHandle<()>,
}

/// What the handle is made of.
#[derive(Debug)]
pub(super) struct PodParts {
    pub addresses: Addresses,
    pub folder: Utf8PathBuf,
    pub logs: ContainerLogs,
    pub control: Arc<ControlClient>,
    pub timeline: Arc<PodTimeline>,
    pub lifeline: Mutex<Option<ChildStdin>>,
    pub kill: watch::Sender<bool>,
    #[expect(dead_code, reason = "held to be open, never read")]
    pub egress: Option<OpenEgress>,
    /// The run's folder goes when neither the environment nor a pod needs it.
    #[expect(dead_code, reason = "held for its lock, never read")]
    pub run: Arc<RunFolder>,
}

impl LocalPod {
    /// Takes over a pod whose supervisor sends its events on `reports`.
    pub(super) fn new(parts: PodParts, stage: Child, reports: BufReader<UnixStream>) -> Self {
        let keeper = tokio::spawn(keep(
            stage,
            reports,
            Arc::clone(&parts.timeline),
            parts.kill.subscribe(),
        ));
        Self { parts, keeper }
    }

    fn cut_lifeline(&self) {
        let mut lifeline = self
            .parts
            .lifeline
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        drop(lifeline.take());
    }

    async fn read_log(
        &self,
        container: &str,
        offset: u64,
        limit: u64,
    ) -> Result<Vec<u8>, EnvironmentFault> {
        match self.parts.logs.read(container, offset, limit).await {
            Some(read) => read.map_err(|source| EnvironmentFault::Io {
                action: format!("read the log of container `{container}`"),
                source,
            }),
            None => Err(EnvironmentFault::ContainerState {
                container: container.into(),
                state: "is not part of the pod".into(),
            }),
        }
    }

    async fn ask(&self, request: ControlRequest) -> Result<ControlReply, EnvironmentFault> {
        let within = match &request {
            ControlRequest::Http { within, .. } => *within + ANSWERED_WITHIN,
            ControlRequest::Watch
            | ControlRequest::StartDriver
            | ControlRequest::Connect { .. }
            | ControlRequest::EndDriver { .. }
            | ControlRequest::Inspect { .. }
            | ControlRequest::Usage { .. }
            | ControlRequest::RequestDeletion => ANSWERED_WITHIN,
        };
        bounded(within, self.parts.control.ask(&request)).await
    }

    async fn inspect(
        &self,
        container: &str,
        request: InspectionRequest,
    ) -> Result<InspectionAnswer, EnvironmentFault> {
        let request = ControlRequest::Inspect {
            container: container.into(),
            request,
        };
        match self.ask(request).await? {
            ControlReply::Inspected(answer) => Ok(answer),
            reply => Err(unexpected(&reply)),
        }
    }
}

/// Follows the pod until its last process has gone.
async fn keep(
    mut stage: Child,
    reports: BufReader<UnixStream>,
    timeline: Arc<PodTimeline>,
    mut kill: watch::Receiver<bool>,
) {
    let follow = async {
        let mut lines = reports.lines();
        while let Ok(Some(line)) = lines.next_line().await {
            match serde_json::from_str::<TimelineEvent>(&line) {
                Ok(event) => timeline.append(event),
                Err(error) => tracing::error!(%error, "the supervisor sent no event"),
            }
        }
    };
    tokio::select! {
        () = follow => {}
        _ = kill.wait_for(|kill| *kill) => {}
    }
    let ended = tokio::select! {
        ended = stage.wait() => Some(ended.map(|_| ())),
        _ = kill.wait_for(|kill| *kill) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => stage.kill().await,
    };
    if let Err(error) = ended {
        tracing::error!(%error, "cannot wait for a pod's stage");
    }
    timeline.complete();
}

#[async_trait]
impl Pod for LocalPod {
    fn timeline(&self) -> Vec<TimelineEvent> {
        self.parts.timeline.events()
    }

    fn is_ready(&self) -> bool {
        self.parts.timeline.is_ready()
    }

    fn addresses(&self) -> Addresses {
        self.parts.addresses.clone()
    }

    async fn start_driver(&self) -> Result<DriverProcess, EnvironmentFault> {
        let start = async {
            let request = ControlRequest::StartDriver;
            let mut connection = self.parts.control.open(&request).await?;
            let reply = read_reply_exactly(&mut connection).await?;
            Ok((connection, reply))
        };
        let (connection, reply) = bounded(ANSWERED_WITHIN, start).await?;
        let ControlReply::DriverStarted { process } = reply else {
            return Err(unexpected(&reply));
        };
        let (stdout, stdin) = connection.into_split();
        Ok(DriverProcess {
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            guard: Box::new(DriverGuard {
                control: Arc::clone(&self.parts.control),
                process,
            }),
        })
    }

    async fn connect(&self, port: u16) -> Result<PortStream, EnvironmentFault> {
        let open = async {
            let request = ControlRequest::Connect { port };
            let mut connection = self.parts.control.open(&request).await?;
            let reply = read_reply_exactly(&mut connection).await?;
            Ok((connection, reply))
        };
        let (connection, reply) = bounded(ANSWERED_WITHIN, open).await?;
        match reply {
            ControlReply::Connected => Ok(Box::new(connection)),
            reply => Err(unexpected(&reply)),
        }
    }

    async fn http(
        &self,
        request: PodHttpRequest,
        within: TimeSpan,
    ) -> Result<PodHttpResponse, EnvironmentFault> {
        let within = within.as_duration();
        match self.ask(ControlRequest::Http { request, within }).await? {
            ControlReply::Http(response) => Ok(response),
            reply => Err(unexpected(&reply)),
        }
    }

    async fn log(&self, container: &str) -> Result<Vec<u8>, EnvironmentFault> {
        self.read_log(container, 0, u64::MAX).await
    }

    async fn log_beyond(
        &self,
        container: &str,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<u8>, EnvironmentFault> {
        self.read_log(container, offset, limit as u64).await
    }

    async fn read_file(
        &self,
        container: &str,
        path: &str,
        limit: u64,
    ) -> Result<Vec<u8>, EnvironmentFault> {
        let path = path.into();
        let request = InspectionRequest::ReadFile { path, limit };
        self.inspect(container, request).await?.into_content()
    }

    async fn change_file(
        &self,
        container: &str,
        path: &str,
        change: FileChange,
    ) -> Result<(), EnvironmentFault> {
        let path = path.into();
        let request = InspectionRequest::ChangeFile { path, change };
        let answer = self.inspect(container, request).await?;
        answer.into_moment().map(|_| ())
    }

    async fn inject(&self, container: &str, fault: ContainerFault) -> Result<(), EnvironmentFault> {
        let request = InspectionRequest::Inject(fault);
        let answer = self.inspect(container, request).await?;
        answer.into_moment().map(|_| ())
    }

    async fn inspect_files(&self, container: &str) -> Result<FileSystemView, EnvironmentFault> {
        let request = InspectionRequest::Files;
        self.inspect(container, request).await?.into_files()
    }

    async fn command_lines(&self, container: &str) -> Result<Vec<String>, EnvironmentFault> {
        let request = InspectionRequest::CommandLines;
        self.inspect(container, request).await?.into_command_lines()
    }

    async fn usage(&self, container: &str) -> Result<ContainerUsage, EnvironmentFault> {
        let request = ControlRequest::Usage {
            container: container.into(),
        };
        match self.ask(request).await? {
            ControlReply::Usage(usage) => Ok(usage),
            reply => Err(unexpected(&reply)),
        }
    }

    async fn request_deletion(&self) -> Result<(), EnvironmentFault> {
        self.ask(ControlRequest::RequestDeletion).await.map(|_| ())
    }

    async fn remove(&self) -> Result<(), EnvironmentFault> {
        self.cut_lifeline();
        let completed = || self.parts.timeline.completed();
        if time::timeout(LIFELINE_OBEYED_WITHIN, completed())
            .await
            .is_err()
        {
            self.parts.kill.send_replace(true);
            time::timeout(KILLED_GONE_WITHIN, completed())
                .await
                .map_err(|_| {
                    timed_out(
                        "a killed pod to be gone",
                        KILLED_GONE_WITHIN,
                        "its stage has not ended",
                    )
                })?;
        }
        match fs_err::remove_dir_all(&self.parts.folder) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(EnvironmentFault::Io {
                action: "remove the pod's folder".into(),
                source,
            }),
        }
    }
}

impl Drop for LocalPod {
    fn drop(&mut self) {
        self.cut_lifeline();
        // Ends the stage at once, and with it the pod.
        self.keeper.abort();
        let _ = fs_err::remove_dir_all(&self.parts.folder);
    }
}

/// Ends the driver when it is no longer needed.
struct DriverGuard {
    control: Arc<ControlClient>,
    process: i32,
}

impl Drop for DriverGuard {
    fn drop(&mut self) {
        // A supervisor that cannot be reached is gone, and the driver with it.
        let _ = self.control.send(&ControlRequest::EndDriver {
            process: self.process,
        });
    }
}

async fn bounded<T>(
    within: Duration,
    work: impl Future<Output = Result<T, EnvironmentFault>>,
) -> Result<T, EnvironmentFault> {
    time::timeout(within, work).await.unwrap_or_else(|_| {
        Err(timed_out(
            "the pod's supervisor to answer",
            within,
            "no answer",
        ))
    })
}

fn timed_out(waited_for: &str, budget: Duration, last_seen: &str) -> EnvironmentFault {
    EnvironmentFault::TimedOut(TimedOut {
        waited_for: waited_for.into(),
        budget: budget.into(),
        last_seen: last_seen.into(),
    })
}

fn unexpected(reply: &ControlReply) -> EnvironmentFault {
    EnvironmentFault::PodLost {
        reason: format!("its supervisor answered something else: {reply:?}"),
    }
}
