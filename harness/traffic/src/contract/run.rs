//! Carries a plan of calls out: connection by connection, group by group.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, timeout_at};

use super::call::{Completing, OpenCall};
use super::checked_plan::{CheckedCall, CheckedConnection, CheckedContract, CheckedGroup};
use super::connection::{GrpcConnection, detail};
use super::framing::timeout_field;
use super::plan::Completion;
use super::record::{CallRecord, CallResult, GroupRecord};
use crate::record::DriverLine;
use crate::stream::microseconds;

/// Makes the calls and reports each.
pub(crate) async fn run_contract(plan: CheckedContract, lines: mpsc::Sender<DriverLine>) {
    for connection in plan.connections {
        run_connection(connection, plan.call_timeout, &lines).await;
    }
}

async fn run_connection(
    plan: CheckedConnection,
    call_timeout: Duration,
    lines: &mpsc::Sender<DriverLine>,
) {
    let opened = GrpcConnection::open(&plan.destination, Instant::now() + call_timeout).await;
    let mut connection = match opened {
        Ok(connection) => connection,
        Err(detail) => {
            for call in plan.groups.into_iter().flat_map(|group| group.calls) {
                let result = CallResult::NoConnection {
                    detail: detail.clone(),
                };
                let record = Beginning::now().record(call.id, &plan.name, result);
                report(lines, DriverLine::Call(Box::new(record))).await;
            }
            return;
        }
    };
    for group in plan.groups {
        run_group(
            &mut connection,
            &plan.name,
            group,
            call_timeout,
            &plan.destination.address,
            lines,
        )
        .await;
    }
}

async fn run_group(
    connection: &mut GrpcConnection,
    name: &str,
    group: CheckedGroup,
    call_timeout: Duration,
    authority: &str,
    lines: &mpsc::Sender<DriverLine>,
) {
    let wanted = match group.completion {
        Completion::AtOnce => Completing::Allowed,
        Completion::OnceAllAreOpen => Completing::HeldBack,
    };
    let (completing, allowed) = watch::channel(wanted);
    let count = group.calls.len() as u64;
    let mut most_open = 0;
    let mut calls = JoinSet::new();
    for call in group.calls {
        let beginning = Beginning::now();
        let (id, name) = (call.id.clone(), name.to_owned());
        match open(connection, call, call_timeout, authority, group.completion).await {
            Ok(call) => {
                let allowed = allowed.clone();
                calls.spawn(
                    async move { beginning.record(id, &name, call.complete(allowed).await) },
                );
            }
            Err(result) => {
                calls.spawn(async move { beginning.record(id, &name, result) });
            }
        }
        // Lets the connection write: a stream is open once its head is on the wire, not once it is asked for.
        yield_now().await;
        if *completing.borrow() == wanted {
            most_open = most_open.max(connection.usage.open());
        }
        if connection.is_full() {
            // Nothing more can be opened until a call ends; what is open then is not known by counting.
            completing.send_replace(Completing::Allowed);
        }
        while let Some(ended) = calls.try_join_next() {
            report_ended(lines, ended).await;
        }
    }
    if *completing.borrow() == Completing::HeldBack {
        // A connection that has ended says so in each of its calls.
        let _ = connection.await_echo(Instant::now() + call_timeout).await;
        completing.send_replace(Completing::Allowed);
    }
    while let Some(ended) = calls.join_next().await {
        report_ended(lines, ended).await;
    }
    let record = GroupRecord {
        connection: name.into(),
        group: group.name,
        calls: count,
        most_open,
        stream_limit: connection.stream_limit(),
    };
    report(lines, DriverLine::Group(record)).await;
}

/// Sends a call's head, and its messages up to what is held back.
async fn open(
    connection: &mut GrpcConnection,
    call: CheckedCall,
    timeout: Duration,
    authority: &str,
    completion: Completion,
) -> Result<OpenCall, CallResult> {
    let started = Instant::now();
    let no_stream = |error: &h2::Error, has_answered: bool| {
        let detail = detail(error);
        if has_answered {
            CallResult::Lost { detail }
        } else {
            CallResult::NoConnection { detail }
        }
    };
    let ready = timeout_at(started + timeout, connection.requests.clone().ready()).await;
    let mut requests = ready
        .map_err(|_| CallResult::Lost {
            detail: "no stream could be opened in time".into(),
        })?
        .map_err(|error| no_stream(&error, connection.usage.has_answered()))?;
    let mut request = Request::post(
        http::Uri::builder()
            .scheme(connection.scheme.clone())
            .authority(authority)
            .path_and_query(call.method)
            .build()
            .map_err(|error| CallResult::Malformed {
                detail: detail(&error),
            })?,
    )
    .header("content-type", "application/grpc")
    .header("te", "trailers");
    if let Some(deadline) = call.deadline {
        request = request.header("grpc-timeout", timeout_field(deadline));
    }
    let request = request.body(()).map_err(|error| CallResult::Malformed {
        detail: detail(&error),
    })?;
    let mut bytes = call.bytes;
    let held_back = match completion {
        Completion::AtOnce => Bytes::new(),
        Completion::OnceAllAreOpen => bytes.split_off(bytes.len().saturating_sub(1)),
    };
    let (response, mut stream) = requests
        .send_request(request, false)
        .map_err(|error| no_stream(&error, connection.usage.has_answered()))?;
    connection.requests = requests;
    connection.usage.note_open();
    // A server may have ended the stream already; the answer says so.
    let _ = stream.send_data(bytes, held_back.is_empty());
    Ok(OpenCall {
        response,
        stream,
        held_back,
        usage: connection.usage.clone(),
        started,
        deadline: call.deadline,
        timeout,
    })
}

/// When a call was begun.
#[derive(Clone, Copy, Debug)]
struct Beginning {
    at: Timestamp,
    instant: Instant,
}

impl Beginning {
    fn now() -> Self {
        Self {
            at: Timestamp::now(),
            instant: Instant::now(),
        }
    }

    fn record(self, id: String, connection: &str, result: CallResult) -> CallRecord {
        CallRecord {
            id,
            connection: connection.into(),
            started_at: self.at,
            elapsed_microseconds: microseconds(self.instant.elapsed()),
            result,
        }
    }
}

async fn report_ended(
    lines: &mpsc::Sender<DriverLine>,
    ended: Result<CallRecord, tokio::task::JoinError>,
) {
    let record = ended.expect("a call does not panic");
    report(lines, DriverLine::Call(Box::new(record))).await;
}

async fn report(lines: &mpsc::Sender<DriverLine>, line: DriverLine) {
    // A receiver that has gone has said why itself.
    let _ = lines.send(line).await;
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
