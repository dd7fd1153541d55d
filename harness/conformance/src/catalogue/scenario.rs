//! A scenario: what is deployed, what is done, what must be seen.

use std::fmt;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::procedure::registry::{ScenarioFile, Section};

/// The groups that scenarios are filed under.
pub const GROUPS: [&str; 11] = [
    "decisions",
    "bodies",
    "protocol",
    "failure",
    "startup",
    "drain",
    "filesystem",
    "response-data",
    "configuration",
    "contract",
    "performance",
];

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

/// `<group>::<name>`.
#[derive(
    Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct ScenarioName(String);

impl ScenarioName {
    /// Composes the name from the group's folder and the file's stem.
    pub fn new(group: &str, stem: &str) -> Self {
        Self(format!("{group}::{stem}"))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name as a folder below a run: `<group>/<name>`.
    pub fn as_folder(&self) -> String {
        self.0.replace("::", "/")
    }

    /// Returns the name in the form of a pod name: `<group>-<name>`.
    pub fn hyphenated(&self) -> String {
        self.0.replace("::", "-")
    }
}

impl fmt::Display for ScenarioName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether every agent must pass a scenario.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Holds for any agent behind `ext_authz`.
    #[default]
    Core,
    /// Holds where the features are there.
    Extended,
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Core => "core",
            Self::Extended => "extended",
        })
    }
}
