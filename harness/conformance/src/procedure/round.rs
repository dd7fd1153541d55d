//! A round of traffic: what was sent between two looks at the proxy's counters, and what the witnesses have said of it.

use super::ProcedureResults;
use super::deployment::Deployment;
use super::drive::Drive;
use super::error::ProcedureError;
use super::exchange::record_reconciliation;
use harness_core::model::outcome::Outcome;
use harness_traffic::plan::Stream;
use harness_traffic::record::DriverSummary;
use harness_verdict::witness::counters::Counters;
use harness_verdict::witness::join::Joined;
use harness_verdict::witness::reconciliation::EarlierHops;

/// Traffic that has ended, with its collected records.
#[derive(Debug)]
pub struct Round {
    /// Every request with what the witnesses saw of it.
    pub joined: Vec<Joined>,
    /// The proxy's counters before the first request was decided.
    pub before: Counters,
    /// The proxy's counters when every witness had spoken.
    pub after: Counters,
    summary: DriverSummary,
}

/// Whether the proxy must account for one access-log entry for each answered request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReconciledEntries {
    /// It must, where its configuration has the access log.
    OneEach,
    /// It need not.
    Unknown,
}

impl Round {
    /// Sends streams to their end.
    pub async fn send(
        streams: Vec<Stream>,
        deployment: &Deployment,
    ) -> Result<Self, ProcedureError> {
        let before = deployment.counters().await?;
        let drive = deployment.start_drive(streams).await?;
        Self::conclude(drive, before, deployment).await
    }

    /// Reads a driver to its end and waits for the collected records. `before` are the counters before the first request was decided.
    pub async fn conclude(
        drive: Drive,
        before: Counters,
        deployment: &Deployment,
    ) -> Result<Self, ProcedureError> {
        let report = deployment.finish_drive(drive).await?;
        let joined = deployment.settle(&report.records).await?;
        let after = deployment.counters().await?;
        Ok(Self {
            joined,
            before,
            after,
            summary: report.summary,
        })
    }

    /// Draws the round's totals up and names what does not agree.
    pub async fn reconcile(
        &self,
        outcomes: &[Outcome],
        entries: ReconciledEntries,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        let are_counted =
            deployment.proxy.sends_response_data && entries == ReconciledEntries::OneEach;
        let reconciliation = deployment
            .reconcile_with_hops(
                self.summary.sent,
                outcomes,
                Some((&self.before, &self.after)),
                are_counted.then_some(self.summary.answered),
                EarlierHops::of(&self.joined),
            )
            .await?;
        record_reconciliation(reconciliation, results);
        Ok(())
    }
}
