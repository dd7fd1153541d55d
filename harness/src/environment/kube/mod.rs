//! The `kind`, `k3d` and `existing` environments: pods of a real kubelet, through the Kubernetes API.
//!
//! Each pod under test has a namespace of its own. What serves the run as a whole, the driver and the observers, is in the run's namespace.
//! Every object carries the run's id, and nothing without it is ever changed or removed.

pub use self::agent_probe::AgentTraits;
pub use self::cluster::ClusterChoice;
pub use self::cluster_tool::ClusterTool;
pub use self::delivery::{ImageDelivery, LoadCommand, RegistryPrefix};
pub use self::environment::KubeEnvironment;
pub use self::images::ImageNames;
pub use self::keep::{Raised, Removal, Removed, UpOptions, down, sweep_leases, try_tool, up};
pub use self::lease::{Lease, LeaseError, LeasePurpose};
pub use self::lease_folder::LeaseFolder;
pub use self::options::{ImageChoice, KubeOptions, Trial};
pub use self::pulls::PullSecretName;
pub use self::run_space::Keeping;
pub use self::sweep::{sweep, sweep_context};

mod admission_trial;
mod agent_probe;
mod agent_service;
mod capabilities;
mod cluster;
mod cluster_tool;
mod connection;
mod container_course;
mod container_log;
mod course;
mod delivery;
mod environment;
mod exec;
mod fault;
mod fleet;
mod fleet_members;
mod fleet_objects;
mod fleet_status;
mod image_census;
mod images;
mod keep;
mod kubelet_words;
mod labels;
mod late_look;
mod lease;
mod lease_folder;
mod life;
mod log_follower;
mod node_image;
mod objects;
mod observer;
mod observing;
mod options;
mod ownership;
mod pod;
mod pod_http;
mod pod_maker;
mod pod_watch;
mod pre_stop;
mod preparation;
mod proxy_word;
mod pulls;
mod registry_push;
mod run_space;
mod service_refusal;
mod service_trial;
mod status;
mod sweep;
mod term;
mod tool_processes;
