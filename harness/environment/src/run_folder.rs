//! The folder of one run's short-lived files, its lock, and the sweep of what the dead left.
//!
//! A living harness holds a lock on `owner.lock`. A folder whose lock can be had has no owner
//! any more.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant, SystemTime};
use std::{io, thread};

use camino::{Utf8Path, Utf8PathBuf};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use harness_core::model::identity::{PodName, RunId};

pub(crate) const LOCK_FILE: &str = "owner.lock";

/// What the processes of a run are called in the process table, before `<run>/<pod>` or `<run>/<purpose>`.
const LABEL: &str = "conformance-pod:";

/// How long a folder without a lock file is left to a harness that is just making it.
const UNLOCKED_IS_ABANDONED_AFTER: Duration = Duration::from_mins(1);

/// How long a killed process may take to go.
const KILLED_GONE_WITHIN: Duration = Duration::from_secs(5);

/// How often the process table is looked at for it.
const KILLED_LOOKED_FOR_EVERY: Duration = Duration::from_millis(5);

/// How often the folder is made anew when a sweep takes it away in the same moment.
const MOST_ATTEMPTS: u32 = 8;

/// The folder of a run that this process owns. Dropping it removes the folder.
#[derive(Debug)]
pub struct RunFolder {
    path: Utf8PathBuf,
    lock: Flock<File>,
}

impl RunFolder {
    /// Makes the folder of a run and locks it.
    ///
    /// # Errors
    ///
    /// When it cannot be made, or another harness runs under the same id.
    pub fn create(base: &Utf8Path, run: &RunId) -> io::Result<Self> {
        let path = base.join(run.as_str());
        for _ in 0..MOST_ATTEMPTS {
            fs_err::create_dir_all(&path)?;
            let Some(lock) = lock(&path)? else {
                return Err(io::Error::new(
                    io::ErrorKind::ResourceBusy,
                    format!("another harness runs as `{run}`"),
                ));
            };
            let is_current = path
                .join(LOCK_FILE)
                .metadata()
                .is_ok_and(|current| lock.metadata().is_ok_and(|own| own.ino() == current.ino()));
            if is_current {
                return Ok(Self { path, lock });
            }
        }
        Err(io::Error::other(format!("`{path}` keeps disappearing")))
    }

    /// Returns where it is.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Returns the name, in place of a program's own, by which the next start finds a process of this run that is left behind.
    pub fn process_name(&self, purpose: &str) -> String {
        let run = self.path.file_name().unwrap_or_default();
        format!("{LABEL}{run}/{purpose}")
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // Removed while locked, so that no other harness meets half of it. What cannot be removed
        // is left to the next sweep.
        let _ = remove(&self.path);
        let _ = &self.lock;
    }
}

/// Returns what a pod's processes are called.
pub(crate) fn label(name: &PodName) -> String {
    format!("{LABEL}{}/{name}", name.run)
}

/// What a sweep did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SweepReport {
    /// The runs whose folders were removed.
    pub removed: Vec<String>,
    /// The runs that a living harness owns.
    pub in_use: Vec<String>,
    /// The processes that were left and were killed.
    pub killed: Vec<i32>,
}

/// Removes what harnesses that are gone have left below `base`, and nothing else.
///
/// # Errors
///
/// When the folder cannot be read, or something in it cannot be removed.
pub fn sweep(base: &Utf8Path) -> io::Result<SweepReport> {
    let mut report = SweepReport::default();
    let entries = match base.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(report),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Ok(run) = entry.file_name().parse::<RunId>() else {
            continue;
        };
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let path = entry.path();
        if !path.join(LOCK_FILE).exists() && is_young(path) {
            report.in_use.push(run.to_string());
            continue;
        }
        let Some(_lock) = lock(path)? else {
            report.in_use.push(run.to_string());
            continue;
        };
        report.killed.extend(kill_left_behind(&run)?);
        remove(path)?;
        report.removed.push(run.to_string());
    }
    report.removed.sort();
    report.in_use.sort();
    Ok(report)
}

/// Removes a run's folder, the lock file last: as long as anything is there, so is that by which a sweep knows the dead.
fn remove(folder: &Utf8Path) -> io::Result<()> {
    for entry in folder.read_dir_utf8()? {
        let entry = entry?;
        if entry.file_name() == LOCK_FILE {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs_err::remove_dir_all(entry.path())?;
        } else {
            fs_err::remove_file(entry.path())?;
        }
    }
    fs_err::remove_dir_all(folder)
}

fn lock(folder: &Utf8Path) -> io::Result<Option<Flock<File>>> {
    let file = fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK_FILE))?
        .into_parts()
        .0;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()),
    }
}

pub(crate) fn is_young(folder: &Utf8Path) -> bool {
    let age = folder
        .metadata()
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|modified| SystemTime::now().duration_since(modified).ok());
    age.is_none_or(|age| age < UNLOCKED_IS_ABANDONED_AFTER)
}

