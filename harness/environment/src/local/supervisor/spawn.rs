//! Makes processes: a container's first one, further ones in a container, and the driver.
//!
//! A clone reports its failure over a pipe that closes when it executes its program, so "started"
//! means that the program runs.

use std::convert::Infallible;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use camino::{Utf8Path, Utf8PathBuf};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{
    Gid, Pid, Uid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve, fchown, pipe2, setgid,
    setgroups, setsid, setuid,
};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;

use super::reaper::{ChildExit, Reaper};
use super::root::Layout;
use super::system;
use crate::local::plan::ProcessCredentials;

/// The most that a clone says about its failure.
const LONGEST_REPORT: u64 = 4096;

/// What a process runs and as whom.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// The command line; its first element is searched in `PATH` when it has no slash.
    pub command: Vec<String>,
    /// The whole environment.
    pub variables: Vec<(String, String)>,
    /// Where it starts.
    pub working_folder: String,
    /// Who it is.
    pub credentials: ProcessCredentials,
}

/// A process that was made.
#[derive(Debug)]
pub(super) struct Spawned {
    /// Its number in the pod's process namespace.
    pub process: Pid,
    /// Its end.
    pub exit: ChildExit,
    /// Its standard output.
    pub stdout: pipe::Receiver,
    /// Its standard error.
    pub stderr: pipe::Receiver,
}

/// Starts a container: a process that is the first one of new process and mount namespaces, with
/// a root of its own. Everything in the container ends with it: the kernel sees to that.
pub(super) async fn container(
    reaper: &Reaper,
    program: &Program,
    layout: &Layout,
    place: &Utf8Path,
) -> Result<Spawned, String> {
    let streams = Streams::new(&program.credentials)?;
    let (report, reporter) = pipe2(OFlag::O_CLOEXEC).map_err(describe_pipe)?;
    let flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    let process = system::clone_process(flags, || {
        let outcome = layout
            .enter(place)
            .map_err(|fault| format!("{fault}: {}", fault.source))
            .and_then(|()| execute(program, &streams));
        report_failure(&reporter, outcome)
    })
    .map_err(|error| format!("cannot make a process: {error}"))?;
    let exit = reaper.register(process);
    drop(reporter);
    finish(process, exit, streams, report).await
}

/// Kills a process whose result is no longer waited for.
#[derive(Debug)]
pub(super) struct KillOnDrop {
    process: Pid,
    exit: ChildExit,
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if !self.exit.has_ended() {
            let _ = kill(self.process, Signal::SIGKILL);
        }
    }
}

/// Starts a further process in the container whose first process is `first`.
///
/// # Cancel safety
///
/// Dropping the future, or what it returns, kills the process.
pub(super) async fn in_container(
    reaper: &Reaper,
    program: &Program,
    first: Pid,
) -> Result<(Spawned, KillOnDrop), String> {
    let open = |namespace: &str| {
        fs_err::File::open(format!("/proc/{first}/ns/{namespace}"))
            .map_err(|error| format!("cannot enter the container: {error}"))
    };
    let (processes, mounts) = (open("pid")?, open("mnt")?);
    let streams = Streams::new(&program.credentials)?;
    let (report, reporter) = pipe2(OFlag::O_CLOEXEC).map_err(describe_pipe)?;
    let (number, number_writer) = pipe2(OFlag::O_CLOEXEC).map_err(describe_pipe)?;
    // A process namespace applies to the children of the one who enters it. The child is made a
    // child of the supervisor, which waits for it.
    system::clone_process(CloneFlags::empty(), || {
        let entered = setns(&processes, CloneFlags::CLONE_NEWPID)
            .and_then(|()| setns(&mounts, CloneFlags::CLONE_NEWNS));
        if let Err(errno) = entered {
            return report_failure(
                &reporter,
                Err(format!("cannot enter the container: {errno}")),
            );
        }
        let cloned = system::clone_process(CloneFlags::CLONE_PARENT, || {
            report_failure(&reporter, execute(program, &streams))
        });
        match cloned {
            Ok(process) => {
                let written = nix::unistd::write(&number_writer, &process.as_raw().to_ne_bytes());
                i32::from(written.is_err())
            }
            Err(error) => report_failure(&reporter, Err(format!("cannot make a process: {error}"))),
        }
    })
    .map_err(|error| format!("cannot make a process: {error}"))?;
    drop((reporter, number_writer));
    // Blocks for the two system calls above. The reaper cannot run before the registration.
    let mut bytes = [0; 4];
    if File::from(number).read_exact(&mut bytes).is_err() {
        let mut reason = String::new();
        let _ = File::from(report)
            .take(LONGEST_REPORT)
            .read_to_string(&mut reason);
        return Err(reason);
    }
    let process = Pid::from_raw(i32::from_ne_bytes(bytes));
    let exit = reaper.register(process);
    let guard = KillOnDrop {
        process,
        exit: exit.clone(),
    };
    let spawned = finish(process, exit, streams, report).await?;
    Ok((spawned, guard))
}

