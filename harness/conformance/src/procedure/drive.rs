//! Speaks to a driver: gives it its plan, reads its records.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::error::ProcedureError;
use harness_core::model::timeouts::TimedOut;
use harness_core::model::timespan::TimeSpan;
use harness_environment::DriverProcess;
use harness_traffic::contract::plan::ContractPlan;
use harness_traffic::contract::record::{CallRecord, GroupRecord};
use harness_traffic::plan::{Command, DrivePlan, Task};
use harness_traffic::record::{ClientRecord, DriverLine, DriverSummary};

/// The longest line that a driver may write, in bytes.
const LINE_LIMIT_BYTES: u64 = 1024 * 1024;

/// A driver that is carrying out a plan of requests.
pub struct Drive {
    lines: Lines,
    records: Vec<ClientRecord>,
    /// How many records were taken out of those.
    taken: u64,
    summary: Option<DriverSummary>,
    /// How many requests it has to send before it may end; none where that is not known, or where it was told to stop.
    owed: Option<u64>,
    /// The streams that it may report of.
    streams: BTreeSet<String>,
    request_timeout: Duration,
    is_stopped: bool,
}

/// What a driver reported of calls.
#[derive(Clone, Debug)]
pub struct ContractReport {
    /// What became of each call, in the order in which they ended.
    pub records: Vec<CallRecord>,
    /// How many calls of each group were under way.
    pub groups: Vec<GroupRecord>,
    /// The driver's own totals.
    pub summary: DriverSummary,
}

/// What a driver reported in all.
#[derive(Clone, Debug)]
pub struct DriveReport {
    /// What became of each request, in the order in which they ended.
    pub records: Vec<ClientRecord>,
    /// The driver's own totals.
    pub summary: DriverSummary,
}

impl std::fmt::Debug for Drive {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Drive")
            .field("records", &self.records.len())
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}

/// Gives a driver a plan of calls, and reads it to its summary.
pub async fn make_calls(
    process: DriverProcess,
    plan: ContractPlan,
) -> Result<ContractReport, ProcedureError> {
    let mut lines = Lines::new(process);
    let mut records = Vec::new();
    let mut groups = Vec::new();
    let told = lines.tell(&Task::Contract(plan)).await;
    told.map_err(|detail| lost(0, detail))?;
    loop {
        let line = lines.next().await;
        match line.map_err(|detail| lost(records.len(), detail))? {
            DriverLine::Call(record) => records.push(*record),
            DriverLine::Group(group) => groups.push(group),
            DriverLine::Summary(summary) => {
                return Ok(ContractReport {
                    records,
                    groups,
                    summary,
                });
            }
            DriverLine::Refused { reason } => return Err(ProcedureError::DriverRefused { reason }),
            DriverLine::Request(_) => {
                return Err(lost(records.len(), "it reports a request".into()));
            }
        }
    }
}

impl Drive {
    /// Gives a driver its plan.
    pub async fn start(process: DriverProcess, plan: DrivePlan) -> Result<Self, ProcedureError> {
        let mut lines = Lines::new(process);
        let owed = plan.request_count();
        let streams = plan.streams.iter().map(|stream| stream.name.clone());
        let streams = streams.collect();
        let request_timeout = Duration::from_millis(plan.request_timeout_milliseconds);
        let told = lines.tell(&Task::Traffic(plan)).await;
        told.map_err(|detail| lost(0, detail))?;
        Ok(Self {
            lines,
            records: Vec::new(),
            taken: 0,
            summary: None,
            owed,
            streams,
            request_timeout,
            is_stopped: false,
        })
    }

