//! A round of traffic: what was sent between two looks at the proxy's counters, and what the witnesses have said of it.

use super::ProcedureResults;
use super::deployment::Deployment;
use super::drive::Drive;
use super::error::ProcedureError;
use super::exchange::record_reconciliation;
use harness_core::model::outcome::Outcome;
use harness_traffic::plan::Stream;
use harness_traffic::record::DriverSummary;
use harness_verdict::witness::client_records::ClientRecords;
use harness_verdict::witness::counters::Counters;
use harness_verdict::witness::join::Joined;
use harness_verdict::witness::joined_requests::JoinedRequests;
use harness_verdict::witness::reconciliation::EarlierHops;

/// Traffic that has ended and of which every witness has spoken.
#[derive(Debug)]
pub struct Round {
    clients: ClientRecords,
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
        let (clients, summary) = deployment.finish_round(drive).await?;
        deployment.settle_round(&clients).await?;
        let after = deployment.counters().await?;
        Ok(Self {
            clients,
            before,
            after,
            summary,
        })
    }

    /// Shows every request with what the witnesses saw of it; each is joined when it is looked at.
    pub async fn look<T>(
        &self,
        deployment: &Deployment,
        look: impl FnOnce(JoinedRequests<'_>) -> T,
    ) -> T {
        deployment.joined(&self.clients, look).await
    }

    /// Returns every request with what the witnesses saw of it, for judgements that look at one beside the other.
    pub async fn joined(&self, deployment: &Deployment) -> Vec<Joined> {
        self.look(deployment, |requests| requests.iter().collect())
            .await
    }

    /// Draws the round's totals up and names what does not agree.
    pub async fn reconcile(
        &self,
        outcomes: &[Outcome],
        earlier_hops: EarlierHops,
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
                earlier_hops,
            )
            .await?;
        record_reconciliation(reconciliation, results);
        Ok(())
    }
}
