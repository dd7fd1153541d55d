//! What a procedure found out: findings, judged requests and calls, totals, figures.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use harness_core::corpus::{CarrierProtocol, RequestKind};
use harness_core::model::finding::Finding;
use harness_core::model::seed_position::{Encoding, SeedPosition};
use harness_verdict::judge::judged::Judged;
pub use harness_verdict::judge::judged::{JudgedCall, JudgedRequest};
use harness_verdict::judge::judged_requests::JudgedRequests;
use harness_verdict::witness::reconciliation::Reconciliation;

/// What a procedure found out, as far as it came.
#[derive(Clone, Debug, Default)]
pub struct ProcedureResults {
    /// Every difference from what had to be seen.
    pub findings: Vec<Finding>,
    /// Every judged request.
    pub requests: JudgedRequests,
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

impl ProcedureResults {
    /// Takes in what a judgement leaves.
    pub fn absorb(&mut self, judged: Judged) {
        self.findings.extend(judged.findings);
        self.observations.extend(judged.observations);
    }
}
