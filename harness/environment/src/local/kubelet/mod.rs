//! The kubelet's rules for one pod: start, probe, restart, delete.
//!
//! The rules know nothing of processes; they act through [`ContainerRuntime`] and report through
//! [`PodState`]. Everything runs in one thread, inside a `LocalSet`.

pub(super) use self::rehearsed_kubelet::RehearsedKubelet;
pub(super) use self::rules::{
    ContainerRole, ContainerRules, Dial, PodRules, PreStopHook, ProbeCheck, ProbeRules,
    RestartPolicy,
};
pub(super) use self::runtime::{ContainerRuntime, DialAnswer, ExecOutcome, StartFault, StopSignal};
pub(super) use self::state::{ContainerActivity, PodState};

mod back_off;
mod probing;
mod rehearsed_kubelet;
mod rules;
mod runtime;
mod state;
mod termination;
