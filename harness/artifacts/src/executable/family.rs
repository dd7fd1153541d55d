//! The processes that descend from a program that is not trusted, and their end.
//!
//! A process that leaves its group and its session keeps its environment: there it carries a mark. One that throws its environment away as
//! well is not found.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::executable::bounded_command::Group;

/// The variable that holds the mark.
const MARK_VARIABLE: &str = "CONFORMANCE_FAMILY";
/// How often the process table is gone through: a process may start another one while it is read.
const MOST_ROUNDS: usize = 20;

/// What is done about a program's descendants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Family {
    /// They are killed with it, and carry this mark.
    Marked(String),
    /// They are its own affair.
    Unmarked,
}

impl Family {
    /// Makes the family of a program that runs in this group.
    pub(super) fn of(group: Group) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        match group {
            Group::Own => Self::Marked(format!(
                "{}-{}",
                std::process::id(),
                NUMBER.fetch_add(1, Ordering::Relaxed)
            )),
            Group::Shared => Self::Unmarked,
        }
    }

    /// Marks a program before it starts.
    pub(super) fn mark(&self, command: &mut Command) {
        match self {
            Self::Marked(mark) => {
                command.process_group(0).env(MARK_VARIABLE, mark);
            }
            Self::Unmarked => {}
        }
    }

    /// Kills what is left of a program that has not been waited for yet, and the program itself when it has not `ended`.
    pub(super) fn kill(&self, child: &mut Child, ended: End) -> io::Result<()> {
        match self {
            Self::Marked(mark) => {
                let id = i32::try_from(child.id()).expect("a process id is positive");
                match killpg(Pid::from_raw(id), Signal::SIGKILL) {
                    Ok(()) | Err(Errno::ESRCH) => {}
                    Err(errno) => return Err(errno.into()),
                }
                kill_marked(mark)
            }
            Self::Unmarked => match ended {
                End::Reached => Ok(()),
                End::Forced => child.kill(),
            },
        }
    }
}

/// Whether a program has come to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// Its time was over.
    Forced,
    /// It has ended by itself.
    Reached,
}

fn kill_marked(mark: &str) -> io::Result<()> {
    let entry = format!("{MARK_VARIABLE}={mark}");
    for _ in 0..MOST_ROUNDS {
        let marked = marked_processes(entry.as_bytes())?;
        if marked.is_empty() {
            break;
        }
        for process in marked {
            // One that is gone already is as good.
            let _ = kill(process, Signal::SIGKILL);
        }
    }
    Ok(())
}

/// Finds the living processes with this entry in their environments. A process that is ending has none any more.
fn marked_processes(entry: &[u8]) -> io::Result<Vec<Pid>> {
    let processes = fs_err::read_dir("/proc")?
        .filter_map(Result::ok)
        .filter_map(|process| process.file_name().to_str()?.parse::<i32>().ok())
        .filter(|process| {
            fs_err::read(format!("/proc/{process}/environ")).is_ok_and(|environment| {
                environment.split(|byte| *byte == 0).any(|own| own == entry)
            })
        })
        .map(Pid::from_raw)
        .collect();
    Ok(processes)
}
