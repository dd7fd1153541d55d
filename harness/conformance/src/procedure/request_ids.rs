//! The ids of a scenario's requests: makes them, and remembers which were sent.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::ProcedureError;
use super::plan::{Prepared, Route, prepare};
use harness_core::model::identity::{RequestId, RunId};
use harness_core::model::request::RequestSpec;
use harness_core::model::scenario_name::ScenarioName;
use harness_verdict::witness::ids::IdSet;

/// The ids of one scenario's requests.
#[derive(Debug)]
pub struct RequestIds {
    scenario: ScenarioName,
    run: RunId,
    sent: Mutex<IdSet>,
}

impl RequestIds {
    /// Begins with none sent.
    pub fn new(scenario: ScenarioName, run: RunId) -> Self {
        Self {
            scenario,
            run,
            sent: Mutex::default(),
        }
    }

    /// Makes the id of a case's request or call, and remembers it.
    pub fn next(&self, case: &str, number: u32) -> RequestId {
        let id = RequestId::new(self.scenario.as_str(), case, number, &self.run);
        self.remember([id.as_str()]);
        id
    }

    /// Prepares a request of a case and remembers its id.
    ///
    /// # Errors
    ///
    /// When the request cannot be written as it is described.
    pub fn prepare(
        &self,
        spec: &RequestSpec,
        case: &str,
        number: u32,
        route: Route,
    ) -> Result<Prepared, ProcedureError> {
        Ok(prepare(spec, &self.next(case, number), route)?)
    }

    /// Prepares a request that is sent again and again: its id has `{n}` for the number. Which were sent, the driver tells.
    ///
    /// # Errors
    ///
    /// When the request cannot be written as it is described.
    pub fn prepare_repeated(
        &self,
        spec: &RequestSpec,
        case: &str,
    ) -> Result<Prepared, ProcedureError> {
        let scenario = self.scenario.as_str().replace("::", ":");
        let id = RequestId::from_witness(format!("{scenario}.{case}.{{n}}.{}", self.run));
        Ok(prepare(spec, &id, Route::Inspected)?)
    }

    /// Remembers ids that were sent.
    pub fn remember<'a>(&self, ids: impl IntoIterator<Item = &'a str>) {
        self.lock().extend(ids);
    }

    /// Returns every id that was sent.
    pub fn sent(&self) -> IdSet {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, IdSet> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