/// Runs `work` inside the container's mount namespace and returns what it wrote, up to `limit`
/// bytes. Links that the container made lead nowhere but into the container.
pub(super) async fn work_in_container(
    first: Pid,
    limit: u64,
    work: impl FnOnce() -> Vec<u8>,
) -> io::Result<Vec<u8>> {
    let mounts = fs_err::File::open(format!("/proc/{first}/ns/mnt"))?;
    let (result, writer) = pipe2(OFlag::O_CLOEXEC)?;
    system::clone_process(CloneFlags::empty(), || {
        if setns(&mounts, CloneFlags::CLONE_NEWNS).is_err() {
            return 1;
        }
        let written =
            File::from(writer.try_clone().expect("descriptors are left")).write_all(&work());
        i32::from(written.is_err())
    })?;
    drop(writer);
    let mut bytes = Vec::new();
    pipe::Receiver::from_owned_fd(result)?
        .take(limit)
        .read_to_end(&mut bytes)
        .await?;
    Ok(bytes)
}

/// Starts this program itself as `conformance drive`, in the pod's network, with `connection` as
/// its standard input and output.
pub(super) fn driver(reaper: &Reaper, connection: &UnixStream) -> io::Result<(Pid, ChildExit)> {
    let process = system::clone_process(CloneFlags::empty(), || {
        let run = || -> nix::Result<Infallible> {
            dup2_stdin(connection)?;
            dup2_stdout(connection)?;
            system::reset_signals();
            let _ = system::close_descriptors_on_exec();
            let command = [c"conformance", c"drive"];
            execve(c"/proc/self/exe", &command, &[] as &[&std::ffi::CStr])
        };
        let Err(_) = run();
        127
    })?;
    Ok((process, reaper.register(process)))
}

/// Both ends of a process' output.
struct Streams {
    stdout: (OwnedFd, OwnedFd),
    stderr: (OwnedFd, OwnedFd),
}

impl Streams {
    fn new(credentials: &ProcessCredentials) -> Result<Self, String> {
        let streams = Self {
            stdout: pipe2(OFlag::O_CLOEXEC).map_err(describe_pipe)?,
            stderr: pipe2(OFlag::O_CLOEXEC).map_err(describe_pipe)?,
        };
        if let Some(user) = credentials.user {
            // Otherwise the process could not open its own `/dev/stdout`.
            for stream in [&streams.stdout.1, &streams.stderr.1] {
                fchown(stream, Some(Uid::from_raw(user)), None).map_err(describe_pipe)?;
            }
        }
        Ok(streams)
    }
}

async fn finish(
    process: Pid,
    exit: ChildExit,
    streams: Streams,
    report: OwnedFd,
) -> Result<Spawned, String> {
    let Streams {
        stdout: (stdout, stdout_writer),
        stderr: (stderr, stderr_writer),
    } = streams;
    drop((stdout_writer, stderr_writer));
    let receiver = |descriptor| {
        pipe::Receiver::from_owned_fd(descriptor)
            .map_err(|error| format!("cannot read from a pipe: {error}"))
    };
    let mut failure = String::new();
    receiver(report)?
        .take(LONGEST_REPORT)
        .read_to_string(&mut failure)
        .await
        .map_err(|error| format!("cannot learn whether the process runs: {error}"))?;
    if !failure.is_empty() {
        exit.wait().await;
        return Err(failure);
    }
    Ok(Spawned {
        process,
        exit,
        stdout: receiver(stdout)?,
        stderr: receiver(stderr)?,
    })
}

