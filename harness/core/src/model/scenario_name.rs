//! The name of a scenario.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

    /// Returns the group: the part before `::`.
    pub fn group(&self) -> &str {
        self.0.split_once("::").map_or("", |(group, _)| group)
    }

    /// Returns the scenario's own name: the part after `::`.
    pub fn stem(&self) -> &str {
        self.0.split_once("::").map_or(&self.0, |(_, stem)| stem)
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
