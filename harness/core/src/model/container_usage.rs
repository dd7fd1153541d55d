//! What a container takes of its machine at one moment.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a container takes, summed over its processes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ContainerUsage {
    /// The first process of the container: another one means that the container was started again.
    pub first_process: i32,
    /// Memory that is resident, in bytes.
    pub resident_bytes: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// The processor time that was used so far, in the kernel and outside of it.
    pub processor_time: Duration,
    /// The time in which its threads could have run and had no processor; zero where the kernel does not count it.
    pub processor_wait: Duration,
}
