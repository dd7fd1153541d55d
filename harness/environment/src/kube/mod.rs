//! The `kind`, `k3d` and `existing` environments: pods of a real kubelet, through the Kubernetes API.
//!
//! Each pod under test has a namespace of its own. What serves the run as a whole, the driver and the observers, is in the run's namespace.
//! Every object carries the run's id, and nothing without it is ever changed or removed.
//!
//! The modules use each other in one direction. From the bottom up: `api` and `command`; `delivery`, `cluster` and `logs`; `space` and
//! `timeline`; `pod` and `trials`; `fleet`; and on top `capabilities`, `options`, `environment`, `preparation` and `survey`.

pub use self::api::image_names::ImageNames;
pub use self::cluster::choice::{ClusterChoice, ClusterNodes, MOST_NODES};
pub use self::cluster::down::{Removal, Removed, down, sweep_leases};
pub use self::cluster::keeping::Keeping;
pub use self::cluster::lease::{Lease, LeaseError, LeasePurpose};
pub use self::cluster::lease_folder::LeaseFolder;
pub use self::cluster::survey::{
    clusters_known_to, clusters_left, docker_client_version, docker_daemon_version,
    node_image_at_hand, reach_kept, tool_version,
};
pub use self::cluster::sweep::sweep;
pub use self::cluster::tool::{ClusterTool, try_tool};
pub use self::cluster::up::{Raised, UpOptions, up};
pub use self::delivery::image_delivery::{ImageDelivery, LoadCommand, RegistryPrefix};
pub use self::delivery::pulls::PullSecretName;
pub use self::environment::KubeEnvironment;
pub use self::options::{ImageChoice, KubeOptions};
pub use self::space::sweep::sweep_context;
pub use self::survey::{Grant, KubeContext, Need, ReachedCluster, Right};
pub use self::trials::agent_probe::AgentTraits;
pub use self::trials::trial::Trial;

mod api;
mod capabilities;
mod cluster;
mod command;
mod delivery;
mod environment;
mod fleet;
mod logs;
mod options;
mod pod;
mod preparation;
mod space;
mod survey;
mod timeline;
mod trials;
