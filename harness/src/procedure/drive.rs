//! Speaks to a driver: gives it its plan, reads its records.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use super::error::ProcedureError;
use crate::environment::DriverProcess;
use crate::traffic::plan::{Command, DrivePlan};
use crate::traffic::record::{ClientRecord, DriverLine, DriverSummary};

/// The longest line that a driver may write, in bytes.
const LINE_LIMIT_BYTES: u64 = 1024 * 1024;

/// A driver that is carrying out its plan.
pub struct Drive {
    stdin: Box<dyn AsyncWrite + Send + Unpin>,
    stdout: BufReader<Box<dyn tokio::io::AsyncRead + Send + Unpin>>,
    _guard: Box<dyn Send + Sync>,
    records: Vec<ClientRecord>,
    summary: Option<DriverSummary>,
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

impl Drive {
    /// Gives a driver its plan.
    pub async fn start(process: DriverProcess, plan: &DrivePlan) -> Result<Self, ProcedureError> {
        let mut drive = Self {
            stdin: process.stdin,
            stdout: BufReader::new(process.stdout),
            _guard: process.guard,
            records: Vec::new(),
            summary: None,
        };
        drive.tell(plan).await?;
        Ok(drive)
    }

    /// Waits for the next record; none when the driver has ended with its summary.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a line that is half read would be lost. Await it to its end.
    pub async fn next(&mut self) -> Result<Option<&ClientRecord>, ProcedureError> {
        if self.summary.is_some() {
            return Ok(None);
        }
        let mut line = Vec::new();
        let read = (&mut self.stdout)
            .take(LINE_LIMIT_BYTES)
            .read_until(b'\n', &mut line)
            .await
            .map_err(|error| self.lost(error.to_string()))?;
        if read == 0 || line.last() != Some(&b'\n') {
            return Err(self.lost("its output ended".into()));
        }
        match serde_json::from_slice::<DriverLine>(&line) {
            Ok(DriverLine::Request(record)) => {
                self.records.push(*record);
                Ok(self.records.last())
            }
            Ok(DriverLine::Summary(summary)) => {
                self.summary = Some(summary);
                Ok(None)
            }
            Ok(DriverLine::Refused { reason }) => Err(ProcedureError::DriverRefused { reason }),
            Err(error) => Err(self.lost(format!("a line cannot be read: {error}"))),
        }
    }

    /// Returns the records that have come so far.
    pub fn records(&self) -> &[ClientRecord] {
        &self.records
    }

    /// Tells the driver to send nothing more. One that has sent everything has ended by itself.
    pub async fn stop(&mut self) -> Result<(), ProcedureError> {
        match self.write(&Command::Stop).await {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(self.lost(error.to_string()))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Reads to the driver's summary.
    pub async fn finish(mut self) -> Result<DriveReport, ProcedureError> {
        while self.next().await?.is_some() {}
        let records = self.records.len();
        let summary = self.summary.ok_or_else(|| ProcedureError::DriverLost {
            records,
            detail: "no summary".into(),
        })?;
        Ok(DriveReport {
            records: self.records,
            summary,
        })
    }

    async fn tell(&mut self, message: &impl serde::Serialize) -> Result<(), ProcedureError> {
        self.write(message)
            .await
            .map_err(|error| self.lost(error.to_string()))
    }

    async fn write(&mut self, message: &impl serde::Serialize) -> io::Result<()> {
        let mut line =
            serde_json::to_vec(message).expect("plans and commands have only string keys");
        line.push(b'\n');
        self.stdin.write_all(&line).await?;
        self.stdin.flush().await
    }

    fn lost(&self, detail: String) -> ProcedureError {
        ProcedureError::DriverLost {
            records: self.records.len(),
            detail,
        }
    }
}
