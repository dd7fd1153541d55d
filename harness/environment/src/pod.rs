//! A pod, as procedures see it: its timeline, its logs, its files, and what can be done to it.

use std::fmt;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};

use super::fault::EnvironmentFault;
use harness_core::model::container_usage::ContainerUsage;
use harness_core::model::file_system_view::FileSystemView;
use harness_core::model::image_use::ContainerImage;
use harness_core::model::timeline::TimelineEvent;
use harness_core::model::timespan::TimeSpan;

/// A pod that was created.
///
/// Dropping the last handle removes whatever of the pod still runs.
#[async_trait]
pub trait Pod: fmt::Debug + Send + Sync {
    /// Returns everything that has happened so far, in order.
    fn timeline(&self) -> Vec<TimelineEvent>;

    /// Returns whether the pod is ready (an endpoint of its Service) now.
    fn is_ready(&self) -> bool;

    /// Returns what is known of the containers' images; nothing where there are no images.
    fn images(&self) -> Vec<ContainerImage> {
        Vec::new()
    }

    /// Returns the addresses at which a driver reaches the pod.
    fn addresses(&self) -> Addresses;

    /// Starts `conformance drive` where its traffic reaches the pod without crossing an API server.
    async fn start_driver(&self) -> Result<DriverProcess, EnvironmentFault>;

    /// Asks for `path` (a GET, or a POST) on a port of the pod, as the kubelet would.
    ///
    /// # Errors
    ///
    /// When no complete answer came within `within`.
    async fn http(
        &self,
        request: PodHttpRequest,
        within: TimeSpan,
    ) -> Result<PodHttpResponse, EnvironmentFault>;

    /// Connects to a port of the pod's loopback address.
    ///
    /// # Errors
    ///
    /// When nothing listens there, or the pod is gone.
    async fn connect(&self, port: u16) -> Result<PortStream, EnvironmentFault>;

    /// Returns what the container wrote to stdout and stderr since its first start, all restarts
    /// in order: the first 64 MiB, and a line that says so where there was more. An environment that knows something to be missing
    /// may refuse it: nothing follows from what is not in such a log.
    async fn log(&self, container: &str) -> Result<Vec<u8>, EnvironmentFault>;

    /// Returns what is kept of a log, though something may be known to be missing: what is in it was written, and nothing follows from what is
    /// not.
    async fn kept_log(&self, container: &str) -> Result<Vec<u8>, EnvironmentFault> {
        self.log(container).await
    }

    /// Returns what the container wrote beyond the first `offset` bytes, at most `limit` bytes of it.
    async fn log_beyond(
        &self,
        container: &str,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<u8>, EnvironmentFault>;

    /// Returns the first `limit` bytes of a file of the container. A link is not followed.
    async fn read_file(
        &self,
        container: &str,
        path: &str,
        limit: u64,
    ) -> Result<Vec<u8>, EnvironmentFault>;

    /// Changes a file of the container. A link is not followed; readers see the old content or the new one.
    async fn change_file(
        &self,
        container: &str,
        path: &str,
        change: FileChange,
    ) -> Result<(), EnvironmentFault>;

    /// Does something bad to a container, on purpose.
    async fn inject(&self, container: &str, fault: ContainerFault) -> Result<(), EnvironmentFault>;

    /// Describes the container's file system as the kernel sees it.
    async fn inspect_files(&self, container: &str) -> Result<FileSystemView, EnvironmentFault>;

    /// Returns the command lines of every process of the container.
    async fn command_lines(&self, container: &str) -> Result<Vec<String>, EnvironmentFault>;

    /// Returns what the container takes of its machine now.
    ///
    /// # Errors
    ///
    /// When the environment does not measure it (feature `resource-usage`), or the container does not run.
    async fn usage(&self, container: &str) -> Result<ContainerUsage, EnvironmentFault> {
        let _ = container;
        Err(EnvironmentFault::NotCarriedOut {
            path: None,
            what: "a measurement of what a container takes of its machine".into(),
        })
    }

    /// Asks for the pod's deletion with its grace period, by the kubelet's rules, and returns at once.
    async fn request_deletion(&self) -> Result<(), EnvironmentFault>;

    /// Removes the pod without grace, and returns once nothing of it is left.
    async fn remove(&self) -> Result<(), EnvironmentFault>;
}

/// A connection to a port of a pod; it ends when it is dropped.
pub type PortStream = Box<dyn ByteStream>;

/// What carries bytes both ways.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A running driver, spoken to over its standard streams.
pub struct DriverProcess {
    /// Where the plan is written, as one JSON line.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// Where the records come from, one JSON line each.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// Keeps the process alive; dropping it ends the driver.
    pub guard: Box<dyn Send + Sync>,
}

impl fmt::Debug for DriverProcess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DriverProcess")
            .finish_non_exhaustive()
    }
}

/// Where a driver sends its requests.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Addresses {
    /// The pod's own address.
    pub pod_ip: String,
    /// The Service in front of the pod's port 8000: `host:port`. It refuses connections while it
    /// leads nowhere.
    pub service: String,
    /// Who finds out where a connection to the Service leads.
    pub translation: ServiceTranslation,
}

/// Who translates the address of a Service into that of a pod when a connection is opened.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceTranslation {
    /// The client: what listens at the Service's address writes the pod's as `address:port` and closes.
    ByClient,
    /// The node, unseen by the client.
    ByNode,
}

/// A question to a port of the pod.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PodHttpRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// `127.0.0.1` or the pod's address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

/// The answer of a port of the pod.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PodHttpResponse {
    /// The status code.
    pub status: u16,
    /// The body, bounded to 16 MiB, with what is not UTF-8 replaced.
    pub body: String,
}

/// A change of one file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FileChange {
    /// It is gone.
    Remove,
    /// It holds this text.
    Write(String),
}

/// A fault that is injected into a container.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerFault {
    /// Stops every process of the container (SIGSTOP): connections stay open, nothing answers.
    Pause,
    /// Lets a paused container go on (SIGCONT).
    Resume,
    /// Kills the container's first process (SIGKILL); the restart policy applies.
    Kill,
    /// Asks the container's first process to read its files again (SIGHUP).
    Reload,
}

impl ContainerFault {
    /// Returns what it does to a container, as a timeline has it.
    pub(crate) const fn outcome(self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Kill => "killed",
            Self::Reload => "asked to reload",
        }
    }
}
