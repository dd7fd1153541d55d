//! The driver: reads its plan, runs the plan's streams at the same time, and reports each request.

use std::io;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, BufWriter};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::bounded_lines::next_line;
use crate::checked_plan::{CheckedPlan, CheckedTask, read_task};
use crate::contract::record::CallResult;
use crate::contract::{CheckedContract, run_contract};
use crate::descriptor_limit::raise_descriptor_limit;
use crate::error_chain::error_chain;
use crate::latency::plan::LatencyPlan;
use crate::latency::sample::{Sample, write_samples};
use crate::latency::{StopFlag, generate};
use crate::pacing::Clock;
use crate::plan::Command;
use crate::record::{ClientResult, DriverLine, DriverSummary};
use crate::stream::{FinishedRequest, SendControl, StreamContext, microseconds, run_stream};

/// The most bytes of a command.
const COMMAND_LIMIT: usize = 4 * 1024;
/// Records that wait to be written before requests wait for them.
const RECORD_QUEUE: usize = 1024;

/// Why a drive ended without its summary, or was sent something that it does not understand.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// A line after the plan is not a command. The driver stopped as if it were `stop`.
    #[error("the line after the plan is not a command")]
    Command {
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// The records cannot be written. Nothing more was sent.
    #[error("cannot write records")]
    Output {
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The plan could not be carried out. A `refused` line says so.
    #[error("the plan is refused: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
}

/// Carries out the plan that is the first line of `input` and writes one line per request, and a
/// summary, to `output`.
///
/// The drive ends by itself when every stream is through. A `stop` line, and the end of `input`,
/// end it earlier: nothing more is sent, and what is under way is reported. The caller therefore
/// holds `input` open for as long as requests shall be sent.
///
/// The process's soft limit of open files is raised to its hard limit.
///
/// A standard input of the process is read in a thread that cannot be interrupted: shut the
/// runtime down in the background after this returns.
///
/// # Errors
///
/// When the plan is refused, `output` breaks, or a command is not understood.
///
/// # Panics
///
/// When one of its own tasks has panicked, which is a bug: a summary would claim totals that balance.
pub async fn drive(
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Unpin,
) -> Result<(), DriveError> {
    let mut input = BufReader::new(input);
    let mut output = LineWriter(BufWriter::new(output));
    let task = match read_task(&mut input).await {
        Ok(task) => task,
        Err(error) => {
            return output.refuse(error_chain(&error)).await;
        }
    };
    raise_descriptor_limit();
    let (sending_control, sending) = watch::channel(SendControl::Continues);
    let commands = tokio::spawn(watch_commands(input, sending_control));
    let summary = match task {
        CheckedTask::Latency(plan) => {
            let measured = measure(plan, sending, &mut output).await;
            commands.abort();
            return measured;
        }
        CheckedTask::Contract(plan) => make_calls(plan, sending, &mut output).await?,
        CheckedTask::Traffic(plan) => send_requests(plan, sending, &mut output).await?,
    };
    output.write(&DriverLine::Summary(summary)).await?;
    output.flush().await?;
    if commands.is_finished() {
        return commands.await.expect("the command reader does not panic");
    }
    commands.abort();
    Ok(())
}

/// Measures latency, and writes the samples as a file of them is; the run is cut short when the sending is stopped.
async fn measure(
    plan: LatencyPlan,
    mut sending: watch::Receiver<SendControl>,
    output: &mut LineWriter<impl AsyncWrite + Unpin>,
) -> Result<(), DriveError> {
    let stop = StopFlag::default();
    let stopped = stop.clone();
    let watching = tokio::spawn(async move {
        let _ = { sending.wait_for(|sending| *sending == SendControl::Stopped) }.await;
        stopped.store(true, Ordering::Relaxed);
    });
    let generated = tokio::task::spawn_blocking(move || generate(&plan, &stop)).await;
    watching.abort();
    match generated.expect("the generator does not panic") {
        Ok(samples) => output.write_samples(&samples).await,
        Err(error) => output.refuse(error_chain(&error)).await,
    }
}

async fn send_requests(
    plan: CheckedPlan,
    sending: watch::Receiver<SendControl>,
    output: &mut LineWriter<impl AsyncWrite + Unpin>,
) -> Result<DriverSummary, DriveError> {
    let (records, mut finished) = mpsc::channel(RECORD_QUEUE);
    let context = StreamContext {
        clock: Clock::start(),
        request_timeout: plan.request_timeout,
        records,
        sending,
    };
    // Dropping the set drops the streams with everything that they have under way.
    let mut streams = JoinSet::new();
    for stream in plan.streams {
        streams.spawn(run_stream(stream, context.clone()));
    }
    drop(context);

    let summary = write_records(&mut finished, output).await?;
    streams.join_all().await;
    Ok(summary)
}

/// Makes calls until all are through or the sending has been stopped: what is under way then is dropped, and has no record.
async fn make_calls(
    plan: CheckedContract,
    mut sending: watch::Receiver<SendControl>,
    output: &mut LineWriter<impl AsyncWrite + Unpin>,
) -> Result<DriverSummary, DriveError> {
    let (lines, mut reported) = mpsc::channel(RECORD_QUEUE);
    let calls = async move {
        tokio::select! {
            () = run_contract(plan, lines) => {}
            _ = sending.wait_for(|sending| *sending == SendControl::Stopped) => {}
        }
    };
    let writing = async {
        let mut summary = DriverSummary::default();
        while let Some(line) = reported.recv().await {
            if let DriverLine::Call(record) = &line {
                summary.sent += 1;
                match record.result {
                    CallResult::Ended(_) => summary.answered += 1,
                    CallResult::Lost { .. }
                    | CallResult::Malformed { .. }
                    | CallResult::NoConnection { .. } => summary.failed += 1,
                }
            }
            output.write(&line).await?;
            if reported.is_empty() {
                output.flush().await?;
            }
        }
        Ok(summary)
    };
    let ((), summary) = tokio::join!(calls, writing);
    summary
}

/// Reads commands until one ends the sending, which the end of the input does as well.
async fn watch_commands(
    mut input: BufReader<impl AsyncRead + Unpin>,
    sending: watch::Sender<SendControl>,
) -> Result<(), DriveError> {
    let read = next_line(&mut input, COMMAND_LIMIT).await;
    sending.send_replace(SendControl::Stopped);
    let Ok(Some(line)) = read else {
        // An input that breaks is an input that ends.
        return Ok(());
    };
    match serde_json::from_slice(&line) {
        Ok(Command::Stop) => Ok(()),
        Err(source) => Err(DriveError::Command { source }),
    }
}

/// Writes each record as it comes, and returns the summary after the last.
async fn write_records(
    finished: &mut mpsc::Receiver<FinishedRequest>,
    output: &mut LineWriter<impl AsyncWrite + Unpin>,
) -> Result<DriverSummary, DriveError> {
    let mut summary = DriverSummary::default();
    while let Some(request) = finished.recv().await {
        summary.sent += 1;
        match &request.record.result {
            ClientResult::Response(_) => summary.answered += 1,
            ClientResult::Failed(_) => summary.failed += 1,
        }
        let lag = request.lag.map_or(0, microseconds);
        summary.worst_lag_microseconds = summary.worst_lag_microseconds.max(lag);
        output
            .write(&DriverLine::Request(Box::new(request.record)))
            .await?;
        // Under load many records share one system call; a lone one leaves at once.
        if finished.is_empty() {
            output.flush().await?;
        }
    }
    Ok(summary)
}

struct LineWriter<W>(BufWriter<W>);

impl<W: AsyncWrite + Unpin> LineWriter<W> {
    async fn write(&mut self, line: &DriverLine) -> Result<(), DriveError> {
        let mut bytes = serde_json::to_vec(line).expect("a driver line has only text keys");
        bytes.push(b'\n');
        self.0
            .write_all(&bytes)
            .await
            .map_err(|source| DriveError::Output { source })
    }

    /// Says that the plan cannot be carried out, and why.
    async fn refuse(&mut self, reason: String) -> Result<(), DriveError> {
        let line = DriverLine::Refused {
            reason: reason.clone(),
        };
        self.write(&line).await?;
        self.flush().await?;
        Err(DriveError::Refused { reason })
    }

    async fn write_samples(&mut self, samples: &[Sample]) -> Result<(), DriveError> {
        let mut bytes = Vec::new();
        write_samples(samples, &mut bytes).expect("memory takes them");
        let written = self.0.write_all(&bytes).await;
        written.map_err(|source| DriveError::Output { source })?;
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), DriveError> {
        self.0
            .flush()
            .await
            .map_err(|source| DriveError::Output { source })
    }
}

#[cfg(test)]
#[path = "driver_fixture.rs"]
mod fixture;
#[cfg(test)]
#[path = "driver_protocol_tests.rs"]
mod protocol_tests;
#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
