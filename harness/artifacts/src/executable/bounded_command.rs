//! Runs another program to its end with a bound on its time and on what is kept of its output.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::executable::family::{End, Family};
use crate::executable::parenthood::end_with_starter;

/// The pause between two polls of whether the program has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// How long the output of an ended program is waited for: a process that it left behind may hold
/// the other end for ever.
const OUTPUT_GRACE: Duration = Duration::from_secs(1);

/// The bounds of a program's run.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The longest run.
    pub time: Duration,
    /// The most bytes that are kept of stdout and of stderr.
    pub output: usize,
    /// Which end of a longer output is kept.
    pub kept: Kept,
    /// Who is killed when the time is over.
    pub group: Group,
}

/// The process group that a program runs in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Group {
    /// One of its own, which is killed as a whole, with what has left it: for programs that are not trusted. Nothing that such a
    /// program has started outlives it.
    Own,
    /// The caller's: a Ctrl-C at the terminal reaches the program as well.
    Shared,
}

/// Which part of an output is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// The last bytes: where errors stand.
    End,
    /// The first bytes.
    Start,
}

/// What a program did.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What is kept of its stdout, with what is not UTF-8 replaced.
    pub stdout: String,
    /// What is kept of its stderr, with what is not UTF-8 replaced.
    pub stderr: String,
}

/// Why there is no end of the program to report.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started, or not be waited for.
    #[error("cannot run it")]
    Io(#[from] io::Error),
    /// It was killed.
    #[error("it did not end within {} s", limit.as_secs())]
    TimedOut {
        /// The bound.
        limit: Duration,
    },
}

/// Runs a program without input, and kills it when its time is over.
pub fn run_bounded(command: &mut Command, bounds: Bounds) -> Result<Finished, CommandError> {
    // The plain standard clock: this runs in no runtime, and no paused clock concerns it.
    let deadline = Instant::now() + bounds.time;
    let family = Family::of(bounds.group);
    family.mark(command);
    end_with_starter(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdout = keep_output(child.stdout.take(), bounds);
    let stderr = keep_output(child.stderr.take(), bounds);
    let end = loop {
        if has_ended(&child)? {
            break End::Reached;
        }
        if Instant::now() >= deadline {
            break End::Forced;
        }
        thread::sleep(POLL_INTERVAL);
    };
    // Not yet waited for, the child keeps its number, so that its group cannot be another one by now.
    family.kill(&mut child, end)?;
    let status = child.wait()?;
    match end {
        End::Forced => Err(CommandError::TimedOut { limit: bounds.time }),
        End::Reached => Ok(Finished {
            status,
            stdout: text_of(&stdout),
            stderr: text_of(&stderr),
        }),
    }
}

fn has_ended(child: &Child) -> io::Result<bool> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    match waitid(Id::Pid(process_id(child)), flags)? {
        WaitStatus::StillAlive => Ok(false),
        _ => Ok(true),
    }
}

fn process_id(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id is positive"))
}

/// An output that a thread reads.
struct KeptOutput {
    bytes: Arc<Mutex<Vec<u8>>>,
    ended: mpsc::Receiver<()>,
}

/// Reads an output to its end in a thread.
fn keep_output(output: Option<impl Read + Send + 'static>, bounds: Bounds) -> KeptOutput {
    let (sender, ended) = mpsc::channel();
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let kept = bytes.clone();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        if let Some(mut output) = output {
            // A read error ends the output just as its end does.
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                match bounds.kept {
                    Kept::Start => {
                        let remaining = bounds.output.saturating_sub(kept.len()).min(count);
                        kept.extend_from_slice(&buffer[..remaining]);
                    }
                    Kept::End => {
                        kept.extend_from_slice(&buffer[..count]);
                        let surplus = kept.len().saturating_sub(bounds.output);
                        kept.drain(..surplus);
                    }
                }
            }
        }
        // The receiver is gone when the grace is over.
        let _ = sender.send(());
    });
    KeptOutput { bytes, ended }
}

