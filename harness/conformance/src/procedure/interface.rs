//! What a procedure is: one implementation for each kind of scenario says what a file may ask for, what has to be seen, what it needs and
//! how it is carried out.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::deployment::Deployment;
use super::error::ProcedureError;
use super::pods::{OnePod, PodFleet, Pods};
use super::results::ProcedureResults;
use harness_core::model::case::Case;
use harness_core::model::complaints::Complaints;
use harness_core::model::corpora::Corpora;
use harness_core::model::feature::Feature;
use harness_core::model::located::Position;
use harness_core::model::stack_settings::StackSettings;
use harness_environment::{EnvironmentFault, Pod};

/// A kind of scenario, with what one scenario file asks of it.
pub trait Procedure: fmt::Debug + Send + Sync {
    /// Complains about what a parser cannot see: combinations that mean nothing, bounds, references to other files.
    fn check(&self, context: &CheckContext<'_>, complaints: &mut Complaints<'_>);

    /// Returns what has to be seen, a sentence without a stop for each.
    fn assertions(&self) -> Vec<String>;

    /// Returns what the procedure is carried out on.
    fn requirement(&self) -> Requirement<'_>;

    /// Returns how long such a scenario takes beside others: the longest begin first.
    fn weight(&self) -> Weight {
        Weight::Light
    }

    /// Returns whether a second run must decide the same, request for request.
    fn repetition(&self) -> Repetition {
        Repetition::Same
    }

    /// Returns the features that a scenario file has to name, since not every environment has what the procedure needs.
    fn features(&self) -> &'static [Feature] {
        &[]
    }

    /// Returns the texts of the payload and seed files that requests are drawn from: they are part of a scenario's fingerprint.
    fn draws_from<'c>(&self, corpora: &'c Corpora) -> Vec<&'c str> {
        let _ = corpora;
        Vec::new()
    }

    /// Returns whether an agent that ends at its start has failed the scenario, instead of keeping it from being judged.
    fn judges_start(&self) -> bool {
        false
    }
}

/// What the check of a procedure sees of the file around it.
#[derive(Clone, Copy, Debug)]
pub struct CheckContext<'a> {
    /// What requests can be drawn from.
    pub corpora: &'a Corpora,
    /// What the scenario deploys.
    pub stack: &'a StackSettings,
    /// Where the procedure's section stands.
    pub section: Position,
}

/// What a procedure is carried out on.
#[expect(
    missing_debug_implementations,
    reason = "it borrows a procedure for a moment"
)]
pub enum Requirement<'a> {
    /// What becomes of the pod's creation, then the pod where it was created.
    Admission(&'a dyn Admission),
    /// A Deployment of pods behind one Service.
    Fleet {
        /// How many pods it has at first.
        replicas: u32,
        /// The procedure.
        procedure: &'a dyn CarryOut<PodFleet>,
    },
    /// A pod that was created.
    Pod(&'a dyn CarryOut<OnePod>),
}

/// How a procedure is carried out on pods of one kind.
#[async_trait]
pub trait CarryOut<P: Pods>: Send + Sync {
    /// Carries the procedure out on pods that were just created. What is found out stands in `results` even when the procedure ends with an
    /// error.
    async fn carry_out(
        &self,
        deployment: &Deployment<P>,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError>;
}

/// A procedure that judges whether its pod may be created.
#[async_trait]
pub trait Admission: CarryOut<OnePod> {
    /// Judges what became of the pod's creation. Returns the pod where it is there and had to be; one that had to be refused is removed.
    ///
    /// # Errors
    ///
    /// When the pod was not created for another reason than that the cluster refused it.
    async fn judge_creation(
        &self,
        created: Result<Arc<dyn Pod>, EnvironmentFault>,
        results: &mut ProcedureResults,
    ) -> Result<Option<Arc<dyn Pod>>, EnvironmentFault>;
}

/// How long a scenario takes beside others.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Weight {
    /// It waits for pods to end, or for several rounds of them.
    Longest,
    /// It begins with the pod's start and waits for its rules.
    Long,
    /// It waits for time-outs, or sends thousands of requests.
    Middling,
    /// It waits for restarts.
    Short,
    /// It sends requests to a pod that stands.
    Light,
}

/// Whether a second run must decide the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Repetition {
    /// It sends requests until something happens: their number is a matter of time.
    MatterOfTime,
    /// It must.
    Same,
}

/// Says what has to be seen of a case.
pub(super) fn assertion_of_case(case: &Case) -> String {
    format!(
        "{} ({} {}) is {}",
        *case.name,
        case.request.method(),
        shortened(&case.request.target),
        *case.expect.outcome
    )
}

/// Cuts a target off where a line would be too long for it.
pub(super) fn shortened(target: &str) -> String {
    const LIMIT: usize = 60;
    if target.chars().count() <= LIMIT {
        return target.into();
    }
    let start: String = target.chars().take(LIMIT).collect();
    format!("{start}…")
}
