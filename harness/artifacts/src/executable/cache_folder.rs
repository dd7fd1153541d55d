//! The user's cache of this program.

use camino::Utf8PathBuf;
use etcetera::BaseStrategy as _;

use super::error::ExecutableError;

/// Returns the folder of this program in the user's cache, `~/.cache/conformance` by default. It need not be there.
///
/// # Errors
///
/// When the user has no home, or its path is not UTF-8.
pub fn cache_folder() -> Result<Utf8PathBuf, ExecutableError> {
    let base =
        etcetera::choose_base_strategy().map_err(|error| ExecutableError::NoCacheFolder {
            reason: error.to_string(),
        })?;
    let folder =
        Utf8PathBuf::from_path_buf(base.cache_dir()).map_err(|path| ExecutableError::NotUtf8 {
            path: path.to_string_lossy().into_owned(),
        })?;
    Ok(folder.join("conformance"))
}
