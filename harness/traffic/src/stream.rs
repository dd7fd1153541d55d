//! Runs one stream of the plan: sends each request when its pacing says so, and records it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::checked_stream::{CheckedPacing, CheckedStream};
use crate::connection::{Exchange, exchange};
use crate::http2::Http2Client;
use crate::pacing::{Clock, Rate};
use crate::plan::ConnectionUse;
use crate::record::{
    ClientFailure, ClientRecord, ClientResult, ConnectionAge, FailureCause, RequestPhase,
};
use crate::request_bytes::{RequestBytes, WireForm};
use crate::transport::Transport;

/// The most requests of one open-loop stream that are under way. Beyond it requests leave late,
/// and their lateness shows in their times.
const OPEN_LOOP_LIMIT: usize = 4096;

/// The pause after a request that had no connection. A refusal comes within microseconds, and a
/// repetition would otherwise fill its records with an outage at full speed.
const REFUSAL_PAUSE: Duration = Duration::from_millis(10);

/// How long a connection may still take once the driver was asked to stop. Where no answer comes, as behind a Service without endpoints
/// in some networks, it would take the whole time of a request.
const CONNECTS_AFTER_STOP: Duration = Duration::from_secs(2);

/// What a stream needs of the driver.
#[derive(Clone, Debug)]
pub(crate) struct StreamContext {
    /// The run's clocks.
    pub(crate) clock: Clock,
    /// The bound of one request.
    pub(crate) request_timeout: Duration,
    /// Where records go. When the receiver is gone, the stream ends.
    pub(crate) records: mpsc::Sender<FinishedRequest>,
    /// Whether to send more.
    pub(crate) sending: watch::Receiver<SendControl>,
}

/// Whether the driver sends more requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SendControl {
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

/// Sends the stream's requests until there are no more, or the driver is asked to stop, and
/// returns when each has been recorded.
pub(crate) async fn run_stream(stream: CheckedStream, context: StreamContext) {
    let pacing = stream.pacing;
    let run = StreamRun {
        stream: Arc::new(stream),
        context,
        shared: Arc::default(),
    };
    match pacing {
        CheckedPacing::Concurrent { limit } => run.concurrent(limit).await,
        CheckedPacing::OpenLoop { rate } => run.open_loop(rate).await,
        CheckedPacing::Paced { rate } => run.sequential(rate.offset_of(1)).await,
        CheckedPacing::Sequential => run.sequential(Duration::ZERO).await,
    }
}

#[derive(Clone, Debug)]
struct StreamRun {
    stream: Arc<CheckedStream>,
    context: StreamContext,
    /// The connection of requests that are under way at the same time.
    shared: Arc<Mutex<Option<SharedClient>>>,
}

/// A connection that requests share, and what has happened on it.
#[derive(Clone, Debug)]
struct SharedClient {
    client: Http2Client,
    history: History,
}

/// A connection that has been opened.
#[derive(Debug)]
enum ClientConnection {
    Http1(Transport),
    Http2(Http2Client),
}

/// Whether anything was answered on a connection.
#[derive(Clone, Debug, Default)]
struct History(Arc<AtomicBool>);

impl History {
    /// That of a connection that was answered on.
    fn answered() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    fn note(&self, result: &ClientResult) {
        match result {
            ClientResult::Response(_) => self.0.store(true, Ordering::Relaxed),
            ClientResult::Failed(_) => {}
        }
    }

    fn age(&self) -> ConnectionAge {
        if self.0.load(Ordering::Relaxed) {
            ConnectionAge::Used
        } else {
            ConnectionAge::New
        }
    }
}

