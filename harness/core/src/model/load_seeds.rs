//! Reads seed files, and says where they are wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;

use super::diagnostic::Diagnostic;
use super::parse::parse;
use super::project::{LoadError, Project, read_bounded, yaml_files};
use super::seed::{Seed, SeedFile};
use super::validate_seeds;

/// A seed file with its text, for diagnostics.
#[derive(Clone, Debug)]
pub struct LoadedSeeds {
    /// The file.
    pub file: Utf8PathBuf,
    /// Its text.
    pub text: Arc<str>,
    /// What it says.
    pub content: SeedFile,
    /// Its seeds, checked.
    pub seeds: Vec<Seed>,
}

/// Reads and checks the seed files; a project need not have any.
pub(super) fn load_seeds(
    project: &Project,
    complaints: &mut Vec<Diagnostic>,
) -> Result<BTreeMap<String, LoadedSeeds>, LoadError> {
    let mut loaded = BTreeMap::new();
    if !project.seeds.is_dir() {
        return Ok(loaded);
    }
    let mut known = validate_seeds::KnownNames::new();
    for path in yaml_files(project, &project.seeds, &[], complaints)? {
        let text = read_bounded(project, &path, complaints)?;
        let file = project.shown(&path);
        let Some(content) = parse::<SeedFile>(&file, &text, complaints) else {
            continue;
        };
        let seeds = validate_seeds::seeds(&file, &text, &content, &mut known, complaints);
        loaded.insert(
            path.file_stem().unwrap_or_default().to_owned(),
            LoadedSeeds {
                file,
                text,
                content,
                seeds,
            },
        );
    }
    Ok(loaded)
}
