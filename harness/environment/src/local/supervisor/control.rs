//! Serves the harness' requests on the control socket.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::rc::Rc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{
    AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional,
};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::time;

use super::containers::{ContainerProcess, Containers};
use super::inspecting::{SupervisedContainer, inspect};
use super::reaper::Reaper;
use super::{dial, spawn, usage};
use crate::inspection::{InspectionAnswer, InspectionRequest};
use crate::local::kubelet::{ContainerActivity, PodState};
use crate::local::plan::PodPlan;
use crate::local::protocol::{ControlFault, ControlReply, ControlRequest, LONGEST_LINE};
use harness_core::model::timeline::LifecycleEvent;

/// What the requests act upon.
#[derive(Debug)]
pub(super) struct Control {
    pub plan: Rc<PodPlan>,
    pub state: Rc<PodState<ContainerProcess>>,
    pub containers: Rc<Containers>,
    pub reaper: Rc<Reaper>,
    pub drivers: RefCell<HashSet<i32>>,
}

impl Control {
    /// Serves for ever.
    pub(super) async fn serve(self: Rc<Self>, listener: UnixListener) -> io::Result<()> {
        loop {
            let (connection, _) = listener.accept().await?;
            let control = Rc::clone(&self);
            tokio::task::spawn_local(async move {
                // A harness that hangs up in the middle has no further interest.
                let _ = control.answer(connection).await;
            });
        }
    }

    async fn answer(&self, connection: UnixStream) -> io::Result<()> {
        let mut connection = BufReader::new(connection);
        let mut line = Vec::new();
        (&mut connection)
            .take(LONGEST_LINE as u64)
            .read_until(b'\n', &mut line)
            .await?;
        let request: ControlRequest = serde_json::from_slice(&line)?;
        // The harness sends nothing after its request until it has the reply, so nothing is lost
        // with the buffer.
        let mut connection = connection.into_inner();
        match request {
            ControlRequest::Watch => self.watch(connection).await,
            ControlRequest::StartDriver => self.start_driver(connection),
            ControlRequest::Connect { port } => connect(port, connection).await,
            other => {
                let reply = self
                    .carry_out(other)
                    .await
                    .unwrap_or_else(ControlReply::Refused);
                send(&mut connection, &reply).await
            }
        }
    }

    async fn carry_out(&self, request: ControlRequest) -> Result<ControlReply, ControlFault> {
        match request {
            ControlRequest::Http { request, within } => {
                match time::timeout(within, dial::ask(&request)).await {
                    Ok(Ok(response)) => Ok(ControlReply::Http(response)),
                    Ok(Err(detail)) => Err(ControlFault::Failed {
                        action: format!("ask port {} of the pod", request.port),
                        detail,
                        errno: None,
                    }),
                    Err(_) => Err(ControlFault::TimedOut {
                        waited_for: format!(
                            "an answer to {} {} on port {}",
                            request.method, request.path, request.port
                        ),
                        budget: within,
                        last_seen: "no complete answer".into(),
                    }),
                }
            }
            ControlRequest::EndDriver { process } => {
                let pid = Pid::from_raw(process);
                if self.drivers.borrow_mut().remove(&process) && self.reaper.is_alive(pid) {
                    let _ = kill(pid, Signal::SIGKILL);
                }
                Ok(ControlReply::Done)
            }
            ControlRequest::Inspect { container, request } => self
                .inspect(&container, request)
                .await
                .map(ControlReply::Inspected),
            ControlRequest::Usage { container } => {
                let (_, process) = self.running(&container)?;
                usage::of(process.first)
                    .map(ControlReply::Usage)
                    .map_err(|error| {
                        let action = format!("measure what container `{container}` takes");
                        ControlFault::from_io(action, &error)
                    })
            }
            ControlRequest::RequestDeletion => {
                self.state.request_deletion(self.plan.rules.grace);
                Ok(ControlReply::Done)
            }
            ControlRequest::Watch
            | ControlRequest::StartDriver
            | ControlRequest::Connect { .. } => Err(ControlFault::Failed {
                action: "answer in one line".into(),
                detail: "the request takes over its connection".into(),
                errno: None,
            }),
        }
    }

    async fn inspect(
        &self,
        name: &str,
        request: InspectionRequest,
    ) -> Result<InspectionAnswer, ControlFault> {
        let (position, process) = self.running(name)?;
        if let InspectionRequest::Inject(fault) = &request {
            let fault = fault.outcome().into();
            self.state
                .record(position, LifecycleEvent::FaultInjected { fault });
            if process.has_ended() {
                return Ok(InspectionAnswer::done_now());
            }
        }
        let action = request.action(name);
        let container = SupervisedContainer {
            first: process.first,
            pod: &self.plan,
            plan: &self.plan.containers[position],
            initial: || self.containers.layout(position).paths(),
        };
        inspect(&container, request)
            .await
            .map_err(|error| ControlFault::from_io(action, &error))
    }

    fn running(&self, name: &str) -> Result<(usize, ContainerProcess), ControlFault> {
        let fault = |state: String| ControlFault::ContainerState {
            container: name.to_owned(),
            state,
        };
        let position = self
            .state
            .position(name)
            .ok_or_else(|| fault("is not part of the pod".into()))?;
        match self.state.activity(position) {
            ContainerActivity::Running(process) => Ok((position, process)),
            ContainerActivity::Waiting(reason) => Err(fault(reason)),
        }
    }

    /// Sends every event as it happens, until the harness hangs up.
    async fn watch(&self, mut connection: UnixStream) -> io::Result<()> {
        let mut count = self.state.event_count();
        let mut sent = 0;
        loop {
            let events = self.state.events_from(sent);
            sent += events.len();
            let mut lines = Vec::new();
            for event in &events {
                serde_json::to_writer(&mut lines, event)?;
                lines.push(b'\n');
            }
            connection.write_all(&lines).await?;
            if count.wait_for(|count| *count > sent).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Starts the driver with this connection as its standard input and output.
    fn start_driver(&self, connection: UnixStream) -> io::Result<()> {
        let connection = connection.into_std()?;
        connection.set_nonblocking(false)?;
        // The reply is written before the driver can write: it starts stopped at its plan, which
        // the harness sends only after the reply.
        let reply = match spawn::driver(&self.reaper, &connection) {
            Ok((process, _)) => {
                self.drivers.borrow_mut().insert(process.as_raw());
                ControlReply::DriverStarted {
                    process: process.as_raw(),
                }
            }
            Err(error) => ControlReply::Refused(ControlFault::from_io("start the driver", &error)),
        };
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        (&connection).write_all(&line)
    }
}

/// Leads a connection of the harness to a port of the pod, until one side hangs up.
async fn connect(port: u16, mut harness: UnixStream) -> io::Result<()> {
    match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        Ok(mut port) => {
            send(&mut harness, &ControlReply::Connected).await?;
            copy_bidirectional(&mut harness, &mut port).await?;
            Ok(())
        }
        Err(error) => {
            let fault = ControlFault::from_io(format!("connect to port {port} of the pod"), &error);
            send(&mut harness, &ControlReply::Refused(fault)).await
        }
    }
}

async fn send(connection: &mut UnixStream, reply: &ControlReply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    connection.write_all(&line).await
}
