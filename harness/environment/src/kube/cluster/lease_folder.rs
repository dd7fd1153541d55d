//! The leases of a user: one file for each kept cluster, and who uses it now.
//!
//! Each cluster has a file, `<name>.json`, in a folder of the user's that survives a restart of the machine, beside its kubeconfig and a
//! file that runs lock while they use it. What is in use is never removed.

use std::fs::File;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use etcetera::BaseStrategy as _;
use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::kube::api::labels::PREFIX;
use crate::kube::cluster::lease::{Lease, LeaseError, VERSION};
use crate::kube::cluster::tool::ClusterTool;

/// How a lease's file ends.
const SUFFIX: &str = ".json";
/// The longest file that is read, in bytes.
const LONGEST_FILE: u64 = 64 * 1024;

/// Keeps a cluster from being removed while this is held.
#[derive(Debug)]
pub(in crate::kube) struct InUse {
    _lock: Flock<File>,
}

/// The folder of leases.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LeaseFolder {
    path: Utf8PathBuf,
}

impl LeaseFolder {
    /// Returns the user's folder, `~/.local/state/conformance/clusters` by default.
    ///
    /// # Errors
    ///
    /// When the user has no home.
    pub fn of_user() -> Result<Self, LeaseError> {
        let no_folder = |reason: String| LeaseError::NoFolder { reason };
        let base = etcetera::base_strategy::choose_base_strategy()
            .map_err(|error| no_folder(error.to_string()))?;
        let state = base
            .state_dir()
            .unwrap_or_else(|| base.data_dir().join("state"));
        let path = Utf8PathBuf::from_path_buf(state)
            .map_err(|path| no_folder(format!("{} is not UTF-8", path.to_string_lossy())))?;
        Ok(Self::at(path.join("conformance/clusters")))
    }

    /// Takes a folder for leases.
    pub const fn at(path: Utf8PathBuf) -> Self {
        Self { path }
    }

    /// Returns every lease, by name.
    ///
    /// # Errors
    ///
    /// When one of them is broken: what it stands for would be left for ever.
    pub fn list(&self) -> Result<Vec<Lease>, LeaseError> {
        let entries = match self.path.read_dir_utf8() {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("read the folder of leases")(error)),
        };
        let mut leases = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("read the folder of leases"))?;
            if let Some(name) = entry.file_name().strip_suffix(SUFFIX)
                && let Some(lease) = read(entry.path(), name)?
            {
                leases.push(lease);
            }
        }
        leases.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(leases)
    }

    /// Returns the lease that runs of a tool may use now.
    ///
    /// # Errors
    ///
    /// As [`Self::list`].
    pub fn for_runs(&self, tool: ClusterTool) -> Result<Option<Lease>, LeaseError> {
        let now = Timestamp::now();
        let leases = self.list()?.into_iter();
        Ok({ leases }.find(|lease| lease.tool == tool && lease.is_for_runs(now)))
    }

    /// Returns whether a cluster has a lease.
    pub(in crate::kube) fn has(&self, name: &str) -> bool {
        self.file_of(name).exists()
    }

    /// Makes the folder, in which no other user reads.
    pub(in crate::kube) fn make(&self) -> Result<(), LeaseError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .map_err(failed("make the folder of leases"))
    }

    /// Writes a lease; a reader sees the old one or the new one.
    pub(in crate::kube) fn write(&self, lease: &Lease) -> Result<(), LeaseError> {
        self.make()?;
        let text = serde_json::to_vec_pretty(lease)
            .map_err(io::Error::other)
            .map_err(failed("write a lease"))?;
        let mut file =
            tempfile::NamedTempFile::new_in(&self.path).map_err(failed("write a lease"))?;
        io::Write::write_all(&mut file, &text).map_err(failed("write a lease"))?;
        file.persist(self.file_of(&lease.name))
            .map_err(|error| failed("write a lease")(error.error))?;
        Ok(())
    }

    /// Removes a lease and the credentials of its cluster, which is gone.
    pub(in crate::kube) fn forget(&self, lease: &Lease) -> Result<(), LeaseError> {
        let files = [
            lease.kubeconfig.clone(),
            self.lock_of(&lease.name),
            self.file_of(&lease.name),
        ];
        for path in files {
            match fs_err::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("remove a lease")(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Uses a cluster beside others that use it.
    pub(in crate::kube) fn share(&self, lease: &Lease) -> Result<InUse, LeaseError> {
        self.lock(lease, FlockArg::LockSharedNonblock)
    }

    /// Has a cluster alone, to remove it.
    pub(in crate::kube) fn alone(&self, lease: &Lease) -> Result<InUse, LeaseError> {
        self.lock(lease, FlockArg::LockExclusiveNonblock)
    }

    fn lock(&self, lease: &Lease, how: FlockArg) -> Result<InUse, LeaseError> {
        self.make()?;
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.lock_of(&lease.name))
            .map_err(failed("open the lock of a lease"))?;
        match Flock::lock(file, how) {
            Ok(lock) => Ok(InUse { _lock: lock }),
            Err((_, Errno::EWOULDBLOCK)) => Err(LeaseError::InUse {
                name: lease.name.clone(),
            }),
            Err((_, errno)) => Err(failed("lock a lease")(errno.into())),
        }
    }

    /// Returns where the address and credentials of a cluster are.
    pub(super) fn kubeconfig_of(&self, name: &str) -> Utf8PathBuf {
        self.path.join(format!("{name}.kubeconfig"))
    }

    fn file_of(&self, name: &str) -> Utf8PathBuf {
        self.path.join(format!("{name}{SUFFIX}"))
    }

    fn lock_of(&self, name: &str) -> Utf8PathBuf {
        self.path.join(format!("{name}.lock"))
    }
}

/// Reads a lease; none where it has gone meanwhile.
fn read(path: &Utf8Path, name: &str) -> Result<Option<Lease>, LeaseError> {
    let broken = |reason: String| LeaseError::Broken {
        path: path.to_owned(),
        reason,
    };
    let mut text = String::new();
    let read = File::open(path).and_then(|file| {
        let mut bounded = io::Read::take(file, LONGEST_FILE);
        io::Read::read_to_string(&mut bounded, &mut text)
    });
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(broken(error.to_string())),
    }
    let lease: Lease = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
    if lease.version != VERSION {
        return Err(broken(format!(
            "its format is version {}, this harness writes version {VERSION}",
            lease.version
        )));
    }
    // The name is a tool's argument, and what the tool removes.
    if lease.name != name || !name.starts_with(PREFIX) {
        return Err(broken(format!("it is of the cluster `{}`", lease.name)));
    }
    Ok(Some(lease))
}

