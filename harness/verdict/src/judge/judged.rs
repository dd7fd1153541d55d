//! What a judgement leaves: findings with the figures that go beside them, and the requests and calls that were judged.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::witness::agent::AgentRecord;
use crate::witness::call::{CallAnswer, CallKind};
use crate::witness::join::Joined;
use crate::witness::outcome::Judgement;
use harness_core::model::finding::Finding;
use harness_traffic::contract::record::CallRecord;
use harness_traffic::plan::PlannedRequest;

/// What a judgement of more than one thing leaves.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Judged {
    /// Every difference from what had to be seen, in order.
    pub findings: Vec<Finding>,
    /// Figures that are reported and not judged, by name.
    pub observations: BTreeMap<String, String>,
}

impl Judged {
    pub(super) fn observe(&mut self, name: impl Into<String>, figure: impl Into<String>) {
        self.observations.insert(name.into(), figure.into());
    }
}

/// One request with its collected records and what it adds up to.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct JudgedRequest {
    /// The case that the request belongs to.
    pub case: String,
    /// What was sent, in the driver's terms.
    #[schemars(skip)]
    pub planned: PlannedRequest,
    /// What the witnesses saw.
    pub joined: Joined,
    /// What it adds up to.
    pub judgement: Judgement,
}

/// One call with its collected records and what its answer says.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct JudgedCall {
    /// The case that the call belongs to.
    pub case: String,
    /// The service.
    pub kind: CallKind,
    /// The client's record.
    pub record: CallRecord,
    /// What the answer says.
    pub answer: CallAnswer,
    /// The agent's records; at most one is right.
    pub agent: Vec<AgentRecord>,
}

impl JudgedRequest {
    /// Puts a judged request together. A request that was sent again and again has the id of this time.
    pub fn new(case: &str, planned: &PlannedRequest, joined: Joined, judgement: Judgement) -> Self {
        Self {
            case: case.into(),
            planned: PlannedRequest {
                id: joined.client.id.clone(),
                ..planned.clone()
            },
            joined,
            judgement,
        }
    }
}
