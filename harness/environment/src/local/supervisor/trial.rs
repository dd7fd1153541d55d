//! Tries, inside fresh namespaces, the operations that every pod needs.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use nix::sys::wait::{WaitStatus, waitpid};

use super::network;
use super::pod_init::{SupervisorError, failed_to, own_mounts};
use super::system::{self, MountScope, Restriction};

/// Runs the trial. What it mounts goes with its namespaces.
pub(super) fn run() -> Result<(), SupervisorError> {
    own_mounts()?;
    network::bring_up(Ipv4Addr::new(10, 244, 0, 2), Ipv4Addr::new(10, 96, 0, 1))
        .map_err(failed_to("bring up a network"))?;
    mount(
        Some("tmpfs"),
        "/tmp",
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        None::<&str>,
    )
    .map_err(io::Error::from)
    .map_err(failed_to("mount a tmpfs"))?;
    system::restrict_mount(Path::new("/tmp"), MountScope::Tree, Restriction::ReadOnly)
        .map_err(failed_to("make a tree of mounts read-only"))?;
    let flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    let clone = system::clone_process(flags, || i32::from(own_mounts().is_err()))
        .map_err(failed_to("make a container's namespaces"))?;
    match waitpid(clone, None) {
        Ok(WaitStatus::Exited(_, 0)) => Ok(()),
        Ok(status) => Err(failed_to("mount /proc in a container")(io::Error::other(
            format!("{status:?}"),
        ))),
        Err(errno) => Err(failed_to("wait for a container")(errno.into())),
    }
}
