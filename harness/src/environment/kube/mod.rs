//! The `kind`, `k3d` and `existing` environments: pods of a real kubelet, through the Kubernetes API.
//!
//! Each pod under test has a namespace of its own. What serves the run as a whole, the driver and the observers, is in the run's namespace.
//! Every object carries the run's id, and nothing without it is ever changed or removed.

pub use self::agent_probe::AgentTraits;
pub use self::cluster::{ClusterChoice, ClusterTool};
pub use self::environment::{KubeEnvironment, KubeOptions};
pub use self::images::ImageNames;
pub use self::run_space::Keeping;
pub use self::sweep::sweep;

mod agent_probe;
mod cluster;
mod connection;
mod course;
mod environment;
mod exec;
mod fault;
mod fleet;
mod fleet_members;
mod fleet_objects;
mod fleet_status;
mod images;
mod labels;
mod log_follower;
mod objects;
mod observer;
mod ownership;
mod pod;
mod pod_http;
mod pod_watch;
mod run_space;
mod status;
mod sweep;
