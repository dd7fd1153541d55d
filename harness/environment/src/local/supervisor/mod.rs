//! The supervisor: process 1 of a pod, which runs the kubelet's rules inside the pod's namespaces.

pub use self::pod_init::pod_init_main;
pub(super) use self::stage::TRIAL_ARGUMENT;
pub use self::stage::pod_stage_main;

mod containers;
mod control;
mod dial;
mod inspecting;
mod logs;
mod members;
mod network;
mod pod_init;
mod reaper;
mod root;
mod service;
mod spawn;
mod stage;
mod system;
mod trial;
mod usage;
mod volumes;
mod way_out;
