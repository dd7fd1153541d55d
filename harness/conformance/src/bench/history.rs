//! A history of benchmarks as CSV, one line a run, for tools that look for the change in a trend.

use std::io::{self, Read, Seek as _, SeekFrom, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::arm::Arm;
use super::record::BenchRecord;
use super::stored::facts;
use crate::report::untrusted::harmless;
use harness_verdict::latency::percentile::Percentile;

/// What identifies a line.
const ATTRIBUTES: [&str; 5] = ["time", "run", "agent", "agent_sha256", "setting"];
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

/// Checks that a file can be continued: its folder is there, and it is not, is empty, or begins with the columns of a history.
///
/// # Errors
///
/// When it is something else, or cannot be read.
pub fn check(path: &Utf8Path) -> Result<(), HistoryError> {
    match open(path, fs_err::OpenOptions::new().read(true)) {
        Ok(mut file) => begun(path, &mut file).map(|_| ()),
        Err(HistoryError::File { source, .. })
            if source.kind() == io::ErrorKind::NotFound && folder(path).is_dir() =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Adds a run to a history; the first one makes it, with the names of the columns.
///
/// # Errors
///
/// When the file has other columns, or cannot be read or written.
pub fn append(path: &Utf8Path, record: &BenchRecord, now: Timestamp) -> Result<(), HistoryError> {
    let mut options = fs_err::OpenOptions::new();
    let mut file = open(path, options.read(true).append(true).create(true))?;
    let failed = failed(path);
    // Runs that end together write one after the other; the lock ends with the file.
    file.file().lock().map_err(failed)?;
    let mut text = match begun(path, &mut file)? {
        Begun::Empty => header(),
        Begun::WholeLines => Vec::new(),
        Begun::PartOfLine => vec![b'\n'],
    };
    text.extend(line(&values(record, now)));
    file.write_all(&text).map_err(failed)
}

/// What a file has already.
enum Begun {
    Empty,
    WholeLines,
    /// Its last line has no end: an editor wrote it so.
    PartOfLine,
}

fn folder(path: &Utf8Path) -> &Utf8Path {
    path.parent()
        .filter(|folder| !folder.as_str().is_empty())
        .unwrap_or(Utf8Path::new("."))
}

fn open(path: &Utf8Path, options: &fs_err::OpenOptions) -> Result<fs_err::File, HistoryError> {
    let failed = failed(path);
    // A named pipe would be waited for without an end.
    if fs_err::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(failed(io::Error::other("it is no regular file")));
    }
    options.open(path).map_err(failed)
}

fn begun(path: &Utf8Path, file: &mut fs_err::File) -> Result<Begun, HistoryError> {
    let failed = failed(path);
    let header = header();
    let mut found = Vec::new();
    let first = Read::by_ref(file).take(header.len() as u64);
    { first }.read_to_end(&mut found).map_err(failed)?;
    if found.is_empty() {
        return Ok(Begun::Empty);
    }
    if found != header {
        let first = found
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        return Err(HistoryError::OtherColumns {
            path: path.into(),
            found: harmless(&String::from_utf8_lossy(first)),
        });
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))
        .and_then(|_| file.read_exact(&mut last))
        .map_err(failed)?;
    Ok(if last == *b"\n" {
        Begun::WholeLines
    } else {
        Begun::PartOfLine
    })
}

fn failed(path: &Utf8Path) -> impl Fn(io::Error) -> HistoryError + Copy {
    move |source| HistoryError::File {
        path: path.into(),
        source,
    }
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
    // In a cluster it is an image and the image's digest.
    let image = record.arms.get(&Arm::A).and_then(|a| a.image.as_deref());
    let image = image.and_then(|image| image.rsplit_once(' '));
    let (version, digest) = match (image, agent) {
        (Some((name, digest)), _) => (Some(name.to_owned()), digest.to_owned()),
        (None, Some(agent)) => (agent.version.clone(), agent.sha256.clone()),
        (None, None) => (None, String::new()),
    };
    let mut values = vec![
        now.to_string(),
        record.run.clone(),
        version.unwrap_or_default(),
        digest,
        setting(record),
    ];
    for (_, above) in DIFFERENCES {
        values.extend(PERCENTILES.map(|percentile| {
            let cost = record.cost(Arm::A, above, percentile);
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

/// Returns the digest of everything but the agent that figures depend on: lines of another one are of another trend.
fn setting(record: &BenchRecord) -> String {
    let mut digest = Sha256::new();
    for (name, value) in facts(record) {
        digest.update(format!("{name}={value}\n"));
    }
    for (name, value) in record.method.agents.iter().chain(&record.method.a) {
        digest.update(format!("{name}={value}\n"));
    }
    hex::encode(&digest.finalize()[..6])
}

fn line(fields: &[String]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields).expect("memory takes it");
    writer.into_inner().expect("memory takes it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::tests::record;

    fn path(folder: &tempfile::TempDir) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(folder.path().join("history.csv")).expect("UTF-8")
    }

    #[test]
    fn a_history_has_a_line_for_each_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = path(&folder);
        check(&path).expect("it may be made");
        let mut record = record();
        append(&path, &record, Timestamp::UNIX_EPOCH).expect("made");
        record.method.requests_per_second = 5;
        append(&path, &record, Timestamp::UNIX_EPOCH).expect("continued");
        let text = fs_err::read_to_string(&path).expect("a history");
        // An editor may leave the last line without its end.
        fs_err::write(&path, text.trim_end()).expect("written");
        append(&path, &record, Timestamp::UNIX_EPOCH).expect("continued");
        check(&path).expect("a history");
        let mut reader = csv::Reader::from_path(&path).expect("a history");
        let columns = reader.headers().expect("columns").clone();
        let lines: Vec<csv::StringRecord> =
            reader.records().collect::<Result<_, _>>().expect("lines");
        assert_eq!(lines.len(), 3);
        let of = |line: usize, column: &str| {
            let position = columns.iter().position(|name| name == column);
            &lines[line][position.expect("a column")]
        };
        assert_eq!(of(0, "time"), "1970-01-01T00:00:00Z");
        assert_eq!(of(0, "agent"), "agent, of a \"kind\"");
        assert_eq!(of(0, "a_above_null_p50"), "300.0");
        assert_eq!(of(0, "a_above_null_p99"), "", "it was not judged");
        assert_ne!(
            of(0, "setting"),
            of(1, "setting"),
            "another rate is another trend"
        );
        assert_eq!(of(1, "setting"), of(2, "setting"));
    }

    #[test]
    fn a_file_of_something_else_is_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = path(&folder);
        fs_err::write(&path, "time,run\n1,2\n").expect("written");
        let error = check(&path).expect_err("other columns");
        let said = error.to_string();
        assert!(said.ends_with("its first line is \"time,run\""), "{said}");
        assert!(append(&path, &record(), Timestamp::UNIX_EPOCH).is_err());
        assert_eq!(
            fs_err::read_to_string(&path).expect("it is there"),
            "time,run\n1,2\n"
        );
        fs_err::write(&path, "").expect("written");
        check(&path).expect("an empty file");
        for nowhere in ["/dev/null", "/nowhere/history.csv"] {
            check(Utf8Path::new(nowhere)).expect_err("no file can be there");
        }
    }
}
