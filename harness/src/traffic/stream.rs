//! Runs one stream of the plan: which request comes next, when, and over which connection.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::traffic::connection::{Exchange, connect, exchange, is_stale};
use crate::traffic::pacing::{Clock, Rate, RateError};
use crate::traffic::plan::{ConnectionUse, Pacing, Requests, Stream};
use crate::traffic::record::{ClientRecord, ClientResult};
use crate::traffic::request_bytes::{
    NUMBER_PLACEHOLDER, RequestBytes, RequestError, RequestTemplate,
};

/// The most requests of one open-loop stream that are under way. Beyond it requests leave late,
/// and their lateness shows in their times.
const OPEN_LOOP_LIMIT: usize = 4096;

/// A stream of the plan, checked.
#[derive(Debug)]
pub(crate) struct CheckedStream {
    name: String,
    address: String,
    pacing: CheckedPacing,
    requests: CheckedRequests,
}

#[derive(Clone, Copy, Debug)]
enum CheckedPacing {
    Concurrent { limit: usize },
    OpenLoop { rate: Rate },
    Sequential { connection: ConnectionUse },
}

#[derive(Debug)]
enum CheckedRequests {
    List(Vec<RequestTemplate>),
    Repeat {
        template: Box<RequestTemplate>,
        limit: u32,
    },
}

/// Why a stream cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// The address has no host, or no port.
    #[error("`{address}` is not `host:port`")]
    Address {
        /// What was given.
        address: String,
    },
    /// A connection can be kept only where requests follow each other.
    #[error("a connection can be kept only with sequential pacing")]
    KeepWithoutSequence,
    /// No request could be under way.
    #[error("a concurrency limit of 0 sends nothing")]
    NoConcurrency,
    /// All repetitions would have the same id.
    #[error("the id `{id}` of a repeated request has no `{NUMBER_PLACEHOLDER}` in it")]
    NoPlaceholder {
        /// The id.
        id: String,
    },
    /// The rate is out of bounds.
    #[error(transparent)]
    Rate(#[from] RateError),
    /// A request cannot be sent.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The list has more requests than can be numbered.
    #[error("the stream has {count} requests, which is too many")]
    TooManyRequests {
        /// How many.
        count: usize,
    },
}

/// What a stream needs of the driver.
#[derive(Clone, Debug)]
pub(crate) struct StreamContext {
    /// The run's clocks.
    pub(crate) clock: Clock,
    /// The bound of one request.
    pub(crate) request_timeout: Duration,
    /// Where records go. When nobody takes them any more, the stream ends.
    pub(crate) records: mpsc::Sender<FinishedRequest>,
    /// Whether to send more.
    pub(crate) sending: watch::Receiver<Sending>,
}

/// Whether the driver sends more requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sending {
    /// It does.
    Continues,
    /// What is under way is finished, nothing more is sent.
    Stopped,
}

/// A request's record with what only the summary needs.
#[derive(Debug)]
pub(crate) struct FinishedRequest {
    /// The record.
    pub(crate) record: ClientRecord,
    /// How long after its intended instant the request left, if it did.
    pub(crate) lag: Option<Duration>,
}

impl CheckedStream {
    /// Checks a stream of the plan.
    pub(crate) fn new(stream: Stream) -> Result<Self, StreamError> {
        let has_port = stream
            .address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !has_port {
            return Err(StreamError::Address {
                address: stream.address,
            });
        }
        let pacing = match (stream.pacing, stream.connection) {
            (Pacing::Sequential, connection) => CheckedPacing::Sequential { connection },
            (Pacing::Rate { .. } | Pacing::Concurrent { .. }, ConnectionUse::Keep) => {
                return Err(StreamError::KeepWithoutSequence);
            }
            (Pacing::Concurrent { limit: 0 }, ConnectionUse::New) => {
                return Err(StreamError::NoConcurrency);
            }
            (Pacing::Concurrent { limit }, ConnectionUse::New) => CheckedPacing::Concurrent {
                limit: usize::try_from(limit)
                    .map_or(OPEN_LOOP_LIMIT, |limit| limit.min(Semaphore::MAX_PERMITS)),
            },
            (Pacing::Rate { per_second }, ConnectionUse::New) => CheckedPacing::OpenLoop {
                rate: Rate::new(per_second)?,
            },
        };
        Ok(Self {
            requests: CheckedRequests::new(stream.requests, &stream.address)?,
            name: stream.name,
            address: stream.address,
            pacing,
        })
    }

    /// Returns the ids of the stream's requests; of a repeated one, the id with its placeholder.
    pub(crate) fn ids(&self) -> Vec<String> {
        match &self.requests {
            CheckedRequests::List(templates) => templates
                .iter()
                .map(|template| template.once().id)
                .collect(),
            CheckedRequests::Repeat { template, .. } => vec![template.once().id],
        }
    }

    /// Sends the stream's requests until there are no more, or the driver is told to stop, and
    /// returns when each has been recorded.
    pub(crate) async fn run(self, context: StreamContext) {
        let pacing = self.pacing;
        let run = StreamRun {
            stream: Arc::new(self),
            context,
        };
        match pacing {
            CheckedPacing::Concurrent { limit } => run.concurrent(limit).await,
            CheckedPacing::OpenLoop { rate } => run.open_loop(rate).await,
            CheckedPacing::Sequential { connection } => run.sequential(connection).await,
        }
    }
}

