//! A case: a request, what must become of it, and its innocent twin.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::expectation::Expectation;
use crate::model::located::Located;
use crate::model::outcome::Outcome;
use crate::model::request::RequestSpec;

/// One request with what must be seen of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Case {
    /// A name that is unique in the scenario: letters, digits, hyphens.
    pub name: Located<String>,
    /// What the request is. An attack has a twin and gets a deliverability control.
    pub intent: Located<Intent>,
    /// The request.
    pub request: RequestSpec,
    /// What must be seen.
    pub expect: Expectation,
    /// The nearest benign request.
    #[serde(default)]
    pub twin: Option<Twin>,
    /// How often the request is sent; each is judged. Once when not given.
    #[serde(default)]
    pub repeat: Option<Located<u32>>,
    /// Marks an attack that cannot be delivered, because the proxy edits the place where it stands: this text must then
    /// reach neither the agent nor the application, and not the application either when the agent is passed by.
    #[serde(default)]
    pub undeliverable: Option<Located<String>>,
    /// Where the case stands on a ladder, whose outcomes the report shows side by side.
    #[serde(default)]
    pub rung: Option<Rung>,
}

/// A case's place among others that differ from it in one thing alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rung {
    /// What is the same, such as the attack.
    pub ladder: Located<String>,
    /// What differs, such as the encoding.
    pub step: Located<String>,
}

/// What a request is meant as.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// It must be denied.
    Attack,
    /// It must pass.
    Benign,
    /// It tests the proxy, whatever its content.
    Protocol,
}

/// The benign request beside an attack.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Twin {
    /// The request.
    pub request: RequestSpec,
    /// The outcome; `allowed` when not given.
    #[serde(default)]
    pub outcome: Option<Located<Outcome>>,
}

/// Requests of a payload file, all with the same expectation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PayloadUse {
    /// The file: `fixtures/payloads/<name>.yaml`.
    pub file: Located<String>,
    /// What must be seen of each payload.
    pub expect: Expectation,
}
