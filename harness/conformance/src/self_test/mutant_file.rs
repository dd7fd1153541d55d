//! Files below `mutants/`: what is wrong with an agent or a deployment, and which scenarios must notice it.
//!
//! These types hold what a file says; `load` checks it and makes the matrix of it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::document_path::DocumentPath;
use super::operation::Operation;
use harness_artifacts::image::ImageRole;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::Located;

/// One file below `mutants/`; its stem is the name of the family.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MutantFile {
    /// What the mutants of the family have in common, in one sentence.
    pub summary: String,
    /// The mutants.
    pub mutants: Vec<MutantEntry>,
}

/// One agent or deployment that is wrong in one way. It has exactly one of `agent`, `image` and `changes`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MutantEntry {
    /// The name, as the command line takes it.
    pub name: Located<String>,
    /// What is wrong.
    pub wrong: Located<String>,
    /// The agent is this mutant of the reference stub; `agent-stub --mutants` lists them.
    pub agent: Option<Located<String>>,
    /// The image of this role is another than the one that was named.
    pub image: Option<Located<ImageRole>>,
    /// What is written otherwise in the project's files; each change must change something.
    pub changes: Option<Located<Vec<Change>>>,
    /// The scenarios that must fail for it, each of them, and how.
    pub killed_by: Vec<KillEntry>,
}

/// Something that is written otherwise in some of the project's files.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Change {
    /// Files, and folders whose files are meant, below `scenarios`, `fixtures` or `envoy-configs`.
    #[serde(rename = "in")]
    pub files: Vec<Located<String>>,
    /// Which values of each file.
    #[schemars(with = "String")]
    pub at: Located<DocumentPath>,
    /// What is done with them.
    #[serde(rename = "do")]
    pub operation: Operation,
}

/// A finding that a scenario must have.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KillEntry {
    /// The scenario's id.
    pub scenario: Located<String>,
    /// The case that the finding is about; any where it is left out.
    pub case: Option<String>,
    /// The kind of the finding.
    #[schemars(with = "FindingKind")]
    pub kind: Located<String>,
    /// What had to be seen; anything where it is left out.
    pub expected: Option<String>,
    /// What was seen; anything where it is left out.
    pub observed: Option<String>,
}
