//! The folders of a project, and how their files are read.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::agent_description::AgentDescription;
use super::diagnostic::Diagnostic;
use super::located::Position;

/// The largest scenario or payload file, in bytes.
const FILE_LIMIT_BYTES: u64 = 1024 * 1024;

/// Where a project's files come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProjectOrigin {
    /// They are in the executable of the harness, which lays them out in the user's cache.
    Carried,
    /// The user has them in a folder.
    Folder,
}

/// The folders of a project: where scenarios, payloads, manifests, proxy configurations and mutants lie.
#[derive(Clone, Debug)]
pub struct Project {
    /// Where the files come from.
    pub origin: ProjectOrigin,
    /// The folder that holds the others.
    pub root: Utf8PathBuf,
    /// `scenarios/`.
    pub scenarios: Utf8PathBuf,
    /// Folders of further scenarios, laid out like `scenarios/`; files right in one of them are of a group with the folder's name.
    pub further_scenarios: Vec<Utf8PathBuf>,
    /// `scenarios/profiles/`.
    pub profiles: Utf8PathBuf,
    /// `fixtures/payloads/`.
    pub payloads: Utf8PathBuf,
    /// `fixtures/payloads/seeds/`.
    pub seeds: Utf8PathBuf,
    /// `fixtures/kubernetes/`.
    pub manifests: Utf8PathBuf,
    /// `envoy-configs/`.
    pub envoy_configs: Utf8PathBuf,
    /// `mutants/`.
    pub mutants: Utf8PathBuf,
    /// The agent that scenarios are about.
    pub agent: AgentDescription,
    /// Where the folders of runs are written, unless the user names another place: `target/conformance/`.
    pub runs: Utf8PathBuf,
    /// Where the self-test writes: `target/conformance-self-test/`.
    pub self_tests: Utf8PathBuf,
    /// Where the archives of images are kept from run to run: `target/conformance-images/`. Their names carry their digests, so that what lies
    /// there is never stale.
    pub archives: Utf8PathBuf,
}

impl Project {
    /// Names the folders below `root`.
    pub fn at(root: &Utf8Path) -> Self {
        Self {
            origin: ProjectOrigin::Folder,
            root: root.into(),
            scenarios: root.join("scenarios"),
            further_scenarios: Vec::new(),
            profiles: root.join("scenarios/profiles"),
            payloads: root.join("fixtures/payloads"),
            seeds: root.join("fixtures/payloads/seeds"),
            manifests: root.join("fixtures/kubernetes"),
            envoy_configs: root.join("envoy-configs"),
            mutants: root.join("mutants"),
            agent: AgentDescription::default(),
            runs: root.join("target/conformance"),
            self_tests: root.join("target/conformance-self-test"),
            archives: root.join("target/conformance-images"),
        }
    }

    /// Returns a path as messages show it: relative to the root where it is inside.
    pub fn shown(&self, path: &Utf8Path) -> Utf8PathBuf {
        path.strip_prefix(&self.root).unwrap_or(path).into()
    }
}

/// Why a project cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A folder or file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// The path.
        path: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Files are wrong; each complaint says where.
    #[error("{} in the project's files", count(.0.len()))]
    Invalid(Vec<Diagnostic>),
}

fn count(errors: usize) -> String {
    match errors {
        1 => "1 error".into(),
        more => format!("{more} errors"),
    }
}

/// Reads a file of the project as text; what is too large or not text is a complaint, and empty.
pub fn read_bounded(
    project: &Project,
    path: &Utf8Path,
    complaints: &mut Vec<Diagnostic>,
) -> Result<Arc<str>, LoadError> {
    let unreadable = |source| LoadError::Unreadable {
        path: project.shown(path),
        source,
    };
    let complaint = |message: &str, hint: &str| of_file(project, path, message, hint);
    let metadata = fs_err::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        // A named pipe would be waited for without an end.
        complaints.push(complaint(
            "this is no regular file",
            "put a file there, or remove it",
        ));
        return Ok("".into());
    }
    if metadata.len() > FILE_LIMIT_BYTES {
        complaints.push(complaint(
            "the file is larger than 1 MiB",
            "describe long bodies with `filled` instead of writing them out",
        ));
        return Ok("".into());
    }
    let bytes = fs_err::read(path).map_err(unreadable)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let line = bytes[..valid].split(|byte| *byte == b'\n').count();
            complaints.push(complaint(
                &format!("line {line} is not valid UTF-8 (byte {valid})"),
                "write bytes that are not UTF-8 with `base64`",
            ));
            Ok("".into())
        }
    }
}

/// Complains about a file as a whole.
fn of_file(project: &Project, path: &Utf8Path, message: &str, hint: &str) -> Diagnostic {
    Diagnostic {
        file: project.shown(path),
        text: "".into(),
        position: Position::default(),
        message: message.into(),
        label: String::new(),
        hint: Some(hint.into()),
    }
}

/// Returns the YAML files of a folder, sorted. Whatever else lies there is a complaint, since nothing would read it: all but `folders`, which are
/// read apart, files whose names begin with a dot, and Markdown.
pub fn yaml_files(
    project: &Project,
    root: &Utf8Path,
    folders: &[&str],
    complaints: &mut Vec<Diagnostic>,
) -> Result<Vec<Utf8PathBuf>, LoadError> {
    let mut files = Vec::new();
    for path in entries(root, |_| true)? {
        let name = path.file_name().unwrap_or_default();
        let is_read_apart = path.is_dir() && folders.contains(&name);
        match path.extension() {
            _ if is_read_apart || name.starts_with('.') => {}
            Some("md") => {}
            Some("yaml") => files.push(path),
            Some("yml") => complaints.push(of_file(
                project,
                &path,
                "the file would not be read: its name ends in `.yml`",
                "rename it so that it ends in `.yaml`",
            )),
            Some(_) | None if path.is_dir() => complaints.push(of_file(
                project,
                &path,
                "the folder would not be read",
                "move its files one folder up, or remove it",
            )),
            Some(_) | None => complaints.push(of_file(
                project,
                &path,
                "the file would not be read",
                "remove it, or begin its name with a dot; what is read ends in `.yaml`",
            )),
        }
    }
    Ok(files)
}

/// Returns the wanted entries of a folder, sorted.
pub fn entries(
    root: &Utf8Path,
    wanted: impl Fn(&Utf8Path) -> bool,
) -> Result<Vec<Utf8PathBuf>, LoadError> {
    let unreadable = |source| LoadError::Unreadable {
        path: root.into(),
        source,
    };
    let mut found = Vec::new();
    for entry in root.read_dir_utf8().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if wanted(entry.path()) {
            found.push(entry.into_path());
        }
    }
    found.sort();
    Ok(found)
}
