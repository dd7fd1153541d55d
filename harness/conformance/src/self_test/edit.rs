//! A copy of the project in which some documents are written otherwise.

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use super::documents::{ChangeError, Documents, PARTS, PROXY_CONFIGURATIONS};
use super::mutant_file::Change;
use harness_core::model::project::Project;

/// Why there is no such copy.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// A file cannot be copied or written.
    #[error("cannot copy the project")]
    Io(#[from] std::io::Error),
    /// A document cannot be changed.
    #[error("cannot make the deployment wrong")]
    Change(#[from] ChangeError),
}

/// A project that is removed with this value.
#[derive(Debug)]
pub struct EditedProject {
    /// The project.
    pub project: Project,
    _folder: TempDir,
}

/// Copies a project into a new folder, and makes these changes there. What is changed is written as JSON, which is YAML.
///
/// # Errors
///
/// The project cannot be copied, or a change cannot be made.
pub fn edited(
    original: &Project,
    changes: &[Change],
    place: &Utf8Path,
) -> Result<EditedProject, EditError> {
    let documents = Documents::of(original).changed(changes)?;
    fs_err::create_dir_all(place)?;
    let folder = TempDir::with_prefix_in("project-", place)?;
    let root = Utf8PathBuf::try_from(folder.path().to_owned()).map_err(std::io::Error::other)?;
    for part in PARTS {
        copy_folder(&original.root.join(part), &root.join(part))?;
    }
    // The proxy's configurations may lie elsewhere.
    copy_folder(&original.envoy_configs, &root.join(PROXY_CONFIGURATIONS))?;
    for (file, document) in documents {
        let text = serde_json::to_string_pretty(&document).map_err(std::io::Error::from)?;
        fs_err::write(root.join(file), text)?;
    }
    Ok(EditedProject {
        project: Project::at(&root),
        _folder: folder,
    })
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
    use super::*;
    use crate::catalogue::load::load_catalogue;

    fn shipped() -> Project {
        Project::at(Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")))
    }

    fn with_change(change: &str) -> Result<EditedProject, EditError> {
        let change: Change = serde_saphyr::from_str(change).expect("a change");
        let place = Utf8PathBuf::try_from(std::env::temp_dir()).expect("UTF-8");
        edited(&shipped(), &[change], &place)
    }

    #[test]
    fn a_change_that_changes_nothing_is_an_error() {
        let outcome = with_change("{in: [envoy-configs], at: no/such/key, do: remove}");
        let is_so = matches!(
            outcome,
            Err(EditError::Change(ChangeError::ChangesNothing { .. }))
        );
        assert!(is_so, "{outcome:?}");
    }

    #[test]
    fn the_original_stays_as_it_is() {
        let copy =
            with_change("{in: [scenarios/profiles/quick.yaml], at: summary, do: {set: other}}");
        let copy = copy.expect("a copy");
        let summary = |project: &Project| {
            let catalogue = load_catalogue(project).expect("a project");
            catalogue.profiles["quick"].summary.clone()
        };
        assert_eq!(summary(&copy.project), "other");
        assert_ne!(summary(&shipped()), "other");
    }

    #[test]
    fn the_copy_goes_with_its_value() {
        let copy = with_change("{in: [fixtures/kubernetes], at: kind, do: {set: Pod}}");
        let copy = copy.expect("a copy");
        let root = copy.project.root.clone();
        assert!(root.is_dir());
        drop(copy);
        assert!(!root.exists());
    }
}