/// Returns what was read by the output's end, or by the end of the grace: a process that holds the other end takes nothing back.
fn text_of(output: &KeptOutput) -> String {
    let _ = output.ended.recv_timeout(OUTPUT_GRACE);
    let bytes = output.bytes.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns a program's output as printable text: line ends stay, other control characters are
/// escaped.
pub fn printable(output: &str) -> String {
    let mut text = String::with_capacity(output.len());
    for character in output.trim().chars() {
        if character.is_control() && character != '\n' {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

/// Writes an executable script for a test.
///
/// Another program writes it: were this process to hold the file open for writing, a program that
/// another thread starts at that moment would inherit it, and the script would be "busy".
#[cfg(test)]
pub(crate) fn write_program(path: &camino::Utf8Path, script: &str) {
    use std::io::Write as _;

    let mut child = Command::new("install")
        .args(["-m", "755", "/dev/stdin", path.as_str()])
        .stdin(Stdio::piped())
        .spawn()
        .expect("coreutils");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(script.as_bytes()).expect("it reads");
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn shell(script: &str, time: Duration, kept: Kept) -> Result<Finished, CommandError> {
        let bounds = Bounds {
            time,
            output: 4,
            kept,
            group: Group::Own,
        };
        run_bounded(Command::new("sh").args(["-c", script]), bounds)
    }

    #[rstest]
    #[case(Kept::Start, "1234")]
    #[case(Kept::End, "6789")]
    fn only_the_bounded_part_of_the_output_is_kept(#[case] kept: Kept, #[case] expected: &str) {
        let script = "printf 123456789; printf 123456789 >&2; exit 3";
        let finished = shell(script, Duration::from_secs(30), kept).expect("it runs");
        assert_eq!(finished.stdout, expected);
        assert_eq!(finished.stderr, expected);
        assert_eq!(finished.status.code(), Some(3));
    }

    #[test]
    fn a_program_that_does_not_end_is_killed_with_its_children() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("child");
        let script = format!("sleep 300 & echo $! > '{}'; wait", path.display());
        let error = shell(&script, Duration::from_secs(1), Kept::End).expect_err("it hangs");
        assert!(matches!(error, CommandError::TimedOut { .. }), "{error}");
        let child = fs_err::read_to_string(&path).expect("the child was started");
        let command_line = format!("/proc/{}/cmdline", child.trim());
        // The kernel takes its time to end a process that it was asked to kill.
        let deadline = Instant::now() + Duration::from_secs(30);
        while fs_err::read(&command_line).is_ok_and(|command| command.starts_with(b"sleep")) {
            assert!(Instant::now() < deadline, "the child still runs");
            thread::sleep(POLL_INTERVAL);
        }
    }

    #[rstest]
    #[case::of_its_group("sleep 300 &")]
    #[case::of_a_session_of_its_own("setsid sh -c 'trap \"\" TERM HUP; sleep 300' &")]
    fn nothing_that_a_program_has_started_outlives_it(#[case] start: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("child");
        let path = path.display();
        // The child says who it is before the program ends.
        let script = format!("mkfifo '{path}'; ({start} echo $! > '{path}') & cat '{path}'");
        let bounds = Bounds {
            time: Duration::from_secs(30),
            output: 100,
            kept: Kept::Start,
            group: Group::Own,
        };
        let finished =
            run_bounded(Command::new("sh").args(["-c", &script]), bounds).expect("it ends");
        let child = finished.stdout.trim().to_owned();
        assert!(!child.is_empty(), "the child was started");
        let deadline = Instant::now() + Duration::from_secs(30);
        let runs = || {
            fs_err::read_to_string(format!("/proc/{child}/stat"))
                .is_ok_and(|stat| !stat.contains(") Z "))
        };
        while runs() {
            assert!(Instant::now() < deadline, "the child still runs");
            thread::sleep(POLL_INTERVAL);
        }
    }

    #[test]
    fn what_was_said_is_kept_although_another_process_holds_the_output() {
        let bounds = Bounds {
            time: Duration::from_secs(30),
            output: 100,
            kept: Kept::Start,
            group: Group::Shared,
        };
        let held = Duration::from_secs(5);
        assert!(held > 2 * OUTPUT_GRACE);
        let script = format!("echo hello; sleep {} &", held.as_secs());
        let finished =
            run_bounded(Command::new("sh").args(["-c", &script]), bounds).expect("it ends");
        assert_eq!(finished.stdout, "hello\n");
    }

    #[test]
    fn control_characters_are_escaped_and_line_ends_stay() {
        assert_eq!(printable("a\u{1b}[31m\nb\n"), "a\\u{1b}[31m\nb");
    }
}
