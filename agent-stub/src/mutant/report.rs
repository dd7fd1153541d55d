//! What becomes of the response data that the proxy sends to a mutant.

use std::sync::atomic::Ordering;
use std::time::Duration;

use envoy_types::pb::envoy::data::accesslog::v3::HttpAccessLogEntry;
use envoy_types::pb::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use tonic::Status;

use crate::context::Contexts;
use crate::data_log::ResponseData;
use crate::decision::REQUEST_ID_HEADER;
use crate::mutant::fault_hooks::{FaultHooks, MutantState};
use crate::mutant::named::Mutant;
use crate::mutant::table::Report;

/// A stream of response data that was taken.
#[derive(Debug)]
pub struct ReportStream {
    fault_hooks: FaultHooks,
    messages: u32,
    held_back: Option<StreamAccessLogsMessage>,
}

impl FaultHooks {
    /// Takes a stream.
    ///
    /// # Errors
    ///
    /// It is refused.
    pub fn take_stream(&self) -> Result<ReportStream, Status> {
        let others = self.state().under_way.fetch_add(1, Ordering::Relaxed);
        self.state().remembered().has_lost_stream = false;
        let stream = ReportStream {
            fault_hooks: self.clone(),
            messages: 0,
            held_back: None,
        };
        if self.report_fault() == Some(Report::OneStream) && others > 0 {
            return Err(Status::resource_exhausted("another stream is open"));
        }
        Ok(stream)
    }

    /// Returns whether response data is waited for, whatever the settings say.
    pub fn waits_unasked(&self) -> bool {
        self.report_fault() == Some(Report::ExpectsUnasked)
    }

    /// Returns how long a request waits for its response data.
    pub fn expiration(&self, set: Duration) -> Duration {
        match self.report_fault() {
            Some(Report::IgnoresExpiration) => set.saturating_mul(100),
            Some(_) | None => set,
        }
    }

    /// Does what follows when a stream ends.
    pub fn lose_stream(&self, contexts: &Contexts) {
        if self.report_fault() == Some(Report::ForgetsWithStream) {
            self.state().remembered().has_lost_stream = true;
            drop(contexts.drain());
        }
    }

    /// Returns whether a request that would wait for its response data is forgotten.
    pub fn forgets_request(&self) -> bool {
        self.state().remembered().has_lost_stream
    }

    /// Returns the entries of a message that are taken.
    pub fn taken(&self, mut entries: Vec<HttpAccessLogEntry>) -> Vec<HttpAccessLogEntry> {
        match self.report_fault() {
            Some(Report::DropsEverySecond) => {
                entries.retain(|_| !MutantState::next(&self.state().others).is_multiple_of(2));
            }
            Some(Report::ForgetsBlocked) => entries.retain(|entry| {
                let request = entry.request.as_ref();
                request
                    .is_some_and(|request| request.request_headers.contains_key(REQUEST_ID_HEADER))
            }),
            Some(Report::OneOfEachBatch) => entries.truncate(1),
            Some(_) | None => {}
        }
        entries
    }

    /// Returns the id of the request that an entry is credited to, where it is not the one that it names.
    pub fn credited(&self, own_id: Option<&str>, contexts: &Contexts) -> Option<String> {
        match (self.report_fault(), own_id) {
            (Some(Report::CreditsOldest), Some(_)) => contexts.oldest(),
            (Some(Report::CreditsStrangers), Some(id)) => contexts.oldest_in_place_of(id),
            (Some(_) | None, Some(_) | None) => None,
        }
    }

    /// Changes what an entry reports.
    pub fn understand(&self, mut response: ResponseData) -> ResponseData {
        if self.report_fault() == Some(Report::SaysOk) {
            response.code = 200;
        }
        response
    }

    fn report_fault(&self) -> Option<Report> {
        if let Some(Mutant::Report(report)) = self.mutant() {
            Some(report)
        } else {
            None
        }
    }
}

impl ReportStream {
    /// Returns the message that is taken when this one is there.
    ///
    /// # Errors
    ///
    /// The stream ends.
    pub async fn receive(
        &mut self,
        message: StreamAccessLogsMessage,
    ) -> Result<Option<StreamAccessLogsMessage>, Status> {
        self.messages += 1;
        match self.fault_hooks.report_fault() {
            Some(Report::EndsStreams) if self.messages > 3 => {
                Err(Status::unavailable("the stream has had three messages"))
            }
            Some(Report::WantsIdentifier) if message.identifier.is_none() => {
                Err(Status::invalid_argument("the message names no log"))
            }
            Some(Report::Late) => {
                tokio::time::sleep(LATENESS).await;
                Ok(Some(message))
            }
            Some(Report::OneBehind) => Ok(self.held_back.replace(message)),
            Some(_) | None => Ok(Some(message)),
        }
    }
}

