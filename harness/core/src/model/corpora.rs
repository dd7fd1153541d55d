//! What scenarios draw requests from: payload files and seed files, read and checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;

use super::diagnostic::Diagnostic;
use super::load_seeds::{LoadedSeeds, load_seeds};
use super::parse::parse;
use super::payload::PayloadFile;
use super::project::{LoadError, Project, read_bounded, yaml_files};
use super::validate_payloads::check_payloads;

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

/// Reads and checks the payload and seed files of the project.
pub fn load_corpora(
    project: &Project,
    complaints: &mut Vec<Diagnostic>,
) -> Result<Corpora, LoadError> {
    let mut payloads = BTreeMap::new();
    for path in yaml_files(project, &project.payloads, &["seeds"], complaints)? {
        let text = read_bounded(project, &path, complaints)?;
        let file = project.shown(&path);
        if let Some(content) = parse::<PayloadFile>(&file, &text, complaints) {
            check_payloads(&file, &text, &content, complaints);
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
    Ok(Corpora {
        payloads,
        seeds: load_seeds(project, complaints)?,
    })
}
