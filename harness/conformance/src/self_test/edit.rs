//! A copy of the project in which one thing is written otherwise.

use std::borrow::Cow;

use camino::{Utf8Path, Utf8PathBuf};
use regex::Regex;
use tempfile::TempDir;

use super::matrix::Edit;
use harness_core::model::project::Project;

/// What a project consists of, besides the proxy's configurations.
const PARTS: [&str; 2] = ["scenarios", "fixtures"];
/// Where the proxy's configurations lie in a copy.
const PROXY_CONFIGURATIONS: &str = "envoy-configs";

/// Why there is no such copy.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// A file cannot be copied or written.
    #[error("cannot copy the project")]
    Io(#[from] std::io::Error),
    /// The pattern is no regular expression.
    #[error("`{pattern}` is not a regular expression")]
    Pattern {
        /// The pattern.
        pattern: &'static str,
        /// Why.
        #[source]
        source: Box<regex::Error>,
    },
    /// Nothing in the project is as the edit expects it.
    #[error("nothing in {place} matches `{pattern}`, so the deployment would not be wrong")]
    ChangesNothing {
        /// The folder or file.
        place: &'static str,
        /// The pattern.
        pattern: &'static str,
    },
}

/// A project that is removed with this value.
#[derive(Debug)]
pub struct EditedProject {
    /// The project.
    pub project: Project,
    _folder: TempDir,
}

/// Copies a project into a new folder, and writes some of it otherwise.
pub fn edited(
    original: &Project,
    edits: &[Edit],
    place: &Utf8Path,
) -> Result<EditedProject, EditError> {
    fs_err::create_dir_all(place)?;
    let folder = TempDir::with_prefix_in("project-", place)?;
    let root = Utf8PathBuf::try_from(folder.path().to_owned()).map_err(std::io::Error::other)?;
    for part in PARTS {
        copy_folder(&original.root.join(part), &root.join(part))?;
    }
    // The proxy's configurations may lie elsewhere.
    copy_folder(&original.envoy_configs, &root.join(PROXY_CONFIGURATIONS))?;
    for edit in edits {
        apply(&root, edit)?;
    }
    Ok(EditedProject {
        project: Project::at(&root),
        _folder: folder,
    })
}

fn apply(root: &Utf8Path, edit: &Edit) -> Result<(), EditError> {
    let pattern = Regex::new(edit.pattern).map_err(|source| EditError::Pattern {
        pattern: edit.pattern,
        source: Box::new(source),
    })?;
    let place = root.join(edit.place);
    let files = if place.is_dir() {
        files_in(&place)?
    } else {
        vec![place]
    };
    let mut changed = false;
    for file in files {
        let text = fs_err::read_to_string(&file)?;
        if let Cow::Owned(other) = pattern.replace_all(&text, edit.replacement)
            && other != text
        {
            fs_err::write(&file, other)?;
            changed = true;
        }
    }
    if changed {
        Ok(())
    } else {
        Err(EditError::ChangesNothing {
            place: edit.place,
            pattern: edit.pattern,
        })
    }
}

fn files_in(folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>, std::io::Error> {
    let mut files = Vec::new();
    for entry in folder.read_dir_utf8()? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

fn copy_folder(from: &Utf8Path, to: &Utf8Path) -> Result<(), std::io::Error> {
    fs_err::create_dir_all(to)?;
    for entry in from.read_dir_utf8()? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(entry.path(), &copy)?;
        } else {
            fs_err::copy(entry.path(), copy)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::matrix::{Wrong, all};
    use super::*;

    fn of_shipped(edits: &[Edit]) -> Result<EditedProject, EditError> {
        let place = Utf8PathBuf::try_from(std::env::temp_dir()).expect("UTF-8");
        edited(&shipped(), edits, &place)
    }

    fn shipped() -> Project {
        Project::at(Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")))
    }

    #[test]
    fn every_edit_of_the_matrix_changes_the_shipped_project() {
        for mutant in all() {
            if let Wrong::Deployment { edits, .. } = mutant.wrong {
                let outcome = of_shipped(edits);
                assert!(outcome.is_ok(), "{}: {outcome:?}", mutant.name);
            }
        }
    }

    #[test]
    fn an_edit_that_changes_nothing_is_an_error() {
        let edit = Edit {
            place: "envoy-configs",
            pattern: "no such setting",
            replacement: "",
        };
        let outcome = of_shipped(&[edit]);
        assert!(matches!(outcome, Err(EditError::ChangesNothing { .. })));
    }

    #[test]
    fn the_original_stays_as_it_is() {
        let edit = Edit {
            place: "scenarios/profiles/quick.yaml",
            pattern: "summary: .*",
            replacement: "summary: other",
        };
        let copy = of_shipped(&[edit]).expect("a copy");
        let name = "quick.yaml";
        let read = |project: &Project| {
            fs_err::read_to_string(project.profiles.join(name)).expect("a profile")
        };
        assert!(read(&copy.project).contains("summary: other"));
        assert!(!read(&shipped()).contains("summary: other"));
    }
}
