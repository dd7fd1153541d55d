//! Writes events to a file, a pipe or standard output while a run goes on. A reader that is slow or gone holds no run up.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use camino::Utf8PathBuf;
use nix::unistd::dup2_stdout;

use super::event::{Event, EventLine};
use super::evidence::Output;
use super::record::ScenarioRecord;
use super::terminal::remark;
use crate::catalogue::scenario::Scenario;
use crate::run::RunObserver;

/// How long the end of a run waits for a reader to take what is left.
const DRAIN: Duration = Duration::from_secs(5);

/// Where events go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EventsTarget {
    /// `-`: standard output, and everything else that would go there goes to standard error.
    StandardOutput,
    /// A file, which is made anew.
    File(Utf8PathBuf),
}

impl From<&str> for EventsTarget {
    fn from(text: &str) -> Self {
        match text {
            "-" => Self::StandardOutput,
            path => Self::File(path.into()),
        }
    }
}

/// Takes events of a run. They are written one after the other by a thread of their own.
#[derive(Debug)]
pub struct EventLog {
    waiting: Sender<Waiting>,
    /// Hears when the thread has ended.
    ended: Mutex<Receiver<()>>,
    /// How long the end waits for a reader.
    drain: Duration,
}

/// What the thread has to do next.
enum Waiting {
    Line(String),
    End,
}

impl EventLog {
    /// Opens the target.
    ///
    /// # Errors
    ///
    /// When the file cannot be made, or the process has no more descriptors.
    pub fn open(target: &EventsTarget) -> io::Result<Self> {
        let (file, name) = match target {
            EventsTarget::StandardOutput => (claim_standard_output()?, "standard output"),
            EventsTarget::File(path) => (File::create(path)?, path.as_str()),
        };
        Ok(Self::to(file, name.to_owned(), DRAIN))
    }

    fn to(mut writer: impl Write + Send + 'static, name: String, drain: Duration) -> Self {
        let (waiting, next) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        thread::spawn(move || {
            while let Ok(Waiting::Line(line)) = next.recv() {
                // Flushed line by line, whatever the writer keeps back.
                let written = writer
                    .write_all(line.as_bytes())
                    .and_then(|()| writer.flush());
                if let Err(error) = written {
                    remark(format_args!(
                        "no more events are written to {name}, and the run goes on: {error}"
                    ));
                    break;
                }
            }
            // Whoever waits for it may have given up.
            let _ = end.send(());
        });
        Self {
            waiting,
            ended: Mutex::new(ended),
            drain,
        }
    }

    /// Writes an event, without the secrets that `output` knows.
    pub fn write(&self, event: Event, output: &Output) {
        match serde_json::to_string(&EventLine::now(event)) {
            Ok(line) => {
                let line = format!("{}\n", output.redact(&line));
                // The thread has ended where the reader is gone.
                drop(self.waiting.send(Waiting::Line(line)));
            }
            Err(error) => tracing::error!(%error, "an event cannot be written"),
        }
    }

    /// Waits until everything is written, for as long as a reader may reasonably take.
    pub fn finish(&self) {
        drop(self.waiting.send(Waiting::End));
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = ended.recv_timeout(self.drain);
    }
}

/// Takes standard output away from everything else in this process, which writes to standard error from now on.
fn claim_standard_output() -> io::Result<File> {
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    dup2_stdout(io::stderr())?;
    Ok(File::from(stdout))
}

/// Writes an event of each scenario that begins or ends, and passes it on to another observer.
pub struct EventObserver {
    /// Where events are written.
    pub log: Arc<EventLog>,
    /// The run's folder, which knows its secrets.
    pub output: Output,
    /// The other one.
    pub next: Arc<dyn RunObserver>,
}

impl std::fmt::Debug for EventObserver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("EventObserver")
            .finish_non_exhaustive()
    }
}

impl RunObserver for EventObserver {
    fn scenario_started(&self, scenario: &Scenario) {
        self.log
            .write(Event::scenario_started(scenario), &self.output);
        self.next.scenario_started(scenario);
    }

    fn scenario_finished(&self, record: &ScenarioRecord) {
        self.log
            .write(Event::scenario_finished(record), &self.output);
        self.next.scenario_finished(record);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use camino::Utf8Path;

    use super::*;
    use crate::report::evidence_ledger::EvidenceLedger;
    use crate::report::test_records::passed;
    use harness_core::redaction::Redactor;
    use harness_core::stack::keys::AgentKeys;

    fn output() -> Output {
        let keys = AgentKeys::from_environment().expect("invented keys");
        Output::new(
            "out".into(),
            Redactor::new(&keys),
            EvidenceLedger::default(),
        )
    }

    fn event() -> Event {
        Event::scenario_finished(&passed("a::one"))
    }

    /// A pipe of which the test holds the reading end.
    fn pipe(drain: Duration) -> (io::PipeReader, EventLog) {
        let (reader, writer) = io::pipe().expect("a pipe");
        (reader, EventLog::to(writer, "the pipe".into(), drain))
    }

    /// Writes more than a pipe holds.
    fn write_much(log: &EventLog) {
        let output = output();
        for _ in 0..500 {
            log.write(event(), &output);
        }
    }

    #[test]
    fn a_reader_that_is_gone_ends_the_writing_and_nothing_else() {
        let (reader, log) = pipe(Duration::MAX);
        drop(reader);
        write_much(&log);
        // It ends: the thread does not wait for lines that it cannot write.
        log.finish();
    }

    #[test]
    fn a_reader_that_takes_nothing_is_waited_for_at_the_end_and_not_for_ever() {
        let drain = Duration::from_millis(300);
        let (_reader, log) = pipe(drain);
        write_much(&log);
        let began = Instant::now();
        log.finish();
        assert!(began.elapsed() >= drain, "all was written at once");
    }

    #[test]
    fn every_event_is_a_line_by_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Utf8Path::from_path(folder.path())
            .expect("UTF-8")
            .join("events");
        let log = EventLog::open(&EventsTarget::File(path.clone())).expect("it opens");
        let output = output();
        for _ in 0..3 {
            log.write(event(), &output);
        }
        log.finish();
        let text = fs_err::read_to_string(path).expect("text");
        assert_eq!(text.lines().count(), 3, "{text}");
        for line in text.lines() {
            let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(event["name"], "a::one");
        }
    }
}
