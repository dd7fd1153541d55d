//! The project's YAML documents, as changes leave them.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use super::mutant_file::Change;
use super::operation::OperationError;
use harness_core::model::located::Position;
use harness_core::model::project::Project;

/// Where the files lie that a change may be about, below the project.
pub const PARTS: [&str; 2] = ["scenarios", "fixtures"];
/// Where the proxy's configurations are said to lie; the user may have named another folder.
pub const PROXY_CONFIGURATIONS: &str = "envoy-configs";

/// Documents by their paths in a project.
pub type DocumentsByPath = BTreeMap<Utf8PathBuf, Value>;

/// The documents of a project; each is read once.
#[derive(Debug)]
pub struct Documents<'a> {
    project: &'a Project,
    read: DocumentsByPath,
}

/// Why changes cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The file or folder is no part of the project that a mutant may change.
    #[error("`{place}` is not below `scenarios`, `fixtures` or `envoy-configs`")]
    Elsewhere {
        /// The file or folder.
        place: String,
        /// Where the mutant names it.
        position: Position,
    },
    /// The file or folder cannot be read.
    #[error("cannot read {place}")]
    Unreadable {
        /// The file or folder.
        place: String,
        /// Where the mutant names it.
        position: Position,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The file is not YAML.
    #[error("{file} is not YAML: {message}")]
    Malformed {
        /// The file.
        file: Utf8PathBuf,
        /// Where the mutant names it or its folder.
        position: Position,
        /// What the parser says.
        message: String,
    },
    /// Nothing is other than before.
    #[error("the change leaves {place} as it is")]
    ChangesNothing {
        /// The file or folder.
        place: String,
        /// Where the mutant names it.
        position: Position,
    },
    /// The operation does not fit.
    #[error("in {file}: {source}")]
    Unfit {
        /// The file.
        file: Utf8PathBuf,
        /// Where the mutant names the path.
        position: Position,
        /// Why.
        source: OperationError,
    },
}

impl ChangeError {
    /// Returns the place in the mutant's file that the error is about.
    pub const fn position(&self) -> Position {
        match self {
            Self::Elsewhere { position, .. }
            | Self::Unreadable { position, .. }
            | Self::Malformed { position, .. }
            | Self::ChangesNothing { position, .. }
            | Self::Unfit { position, .. } => *position,
        }
    }

    /// Returns what the user can do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Elsewhere { .. } => "paths begin at the project's folder, as `envoy-configs`",
            Self::Unreadable { .. } => "name a file or a folder that the project has",
            Self::Malformed { .. } => "a change is made to the parsed document",
            Self::ChangesNothing { .. } => {
                "the path in `at` must select something there that `do` makes other than it is; remove the file or folder, or correct the path"
            }
            Self::Unfit { .. } => "docs/writing-a-scenario.md says what each operation is for",
        }
    }
}

impl<'a> Documents<'a> {
    /// The documents of this project; none is read yet.
    pub fn of(project: &'a Project) -> Self {
        Self {
            project,
            read: BTreeMap::new(),
        }
    }

    /// Makes changes one after the other, and returns the documents that are other than before.
    ///
    /// # Errors
    ///
    /// A change cannot be made, or changes nothing.
    pub fn changed(&mut self, changes: &[Change]) -> Result<DocumentsByPath, ChangeError> {
        let mut other = DocumentsByPath::new();
        for change in changes {
            for place in &change.files {
                let mut differs = false;
                for file in self.files(place, place.position)? {
                    let before = match other.get(&file) {
                        Some(document) => document,
                        None => self.document(&file, place.position)?,
                    };
                    let after = change.made_in(before, &file)?;
                    if after != *before {
                        differs = true;
                        other.insert(file, after);
                    }
                }
                if !differs {
                    return Err(ChangeError::ChangesNothing {
                        place: place.value.clone(),
                        position: place.position,
                    });
                }
            }
        }
        Ok(other)
    }

    /// Returns the files that a place means: itself, or the YAML files of a folder.
    fn files(&self, place: &str, position: Position) -> Result<Vec<Utf8PathBuf>, ChangeError> {
        let path = Utf8Path::new(place);
        let is_inside = path
            .components()
            .all(|part| matches!(part, camino::Utf8Component::Normal(_)));
        let part = path.iter().next().unwrap_or_default();
        if !is_inside || !(PARTS.contains(&part) || part == PROXY_CONFIGURATIONS) {
            return Err(ChangeError::Elsewhere {
                place: place.into(),
                position,
            });
        }
        let there = self.on_disk(path);
        if !there.is_dir() {
            return Ok(vec![path.into()]);
        }
        let unreadable = |source| ChangeError::Unreadable {
            place: place.into(),
            position,
            source,
        };
        let mut files = Vec::new();
        for entry in there.read_dir_utf8().map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if entry.path().extension() == Some("yaml") {
                files.push(path.join(entry.file_name()));
            }
        }
        files.sort();
        Ok(files)
    }

    fn document(&mut self, file: &Utf8Path, position: Position) -> Result<&Value, ChangeError> {
        if !self.read.contains_key(file) {
            let text = fs_err::read_to_string(self.on_disk(file)).map_err(|source| {
                ChangeError::Unreadable {
                    place: file.to_string(),
                    position,
                    source,
                }
            })?;
            let document =
                serde_saphyr::from_str(&text).map_err(|error| ChangeError::Malformed {
                    file: file.into(),
                    position,
                    message: error.without_snippet().to_string(),
                })?;
            self.read.insert(file.into(), document);
        }
        Ok(&self.read[file])
    }

    /// Returns where a file of the project lies.
    fn on_disk(&self, path: &Utf8Path) -> Utf8PathBuf {
        match path.strip_prefix(PROXY_CONFIGURATIONS) {
            Ok(below) => self.project.envoy_configs.join(below),
            Err(_) => self.project.root.join(path),
        }
    }
}

impl Change {
    fn made_in(&self, before: &Value, file: &Utf8Path) -> Result<Value, ChangeError> {
        let mut after = before.clone();
        let places = self.at.select(before);
        self.operation
            .apply(&mut after, places)
            .map_err(|source| ChangeError::Unfit {
                file: file.into(),
                position: self.at.position,
                source,
            })?;
        Ok(after)
    }
}

#[cfg(test)]
#[path = "documents_tests.rs"]
mod tests;
