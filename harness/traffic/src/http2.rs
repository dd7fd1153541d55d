//! HTTP/2 requests over one connection, many at a time: send, read, and say how far each came when
//! it fails.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::{ResponseFuture, SendRequest};
use http::uri::Scheme;
use http::{HeaderMap, Response};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::body_decoder::{BodyDecoder, BodyError, BodyFraming};
use crate::connection::{BODY_LIMIT, Exchange};
use crate::escape::escape;
use crate::failure::{cause_of, failure};
use crate::http2_head::Http2Head;
use crate::http2_send::{SendProgress, converse, send_body};
use crate::record::{ClientFailure, ClientResult, FailureCause, RequestPhase, ResponseRecord};
use crate::request_bytes::RequestBytes;
use crate::response_head::{FIELD_LIMIT, HEAD_LIMIT, INTERIM_LIMIT};
use crate::transport::Transport;

/// The bytes of answers that may be under way on a stream.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// The bytes of answers that may be under way on a connection.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// A connection on which requests can be sent. Copies share it; with the last it is closed.
#[derive(Clone, Debug)]
pub(crate) struct Http2Client {
    requests: SendRequest<Bytes>,
    scheme: Scheme,
    negotiated_protocol: Option<String>,
    task: Arc<ConnectionTask>,
}

/// The task that moves the connection's frames. It ends with its last user.
#[derive(Debug)]
struct ConnectionTask(JoinHandle<()>);

impl Drop for ConnectionTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why there is no complete answer.
#[derive(Debug, thiserror::Error)]
enum Http2Error {
    /// The body is over the bound.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The head or the trailer is over the bound.
    #[error("more than {FIELD_LIMIT} fields")]
    Fields,
    /// There are too many interim answers.
    #[error("more than {INTERIM_LIMIT} interim answers")]
    InterimAnswers,
    /// The stream or its connection ended.
    #[error(transparent)]
    Library(#[from] h2::Error),
}

impl Http2Client {
    /// Starts HTTP/2 on a connection. The other side may still prove not to speak it.
    pub(crate) async fn start(
        transport: Transport,
        deadline: Instant,
    ) -> Result<Self, ClientFailure> {
        let scheme = transport.scheme();
        let negotiated_protocol = transport.negotiated_protocol();
        let starting = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(u32::try_from(HEAD_LIMIT).unwrap_or(u32::MAX))
            .handshake(transport);
        let started = timeout_at(deadline, starting).await;
        let (requests, connection) = started
            .map_err(|_| {
                let detail = "no HTTP/2 in time";
                failure(RequestPhase::Connect, FailureCause::TimedOut, &detail)
            })?
            .map_err(|error| describe(RequestPhase::Connect, &Http2Error::Library(error)))?;
        let task = tokio::spawn(async move {
            // Each request under way sees the connection's end itself.
            let _ = connection.await;
        });
        Ok(Self {
            requests,
            scheme,
            negotiated_protocol,
            task: Arc::new(ConnectionTask(task)),
        })
    }

    /// Returns whether the connection takes another request, as far as is known.
    pub(crate) async fn is_usable(&mut self) -> bool {
        let requests = &mut self.requests;
        let refused = poll_fn(|context| {
            Poll::Ready(matches!(requests.poll_ready(context), Poll::Ready(Err(_))))
        });
        !refused.await && !self.task.0.is_finished()
    }

    /// Sends a request and reads its answer, until `deadline`.
    pub(crate) async fn exchange(
        self,
        request: &RequestBytes,
        head: &Http2Head,
        deadline: Instant,
    ) -> Exchange<Self> {
        let mut progress = Http2Progress::default();
        let ended = timeout_at(deadline, progress.run(&self, request, head)).await;
        let finished_at = Instant::now();
        let result = match ended {
            Ok(Ok(mut record)) => {
                record
                    .negotiated_protocol
                    .clone_from(&self.negotiated_protocol);
                ClientResult::Response(record)
            }
            Ok(Err(error)) => ClientResult::Failed(describe(progress.phase(), &error)),
            Err(_) => {
                let detail = format!(
                    "after {} bytes of the answer's body",
                    progress.answer.body_length
                );
                let cause = FailureCause::TimedOut;
                ClientResult::Failed(failure(progress.phase(), cause, &detail))
            }
        };
        let mut client = self;
        let is_usable = client.is_usable().await;
        Exchange {
            sent_at: progress.sent_at,
            first_byte_at: progress.answer.first_byte_at,
            finished_at,
            result,
            connection: is_usable.then_some(client),
        }
    }
}

/// How far an exchange has come. It outlives the future that a time-out cuts off.
#[derive(Debug, Default)]
struct Http2Progress {
    sent_at: Option<Instant>,
    sending: SendProgress,
    answer: AnswerProgress,
}

#[derive(Debug, Default)]
struct AnswerProgress {
    first_byte_at: Option<Instant>,
    informational: Vec<u16>,
    body_pieces: u32,
    body_length: u64,
    part: AnswerPart,
}

/// Which part of an answer is being read.
#[derive(Debug, Default)]
enum AnswerPart {
    Body,
    #[default]
    Head,
}

impl Http2Progress {
    /// Sends and reads at the same time: a server may answer before it has the whole request.
    async fn run(
        &mut self,
        client: &Http2Client,
        request: &RequestBytes,
        head: &Http2Head,
    ) -> Result<ResponseRecord, Http2Error> {
        let mut requests = client.requests.clone().ready().await?;
        let body = Bytes::copy_from_slice(&request.bytes[request.head_length..]);
        let websocket = request.manner.websocket.as_deref();
        let ends_with_head = body.is_empty() && head.trailers.is_empty() && websocket.is_none();
        self.sent_at = Some(Instant::now());
        let message = head.request(&request.id, client.scheme.clone());
        let (response, mut stream) = requests.send_request(message, ends_with_head)?;
        if let Some(websocket) = websocket {
            self.sending = SendProgress::Over;
            let response = self.answer.read_head(response, &Notify::new()).await?;
            let is_granted = response.status().is_success();
            let (mut record, mut answer) = self.answer.split(response);
            if is_granted {
                let message = &websocket.message;
                record.upgraded = Some(converse(&mut stream, &mut answer, message).await);
                return Ok(record);
            }
            return self.answer.read_body(record, answer).await;
        }
        if ends_with_head {
            self.sending = SendProgress::Over;
        }
        let continued = Notify::new();
        let mut sending = pin!(send_body(
            stream,
            body,
            request,
            head,
            &continued,
            &mut self.sending
        ));
        let mut receiving = pin!(self.answer.read(response, &continued));
        let mut may_send = !ends_with_head;
        loop {
            tokio::select! {
                biased;
                // An answer may have come before the other side stopped reading, so reading goes
                // on, and meets whatever ended the sending.
                _ = &mut sending, if may_send => may_send = false,
                received = &mut receiving => return received,
            }
        }
    }

