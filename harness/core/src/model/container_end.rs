//! How a container must end when its pod is deleted.

use schemars::JsonSchema;
use serde::Deserialize;

use super::located::Located;
use super::timespan::TimeSpan;

/// How a container must end.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ContainerEnd {
    /// The container.
    pub name: Located<String>,
    /// What becomes of its preStop hook.
    pub pre_stop: Located<PreStopEnd>,
    /// Exit codes of which one must be seen (a signal counts 128 + its number).
    pub exit_codes: Located<Vec<i32>>,
    /// A container that must have ended before this one.
    #[serde(default)]
    pub outlives: Option<Located<String>>,
    /// A container that must have ended before this one is sent TERM.
    #[serde(default)]
    pub term_after: Option<Located<String>>,
    /// The time between TERM and KILL that the container must have been given.
    #[serde(default)]
    pub kill_after: Option<Located<TimeSpan>>,
}

/// What becomes of a preStop hook.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum PreStopEnd {
    /// There is none.
    Absent,
    /// It cannot run or fails: Kubernetes' `FailedPreStopHook`.
    Fails,
    /// It ends by itself before TERM.
    Finishes,
    /// It uses up the grace period.
    Overruns,
}
