//! A scenario: what is deployed, what is done, what must be seen.

use camino::Utf8PathBuf;

use crate::procedure::registry::{ScenarioFile, Section};
use harness_core::model::scenario_name::ScenarioName;

/// A scenario with its name and where it was read.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `<group>::<name>`, from the file's path.
    pub name: ScenarioName,
    /// The file, relative to the project's folder where it is inside.
    pub file: Utf8PathBuf,
    /// The file's text, for diagnostics.
    pub text: String,
    /// SHA-256 of the file and of every payload file that it names, lower-case hex.
    pub sha256: String,
    /// What the file says.
    pub spec: ScenarioFile,
    /// What is done.
    pub procedure: Section,
}