impl CheckedRequests {
    fn new(requests: Requests, address: &str) -> Result<Self, StreamError> {
        match requests {
            Requests::List(list) => {
                if u32::try_from(list.len()).is_err() {
                    return Err(StreamError::TooManyRequests { count: list.len() });
                }
                let templates: Result<_, _> = list
                    .iter()
                    .map(|request| RequestTemplate::new(request, address))
                    .collect();
                Ok(Self::List(templates?))
            }
            Requests::Repeat { request, limit } => {
                if limit > 1 && !request.id.contains(NUMBER_PLACEHOLDER) {
                    return Err(StreamError::NoPlaceholder { id: request.id });
                }
                Ok(Self::Repeat {
                    template: Box::new(RequestTemplate::new(&request, address)?),
                    limit,
                })
            }
        }
    }

    fn nth(&self, number: u32) -> Option<RequestBytes> {
        match self {
            Self::List(templates) => templates
                .get(usize::try_from(number).ok()?)
                .map(RequestTemplate::once),
            Self::Repeat { template, limit } => {
                (number < *limit).then(|| template.numbered(number))
            }
        }
    }
}

#[derive(Clone, Debug)]
struct StreamRun {
    stream: Arc<CheckedStream>,
    context: StreamContext,
}

impl StreamRun {
    async fn sequential(self, connection_use: ConnectionUse) {
        let mut connection = None;
        for number in 0.. {
            if *self.context.sending.borrow() == Sending::Stopped {
                return;
            }
            let Some(request) = self.stream.requests.nth(number) else {
                return;
            };
            let kept = self.send(request, Instant::now(), connection.take()).await;
            connection = match connection_use {
                ConnectionUse::Keep => kept,
                ConnectionUse::New => None,
            };
        }
    }

    async fn concurrent(self, limit: usize) {
        let mut sending = self.context.sending.clone();
        let permits = Arc::new(Semaphore::new(limit));
        let mut under_way = JoinSet::new();
        for number in 0.. {
            let Some(request) = self.stream.requests.nth(number) else {
                break;
            };
            let permit = tokio::select! {
                biased;
                () = stopped(&mut sending) => break,
                permit = Arc::clone(&permits).acquire_owned() => permit,
            };
            let run = self.clone();
            under_way.spawn(async move {
                let _permit = permit;
                run.send(request, Instant::now(), None).await;
            });
            reap(&mut under_way);
        }
        under_way.join_all().await;
    }

    async fn open_loop(self, rate: Rate) {
        let mut sending = self.context.sending.clone();
        let permits = Arc::new(Semaphore::new(OPEN_LOOP_LIMIT));
        let mut under_way = JoinSet::new();
        for number in 0.. {
            let Some(request) = self.stream.requests.nth(number) else {
                break;
            };
            let due = self.context.clock.started_at() + rate.offset_of(number);
            let permit = tokio::select! {
                biased;
                () = stopped(&mut sending) => break,
                permit = async {
                    sleep_until(due).await;
                    Arc::clone(&permits).acquire_owned().await
                } => permit,
            };
            let run = self.clone();
            under_way.spawn(async move {
                let _permit = permit;
                run.send(request, due, None).await;
            });
            reap(&mut under_way);
        }
        under_way.join_all().await;
    }

    /// Sends one request and records it. Returns the connection where it can be used again.
    async fn send(
        &self,
        request: RequestBytes,
        intended: Instant,
        kept: Option<TcpStream>,
    ) -> Option<TcpStream> {
        let deadline = intended + self.context.request_timeout;
        let usable = kept.filter(|connection| !is_stale(connection));
        let connection = match usable {
            Some(connection) => Ok(connection),
            None => connect(&self.stream.address, deadline).await,
        };
        let exchange = match connection {
            Ok(connection) => exchange(connection, &request, deadline).await,
            Err(failure) => Exchange {
                sent_at: None,
                result: ClientResult::Failed(failure),
                connection: None,
            },
        };
        let finished = Instant::now();
        let clock = &self.context.clock;
        let record = ClientRecord {
            id: request.id,
            stream: self.stream.name.clone(),
            intended_at: clock.timestamp_of(intended),
            sent_at: exchange.sent_at.map(|sent| clock.timestamp_of(sent)),
            finished_at: clock.timestamp_of(finished),
            elapsed_microseconds: microseconds(finished.saturating_duration_since(intended)),
            result: exchange.result,
        };
        let lag = exchange
            .sent_at
            .map(|sent| sent.saturating_duration_since(intended));
        // The receiver goes away only when the driver gives up, and it drops this task with it.
        let _ = self
            .context
            .records
            .send(FinishedRequest { record, lag })
            .await;
        exchange.connection
    }
}

/// Completes when the driver is told to stop, or is gone.
async fn stopped(sending: &mut watch::Receiver<Sending>) {
    // An error means that the sender is gone, which ends the sending just the same.
    let _ = sending
        .wait_for(|&sending| sending == Sending::Stopped)
        .await;
}

/// Forgets the tasks that have ended, so that a long run does not collect them.
fn reap(under_way: &mut JoinSet<()>) {
    while let Some(ended) = under_way.try_join_next() {
        ended.expect("a request's task neither panics nor is cancelled");
    }
}

/// Returns a duration in microseconds, as records have it.
pub(crate) fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
