//! The logs of one pod: files that exist in memory only.
//!
//! A container blocks once its log is not read, and an agent that blocks is taken for one that hangs. So nothing between a container and
//! its log may wait for a disk, which stands still for seconds where others write gigabytes. The harness holds the files too, so a log
//! outlives its pod, and nothing is left behind by a harness that is killed.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use command_fds::{CommandFdExt as _, FdMapping, FdMappingCollision};
use nix::sys::memfd::{MFdFlags, memfd_create};
use tokio::process::Command;

/// The descriptor at which a supervisor finds the first container's log; those of the others follow, in the order of the plan.
pub(super) const FIRST_LOG_DESCRIPTOR: i32 = 3;

/// The harness' hold on the logs of one pod.
#[derive(Debug)]
pub(super) struct ContainerLogs {
    containers: Vec<(String, Arc<File>)>,
    supervisor: Arc<File>,
}

impl ContainerLogs {
    /// Makes an empty log for each container, and one for what the supervisor says on its standard error.
    ///
    /// # Errors
    ///
    /// The kernel gives no file.
    pub(super) fn create(containers: impl Iterator<Item = String>) -> io::Result<Self> {
        let containers = containers.map(|name| {
            let file = in_memory()?;
            Ok((name, Arc::new(file)))
        });
        Ok(Self {
            containers: containers.collect::<io::Result<_>>()?,
            supervisor: Arc::new(in_memory()?),
        })
    }

    /// Hands the containers' logs down to the process that the command will make.
    ///
    /// # Errors
    ///
    /// No descriptors are left.
    pub(super) fn hand_down(&self, command: &mut Command) -> io::Result<()> {
        let mappings = self.containers.iter().zip(FIRST_LOG_DESCRIPTOR..);
        let mappings = mappings.map(|((_, file), child_fd)| {
            let parent_fd = OwnedFd::from(file.try_clone()?);
            Ok(FdMapping {
                parent_fd,
                child_fd,
            })
        });
        let mappings = mappings.collect::<io::Result<_>>()?;
        command
            .fd_mappings(mappings)
            .map_err(|FdMappingCollision| io::Error::other("two logs have one descriptor"))?;
        Ok(())
    }

    /// Returns the file for what the supervisor says.
    ///
    /// # Errors
    ///
    /// No descriptors are left.
    pub(super) fn of_supervisor(&self) -> io::Result<File> {
        self.supervisor.try_clone()
    }

    /// Returns the end of what the supervisor said, at most `limit` bytes of it.
    pub(super) fn tail_of_supervisor(&self, limit: u64) -> Vec<u8> {
        let length = self.supervisor.metadata().map_or(0, |about| about.len());
        read(&self.supervisor, length.saturating_sub(limit), limit).unwrap_or_default()
    }

    /// Reads a container's log from `offset` on, at most `limit` bytes of it; none where the pod has no such container.
    pub(super) async fn read(
        &self,
        container: &str,
        offset: u64,
        limit: u64,
    ) -> Option<io::Result<Vec<u8>>> {
        let (_, file) = self.containers.iter().find(|(name, _)| name == container)?;
        let file = Arc::clone(file);
        let reading = tokio::task::spawn_blocking(move || read(&file, offset, limit));
        Some(reading.await.unwrap_or_else(|error| Err(error.into())))
    }
}

/// The flag keeps it from every process but the one that it is handed down to.
fn in_memory() -> io::Result<File> {
    Ok(memfd_create(c"container.log", MFdFlags::MFD_CLOEXEC)?.into())
}

/// Reads at a position of its own: the writer's is the file's, which both share.
fn read(file: &File, offset: u64, limit: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len().saturating_sub(offset).min(limit);
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn logs() -> ContainerLogs {
        ContainerLogs::create(["agent".to_owned()].into_iter()).expect("memory is left")
    }

    #[tokio::test]
    async fn reading_does_not_move_the_writer() {
        let logs = logs();
        let mut writer = logs.containers[0].1.try_clone().expect("a descriptor");
        writer.write_all(b"one\n").expect("room");
        let read = async |offset, limit| {
            let read = logs.read("agent", offset, limit).await;
            read.expect("it is there").expect("readable")
        };
        assert_eq!(read(0, 100).await, b"one\n");
        writer.write_all(b"two\n").expect("room");
        assert_eq!(read(0, 100).await, b"one\ntwo\n");
        assert_eq!(read(4, 3).await, b"two");
        assert_eq!(read(100, 3).await, b"");
        assert!(logs.read("application", 0, 100).await.is_none());
    }

    #[test]
    fn no_log_lies_on_a_disk() {
        let logs = logs();
        for file in [&logs.containers[0].1, &logs.supervisor] {
            let file_system = nix::sys::statfs::fstatfs(file).expect("a file");
            assert_eq!(file_system.filesystem_type(), nix::sys::statfs::TMPFS_MAGIC);
        }
    }

    #[test]
    fn the_end_of_what_the_supervisor_said_is_kept() {
        let logs = logs();
        let mut writer = logs.of_supervisor().expect("a descriptor");
        writer.write_all(b"cannot start").expect("room");
        assert_eq!(logs.tail_of_supervisor(5), b"start");
        assert_eq!(logs.tail_of_supervisor(100), b"cannot start");
    }
}