    /// Waits for the next record; none when the driver has ended with its summary.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Result<Option<&ClientRecord>, ProcedureError> {
        if self.summary.is_some() {
            return Ok(None);
        }
        let line = self.lines.next().await;
        match line.map_err(|detail| self.lost(detail))? {
            DriverLine::Request(record) if !self.streams.contains(&record.stream) => {
                let stream = record.stream.escape_debug();
                Err(self.lost(format!(
                    "it reports of the stream `{stream}`, which it was not given"
                )))
            }
            DriverLine::Request(record) => {
                self.records.push(*record);
                Ok(self.records.last())
            }
            DriverLine::Summary(summary) => {
                self.summary = Some(summary);
                Ok(None)
            }
            DriverLine::Refused { reason } => Err(ProcedureError::DriverRefused { reason }),
            DriverLine::Call(_) | DriverLine::Group(_) => {
                Err(self.lost("it reports a call".into()))
            }
        }
    }

    /// Reads records until those that have come are enough, or the driver has ended.
    pub async fn await_records(
        &mut self,
        waited_for: &str,
        budget: TimeSpan,
        are_enough: impl Fn(&[ClientRecord]) -> bool,
    ) -> Result<(), ProcedureError> {
        let reading = async {
            while !are_enough(&self.records) {
                if self.next().await?.is_none() {
                    return self.check_owed();
                }
            }
            Ok(())
        };
        let read = timeout(budget.as_duration(), reading).await;
        read.unwrap_or_else(|_| {
            Err(TimedOut {
                waited_for: waited_for.into(),
                budget,
                last_seen: format!("{} requests had ended", self.records.len()),
            }
            .into())
        })
    }

    /// Returns the records that have come so far.
    pub fn records(&self) -> &[ClientRecord] {
        &self.records
    }

    /// Tells the driver to send nothing more. One that has sent everything has ended by itself.
    pub async fn stop(&mut self) -> Result<(), ProcedureError> {
        if self.summary.is_some() {
            self.check_owed()?;
        }
        self.owed = None;
        self.is_stopped = true;
        match self.lines.write(&Command::Stop).await {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(self.lost(error.to_string()))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Reads to the driver's summary. A driver that ends before it has sent what it was given is lost: requests without a record would be
    /// judged by nobody. So is one that goes on after its last request must have ended.
    pub async fn finish(self) -> Result<DriveReport, ProcedureError> {
        let mut records = Vec::new();
        let summary = self.finish_each(&mut |record| records.push(record)).await?;
        Ok(DriveReport { records, summary })
    }

    /// Reads to the driver's summary as [`Self::finish`] does, and hands each record on as it comes.
    pub async fn finish_each(
        mut self,
        take: &mut (dyn FnMut(ClientRecord) + Send),
    ) -> Result<DriverSummary, ProcedureError> {
        if self.is_stopped {
            let bound = self.request_timeout.saturating_mul(2);
            let read_out = timeout(bound, self.read_out(take)).await;
            read_out.unwrap_or_else(|_| {
                let bound = TimeSpan::new(bound);
                Err(self.lost(format!("it did not end within {bound} of being told to")))
            })?;
        } else {
            self.read_out(take).await?;
        }
        self.check_owed()?;
        self.summary.ok_or_else(|| self.lost("no summary".into()))
    }

    async fn read_out(
        &mut self,
        take: &mut (dyn FnMut(ClientRecord) + Send),
    ) -> Result<(), ProcedureError> {
        loop {
            self.taken += self.records.len() as u64;
            self.records.drain(..).for_each(&mut *take);
            if self.next().await?.is_none() {
                return Ok(());
            }
        }
    }

    /// Returns how many records have come.
    fn count(&self) -> u64 {
        self.taken + self.records.len() as u64
    }

    /// Checks that a driver which has ended has sent everything.
    fn check_owed(&self) -> Result<(), ProcedureError> {
        match self.owed {
            Some(owed) if owed != self.count() => {
                Err(self.lost(format!("it ended without a word, and had {owed} to send")))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn lost(&self, detail: String) -> ProcedureError {
        lost(usize::try_from(self.count()).unwrap_or(usize::MAX), detail)
    }
}

fn lost(records: usize, detail: String) -> ProcedureError {
    ProcedureError::DriverLost { records, detail }
}

/// The lines that are exchanged with a driver.
struct Lines {
    stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// What it has said and nobody has taken yet; last, why nothing more comes.
    said: mpsc::UnboundedReceiver<Result<DriverLine, String>>,
    /// Reads while nobody asks: a driver whose output nobody takes falls behind, and sends later than it was told to. It ends with this.
    _reading: JoinSet<()>,
    _guard: Box<dyn Send + Sync>,
}

impl Lines {
    fn new(process: DriverProcess) -> Self {
        let (lines, said) = mpsc::unbounded_channel();
        let mut reading = JoinSet::new();
        reading.spawn(read_lines(process.stdout, lines));
        Self {
            stdin: process.stdin,
            said,
            _reading: reading,
            _guard: process.guard,
        }
    }

    /// Writes a line, or says what was seen instead.
    async fn tell(&mut self, message: &impl serde::Serialize) -> Result<(), String> {
        self.write(message).await.map_err(|error| error.to_string())
    }

    async fn write(&mut self, message: &impl serde::Serialize) -> io::Result<()> {
        let mut line =
            serde_json::to_vec(message).expect("plans and commands have only string keys");
        line.push(b'\n');
        self.stdin.write_all(&line).await?;
        self.stdin.flush().await
    }

    /// Waits for the next line, or says what was seen instead. Cancel safe.
    async fn next(&mut self) -> Result<DriverLine, String> {
        let said = self.said.recv().await;
        said.unwrap_or_else(|| Err("its output ended".into()))
    }
}

/// Passes on each line as it comes, until there is one that cannot be read.
async fn read_lines(
    stdout: Box<dyn AsyncRead + Send + Unpin>,
    lines: mpsc::UnboundedSender<Result<DriverLine, String>>,
) {
    let mut stdout = BufReader::new(stdout);
    loop {
        let line = read_line(&mut stdout).await;
        let is_last = line.is_err();
        if lines.send(line).is_err() || is_last {
            return;
        }
    }
}

async fn read_line(stdout: &mut (impl AsyncBufRead + Unpin)) -> Result<DriverLine, String> {
    let mut line = Vec::new();
    stdout
        .take(LINE_LIMIT_BYTES)
        .read_until(b'\n', &mut line)
        .await
        .map_err(|error| error.to_string())?;
    if line.last() != Some(&b'\n') {
        return Err("its output ended".into());
    }
    serde_json::from_slice(&line).map_err(|error| format!("a line cannot be read: {error}"))
}

#[cfg(test)]
#[path = "drive_tests.rs"]
mod tests;
