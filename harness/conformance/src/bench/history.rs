//! A history of benchmarks as CSV, one line a run, for tools that look for the change in a trend.

use std::io::{self, Read as _, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;

use super::arm::Arm;
use super::record::BenchRecord;
use harness_verdict::latency::percentile::Percentile;

/// What identifies a line.
const ATTRIBUTES: [&str; 4] = ["time", "run", "agent", "agent_sha256"];
/// The differences that are followed, with the beginning of their columns' names.
const DIFFERENCES: [(&str, Arm); 2] = [
    ("a_above_disabled", Arm::Disabled),
    ("a_above_null", Arm::Null),
];
/// The percentiles that are followed; a rarer one is judged too seldom to make a trend.
const PERCENTILES: [Percentile; 3] = [Percentile::P50, Percentile::P90, Percentile::P99];
/// What the agent took.
const USAGE: [&str; 2] = ["processor_ms_per_1000", "resident_bytes"];

/// Why a history cannot be continued.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file cannot be read or written.
    #[error("cannot continue the history {path}")]
    File {
        /// The file.
        path: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The file has other columns.
    #[error("{path} is another file: its first line is {found:?}")]
    OtherColumns {
        /// The file.
        path: Utf8PathBuf,
        /// The beginning of what it has.
        found: String,
    },
}

/// Checks that a file can be continued: it is not there, empty, or begins with the columns of a history.
///
/// # Errors
///
/// When it is something else, or cannot be read.
pub fn check(path: &Utf8Path) -> Result<(), HistoryError> {
    begun(path).map(|_| ())
}

/// Adds a run to a history; the first one makes it, with the names of the columns.
///
/// # Errors
///
/// When the file has other columns, or cannot be read or written.
pub fn append(path: &Utf8Path, record: &BenchRecord, now: Timestamp) -> Result<(), HistoryError> {
    let mut text = if begun(path)? { Vec::new() } else { header() };
    text.extend(line(&values(record, now)));
    let mut options = fs_err::OpenOptions::new();
    let file = options.create(true).append(true).open(path);
    // One write: lines of runs that end together do not mix.
    { file.and_then(|mut file| file.write_all(&text)) }.map_err(|source| HistoryError::File {
        path: path.into(),
        source,
    })
}

/// Returns whether the file has the columns of a history already.
fn begun(path: &Utf8Path) -> Result<bool, HistoryError> {
    let failed = |source| HistoryError::File {
        path: path.into(),
        source,
    };
    match fs_err::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
        // A named pipe would be waited for without an end.
        Ok(metadata) if !metadata.is_file() => {
            return Err(failed(io::Error::other("it is no regular file")));
        }
        Ok(_) => {}
    }
    let header = header();
    let mut found = Vec::new();
    fs_err::File::open(path)
        .and_then(|file| file.take(header.len() as u64).read_to_end(&mut found))
        .map_err(failed)?;
    if found.is_empty() || found == header {
        return Ok(!found.is_empty());
    }
    let first = found
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    Err(HistoryError::OtherColumns {
        path: path.into(),
        found: String::from_utf8_lossy(first).into_owned(),
    })
}

fn header() -> Vec<u8> {
    let of_difference = |name| PERCENTILES.map(|percentile| format!("{name}_{percentile}"));
    let attributes = ATTRIBUTES.into_iter().map(str::to_owned);
    let differences = DIFFERENCES
        .into_iter()
        .flat_map(|(name, _)| of_difference(name));
    let usage = USAGE.into_iter().map(str::to_owned);
    line(
        &attributes
            .chain(differences)
            .chain(usage)
            .collect::<Vec<_>>(),
    )
}

/// Returns the fields of a run; empty where nothing was judged.
fn values(record: &BenchRecord, now: Timestamp) -> Vec<String> {
    let agent = record.method.subjects.get("agent");
    let version = agent.and_then(|agent| agent.version.clone());
    let mut values = vec![
        now.to_string(),
        record.run.clone(),
        version.unwrap_or_default(),
        agent.map(|agent| agent.sha256.clone()).unwrap_or_default(),
    ];
    for (_, above) in DIFFERENCES {
        values.extend(PERCENTILES.map(|percentile| {
            let cost = record.cost(above, percentile);
            cost.map_or(String::new(), |difference| {
                format!("{:.1}", difference.estimate)
            })
        }));
    }
    let arm = record.arms.get(&Arm::A);
    let spent = arm.and_then(|arm| arm.processor_milliseconds_per_1000);
    values.push(spent.map_or(String::new(), |spent| format!("{spent:.2}")));
    let resident = arm.and_then(|arm| arm.resident_bytes);
    values.push(resident.map_or(String::new(), |bytes| bytes.to_string()));
    values
}

fn line(fields: &[String]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields).expect("memory takes it");
    writer.into_inner().expect("memory takes it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_something_else_is_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.csv");
        let path = Utf8PathBuf::from_path_buf(path).expect("UTF-8");
        assert!(!begun(&path).expect("it may be made"));
        fs_err::write(&path, "time,run\n1,2\n").expect("written");
        let error = check(&path).expect_err("other columns");
        assert!(
            error
                .to_string()
                .ends_with("its first line is \"time,run\""),
            "{error}"
        );
        fs_err::write(&path, header()).expect("written");
        assert!(begun(&path).expect("a history"));
        fs_err::write(&path, "").expect("written");
        assert!(!begun(&path).expect("an empty file"));
        let error = check(Utf8Path::new("/dev/null")).expect_err("no file");
        assert!(error.to_string().contains("/dev/null"), "{error}");
    }

    #[test]
    fn columns_have_names_that_a_tool_can_be_told() {
        let header = String::from_utf8(header()).expect("text");
        assert_eq!(
            header,
            "time,run,agent,agent_sha256,a_above_disabled_p50,a_above_disabled_p90,a_above_disabled_p99,\
             a_above_null_p50,a_above_null_p90,a_above_null_p99,processor_ms_per_1000,resident_bytes\n"
        );
    }
}
