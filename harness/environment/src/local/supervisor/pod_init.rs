//! `conformance pod-init`: brings a pod up inside its namespaces and serves it to its end.
//!
//! It has one thread. It lives as long as its standard input stays open: the harness holds the
//! other end, so a harness that is gone takes the pod with it.

use std::cell::RefCell;
use std::io;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::rc::Rc;

use camino::Utf8PathBuf;
use nix::mount::{MsFlags, mount};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::UnixListener;
use tokio::net::unix::pipe;
use tokio::task::LocalSet;

use super::containers::Containers;
use super::control::Control;
use super::logs::ContainerLog;
use super::reaper::Reaper;
use super::stage::TRIAL_ARGUMENT;
use super::way_out::WayOut;
use super::{network, service, system, trial, volumes};
use crate::local::container_logs::FIRST_LOG_DESCRIPTOR;
use crate::local::kubelet::{PodState, RehearsedKubelet};
use crate::local::plan::PodPlan;
use crate::local::protocol::LONGEST_LINE;
use harness_core::model::terminating_endpoints::TerminatingEndpoints;

/// Why the supervisor could not bring up its pod.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}")]
pub(super) struct SupervisorError {
    action: String,
    #[source]
    source: io::Error,
}

pub(super) fn failed_to(action: impl Into<String>) -> impl FnOnce(io::Error) -> SupervisorError {
    move |source| SupervisorError {
        action: action.into(),
        source,
    }
}

/// Runs `pod-init`.
#[expect(
    clippy::print_stderr,
    reason = "standard error is the only way to the harness before the control socket is served"
)]
pub fn pod_init_main() -> ExitCode {
    let is_trial = std::env::args().any(|argument| argument == TRIAL_ARGUMENT);
    let result = if is_trial { trial::run() } else { run() };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}: {}", error.source);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), SupervisorError> {
    system::die_with_parent().map_err(failed_to("tie the pod to the harness"))?;
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed_to("start the supervisor's runtime"))?;
    LocalSet::new().block_on(&runtime, supervise())
}

async fn supervise() -> Result<(), SupervisorError> {
    let stdin = pipe::Receiver::from_owned_fd(system::inherited_descriptor(0))
        .map_err(failed_to("read the plan"))?;
    let mut stdin = BufReader::new(stdin);
    let plan = read_plan(&mut stdin)
        .await
        .map_err(failed_to("read the plan"))?;
    let listener: std::os::unix::net::UnixListener = system::inherited_descriptor(1).into();
    let listener = listener
        .set_nonblocking(true)
        .and_then(|()| UnixListener::from_std(listener))
        .map_err(failed_to("serve the control socket"))?;

    let reaper = Rc::new(Reaper::default());
    let ended = Reaper::listen().map_err(failed_to("listen for children that end"))?;
    let (volumes, root) = set_up(&plan)?;
    let logs = (FIRST_LOG_DESCRIPTOR..)
        .take(plan.rules.containers.len())
        .map(|number| {
            Rc::new(ContainerLog::new(
                system::inherited_descriptor(number).into(),
            ))
        })
        .collect();

    let plan = Rc::new(plan);
    let names = plan.rules.containers.iter();
    let state = Rc::new(PodState::new(names.map(|container| container.name.clone())));
    let containers = Rc::new(Containers::new(
        Rc::clone(&plan),
        volumes,
        root,
        logs,
        Rc::clone(&reaper),
    ));
    let control = Rc::new(Control {
        plan: Rc::clone(&plan),
        state: Rc::clone(&state),
        containers: Rc::clone(&containers),
        reaper: Rc::clone(&reaper),
        drivers: RefCell::default(),
    });
    let (service, target) = (
        (address(&plan.service_ip)?, plan.service_port).into(),
        (address(&plan.pod_ip)?, plan.target_port).into(),
    );
    if let Some(container) = plan.way_out_of {
        let way_out = WayOut::open(&plan.folder, Rc::clone(&state), container)
            .await
            .map_err(failed_to("open the agent's way out"))?;
        tokio::task::spawn_local(way_out.run());
    }
    let kubelet = RehearsedKubelet::new(containers, plan.rules.clone(), Rc::clone(&state));
    let reaping = tokio::task::spawn_local(async move { reaper.run(ended).await });
    let endpoint = match plan.terminating_endpoints {
        TerminatingEndpoints::Unused => state.readiness(),
        TerminatingEndpoints::Used => state.serving(),
    };
    tokio::task::spawn_local(service::run(service, target, endpoint));
    tokio::task::spawn_local(kubelet.run());
    tokio::select! {
        served = control.serve(listener) => served.map_err(failed_to("serve the control socket")),
        _ = reaping => Err(failed_to("collect children")(io::Error::other("no more signals"))),
        () = lifeline_cut(stdin) => Ok(()),
    }
}

async fn read_plan(stdin: &mut BufReader<pipe::Receiver>) -> io::Result<PodPlan> {
    let mut line = Vec::new();
    stdin
        .take(LONGEST_LINE as u64)
        .read_until(b'\n', &mut line)
        .await?;
    serde_json::from_slice(&line).map_err(io::Error::from)
}

/// Waits until the harness has closed its end, or is gone.
async fn lifeline_cut(mut stdin: BufReader<pipe::Receiver>) {
    let mut ignored = [0; 64];
    while matches!(stdin.read(&mut ignored).await, Ok(1..)) {}
}

/// Prepares the namespaces: mounts, host name, network, volumes. Returns where the volumes are and
/// on which folder containers build their roots.
fn set_up(plan: &PodPlan) -> Result<(Vec<Utf8PathBuf>, Utf8PathBuf), SupervisorError> {
    own_mounts()?;
    raise_descriptor_limit().map_err(failed_to("raise the limit of descriptors"))?;
    nix::unistd::sethostname(&plan.host_name)
        .map_err(io::Error::from)
        .map_err(failed_to("set the host name"))?;
    network::bring_up(address(&plan.pod_ip)?, address(&plan.service_ip)?)
        .map_err(failed_to("bring up the pod's network"))?;
    let volumes = volumes::make(&plan.folder.join("volumes"), &plan.volumes)
        .map_err(failed_to("make the pod's volumes"))?;
    let root = plan.folder.join("root");
    fs_err::create_dir(&root).map_err(failed_to("make the folder for roots"))?;
    Ok((volumes, root))
}

/// Containers inherit the limit; a container runtime gives them as much as there is.
fn raise_descriptor_limit() -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(io::Error::from)
}

/// Separates the mounts from the host's and shows this namespace's own processes.
pub(super) fn own_mounts() -> Result<(), SupervisorError> {
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .map_err(io::Error::from)
        .map_err(failed_to("separate the pod's mounts from the host's"))?;
    let inert = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), inert, None::<&str>)
        .map_err(io::Error::from)
        .map_err(failed_to("mount /proc in the pod"))
}

fn address(text: &str) -> Result<Ipv4Addr, SupervisorError> {
    text.parse().map_err(|error| {
        failed_to(format!("use `{text}` as an address"))(io::Error::new(
            io::ErrorKind::InvalidInput,
            error,
        ))
    })
}