fn failed(action: &str) -> impl FnOnce(io::Error) -> LeaseError {
    let action = action.to_owned();
    move |source| LeaseError::Io { action, source }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::EnvironmentFault;
    use crate::kube::cluster::choice::ClusterNodes;
    use crate::kube::cluster::lease::LeasePurpose;

    fn folder() -> (tempfile::TempDir, LeaseFolder) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let leases = LeaseFolder::at(path.join("clusters"));
        (folder, leases)
    }

    fn lease(folder: &LeaseFolder, name: &str, purpose: LeasePurpose) -> Lease {
        Lease::new(
            name,
            ClusterTool::Kind,
            &ClusterNodes::default(),
            purpose,
            folder.kubeconfig_of(name),
        )
    }

    fn in_an_hour() -> LeasePurpose {
        LeasePurpose::ForRunsUntil(Timestamp::now() + Duration::from_hours(1))
    }

    #[test]
    fn a_lease_that_was_written_is_found_by_the_runs_of_its_tool() {
        let (_guard, folder) = folder();
        let written = lease(&folder, "conformance-a", in_an_hour());
        folder.write(&written).expect("written");
        assert_eq!(
            folder.for_runs(ClusterTool::Kind).expect("read"),
            Some(written)
        );
        assert_eq!(folder.for_runs(ClusterTool::K3d).expect("read"), None);
    }

    #[test]
    fn runs_use_neither_a_lease_that_is_over_nor_a_cluster_that_was_left_to_be_looked_at() {
        let (_guard, folder) = folder();
        let past = Timestamp::now() - Duration::from_secs(1);
        let over = lease(&folder, "conformance-a", LeasePurpose::ForRunsUntil(past));
        let kept = lease(&folder, "conformance-b", LeasePurpose::ToLookAt);
        folder.write(&over).expect("written");
        folder.write(&kept).expect("written");
        assert_eq!(folder.for_runs(ClusterTool::Kind).expect("read"), None);
        assert!(over.is_over(Timestamp::now()));
        assert!(!kept.is_over(Timestamp::now()));
    }

    #[test]
    fn a_broken_lease_is_named_and_not_passed_over() {
        let (_guard, folder) = folder();
        folder.make().expect("made");
        fs_err::write(folder.file_of("conformance-a"), "{").expect("written");
        let error = folder.list().expect_err("broken");
        assert!(matches!(error, LeaseError::Broken { .. }), "{error}");
        let fault = EnvironmentFault::from(error);
        assert!(
            matches!(&fault, EnvironmentFault::Cluster { hint: Some(hint), .. } if hint.contains("conformance-a.json")),
            "{fault:?}"
        );
    }

    #[test]
    fn a_lease_of_a_cluster_that_no_run_can_have_made_is_broken() {
        let (_guard, folder) = folder();
        let mut foreign = lease(&folder, "conformance-a", in_an_hour());
        foreign.name = "production".into();
        folder.write(&foreign).expect("written");
        let error = folder.list().expect_err("broken");
        assert!(error.to_string().contains("production"), "{error}");
    }

    #[test]
    fn a_cluster_in_use_is_not_had_alone_and_two_runs_share_it() {
        let (_guard, folder) = folder();
        let lease = lease(&folder, "conformance-a", in_an_hour());
        let first = folder.share(&lease).expect("shared");
        let second = folder.share(&lease).expect("shared");
        let error = folder.alone(&lease).expect_err("in use");
        assert!(matches!(error, LeaseError::InUse { .. }), "{error}");
        drop((first, second));
        folder.alone(&lease).expect("it is not in use");
    }

    #[test]
    fn a_forgotten_lease_leaves_nothing() {
        let (_guard, folder) = folder();
        let lease = lease(&folder, "conformance-a", in_an_hour());
        folder.write(&lease).expect("written");
        fs_err::write(&lease.kubeconfig, "secret").expect("written");
        drop(folder.share(&lease).expect("shared"));
        folder.forget(&lease).expect("forgotten");
        let left = folder.path.read_dir_utf8().expect("a folder").count();
        assert_eq!(left, 0);
    }
}
