//! Reads the record of an earlier run: `report.json`, or the `bench.json` of a benchmark.

use camino::Utf8Path;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::CliError;
use crate::bench;
use crate::bench::record::BenchRecord;
use crate::report::record::{RunRecord, SCHEMA_VERSION};
use crate::report::retention::BENCHMARK;
use crate::report::untrusted::{bounded, harmless};

/// The largest report that is read, in bytes.
const LIMIT_BYTES: u64 = 256 * 1024 * 1024;

/// How much of a reason is shown.
const MOST_CHARACTERS: usize = 500;

/// What a report of any version has.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Version {
    schema_version: u32,
}

/// Reads a report.
///
/// # Errors
///
/// When it cannot be read, or is of another version.
pub(super) fn read_report(path: &Utf8Path) -> Result<RunRecord, CliError> {
    read_record(path, SCHEMA_VERSION)
}

/// Reads the record of a benchmark, given the run's folder or the file itself.
///
/// # Errors
///
/// When it cannot be read, or is of another version.
pub(super) fn read_benchmark(path: &Utf8Path) -> Result<BenchRecord, CliError> {
    if path.is_dir() {
        read_record(&path.join(BENCHMARK), bench::record::SCHEMA_VERSION)
    } else {
        read_record(path, bench::record::SCHEMA_VERSION)
    }
}

fn read_record<T: DeserializeOwned>(path: &Utf8Path, expected: u32) -> Result<T, CliError> {
    let text = read_file(path)?;
    let unusable = |error: serde_json::Error| unusable(path, &error.to_string());
    // The version comes first: what a report of another version lacks is no fault of it.
    let Version { schema_version } = serde_json::from_slice(&text).map_err(unusable)?;
    if schema_version != expected {
        return Err(CliError::ReportVersion {
            path: path.to_owned(),
            found: schema_version,
            expected,
        });
    }
    serde_json::from_slice(&text).map_err(unusable)
}

/// Reads a file of a run as it is, where it is a regular file of a bearable size.
///
/// # Errors
///
/// When it is none, or cannot be read.
pub(super) fn read_file(path: &Utf8Path) -> Result<Vec<u8>, CliError> {
    let failed = |error: std::io::Error| unusable(path, &error.to_string());
    let metadata = fs_err::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        // A named pipe would be waited for without an end.
        return Err(unusable(path, "it is no regular file"));
    }
    if metadata.len() > LIMIT_BYTES {
        return Err(unusable(
            path,
            &format!(
                "it has more than {} MiB, and no report has",
                LIMIT_BYTES / (1024 * 1024)
            ),
        ));
    }
    fs_err::read(path).map_err(failed)
}

fn unusable(path: &Utf8Path, reason: &str) -> CliError {
    CliError::Report {
        path: path.to_owned(),
        // The reader of JSON quotes what is wrong.
        reason: harmless(&bounded(reason, MOST_CHARACTERS)),
    }
}
