//! What a rollout needs of its fleet besides what every deployment has.

use std::sync::Arc;
use std::time::Duration;

use crate::procedure::deployment::FleetDeployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::record_reconciliation;
use crate::procedure::results::ProcedureResults;
use harness_core::model::outcome::Outcome;
use harness_core::model::timespan::TimeSpan;
use harness_environment::Fleet;

impl FleetDeployment {
    /// Returns the fleet.
    pub fn fleet(&self) -> &Arc<dyn Fleet> {
        &self.pods.0
    }

    /// Returns the bound within which the fleet must settle after a change: a pod starts, and another one ends.
    pub fn settles_within(&self) -> TimeSpan {
        let grace = Duration::from_secs(self.stack.grace_period_seconds());
        let starting = self.timeouts.pod_ready.as_duration();
        TimeSpan::new(starting + grace + self.timeouts.pod_gone.as_duration())
    }

    /// Waits until the fleet has settled.
    pub async fn await_settled(&self) -> Result<(), ProcedureError> {
        Ok(self.fleet().await_settled(self.settles_within()).await?)
    }

    /// Reconciles the totals over all pods. Envoy's counters end with each pod, so that they are left out.
    pub async fn reconcile_all(
        &self,
        sent: u64,
        outcomes: &[Outcome],
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        let reconciliation = self.reconcile(sent, outcomes, None, None).await?;
        record_reconciliation(reconciliation, results);
        Ok(())
    }
}
