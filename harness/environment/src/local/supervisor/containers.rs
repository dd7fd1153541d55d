//! The kubelet's runtime, carried out with processes.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use camino::Utf8PathBuf;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time;

use super::dial;
use super::logs::{self, ContainerLog};
use super::reaper::{ChildExit, Reaper};
use super::root::Layout;
use super::spawn::{self, Program, Spawned};
use crate::local::kubelet::{
    ContainerRuntime, Dial, DialAnswer, ExecOutcome, StartFault, StopSignal,
};
use crate::local::plan::PodPlan;
use harness_core::model::timeline::ExitStatus;

/// How long the end of a container waits for the rest of its output. Every writer is dead by
/// then, unless the container has handed its output to another one.
const OUTPUT_DRAINED_WITHIN: Duration = Duration::from_secs(1);

/// How long the end of a command waits for the rest of its output.
const COMMAND_DRAINED_WITHIN: Duration = Duration::from_millis(100);

/// What is kept of a command's output.
const OUTPUT_KEPT: usize = 256;

/// The containers of one pod.
#[derive(Debug)]
pub(super) struct Containers {
    plan: Rc<PodPlan>,
    volumes: Vec<Utf8PathBuf>,
    root: Utf8PathBuf,
    logs: Vec<Rc<ContainerLog>>,
    reaper: Rc<Reaper>,
}

/// A container that was started.
#[derive(Clone, Debug)]
pub(super) struct ContainerProcess {
    /// Its first process.
    pub first: Pid,
    container: usize,
    exit: ChildExit,
    open_streams: watch::Receiver<u8>,
}

impl ContainerProcess {
    /// Returns whether its end was noticed: until then its number belongs to no other process.
    pub(super) fn has_ended(&self) -> bool {
        self.exit.has_ended()
    }
}

impl Containers {
    /// Takes over what was set up for the pod. `root` is the folder on which each container, in
    /// its own mount namespace, builds its root.
    pub(super) fn new(
        plan: Rc<PodPlan>,
        volumes: Vec<Utf8PathBuf>,
        root: Utf8PathBuf,
        logs: Vec<Rc<ContainerLog>>,
        reaper: Rc<Reaper>,
    ) -> Self {
        Self {
            plan,
            volumes,
            root,
            logs,
            reaper,
        }
    }

    /// Returns what the container's root holds at its start.
    pub(super) fn layout(&self, container: usize) -> Layout {
        Layout::new(&self.plan, &self.plan.containers[container], &self.volumes)
    }

    fn program(&self, container: usize, command: Vec<String>) -> Result<Program, String> {
        let plan = &self.plan.containers[container];
        Ok(Program {
            command,
            variables: plan.variables.clone()?,
            working_folder: plan.working_folder.clone(),
            credentials: plan.credentials.clone(),
        })
    }
}

impl ContainerRuntime for Containers {
    type StartedContainer = ContainerProcess;

    async fn start(&self, container: usize) -> Result<ContainerProcess, StartFault> {
        let command = self.plan.containers[container].command.clone();
        let program = self
            .program(container, command)
            .map_err(|reason| StartFault::Configuration { reason })?;
        let layout = self.layout(container);
        let Spawned {
            process,
            exit,
            stdout,
            stderr,
        } = spawn::container(&self.reaper, &program, &layout, &self.root)
            .await
            .map_err(|reason| StartFault::Process { reason })?;
        let open = Rc::new(watch::Sender::new(2));
        let open_streams = open.subscribe();
        for stream in [stdout, stderr] {
            let (log, open) = (Rc::clone(&self.logs[container]), Rc::clone(&open));
            tokio::task::spawn_local(async move {
                logs::pump(stream, log).await;
                open.send_modify(|streams| *streams -= 1);
            });
        }
        Ok(ContainerProcess {
            first: process,
            container,
            exit,
            open_streams,
        })
    }

    async fn wait(&self, process: &ContainerProcess) -> ExitStatus {
        let status = process.exit.wait().await;
        let mut open_streams = process.open_streams.clone();
        let drained = open_streams.wait_for(|streams| *streams == 0);
        if time::timeout(OUTPUT_DRAINED_WITHIN, drained).await.is_err() {
            tracing::warn!(first = %process.first, "output of an ended container is still open");
        }
        status
    }

    fn signal(&self, process: &ContainerProcess, signal: StopSignal) {
        // A number whose end was not collected yet belongs to no other process.
        if process.exit.has_ended() {
            return;
        }
        let signal = match signal {
            StopSignal::Kill => Signal::SIGKILL,
            StopSignal::Term => Signal::SIGTERM,
        };
        let _ = kill(process.first, signal);
    }

    async fn exec(
        &self,
        process: &ContainerProcess,
        command: &[String],
    ) -> Result<ExecOutcome, String> {
        if process.exit.has_ended() {
            return Err("the container does not run".into());
        }
        let program = self.program(process.container, command.to_vec())?;
        let (spawned, guard) = spawn::in_container(&self.reaper, &program, process.first).await?;
        let Spawned {
            exit,
            stdout,
            stderr,
            ..
        } = spawned;
        let (stdout, stderr) = (Drain::new(stdout), Drain::new(stderr));
        let status = exit.wait().await;
        drop(guard);
        let mut output = stdout.finish().await;
        output.extend_from_slice(&stderr.finish().await);
        output.truncate(OUTPUT_KEPT);
        let output = String::from_utf8_lossy(&output);
        Ok(ExecOutcome {
            status,
            output: output.trim_end().escape_debug().to_string(),
        })
    }

    async fn dial(&self, dial: &Dial, within: Duration) -> Result<DialAnswer, String> {
        dial::dial(dial, within).await
    }
}

/// A stream that is read to its end in the background; the beginning is kept.
struct Drain {
    kept: Rc<Cell<Vec<u8>>>,
    reading: JoinHandle<()>,
}

impl Drain {
    fn new(mut stream: pipe::Receiver) -> Self {
        let kept = Rc::new(Cell::new(Vec::new()));
        let target = Rc::clone(&kept);
        let reading = tokio::task::spawn_local(async move {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                let mut bytes = target.take();
                let room = OUTPUT_KEPT.saturating_sub(bytes.len()).min(length);
                bytes.extend_from_slice(&buffer[..room]);
                target.set(bytes);
            }
        });
        Self { kept, reading }
    }

    /// Returns the beginning once the stream has ended, or what there is when something that the
    /// command left behind keeps it open.
    async fn finish(self) -> Vec<u8> {
        let _ = time::timeout(COMMAND_DRAINED_WITHIN, self.reading).await;
        self.kept.take()
    }
}
