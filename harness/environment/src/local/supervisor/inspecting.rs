//! Inspects a container of the pod and acts on it: from outside, and in a clone that has entered the container's mount namespace.

use std::collections::BTreeSet;
use std::io;

use nix::unistd::Pid;

use super::{members, spawn};
use crate::inspection::{
    FileSearch, InspectedContainer, Inspection, InspectionAnswer, InspectionFault,
    InspectionRequest, MountAccess, begin_inspection,
};
use crate::local::plan::{ContainerPlan, PodPlan};
use crate::local::protocol::LONGEST_LINE;

/// A container of this pod that runs.
pub(super) struct SupervisedContainer<'a, F> {
    /// Its first process.
    pub first: Pid,
    /// The pod.
    pub pod: &'a PodPlan,
    /// The container.
    pub plan: &'a ContainerPlan,
    /// Returns what the root held at the container's start.
    pub initial: F,
}

impl<F: Fn() -> BTreeSet<String>> InspectedContainer for SupervisedContainer<'_, F> {
    fn first_process(&self) -> i32 {
        self.first.as_raw()
    }

    fn processes(&self) -> Vec<i32> {
        let processes = members::of(self.first);
        processes.into_iter().map(Pid::as_raw).collect()
    }

    /// Every writable mount is searched, the root among them: what it held at first is known.
    fn file_search(&self, _mounts: &str, access: MountAccess) -> io::Result<FileSearch> {
        let volume_at = |point: &str| {
            let mut mounts = self.plan.mounts.iter();
            let mount = mounts.find(|mount| mount.path == point)?;
            Some(self.pod.volumes[mount.volume].name.clone())
        };
        Ok(FileSearch {
            writable_mounts: access
                .writable
                .iter()
                .map(|point| (point.clone(), volume_at(point)))
                .collect(),
            folders: access.writable.into_iter().collect(),
            provided: (self.initial)(),
            added: BTreeSet::new(),
        })
    }
}

/// Carries out what was asked about a container.
pub(super) async fn inspect(
    container: &impl InspectedContainer,
    request: InspectionRequest,
) -> io::Result<InspectionAnswer> {
    let work = match begin_inspection(request, container)? {
        Inspection::Answered(answer) => return Ok(answer),
        Inspection::Inside(work) => work,
    };
    let first = Pid::from_raw(container.first_process());
    let bytes = spawn::work_in_container(first, LONGEST_LINE as u64, || {
        serde_json::to_vec(&work.carry_out()).unwrap_or_default()
    })
    .await?;
    let answer: Result<InspectionAnswer, InspectionFault> = serde_json::from_slice(&bytes)?;
    answer.map_err(io::Error::from)
}
