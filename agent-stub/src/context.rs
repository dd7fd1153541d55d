//! Requests that wait for their response data.
//!
//! Bounded in number and in bytes: a proxy that never reports back costs no more than that, and the oldest are written
//! out early rather than lost.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::data_log::{DataLog, Record, ResponseData};
use crate::decision::Verdict;
use crate::inspect::of_response;
use crate::settings::Switch;

/// The waiting requests.
#[derive(Debug)]
pub struct Contexts {
    expiration: Duration,
    anomalies: Switch,
    waiting: Mutex<Waiting>,
}

/// What a request leaves behind when it is decided.
#[derive(Debug)]
pub struct Context {
    /// The agent's id for it.
    pub request_id: String,
    /// Envoy's id for it, the `x-request-id` of the check; empty when there was none.
    pub proxy_request_id: String,
    /// What was decided.
    pub verdict: Verdict,
    /// The line that waits for the response data; none when the request is not to be logged.
    pub record: Option<Box<Record>>,
}

/// How an access-log entry names its request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EntryKey<'entry> {
    /// The agent's id, from the logged request headers.
    pub request_id: Option<&'entry str>,
    /// Envoy's id.
    pub proxy_request_id: &'entry str,
}

/// Whether an access-log entry found its request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Match {
    /// The request was waiting.
    Found,
    /// No request was waiting under either id.
    NotFound,
}

#[derive(Debug, Default)]
struct Waiting {
    by_id: HashMap<String, WaitingContext>,
    // Every request waits equally long, so the order of arrival is the order of expiry. Answered ones stay until then.
    order: VecDeque<(Instant, String)>,
    // A blocked request's headers went to the client, so its entry can only be found by Envoy's id.
    // Clients may repeat that id, so it leads to a queue.
    blocked: HashMap<String, VecDeque<String>>,
    bytes: usize,
}

#[derive(Debug)]
struct WaitingContext {
    context: Context,
    weight: usize,
}

impl Contexts {
    /// Starts with no request waiting.
    pub fn new(expiration: Duration, anomalies: Switch) -> Self {
        Self {
            expiration,
            anomalies,
            waiting: Mutex::default(),
        }
    }

    /// Lets a request wait; returns the records that were evicted.
    pub fn insert(&self, context: Context) -> Vec<Record> {
        let mut waiting = self.waiting();
        waiting.insert(context, Instant::now() + self.expiration);
        let mut early = Vec::new();
        while waiting.by_id.len() > MOST_CONTEXTS
            || waiting.bytes > MOST_BYTES
            || waiting.order.len() > 2 * MOST_CONTEXTS
        {
            let Some((_, request_id)) = waiting.order.pop_front() else {
                break;
            };
            early.extend(
                waiting
                    .take(&request_id)
                    .and_then(|context| context.record)
                    .map(|record| *record),
            );
        }
        early
    }

    /// Returns the id of the request that has waited longest.
    pub fn oldest(&self) -> Option<String> {
        let waiting = self.waiting();
        let mut oldest_first = waiting.order.iter().map(|(_, id)| id);
        oldest_first
            .find(|id| waiting.by_id.contains_key(*id))
            .cloned()
    }

    /// Returns the id of the request that has waited longest, where the one of this id does not wait.
    pub fn oldest_in_place_of(&self, request_id: &str) -> Option<String> {
        let waits = self.waiting().by_id.contains_key(request_id);
        if waits { None } else { self.oldest() }
    }

    /// Gives a waiting request its response data and writes its line.
    pub fn complete(
        &self,
        key: EntryKey<'_>,
        response: ResponseData,
        data_log: Option<&DataLog>,
    ) -> Match {
        let context = {
            let mut waiting = self.waiting();
            let by_own_id = key
                .request_id
                .and_then(|request_id| waiting.take(request_id));
            by_own_id.or_else(|| {
                let request_id = waiting
                    .blocked
                    .get(key.proxy_request_id)?
                    .front()
                    .cloned()?;
                waiting.take(&request_id)
            })
        };
        let Some(context) = context else {
            return Match::NotFound;
        };
        if let (Some(mut record), Some(data_log)) = (context.record, data_log) {
            let signal = match self.anomalies {
                Switch::Off => None,
                Switch::On => of_response(response.code),
            };
            record.complete(response);
            if let Some(signal) = signal {
                record.add_response_signal(&signal);
            }
            data_log.write(&record);
        }
        Match::Found
    }

    /// Takes out the requests that have waited too long and returns their records.
    pub fn expire(&self) -> Vec<Record> {
        let now = Instant::now();
        self.drain_while(|deadline| deadline <= now)
    }

    /// Takes out every request and returns their records.
    pub fn drain(&self) -> Vec<Record> {
        self.drain_while(|_| true)
    }

    /// Returns how many requests wait.
    pub fn waiting_requests(&self) -> usize {
        self.waiting().by_id.len()
    }

    /// Says whether a record still waits.
    pub fn has_waiting_records(&self) -> bool {
        self.waiting()
            .by_id
            .values()
            .any(|entry| entry.context.record.is_some())
    }

