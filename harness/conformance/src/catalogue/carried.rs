//! The project that the executable carries: scenarios, fixtures and configurations, laid out as files in the user's cache.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use harness_artifacts::executable::{ExecutableError, cache_folder};
use harness_core::model::project::{Project, ProjectOrigin};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};

/// How many digits of a hash tell one carried project from another.
const HASH_DIGITS: usize = 12;
/// The folder for what runs write, in the working folder.
const RESULTS: &str = "conformance-results";

// A build of the dev profile reads the checkout that it was made from; a release has the files in it.
#[derive(RustEmbed)]
#[folder = "../../scenarios"]
struct Scenarios;

#[derive(RustEmbed)]
#[folder = "../../fixtures/payloads"]
struct Payloads;

#[derive(RustEmbed)]
#[folder = "../../fixtures/kubernetes"]
struct Manifests;

#[derive(RustEmbed)]
#[folder = "../../envoy-configs"]
struct EnvoyConfigs;

#[derive(RustEmbed)]
#[folder = "../../mutants"]
struct Mutants;

/// Why the carried project cannot be laid out.
#[derive(Debug, thiserror::Error)]
pub enum CarriedProjectError {
    /// There is no folder for it.
    #[error("there is no folder for the files that this executable carries")]
    NoCacheFolder(#[source] ExecutableError),
    /// A file cannot be written or read.
    #[error("cannot lay out the files that this executable carries in {folder}")]
    Io {
        /// The folder.
        folder: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// A file of the project, by its path below the project's folder.
type CarriedFile = (Utf8PathBuf, EmbeddedFile);

/// Lays the carried project out in the user's cache, unless exactly its files lie there already. Runs write below `working_folder`.
///
/// # Errors
///
/// When there is no cache, or it cannot be written.
pub fn carried_project(working_folder: &Utf8Path) -> Result<Project, CarriedProjectError> {
    let base = cache_folder().map_err(CarriedProjectError::NoCacheFolder)?;
    let files = carried_files();
    let root = base.join(format!("project-{}", fingerprint(&files)));
    lay_out(&files, &root).map_err(|source| CarriedProjectError::Io {
        folder: root.clone(),
        source,
    })?;
    let results = working_folder.join(RESULTS);
    Ok(Project {
        origin: ProjectOrigin::Carried,
        runs: results.clone(),
        self_tests: results.join("self-test"),
        archives: base.join("images"),
        ..Project::at(&root)
    })
}

fn carried_files() -> Vec<CarriedFile> {
    let mut files = Vec::new();
    files.extend(files_of::<Scenarios>("scenarios"));
    files.extend(files_of::<Payloads>("fixtures/payloads"));
    files.extend(files_of::<Manifests>("fixtures/kubernetes"));
    files.extend(files_of::<EnvoyConfigs>("envoy-configs"));
    files.extend(files_of::<Mutants>("mutants"));
    files
}

fn files_of<Folder: RustEmbed>(below: &str) -> impl Iterator<Item = CarriedFile> {
    Folder::iter().filter_map(move |path| {
        Some((
            Utf8Path::new(below).join(path.as_ref()),
            Folder::get(&path)?,
        ))
    })
}

fn fingerprint(files: &[CarriedFile]) -> String {
    let mut hash = Sha256::new();
    for (path, file) in files {
        hash.update(path.as_str());
        hash.update([0]);
        hash.update(file.metadata.sha256_hash());
    }
    hex::encode(hash.finalize())[..HASH_DIGITS].to_owned()
}

/// Makes `root` hold these files and no others. What lies there is compared, since a changed file would be judged by in silence.
fn lay_out(files: &[CarriedFile], root: &Utf8Path) -> io::Result<()> {
    if holds_exactly(files, root)? {
        return Ok(());
    }
    let parent = root.parent().unwrap_or(Utf8Path::new("/"));
    fs_err::create_dir_all(parent)?;
    let fresh = tempfile::tempdir_in(parent)?;
    let beside = Utf8Path::from_path(fresh.path())
        .ok_or_else(|| io::Error::other("the folder's name is not UTF-8"))?;
    for (path, file) in files {
        let path = beside.join("project").join(path);
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        fs_err::write(&path, &file.data)?;
    }
    if root.exists() {
        fs_err::rename(root, beside.join("replaced"))?;
    }
    match fs_err::rename(beside.join("project"), root) {
        // Another process was faster.
        Err(_) if holds_exactly(files, root)? => Ok(()),
        other => other,
    }
}

fn holds_exactly(files: &[CarriedFile], root: &Utf8Path) -> io::Result<bool> {
    if !root.is_dir() {
        return Ok(false);
    }
    let is_there = |(path, file): &CarriedFile| {
        fs_err::read(root.join(path)).is_ok_and(|content| content == file.data.as_ref())
    };
    Ok(files.iter().all(is_there) && count_files(root)? == files.len())
}

fn count_files(folder: &Utf8Path) -> io::Result<usize> {
    let mut count = 0;
    for entry in folder.read_dir_utf8()? {
        let entry = entry?;
        count += if entry.file_type()?.is_dir() {
            count_files(entry.path())?
        } else {
            1
        };
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_added_or_removed_is_laid_out_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(folder.path())
            .expect("UTF-8")
            .join("project");
        let files = carried_files();
        assert!(files.len() > 200, "{}", files.len());
        lay_out(&files, &root).expect("laid out");
        assert!(holds_exactly(&files, &root).expect("readable"));
        let scenario = root.join(&files[0].0);
        let harm: [&dyn Fn(); 3] = [
            &|| fs_err::write(&scenario, "changed").expect("writable"),
            &|| fs_err::write(root.join("scenarios/more.yaml"), "").expect("writable"),
            &|| fs_err::remove_file(&scenario).expect("removable"),
        ];
        for harm in harm {
            harm();
            assert!(!holds_exactly(&files, &root).expect("readable"));
            lay_out(&files, &root).expect("laid out");
            assert!(holds_exactly(&files, &root).expect("readable"));
        }
    }
}
