//! Reads scenario, payload and seed files, and says where they are wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::diagnostic::Diagnostic;
use super::load_seeds::{LoadedSeeds, load_seeds};
use super::located::Position;
use super::payload::PayloadFile;
use super::profile::{Profile, load_profiles};
use super::scenario::{Procedure, Scenario, ScenarioFile, ScenarioName};
use super::validate;

/// The largest scenario or payload file, in bytes.
const FILE_LIMIT_BYTES: u64 = 1024 * 1024;

/// The folders of a project: where scenarios, payloads, manifests, proxy configurations and mutants lie.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder that holds the others.
    pub root: Utf8PathBuf,
    /// `scenarios/`.
    pub scenarios: Utf8PathBuf,
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
}

impl Project {
    /// Names the folders below `root`.
    pub fn at(root: &Utf8Path) -> Self {
        Self {
            root: root.into(),
            scenarios: root.join("scenarios"),
            profiles: root.join("scenarios/profiles"),
            payloads: root.join("fixtures/payloads"),
            seeds: root.join("fixtures/payloads/seeds"),
            manifests: root.join("fixtures/kubernetes"),
            envoy_configs: root.join("envoy-configs"),
            mutants: root.join("mutants"),
        }
    }

    /// Returns a path as messages show it: relative to the root where it is inside.
    pub fn shown(&self, path: &Utf8Path) -> Utf8PathBuf {
        path.strip_prefix(&self.root).unwrap_or(path).into()
    }
}

/// Every scenario, payload and seed file of a project, read and checked.
#[derive(Debug)]
pub struct Catalogue {
    /// The scenarios, by name.
    pub scenarios: Vec<Scenario>,
    /// The profiles, by name.
    pub profiles: BTreeMap<String, Profile>,
    /// What scenarios draw requests from.
    pub corpora: Corpora,
}

/// Payloads and seeds, by the stems of their files.
#[derive(Clone, Debug, Default)]
pub struct Corpora {
    /// Whole requests.
    pub payloads: BTreeMap<String, LoadedPayloads>,
    /// Values from which requests are expanded.
    pub seeds: BTreeMap<String, LoadedSeeds>,
}

