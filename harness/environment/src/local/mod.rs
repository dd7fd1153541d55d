//! The `local` environment: a pod is a set of namespaces, a container a process with its own root.
//!
//! The harness starts `conformance pod-stage`, which makes the pod's namespaces and, as process 1
//! in them, `conformance pod-init`: the supervisor. The supervisor rehearses the kubelet's rules
//! and serves a control socket. A pod dies with the harness: by the pipe that the harness holds
//! open, and by the kernel's parent-death signal.

pub use self::environment::{LocalEnvironment, LocalOptions};
pub use self::image_table::ImageTable;
pub use self::resources::check_resources;
pub use self::supervisor::{pod_init_main, pod_stage_main};
pub use self::support::probe_support;
pub use self::template_check::template_refusals;
pub use crate::run_folder::{SweepReport, sweep};
pub use crate::run_folder_survey::runs_left;

/// The pause after a failed accept, which would fail again at once: most likely no descriptor is left, and one comes free when a connection ends.
const ACCEPT_AGAIN_AFTER: std::time::Duration = std::time::Duration::from_millis(10);

mod container_logs;
mod control_client;
mod egress;
mod environment;
mod expansion;
mod folder_sockets;
mod image_table;
mod kubelet;
mod plan;
mod planning;
mod pod;
mod pod_terms;
mod probe_rules;
mod protocol;
mod resources;
mod stage_thread;
mod supervisor;
mod support;
mod supported;
mod template_check;
mod variables;
mod volume_plans;
