//! What the pod's supervisor receives: the whole pod, resolved, as one JSON line.
//!
//! It holds secret values, so it travels over a pipe only: never in arguments, never in a file.

use std::fmt;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::kubelet::PodRules;
use harness_core::model::terminating_endpoints::TerminatingEndpoints;

/// One pod, ready to be brought up.
#[derive(Deserialize, Serialize)]
pub(super) struct PodPlan {
    /// The pod's host name.
    pub host_name: String,
    /// The pod's address.
    pub pod_ip: String,
    /// The address of the Service in front of it.
    pub service_ip: String,
    /// The Service's port.
    pub service_port: u16,
    /// The port of the pod to which the Service forwards.
    pub target_port: u16,
    /// The folder that belongs to this pod while it lives.
    pub folder: Utf8PathBuf,
    /// The pod's volumes.
    pub volumes: Vec<VolumePlan>,
    /// What each container runs, in the order of `rules.containers`.
    pub containers: Vec<ContainerPlan>,
    /// When and how they are started, probed and ended.
    pub rules: PodRules,
    /// Whether the Service leads to the pod while it is being deleted.
    pub terminating_endpoints: TerminatingEndpoints,
    /// The container that has a way out of the pod, by its position in `containers`.
    pub way_out_of: Option<usize>,
}

impl fmt::Debug for PodPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PodPlan")
            .field("host_name", &self.host_name)
            .finish_non_exhaustive()
    }
}

/// One volume.
#[derive(Deserialize, Serialize)]
pub(super) struct VolumePlan {
    /// Its name in the pod template: a DNS label.
    pub name: String,
    /// What is in it.
    pub content: VolumeContent,
}

/// What a volume holds at first.
#[derive(Deserialize, Serialize)]
pub(super) enum VolumeContent {
    /// Nothing: `emptyDir`.
    Empty {
        /// How many bytes it can hold.
        limit_bytes: u64,
    },
    /// Files from a config map or a secret.
    Files(Vec<VolumeFile>),
}

/// One file of a volume.
#[derive(Deserialize, Serialize)]
pub(super) struct VolumeFile {
    /// Its path below the volume: relative, without `..`.
    pub path: String,
    /// What is in it.
    pub content: String,
    /// Its permission bits.
    pub mode: u32,
}

/// What one container runs.
#[derive(Deserialize, Serialize)]
pub(super) struct ContainerPlan {
    /// The image's executable on the host, bound to `/app/<file name>`.
    pub executable: Utf8PathBuf,
    /// The command line; its first element is searched in `PATH` when it has no slash.
    pub command: Vec<String>,
    /// The environment, or why it cannot be made.
    pub variables: Result<Vec<(String, String)>, String>,
    /// Where the process starts.
    pub working_folder: String,
    /// Whether the root can be written to.
    pub root: RootAccess,
    /// Its volumes.
    pub mounts: Vec<MountPlan>,
    /// Who the process is.
    pub credentials: ProcessCredentials,
}

/// Whether a container can write to its root.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum RootAccess {
    /// The kernel refuses.
    ReadOnly,
    /// It can, outside what comes from the host.
    Writable,
}

/// A volume in a container.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct MountPlan {
    /// The volume's position in [`PodPlan::volumes`].
    pub volume: usize,
    /// Where it is mounted: absolute, without `..`.
    pub path: String,
    /// Whether the container can write to it.
    pub access: RootAccess,
}

/// As whom a container's processes run (credentials(7)), and the capabilities that they keep.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct ProcessCredentials {
    /// User and group when the pod template names them; the harness's own otherwise.
    pub user: Option<u32>,
    /// The primary group; the user's own number when there is none.
    pub group: Option<u32>,
    /// The capabilities that root keeps, by number.
    pub capabilities: Vec<u32>,
}
