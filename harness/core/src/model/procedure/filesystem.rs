//! What `filesystem` and `secrecy` are told: what lies in a container, and what must be nowhere.

use schemars::JsonSchema;
use serde::Deserialize;

use super::case::Case;
use crate::model::admission::PodSecurity;
use crate::model::expectation::ClientExpectation;
use crate::model::located::Located;

/// `filesystem`: what a container writes and where it may, and what else the kernel keeps it from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FilesystemSpec {
    /// Requests that are judged first, so that the agent has worked.
    pub cases: Vec<Case>,
    /// The container; the agent's when not given.
    #[serde(default)]
    pub container: Option<Located<String>>,
    /// What the kernel must say of the container's root.
    #[serde(default)]
    pub root: RootExpectation,
    /// Mount points that the container may write to. No other may exist but a writable root, and no file that it writes may lie elsewhere.
    pub writable: Located<Vec<String>>,
    /// Files that must be there, with their kind.
    pub files: Vec<ExpectedFile>,
    /// The most bytes that all its files may take.
    pub size_limit: Located<u64>,
    /// What the kernel must keep the container's first process from.
    #[serde(default)]
    pub security: Option<Located<PodSecurity>>,
}

/// What the kernel must say of a container's root.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum RootExpectation {
    /// It is mounted read-only.
    #[default]
    ReadOnly,
    /// It is writable: whatever the agent adds to it shows.
    Writable,
}

/// A file that must be there.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExpectedFile {
    /// The path inside the container.
    pub path: Located<String>,
    /// `file`, `directory` or `socket`.
    pub kind: Located<String>,
}

/// `secrecy`: after traffic, the agent's keys are looked for wherever they could show.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecrecySpec {
    /// Requests that are judged first, so that the agent has worked.
    pub cases: Vec<Case>,
    /// What a client must never receive, in any answer.
    #[serde(default)]
    pub client: ClientExpectation,
}
