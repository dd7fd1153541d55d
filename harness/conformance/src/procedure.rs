//! How each kind of scenario is carried out: one file each, over a shared deployment.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::deployment::Deployment;
use self::error::ProcedureError;
use harness_core::corpus::{CarrierProtocol, RequestKind};
use harness_core::model::finding::Finding;
use harness_core::model::scenario::Procedure;
use harness_core::model::seed_position::{Encoding, SeedPosition};
use harness_environment::EnvironmentFault;
use harness_traffic::contract::record::CallRecord;
use harness_traffic::plan::PlannedRequest;
use harness_verdict::witness::agent::AgentRecord;
use harness_verdict::witness::call::{CallAnswer, CallKind};
use harness_verdict::witness::join::Joined;
use harness_verdict::witness::outcome::Judgement;
use harness_verdict::witness::reconciliation::Reconciliation;

pub mod access_log;
pub mod admission;
mod agent_gap;
pub mod agent_log;
pub mod client_security;
pub mod contract;
pub mod deployment;
pub mod drain;
pub mod drive;
pub mod endurance;
pub mod error;
pub mod exchange;
pub mod expected;
pub mod exposure;
pub mod filesystem;
pub mod final_reconciliation;
pub mod observations;
pub mod outage;
pub mod plan;
pub mod pod_logs;
pub mod provenance;
pub mod pull;
pub mod refusal;
pub mod reload;
pub mod request_ids;
pub mod rollout;
pub mod round;
pub mod secrecy;
pub mod stall;
pub mod startup;
mod stream_pair;
pub mod waits;

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

/// Carries a scenario's procedure out on a deployment that was just created. What is found out stands in
/// `results` even when the procedure ends with an error.
pub async fn carry_out(
    procedure: &Procedure,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    match procedure {
        Procedure::Admission(spec) => admission::carry_out(spec, deployment, results).await,
        Procedure::Exposure(spec) => exposure::carry_out(spec, deployment, results).await,
        Procedure::Contract(spec) => contract::carry_out(spec, deployment, results).await,
        Procedure::Drain(spec) => drain::carry_out(spec, deployment, results).await,
        Procedure::Endurance(spec) => endurance::carry_out(spec, deployment, results).await,
        Procedure::Exchange(spec) => exchange::carry_out(spec, deployment, results).await,
        Procedure::Filesystem(spec) => filesystem::carry_out(spec, deployment, results).await,
        Procedure::Outage(spec) => outage::carry_out(spec, deployment, results).await,
        Procedure::Provenance(spec) => provenance::carry_out(spec, deployment, results).await,
        Procedure::Pull(spec) => pull::carry_out(spec, deployment, results).await,
        Procedure::Refusal(spec) => refusal::carry_out(spec, deployment, results).await,
        Procedure::Reload(spec) => reload::carry_out(spec, deployment, results).await,
        Procedure::Rollout(_) => Err(EnvironmentFault::NotCarriedOut {
            what: "a rollout of a single pod".into(),
        }
        .into()),
        Procedure::Secrecy(spec) => secrecy::carry_out(spec, deployment, results).await,
        Procedure::Startup(spec) => startup::carry_out(spec, deployment, results).await,
    }
}
