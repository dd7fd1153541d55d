//! What a procedure found out: findings, judged requests and calls, totals, figures.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use harness_core::corpus::{CarrierProtocol, RequestKind};
use harness_core::model::finding::Finding;
use harness_core::model::seed_position::{Encoding, SeedPosition};
use harness_traffic::contract::record::CallRecord;
use harness_traffic::plan::PlannedRequest;
use harness_verdict::witness::agent::AgentRecord;
use harness_verdict::witness::call::{CallAnswer, CallKind};
use harness_verdict::witness::join::Joined;
use harness_verdict::witness::outcome::Judgement;
use harness_verdict::witness::reconciliation::Reconciliation;

/// What a procedure found out, as far as it came.
#[derive(Clone, Debug, Default)]
pub struct ProcedureResults {
    /// Every difference from what had to be seen.
    pub findings: Vec<Finding>,
    /// Every judged request.
    pub requests: Vec<JudgedRequest>,
    /// Every judged call.
    pub calls: Vec<JudgedCall>,
    /// The totals.
    pub reconciliation: Reconciliation,
    /// Figures that are reported and not judged, by name.
    pub observations: BTreeMap<String, String>,
    /// How the requests of a corpus came out, by where their values stood.
    pub matrix: BTreeMap<MatrixCell, MatrixCount>,
}

/// One cell of the matrix of a corpus.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MatrixCell {
    /// The class, by the vendor's signal.
    pub class: String,
    /// Attack, twin or benign.
    pub kind: RequestKind,
    /// Where the value stood.
    pub position: SeedPosition,
    /// How it was written.
    pub encoding: Encoding,
    /// How its request was sent.
    pub protocol: CarrierProtocol,
}

/// How the requests of a cell came out. Counts only: no score is made of them.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MatrixCount {
    /// Requests judged.
    pub requests: u64,
    /// Requests that came out as expected.
    pub as_expected: u64,
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