impl Drop for ReportStream {
    fn drop(&mut self) {
        self.fault_hooks
            .state()
            .under_way
            .fetch_sub(1, Ordering::Relaxed);
    }
}

// Longer than a request waits for its response data by default.
const LATENESS: Duration = Duration::from_secs(12);

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::data::accesslog::v3::HttpRequestProperties;
    use rstest::rstest;

    use super::*;
    use crate::settings::Switch;

    fn fault_hooks(report: Report) -> FaultHooks {
        FaultHooks::of(Some(Mutant::Report(report)))
    }

    fn entry(is_blocked: bool) -> HttpAccessLogEntry {
        let own_id = (!is_blocked).then(|| (REQUEST_ID_HEADER.to_owned(), "id".to_owned()));
        HttpAccessLogEntry {
            request: Some(HttpRequestProperties {
                request_headers: own_id.into_iter().collect(),
                ..HttpRequestProperties::default()
            }),
            ..HttpAccessLogEntry::default()
        }
    }

    #[rstest]
    #[case(Report::DropsEverySecond, vec![entry(false), entry(false)])]
    #[case(Report::ForgetsBlocked, vec![entry(false), entry(false), entry(false)])]
    #[case(Report::OneOfEachBatch, vec![entry(false)])]
    #[case(Report::SaysOk, vec![entry(false), entry(true), entry(false), entry(false)])]
    fn entries_are_dropped(#[case] report: Report, #[case] taken: Vec<HttpAccessLogEntry>) {
        let entries = vec![entry(false), entry(true), entry(false), entry(false)];
        assert_eq!(fault_hooks(report).taken(entries), taken);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_is_late_or_is_one_behind() {
        let message = StreamAccessLogsMessage::default;
        let mut ends = fault_hooks(Report::EndsStreams)
            .take_stream()
            .expect("taken");
        for _ in 0..3 {
            assert!(ends.receive(message()).await.is_ok());
        }
        assert!(ends.receive(message()).await.is_err());
        let mut behind = fault_hooks(Report::OneBehind).take_stream().expect("taken");
        assert_eq!(behind.receive(message()).await.expect("open"), None);
        assert_eq!(
            behind.receive(message()).await.expect("open"),
            Some(message())
        );
        let begun = tokio::time::Instant::now();
        let mut late = fault_hooks(Report::Late).take_stream().expect("taken");
        assert_eq!(
            late.receive(message()).await.expect("open"),
            Some(message())
        );
        assert_eq!(begun.elapsed(), LATENESS);
    }

    #[test]
    fn a_second_stream_is_refused_until_the_first_has_ended() {
        let fault_hooks = fault_hooks(Report::OneStream);
        let first = fault_hooks.take_stream().expect("taken");
        assert!(fault_hooks.take_stream().is_err());
        drop(first);
        assert!(fault_hooks.take_stream().is_ok());
    }

    #[test]
    fn one_mutant_each_waits_unasked_and_longer() {
        assert!(fault_hooks(Report::ExpectsUnasked).waits_unasked());
        assert!(!FaultHooks::default().waits_unasked());
        let set = Duration::from_millis(300);
        let longer = fault_hooks(Report::IgnoresExpiration).expiration(set);
        assert_eq!(longer, Duration::from_secs(30));
        assert_eq!(FaultHooks::default().expiration(set), set);
    }

    #[test]
    fn requests_are_forgotten_between_two_streams_by_one_mutant_only() {
        let contexts = Contexts::new(Duration::from_secs(10), Switch::Off);
        for (fault_hooks, forgets) in [
            (fault_hooks(Report::ForgetsWithStream), true),
            (FaultHooks::default(), false),
        ] {
            assert!(!fault_hooks.forgets_request());
            fault_hooks.lose_stream(&contexts);
            assert_eq!(fault_hooks.forgets_request(), forgets);
            drop(fault_hooks.take_stream().expect("taken"));
            assert!(!fault_hooks.forgets_request());
        }
    }

    #[test]
    fn a_status_is_said_to_be_200() {
        let reported = ResponseData {
            code: 503,
            size: 7,
            ..ResponseData::default()
        };
        let understood = fault_hooks(Report::SaysOk).understand(reported.clone());
        assert_eq!((understood.code, understood.size), (200, 7));
        assert_eq!(FaultHooks::default().understand(reported).code, 503);
    }
}