/// A payload file with its text, for diagnostics.
#[derive(Clone, Debug)]
pub struct LoadedPayloads {
    /// The file.
    pub file: Utf8PathBuf,
    /// Its text.
    pub text: Arc<str>,
    /// What it says.
    pub content: PayloadFile,
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

/// Reads and checks every scenario, payload and seed file of the project.
pub fn load_catalogue(project: &Project) -> Result<Catalogue, LoadError> {
    let mut complaints = Vec::new();
    let mut payloads = BTreeMap::new();
    for path in yaml_files(&project.payloads)? {
        let text = read_bounded(project, &path, &mut complaints)?;
        let file = project.shown(&path);
        if let Some(content) = parse::<PayloadFile>(&file, &text, &mut complaints) {
            validate::payloads(&file, &text, &content, &mut complaints);
            payloads.insert(
                path.file_stem().unwrap_or_default().to_owned(),
                LoadedPayloads {
                    file,
                    text,
                    content,
                },
            );
        }
    }
    let corpora = Corpora {
        payloads,
        seeds: load_seeds(project, &mut complaints)?,
    };
    let mut scenarios = Vec::new();
    for group in groups(project)? {
        for path in yaml_files(&group)? {
            let text = read_bounded(project, &path, &mut complaints)?;
            scenarios.extend(scenario_of(
                project,
                &corpora,
                &path,
                &text,
                &mut complaints,
            ));
        }
    }
    validate::unique_ids(&scenarios, &mut complaints);
    scenarios.sort_by(|left, right| left.name.cmp(&right.name));
    // Where a scenario could not be read, a profile that names it would be blamed for it.
    let profiles = if complaints.is_empty() {
        load_profiles(project, &scenarios, &mut complaints)?
    } else {
        BTreeMap::new()
    };
    if complaints.is_empty() {
        Ok(Catalogue {
            scenarios,
            profiles,
            corpora,
        })
    } else {
        Err(LoadError::Invalid(complaints))
    }
}

/// Reads the scenario that `text` is, as it would stand in the file `path`; complaints say where it is none.
pub fn scenario_of(
    project: &Project,
    corpora: &Corpora,
    path: &Utf8Path,
    text: &Arc<str>,
    complaints: &mut Vec<Diagnostic>,
) -> Option<Scenario> {
    let file = project.shown(path);
    let spec = parse::<ScenarioFile>(&file, text, complaints)?;
    let context = validate::Context {
        project,
        corpora,
        file: &file,
        text,
    };
    let procedure = validate::scenario(&context, &spec, complaints)?;
    let group = path.parent().and_then(Utf8Path::file_name);
    Some(Scenario {
        name: ScenarioName::new(
            group.unwrap_or_default(),
            path.file_stem().unwrap_or_default(),
        ),
        sha256: fingerprint(text, &procedure, corpora),
        file,
        text: text.to_string(),
        spec,
        procedure,
    })
}

/// Hashes a scenario's text together with the payload and seed files that it uses.
fn fingerprint(text: &str, procedure: &Procedure, corpora: &Corpora) -> String {
    let mut hash = Sha256::new();
    hash.update(text);
    if let Procedure::Exchange(exchange) = procedure {
        let payloads = exchange
            .payloads
            .as_ref()
            .and_then(|used| corpora.payloads.get(used.file.as_str()));
        if let Some(loaded) = payloads {
            hash.update(&*loaded.text);
        }
        let seeds = exchange
            .corpus
            .as_ref()
            .and_then(|used| corpora.seeds.get(used.seeds.as_str()));
        if let Some(loaded) = seeds {
            hash.update(&*loaded.text);
        }
    }
    hex::encode(hash.finalize())
}

/// Parses one file into its type; a complaint says where it cannot.
pub fn parse<T: DeserializeOwned>(
    file: &Utf8Path,
    text: &Arc<str>,
    complaints: &mut Vec<Diagnostic>,
) -> Option<T> {
    if let Some(position) = lone_carriage_return(text) {
        complaints.push(Diagnostic {
            file: file.into(),
            text: text.clone(),
            position,
            hint: Some("end lines with a line feed, or with a carriage return and a line feed".into()),
            label: String::new(),
            message: "a carriage return without a line feed: YAML takes it for a line end, and most editors do not".into(),
        });
        return None;
    }
    match serde_saphyr::from_str::<T>(text) {
        Ok(value) => Some(value),
        Err(error) => {
            let position = error.location().map(Position::from).unwrap_or_default();
            let whole = error.without_snippet().to_string();
            let message = strip_location(&whole).to_owned();
            complaints.push(Diagnostic {
                file: file.into(),
                text: text.clone(),
                position,
                hint: validate::hint_for_parse_error(&message),
                label: String::new(),
                message,
            });
            None
        }
    }
}

/// Finds a carriage return that is YAML's line end (YAML 1.2.2, section 5.4) and nobody else's: places behind it would be told of another line.
fn lone_carriage_return(text: &str) -> Option<Position> {
    let (line, found) = text.split('\n').zip(1..).find_map(|(line, number)| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        Some((number, line.split_once('\r')?.0))
    })?;
    Some(Position {
        line,
        column: found.chars().count() as u64 + 1,
        length: 1,
    })
}

/// Cuts the parser's own ` at line L, column C` and `error: line L column C: ` away; the drawing shows the place.
fn strip_location(message: &str) -> &str {
    let message = message.split('\n').next().unwrap_or_default();
    let message = match message.find(" at line ") {
        Some(end) => &message[..end],
        None => message,
    };
    message.strip_prefix("error: ").unwrap_or(message)
}

/// Reads a file that is not too large; a complaint says so where it is, or where it is not UTF-8, and its text is empty then.
///
/// # Errors
///
/// The file cannot be read.
pub fn read_bounded(
    project: &Project,
    path: &Utf8Path,
    complaints: &mut Vec<Diagnostic>,
) -> Result<Arc<str>, LoadError> {
    let unreadable = |source| LoadError::Unreadable {
        path: project.shown(path),
        source,
    };
    let complaint = |message: &str, hint: &str| Diagnostic {
        file: project.shown(path),
        text: "".into(),
        position: Position::default(),
        message: message.into(),
        label: String::new(),
        hint: Some(hint.into()),
    };
    if fs_err::metadata(path).map_err(unreadable)?.len() > FILE_LIMIT_BYTES {
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

/// Returns the folders that hold the groups of scenarios.
fn groups(project: &Project) -> Result<Vec<Utf8PathBuf>, LoadError> {
    entries(&project.scenarios, |entry| {
        entry.is_dir() && entry != project.profiles
    })
}

/// Returns the YAML files of a folder, sorted.
///
/// # Errors
///
/// The folder cannot be read.
pub fn yaml_files(root: &Utf8Path) -> Result<Vec<Utf8PathBuf>, LoadError> {
    entries(root, |entry| entry.extension() == Some("yaml"))
}

fn entries(
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
