//! Writes the reports of a run: `report.json`, `junit.xml` and `decisions.tsv`.

use camino::{Utf8Path, Utf8PathBuf};

use super::evidence::{Output, WriteError};
use super::record::RunRecord;
use super::{decisions, junit};

/// Why the reports of a run cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportsError {
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The JUnit report cannot be made.
    #[error("cannot make the JUnit report")]
    Junit(#[from] quick_junit::SerializeError),
    /// The record cannot be made into JSON.
    #[error("cannot make the JSON report")]
    Json(#[from] serde_json::Error),
}

/// Where the decision record lies, below the folder of a run.
pub const DECISIONS: &str = "decisions.tsv";

/// Writes the reports and returns the path of `report.json`.
///
/// # Errors
///
/// When a report cannot be made or written.
pub fn write(output: &Output, record: &RunRecord) -> Result<Utf8PathBuf, ReportsError> {
    write_with(output, record, &decisions::render(&record.scenarios))
}

/// As [`write()`], with a decision record that was made before: a record that was read from its report has no decisions.
///
/// # Errors
///
/// As [`write()`].
pub fn write_with(
    output: &Output,
    record: &RunRecord,
    decisions: &str,
) -> Result<Utf8PathBuf, ReportsError> {
    let mut json = serde_json::to_vec_pretty(record)?;
    json.push(b'\n');
    output.write(Utf8Path::new("report.json"), &json)?;
    output.write(
        Utf8Path::new("junit.xml"),
        junit::render(record)?.as_bytes(),
    )?;
    output.write(Utf8Path::new(DECISIONS), decisions.as_bytes())?;
    Ok(output.folder.join("report.json"))
}
