//! The folders of runs: which one is the latest, and which old ones go.

use std::io::{self, Read as _};
use std::os::unix::fs::symlink;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};

use super::terminal::remark;
use harness_core::model::identity::RunId;

/// How many runs are kept, unless the user says otherwise.
pub const DEFAULT_KEPT_RUNS: usize = 50;
/// The link to the folder of the latest run.
pub const LATEST: &str = "latest";
/// What the folder of a run that has ended holds: one of a run of scenarios, of a benchmark, or of a ladder.
const REPORTS: [&str; 3] = ["report.json", BENCHMARK, LADDER];
/// The record of a benchmark.
pub const BENCHMARK: &str = "bench.json";
/// The record of a ladder.
pub const LADDER: &str = "ladder.json";
/// How much of a report is looked at for its run.
const HEAD_BYTES: u64 = 256;

/// Makes the link to the latest run lead to this one.
///
/// # Errors
///
/// When the link cannot be made.
pub fn link_latest(runs: &Utf8Path, run: &RunId) -> io::Result<()> {
    let beside = runs.join(format!(".{LATEST}-{run}"));
    symlink(run.as_str(), &beside)?;
    fs_err::rename(&beside, runs.join(LATEST))
}

/// Removes the folders of the oldest runs, so that `kept` remain. A folder is one of a run where a report lies in it that begins with the folder's name
/// as its run; nothing else is touched, and no run that is under way.
///
/// # Errors
///
/// When a folder cannot be read or removed.
pub fn remove_old_runs(runs: &Utf8Path, kept: usize) -> io::Result<Vec<Utf8PathBuf>> {
    let mut found: Vec<(SystemTime, Utf8PathBuf)> = Vec::new();
    for entry in runs.read_dir_utf8()? {
        let entry = entry?;
        let mut reports = REPORTS.iter().map(|name| entry.path().join(name));
        let report = reports.find(|report| is_of_run(report, entry.file_name()));
        if let (true, Some(report)) = (entry.file_type()?.is_dir(), report) {
            found.push((report.metadata()?.modified()?, entry.into_path()));
        }
    }
    found.sort();
    let too_many = found.len().saturating_sub(kept);
    let old: Vec<Utf8PathBuf> = found
        .into_iter()
        .take(too_many)
        .map(|(_, path)| path)
        .collect();
    for path in &old {
        fs_err::remove_dir_all(path)?;
    }
    Ok(old)
}

/// Removes the folders of the oldest runs, and says so. That they cannot be removed changes nothing about a run.
pub fn tidy(runs: &Utf8Path, kept: usize) {
    match remove_old_runs(runs, kept).map(|removed| removed.len()) {
        Ok(0) => {}
        Ok(1) => remark("removed 1 folder of old runs"),
        Ok(removed) => remark(format_args!("removed {removed} folders of old runs")),
        Err(error) => remark(format_args!("cannot remove old runs: {error}")),
    }
}

/// Returns whether a report is of this run: its first lines say so, and the rest of it may have megabytes.
fn is_of_run(report: &Utf8Path, run: &str) -> bool {
    let mut head = Vec::new();
    let read =
        std::fs::File::open(report).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    read.is_ok() && String::from_utf8_lossy(&head).contains(&format!("\"run\": \"{run}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_runs_go_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let runs = Utf8Path::from_path(folder.path()).expect("UTF-8");
        for (name, run, age_seconds) in [
            ("r1", "r1", 30),
            ("r2", "r2", 20),
            ("r3", "r3", 10),
            ("merged", "r1", 40),
        ] {
            fs_err::create_dir(runs.join(name)).expect("a folder");
            // A benchmark is a run as well.
            let path = runs
                .join(name)
                .join(if name == "r1" { BENCHMARK } else { REPORTS[0] });
            fs_err::write(&path, format!("{{\n  \"run\": \"{run}\",")).expect("a file");
            let report = std::fs::File::options()
                .write(true)
                .open(&path)
                .expect("a file");
            let then = SystemTime::now() - std::time::Duration::from_secs(age_seconds);
            report.set_modified(then).expect("a time");
        }
        fs_err::create_dir(runs.join("underway")).expect("a folder");
        let run: RunId = "r3".parse().expect("an id");
        link_latest(runs, &run).expect("a link");
        link_latest(runs, &run).expect("a link in place of the other");
        let removed = remove_old_runs(runs, 1).expect("removed");
        assert_eq!(removed, [runs.join("r1"), runs.join("r2")]);
        let mut left: Vec<String> = runs
            .read_dir_utf8()
            .expect("readable")
            .map(|entry| entry.expect("an entry").file_name().to_owned())
            .collect();
        left.sort();
        assert_eq!(left, ["latest", "merged", "r3", "underway"]);
        assert!(runs.join(LATEST).join(REPORTS[0]).is_file());
    }
}
