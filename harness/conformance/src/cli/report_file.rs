//! Reads the `report.json` of an earlier run.

use camino::Utf8Path;

use super::error::CliError;
use crate::report::record::{RunRecord, SCHEMA_VERSION};

/// Reads a report.
///
/// # Errors
///
/// When it cannot be read, or is of another version.
pub(super) fn read_report(path: &Utf8Path) -> Result<RunRecord, CliError> {
    let unusable = |reason: String| CliError::Report {
        path: path.to_owned(),
        reason,
    };
    let text = fs_err::read(path).map_err(|error| unusable(error.to_string()))?;
    let record: RunRecord =
        serde_json::from_slice(&text).map_err(|error| unusable(error.to_string()))?;
    if record.schema_version == SCHEMA_VERSION {
        Ok(record)
    } else {
        Err(unusable(format!(
            "its format is version {}, this harness reads version {SCHEMA_VERSION}",
            record.schema_version
        )))
    }
}