    fn phase(&self) -> RequestPhase {
        match (self.sent_at, &self.sending, &self.answer.part) {
            (None, _, _) => RequestPhase::Connect,
            (Some(_), SendProgress::UnderWay, _) => RequestPhase::Send,
            (Some(_), SendProgress::HeldBack | SendProgress::Over, AnswerPart::Body) => {
                RequestPhase::ResponseBody
            }
            (Some(_), SendProgress::HeldBack | SendProgress::Over, AnswerPart::Head) => {
                RequestPhase::ResponseHead
            }
        }
    }
}

impl AnswerProgress {
    async fn read(
        &mut self,
        response: ResponseFuture,
        continued: &Notify,
    ) -> Result<ResponseRecord, Http2Error> {
        let response = self.read_head(response, continued).await?;
        let (record, body) = self.split(response);
        self.read_body(record, body).await
    }

    async fn read_head(
        &mut self,
        mut response: ResponseFuture,
        continued: &Notify,
    ) -> Result<Response<RecvStream>, Http2Error> {
        let informational = &mut self.informational;
        let response = poll_fn(|context| {
            while let Poll::Ready(Some(interim)) = response.poll_informational(context) {
                if informational.len() == INTERIM_LIMIT {
                    return Poll::Ready(Err(Http2Error::InterimAnswers));
                }
                let status = interim?.status().as_u16();
                informational.push(status);
                if status == 100 {
                    continued.notify_one();
                }
            }
            Pin::new(&mut response)
                .poll(context)
                .map_err(Http2Error::from)
        })
        .await?;
        self.first_byte_at = Some(Instant::now());
        self.part = AnswerPart::Body;
        if response.headers().len() > FIELD_LIMIT {
            return Err(Http2Error::Fields);
        }
        Ok(response)
    }

    /// Starts the record of an answer whose head has come.
    fn split(&self, response: Response<RecvStream>) -> (ResponseRecord, RecvStream) {
        let record = ResponseRecord {
            status: response.status().as_u16(),
            headers: fields_of(response.headers()),
            informational: self.informational.clone(),
            ..ResponseRecord::default()
        };
        (record, response.into_body())
    }

    async fn read_body(
        &mut self,
        mut record: ResponseRecord,
        mut answer: RecvStream,
    ) -> Result<ResponseRecord, Http2Error> {
        let mut body = BodyDecoder::new(BodyFraming::UntilClose, BODY_LIMIT)?;
        while let Some(data) = answer.data().await {
            let data = data?;
            answer.flow_control().release_capacity(data.len())?;
            if data.is_empty() {
                continue;
            }
            self.body_pieces = self.body_pieces.saturating_add(1);
            body.read(&data)?;
            self.body_length = body.length();
        }
        if let Some(trailers) = answer.trailers().await? {
            if trailers.len() > FIELD_LIMIT {
                return Err(Http2Error::Fields);
            }
            record.trailers = fields_of(&trailers);
        }
        let body = body.finish();
        record.body_length = body.length;
        record.body_sha256 = body.sha256;
        record.body_head_base64 = body.head_base64;
        record.body_pieces = self.body_pieces;
        Ok(record)
    }
}

fn fields_of(fields: &HeaderMap) -> Vec<(String, String)> {
    fields
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), escape(value.as_bytes())))
        .collect()
}

/// Puts an error into the terms of the records.
fn describe(phase: RequestPhase, error: &Http2Error) -> ClientFailure {
    let Http2Error::Library(library) = error else {
        return failure(phase, FailureCause::Malformed, error);
    };
    if let Some(io) = library.get_io() {
        let cause = match io.kind() {
            // The library's error kind for a close without GOAWAY.
            std::io::ErrorKind::BrokenPipe => FailureCause::Closed,
            _ => cause_of(io),
        };
        return failure(phase, cause, io);
    }
    let Some(reason) = library.reason() else {
        return failure(phase, FailureCause::Other, library);
    };
    let frame = if library.is_go_away() {
        "GOAWAY"
    } else {
        "RST_STREAM"
    };
    let (cause, author) = match (library.is_remote(), library.is_go_away()) {
        (true, true) => (FailureCause::Closed, "received"),
        (true, false) => (FailureCause::Reset, "received"),
        // The answer broke the protocol, and the library said so to the other side.
        (false, _) => (FailureCause::Malformed, "sent"),
    };
    failure(phase, cause, &format!("{author} {frame} with {reason:?}"))
}

#[cfg(test)]
#[path = "http2_tests.rs"]
mod tests;