    fn drain_while(&self, is_due: impl Fn(Instant) -> bool) -> Vec<Record> {
        let mut waiting = self.waiting();
        let mut records = Vec::new();
        while let Some((_, request_id)) = waiting
            .order
            .pop_front_if(|(deadline, _)| is_due(*deadline))
        {
            records.extend(
                waiting
                    .take(&request_id)
                    .and_then(|context| context.record)
                    .map(|record| *record),
            );
        }
        records
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn insert(&mut self, context: Context, deadline: Instant) {
        let weight = BARE_WEIGHT + context.record.as_ref().map_or(0, |record| record.weight());
        self.bytes += weight;
        self.order.push_back((deadline, context.request_id.clone()));
        match context.verdict {
            Verdict::Block if !context.proxy_request_id.is_empty() => {
                let queue = self
                    .blocked
                    .entry(context.proxy_request_id.clone())
                    .or_default();
                queue.push_back(context.request_id.clone());
            }
            Verdict::Allow | Verdict::Block => {}
        }
        self.by_id.insert(
            context.request_id.clone(),
            WaitingContext { context, weight },
        );
    }

    fn take(&mut self, request_id: &str) -> Option<Context> {
        let WaitingContext { context, weight } = self.by_id.remove(request_id)?;
        self.bytes -= weight;
        if let Some(queue) = self.blocked.get_mut(&context.proxy_request_id) {
            // The first in the queue nearly always, because requests are answered and expire in order.
            if let Some(place) = queue.iter().position(|blocked| blocked == request_id) {
                queue.remove(place);
            }
            if queue.is_empty() {
                self.blocked.remove(&context.proxy_request_id);
            }
        }
        Some(context)
    }
}

const MOST_CONTEXTS: usize = 65_536;
// Leaves enough for everything else below the 32 MiB that a sidecar of this kind may take.
const MOST_BYTES: usize = 8 * 1024 * 1024;
const BARE_WEIGHT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::CheckedRequest;

    fn context(request_id: &str, proxy_request_id: &str, verdict: Verdict) -> Context {
        let record = Record::of_request(
            &CheckedRequest::default(),
            "192.0.2.1",
            request_id,
            &[],
            200,
        );
        Context {
            request_id: request_id.into(),
            proxy_request_id: proxy_request_id.into(),
            verdict,
            record: Some(Box::new(record)),
        }
    }

    fn complete(contexts: &Contexts, request_id: Option<&str>, proxy_request_id: &str) -> Match {
        contexts.complete(
            EntryKey {
                request_id,
                proxy_request_id,
            },
            ResponseData::default(),
            None,
        )
    }

    #[tokio::test]
    async fn an_allowed_request_is_found_by_the_agents_id_only() {
        let contexts = Contexts::new(Duration::from_secs(10), Switch::Off);
        contexts.insert(context("a1", "envoy-1", Verdict::Allow));
        assert_eq!(complete(&contexts, None, "envoy-1"), Match::NotFound);
        assert_eq!(complete(&contexts, Some("a1"), ""), Match::Found);
        assert_eq!(complete(&contexts, Some("a1"), ""), Match::NotFound);
    }

    #[tokio::test]
    async fn a_blocked_request_is_found_by_envoys_id() {
        let contexts = Contexts::new(Duration::from_secs(10), Switch::Off);
        contexts.insert(context("a1", "envoy-1", Verdict::Block));
        assert_eq!(complete(&contexts, Some("forged"), "envoy-1"), Match::Found);
        assert_eq!(complete(&contexts, None, "envoy-1"), Match::NotFound);
    }

    #[tokio::test]
    async fn blocked_requests_that_share_an_id_are_each_found_once() {
        let contexts = Contexts::new(Duration::from_secs(10), Switch::Off);
        contexts.insert(context("a1", "same", Verdict::Block));
        contexts.insert(context("a2", "same", Verdict::Block));
        let found = [(); 3].map(|()| complete(&contexts, None, "same"));
        assert_eq!(found, [Match::Found, Match::Found, Match::NotFound]);
    }

    #[tokio::test]
    async fn requests_without_envoys_id_do_not_share_the_empty_one() {
        let contexts = Contexts::new(Duration::from_secs(10), Switch::Off);
        contexts.insert(context("a1", "", Verdict::Block));
        assert_eq!(complete(&contexts, None, ""), Match::NotFound);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_expires_once_its_time_is_over_and_not_before() {
        let contexts = Contexts::new(Duration::from_secs(10), Switch::Off);
        contexts.insert(context("a1", "", Verdict::Allow));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(contexts.expire().len(), 0);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(contexts.expire().len(), 1);
        assert!(!contexts.has_waiting_records());
    }

    #[tokio::test]
    async fn the_oldest_are_evicted_when_too_many_bytes_wait() {
        let contexts = Contexts::new(Duration::from_secs(10), Switch::Off);
        let early: usize = (0..20_000)
            .map(|number| {
                contexts
                    .insert(context(&format!("a{number}"), "", Verdict::Allow))
                    .len()
            })
            .sum();
        assert!(early > 0, "something was evicted");
        assert_eq!(early + contexts.drain().len(), 20_000);
    }
}