impl StreamRun {
    /// Sends one request after the other, each at least so long after the one before it was sent.
    async fn sequential(self, interval: Duration) {
        let mut sending = self.context.sending.clone();
        let mut connection = None;
        let mut not_before = Instant::now();
        for number in 0.. {
            tokio::select! {
                biased;
                () = stopped(&mut sending) => return,
                () = sleep_until(not_before) => {}
            }
            let Some(request) = self.stream.nth(number) else {
                return;
            };
            let intended = Instant::now();
            not_before = intended + interval;
            let after = self.send(request, intended, connection.take()).await;
            connection = match (after, self.stream.connection) {
                (
                    AfterRequest::Reusable(connection),
                    ConnectionUse::Keep | ConnectionUse::KeepUntilRefused,
                ) => Some(connection),
                (AfterRequest::Reusable(_), ConnectionUse::New) | (AfterRequest::Over, _) => None,
                (AfterRequest::NeverConnected, ConnectionUse::KeepUntilRefused) => return,
                (AfterRequest::NeverConnected, ConnectionUse::New | ConnectionUse::Keep) => {
                    sleep(REFUSAL_PAUSE).await;
                    None
                }
            };
        }
    }

    async fn concurrent(self, limit: usize) {
        let mut sending = self.context.sending.clone();
        let permits = Arc::new(Semaphore::new(limit));
        let mut under_way = JoinSet::new();
        for number in 0.. {
            let Some(request) = self.stream.nth(number) else {
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
                let after = run.send(request, Instant::now(), None).await;
                if matches!(after, AfterRequest::NeverConnected) {
                    sleep(REFUSAL_PAUSE).await;
                }
            });
            reap(&mut under_way);
        }
        under_way.join_all().await;
    }

    async fn open_loop(self, rate: Rate) {
        let mut sending = self.context.sending.clone();
        let permits = Arc::new(Semaphore::new(OPEN_LOOP_LIMIT));
        let mut under_way = JoinSet::new();
        let refused = Arc::new(AtomicBool::new(false));
        for number in 0.. {
            let Some(request) = self.stream.nth(number) else {
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
            if self.stream.connection == ConnectionUse::KeepUntilRefused
                && refused.load(Ordering::Relaxed)
            {
                break;
            }
            let run = self.clone();
            let refused = Arc::clone(&refused);
            under_way.spawn(async move {
                let _permit = permit;
                let after = run.send(request, due, None).await;
                if matches!(after, AfterRequest::NeverConnected) {
                    refused.store(true, Ordering::Relaxed);
                }
            });
            reap(&mut under_way);
        }
        under_way.join_all().await;
    }

    /// Sends one request and records it.
    async fn send(
        &self,
        request: RequestBytes,
        intended: Instant,
        kept: Option<ClientConnection>,
    ) -> AfterRequest {
        let deadline = intended + self.context.request_timeout;
        let connected = tokio::select! {
            biased;
            connected = self.connection_for(&request, kept, deadline) => connected,
            () = given_up(self.context.sending.clone()) => Err(ClientFailure {
                phase: RequestPhase::Connect,
                cause: FailureCause::TimedOut,
                detail: format!("not connected {CONNECTS_AFTER_STOP:?} after the driver was asked to stop"),
            }),
        };
        let (exchange, age) = match connected {
            Ok((connection, history)) => {
                let age = history.age();
                let exchange = exchange_on(connection, &request, deadline).await;
                history.note(&exchange.result);
                (exchange, age)
            }
            Err(failure) => {
                let exchange = Exchange {
                    sent_at: None,
                    first_byte_at: None,
                    finished_at: Instant::now(),
                    result: ClientResult::Failed(failure),
                    connection: None,
                };
                (exchange, ConnectionAge::New)
            }
        };
        let phase = match &exchange.result {
            ClientResult::Response(_) => None,
            ClientResult::Failed(failure) => Some(failure.phase),
        };
        let finished = exchange.finished_at;
        let mut result = exchange.result;
        if let ClientResult::Response(response) = &mut result {
            response.first_byte_microseconds = exchange
                .first_byte_at
                .map(|first| microseconds(first.saturating_duration_since(intended)));
        }
        let clock = &self.context.clock;
        let record = ClientRecord {
            id: request.id,
            stream: self.stream.name.clone(),
            intended_at: clock.timestamp_of(intended),
            sent_at: exchange.sent_at.map(|sent| clock.timestamp_of(sent)),
            finished_at: clock.timestamp_of(finished),
            elapsed_microseconds: microseconds(finished.saturating_duration_since(intended)),
            connection: age,
            result,
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
        match (exchange.connection, phase) {
            (Some(connection), _) => AfterRequest::Reusable(connection),
            (None, Some(RequestPhase::Connect)) => AfterRequest::NeverConnected,
            (None, _) => AfterRequest::Over,
        }
    }
}

impl StreamRun {
    /// Returns the persistent or shared connection if it is still of use, or else a new one.
    async fn connection_for(
        &self,
        request: &RequestBytes,
        kept: Option<ClientConnection>,
        deadline: Instant,
    ) -> Result<(ClientConnection, History), ClientFailure> {
        let is_shared = match (self.stream.pacing, self.stream.connection) {
            (CheckedPacing::Sequential | CheckedPacing::Paced { .. }, _)
            | (_, ConnectionUse::New) => false,
            (
                CheckedPacing::Concurrent { .. } | CheckedPacing::OpenLoop { .. },
                ConnectionUse::Keep | ConnectionUse::KeepUntilRefused,
            ) => true,
        };
        match (&request.manner.form, kept) {
            (WireForm::Http10 | WireForm::Http11, Some(ClientConnection::Http1(kept)))
                if !kept.is_stale() =>
            {
                Ok((ClientConnection::Http1(kept), History::answered()))
            }
            (WireForm::Http10 | WireForm::Http11, _) => {
                let transport = self.stream.destination.connect(deadline).await?;
                Ok((ClientConnection::Http1(transport), History::default()))
            }
            (WireForm::Http2(_), _) if is_shared => {
                let SharedClient { client, history } = self.shared_client(deadline).await?;
                Ok((ClientConnection::Http2(client), history))
            }
            (WireForm::Http2(_), Some(ClientConnection::Http2(mut kept))) => {
                if kept.is_usable().await {
                    return Ok((ClientConnection::Http2(kept), History::answered()));
                }
                let client = self.new_client(deadline).await?;
                Ok((ClientConnection::Http2(client), History::default()))
            }
            (WireForm::Http2(_), Some(ClientConnection::Http1(_)) | None) => {
                let client = self.new_client(deadline).await?;
                Ok((ClientConnection::Http2(client), History::default()))
            }
        }
    }

    async fn new_client(&self, deadline: Instant) -> Result<Http2Client, ClientFailure> {
        let transport = self.stream.destination.connect(deadline).await?;
        Http2Client::start(transport, deadline).await
    }

    /// Returns the shared connection. Only one request opens it; the others wait for that, each
    /// no longer than the opening itself is bounded.
    async fn shared_client(&self, deadline: Instant) -> Result<SharedClient, ClientFailure> {
        let mut shared = self.shared.lock().await;
        if let Some(open) = &mut *shared
            && open.client.is_usable().await
        {
            return Ok(open.clone());
        }
        let open = SharedClient {
            client: self.new_client(deadline).await?,
            history: History::default(),
        };
        *shared = Some(open.clone());
        Ok(open)
    }
}

async fn exchange_on(
    connection: ClientConnection,
    request: &RequestBytes,
    deadline: Instant,
) -> Exchange<ClientConnection> {
    match (connection, &request.manner.form) {
        (ClientConnection::Http2(client), WireForm::Http2(head)) => client
            .exchange(request, head, deadline)
            .await
            .map_connection(ClientConnection::Http2),
        (ClientConnection::Http1(transport), _) => exchange(transport, request, deadline)
            .await
            .map_connection(ClientConnection::Http1),
        (ClientConnection::Http2(_), WireForm::Http10 | WireForm::Http11) => {
            unreachable!("an HTTP/1 request is given an HTTP/1 connection")
        }
    }
}

/// What a request leaves behind.
#[derive(Debug)]
enum AfterRequest {
    /// There was no connection at all.
    NeverConnected,
    /// The connection is over.
    Over,
    /// A connection that can take another request.
    Reusable(ClientConnection),
}

/// Completes when the driver is asked to stop, or is gone.
async fn stopped(sending: &mut watch::Receiver<SendControl>) {
    // An error means that the sender is gone, which ends the sending just the same.
    let _ = sending
        .wait_for(|&sending| sending == SendControl::Stopped)
        .await;
}

/// Returns when a connection that is still not there is not waited for any more.
async fn given_up(mut sending: watch::Receiver<SendControl>) {
    stopped(&mut sending).await;
    sleep(CONNECTS_AFTER_STOP).await;
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