/// Kills the processes of a run whose harness is gone. Pods die with their harness, so there is
/// nothing to kill unless it was interfered with.
fn kill_left_behind(run: &RunId) -> io::Result<Vec<i32>> {
    let found = processes_of(run)?;
    for process in &found {
        let _ = kill(Pid::from_raw(*process), Signal::SIGKILL);
    }
    let deadline = Instant::now() + KILLED_GONE_WITHIN;
    while !found.is_empty() && !processes_of(run)?.is_empty() {
        if Instant::now() >= deadline {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("processes of run `{run}` are still there after they were killed"),
            ));
        }
        thread::sleep(KILLED_LOOKED_FOR_EVERY);
    }
    Ok(found)
}

fn processes_of(run: &RunId) -> io::Result<Vec<i32>> {
    let label = format!("{LABEL}{run}/");
    let processes = fs_err::read_dir("/proc")?
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|process| {
            fs_err::read(format!("/proc/{process}/cmdline"))
                .is_ok_and(|line| line.starts_with(label.as_bytes()))
        })
        .collect();
    Ok(processes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use super::*;

    fn base() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = Utf8PathBuf::try_from(folder.path().to_path_buf()).expect("UTF-8");
        (folder, path)
    }

    #[test]
    fn a_sweep_leaves_the_folder_of_a_living_harness() {
        let (_guard, base) = base();
        let run: RunId = "living1".parse().expect("valid");
        let folder = RunFolder::create(&base, &run).expect("created");
        let report = sweep(&base).expect("swept");
        assert_eq!(report.in_use, ["living1"]);
        assert!(folder.path().exists());
    }

    #[test]
    fn a_sweep_removes_the_folder_of_a_dead_harness() {
        let (_guard, base) = base();
        let pod = base.join("dead1").join("pod-dead1");
        fs_err::create_dir_all(&pod).expect("made");
        fs_err::write(base.join("dead1").join(LOCK_FILE), "").expect("written");
        let report = sweep(&base).expect("swept");
        assert_eq!(report.removed, ["dead1"]);
        assert!(!base.join("dead1").exists());
    }

    #[test]
    fn a_sweep_leaves_a_folder_that_is_being_made_and_foreign_names() {
        let (_guard, base) = base();
        fs_err::create_dir_all(base.join("young1")).expect("made");
        fs_err::create_dir_all(base.join("Not-A-Run")).expect("made");
        let report = sweep(&base).expect("swept");
        assert_eq!(report.in_use, ["young1"]);
        assert!(report.removed.is_empty(), "{report:?}");
        assert!(base.join("Not-A-Run").exists());
    }

    #[test]
    fn a_run_has_one_owner() {
        let (_guard, base) = base();
        let run: RunId = "twice1".parse().expect("valid");
        let _first = RunFolder::create(&base, &run).expect("created");
        let error = RunFolder::create(&base, &run).expect_err("owned already");
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
    }

    #[test]
    fn a_folder_whose_removal_fails_keeps_the_lock_file_by_which_a_sweep_knows_it() {
        let (_guard, base) = base();
        let run: RunId = "half1".parse().expect("valid");
        let folder = RunFolder::create(&base, &run).expect("created");
        // What is named like a folder of a pod and cannot be removed: a mount point would be such a thing.
        let path = folder.path().to_owned();
        let held = path.join("held");
        fs_err::create_dir(&held).expect("made");
        let mounted = nix::mount::mount(
            Some("tmpfs"),
            held.as_std_path(),
            Some("tmpfs"),
            nix::mount::MsFlags::empty(),
            None::<&str>,
        );
        if mounted.is_err() {
            // Only root can mount; everybody else has nothing here that cannot be removed.
            return;
        }
        drop(folder);
        let kept = path.join(LOCK_FILE).exists();
        nix::mount::umount(held.as_std_path()).expect("unmounted");
        assert!(kept);
        assert_eq!(sweep(&base).expect("swept").removed, ["half1"]);
    }

    #[test]
    fn a_process_that_a_dead_run_left_behind_is_killed_by_the_name_that_it_was_given() {
        let (_guard, base) = base();
        let run: RunId = "left1".parse().expect("valid");
        let folder = RunFolder::create(&base, &run).expect("created");
        let mut child = Command::new("sleep")
            .arg0(folder.process_name("check"))
            .arg("300")
            .spawn()
            .expect("started");
        let path = folder.path().to_owned();
        drop(folder);
        // What is there after a run that was killed.
        fs_err::create_dir_all(&path).expect("made");
        fs_err::write(path.join(LOCK_FILE), "").expect("written");
        let process = i32::try_from(child.id()).expect("a process id is positive");
        // A program that has only just been started has no command line yet.
        let deadline = Instant::now() + KILLED_GONE_WITHIN;
        let line = format!("/proc/{process}/cmdline");
        while fs_err::read(&line).expect("it runs").is_empty() {
            assert!(Instant::now() < deadline, "the process has no command line");
            thread::sleep(KILLED_LOOKED_FOR_EVERY);
        }
        // A killed process is there until it is waited for, as process 1 would.
        let waiter = thread::spawn(move || child.wait().expect("waited for"));
        let swept = sweep(&base).expect("swept");
        let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        waiter.join().expect("ended");
        assert_eq!(swept.killed, [process]);
    }

    #[test]
    fn a_folder_goes_with_its_owner() {
        let (_guard, base) = base();
        let run: RunId = "gone1".parse().expect("valid");
        let folder = RunFolder::create(&base, &run).expect("created");
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
    }
}
