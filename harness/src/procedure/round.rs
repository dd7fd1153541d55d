//! A round of traffic: what was sent between two looks at the proxy's counters, and what the witnesses have said of it.

use super::Proceedings;
use super::deployment::Deployment;
use super::drive::Drive;
use super::error::ProcedureError;
use super::exchange::record_books;
use crate::model::outcome::Outcome;
use crate::traffic::plan::Stream;
use crate::traffic::record::DriverSummary;
use crate::witness::books::EarlierLegs;
use crate::witness::counters::Counters;
use crate::witness::join::Joined;

/// Traffic that has ended, with its testimony.
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
pub enum EntriesInBooks {
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

    /// Reads a driver to its end and waits for the testimony. `before` are the counters before the first request was decided.
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

    /// Draws the round's books up and names what does not agree.
    pub async fn close_books(
        &self,
        outcomes: &[Outcome],
        entries: EntriesInBooks,
        deployment: &Deployment,
        proceedings: &mut Proceedings,
    ) -> Result<(), ProcedureError> {
        let are_counted =
            deployment.proxy.sends_response_data && entries == EntriesInBooks::OneEach;
        let books = deployment
            .draw_up_with_legs(
                self.summary.sent,
                outcomes,
                Some((&self.before, &self.after)),
                are_counted.then_some(self.summary.answered),
                EarlierLegs::of(&self.joined),
            )
            .await?;
        record_books(books, proceedings);
        Ok(())
    }
}