/// Turns this clone into the program. Returns only on failure.
fn execute(program: &Program, streams: &Streams) -> Result<Infallible, String> {
    let step = |name: &'static str| move |errno: Errno| format!("cannot {name}: {errno}");
    let io_step = |name: &'static str| move |error: io::Error| format!("cannot {name}: {error}");
    setsid().map_err(step("start a session"))?;
    let null = fs_err::File::open("/dev/null").map_err(io_step("open /dev/null"))?;
    dup2_stdin(&null).map_err(step("connect standard input"))?;
    dup2_stdout(&streams.stdout.1).map_err(step("connect standard output"))?;
    dup2_stderr(&streams.stderr.1).map_err(step("connect standard error"))?;
    umask(Mode::from_bits_truncate(0o022));
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(step("forbid core dumps"))?;
    system::reset_signals();
    assume(&program.credentials)?;
    chdir(program.working_folder.as_str())
        .map_err(|errno| format!("cannot change to `{}`: {errno}", program.working_folder))?;
    system::forbid_new_privileges().map_err(io_step("forbid new privileges"))?;
    system::close_descriptors_on_exec().map_err(io_step("close descriptors"))?;
    let text = |text: &str| {
        CString::new(text).map_err(|_| "a command or variable contains a zero byte".to_owned())
    };
    let arguments = program
        .command
        .iter()
        .map(|argument| text(argument))
        .collect::<Result<Vec<_>, _>>()?;
    let variables = program
        .variables
        .iter()
        .map(|(name, value)| text(&format!("{name}={value}")))
        .collect::<Result<Vec<_>, _>>()?;
    let name = program.command.first().ok_or("the command is empty")?;
    let path = find(name, &program.variables)
        .ok_or_else(|| format!("exec: `{name}`: not found in PATH"))?;
    match execve(&text(path.as_str())?, &arguments, &variables) {
        Ok(never) => match never {},
        Err(errno) => Err(format!("exec: `{path}`: {errno}")),
    }
}

/// Takes on the user and drops every other privilege.
fn assume(credentials: &ProcessCredentials) -> Result<(), String> {
    let failed = |what: &str, error: &dyn std::fmt::Display| format!("cannot {what}: {error}");
    system::bound_capabilities(&credentials.capabilities)
        .map_err(|error| failed("bound the capabilities", &error))?;
    if credentials.user.is_some() || credentials.group.is_some() {
        let group = Gid::from_raw(credentials.group.unwrap_or(0));
        setgroups(&[]).map_err(|error| failed("drop supplementary groups", &error))?;
        setgid(group).map_err(|error| failed("change the group", &error))?;
    }
    let keeps: &[u32] = match credentials.user {
        None | Some(0) => &credentials.capabilities,
        Some(user) => {
            setuid(Uid::from_raw(user)).map_err(|error| failed("change the user", &error))?;
            &[]
        }
    };
    system::set_capabilities(keeps).map_err(|error| failed("drop capabilities", &error))
}

fn find(name: &str, variables: &[(String, String)]) -> Option<Utf8PathBuf> {
    if name.contains('/') {
        return Some(name.into());
    }
    let path = variables
        .iter()
        .rev()
        .find(|(variable, _)| variable == "PATH")
        .map_or("", |(_, value)| value);
    path.split(':')
        .filter(|folder| !folder.is_empty())
        .map(|folder| Utf8Path::new(folder).join(name))
        .find(|candidate| candidate.is_file())
}

/// Writes the failure for the supervisor to read, and returns the clone's exit code.
fn report_failure(reporter: &OwnedFd, outcome: Result<Infallible, String>) -> i32 {
    let Err(reason) = outcome;
    let reporter: BorrowedFd<'_> = reporter.as_fd();
    // There is no other way to report a failure of this.
    let _ = nix::unistd::write(reporter, reason.as_bytes());
    127
}

fn describe_pipe(errno: Errno) -> String {
    format!("cannot make a pipe: {errno}")
}
