//! What the `kind` and `k3d` environments need: Docker, the tool, and a cluster that is kept or can be made.

use super::check::{Check, Effect, Section, SectionName};
use crate::run::folders::{cluster_records, runtime_folder};
use harness_environment::EnvironmentFault;
use harness_environment::kube::{
    ClusterTool, Lease, LeaseFolder, LeasePurpose, clusters_known_to, clusters_left,
    docker_client_version, docker_daemon_version, node_image_at_hand, reach_kept, tool_version,
};

/// What is done where Docker's client is not there or does not work.
const GET_DOCKER: &str = "install Docker: https://docs.docker.com/engine/install/";
/// What is done where the daemon does not answer.
const START_DOCKER: &str = "`docker info` says why; `sudo systemctl restart docker` starts it anew";
/// What is done where the daemon lets this user not in.
const JOIN_DOCKER: &str = "`sudo usermod --append --groups docker \"$USER\"`, then log in again: the daemon's socket is not open to you";
/// What is done about a kept cluster that does not work.
const REMOVE_KEPT: &str = "`conformance down` removes it, and `conformance up` makes another one";

/// Checks Docker and these tools.
pub(super) async fn examine(tools: &[ClusterTool]) -> Vec<Section> {
    if tools.is_empty() {
        return Vec::new();
    }
    let docker = Section::new(SectionName::Docker, docker().await);
    let engine = match docker.preventing().next() {
        None => Engine::Answers,
        Some(_) => Engine::IsOut,
    };
    let mut sections = vec![docker];
    for tool in tools {
        let name = match tool {
            ClusterTool::K3d => SectionName::K3d,
            ClusterTool::Kind => SectionName::Kind,
        };
        sections.push(Section::new(
            name,
            Box::pin(tool_checks(*tool, engine)).await,
        ));
    }
    sections
}

/// Whether Docker can be asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Engine {
    Answers,
    IsOut,
}

async fn docker() -> Vec<Check> {
    let client = match docker_client_version().await {
        Ok(version) => Check::ok("client", version),
        Err(fault) => Check::of_fault("client", &fault, GET_DOCKER),
    };
    if client.effect == Effect::PreventsRun {
        return vec![client];
    }
    let daemon = match docker_daemon_version().await {
        Ok(version) => Check::ok("daemon", format_args!("version {version}")),
        Err(fault) if is_refused(&fault) => Check::of_fault("daemon", &fault, JOIN_DOCKER),
        Err(fault) => Check::of_fault("daemon", &fault, START_DOCKER),
    };
    vec![client, daemon]
}

fn is_refused(fault: &EnvironmentFault) -> bool {
    fault
        .to_string()
        .to_lowercase()
        .contains("permission denied")
}

async fn tool_checks(tool: ClusterTool, engine: Engine) -> Vec<Check> {
    let name = tool.name();
    let command = match tool_version(tool).await {
        Ok(version) => Check::ok("command", version),
        Err(fault @ EnvironmentFault::TimedOut(_)) => Check::of_fault(
            "command",
            &fault,
            &format!("`{name} version` shows where it hangs"),
        ),
        Err(fault) => Check::missing("command", fault, [install(tool)]),
    };
    let can_be_asked = command.effect == Effect::None && engine == Engine::Answers;
    let mut checks = vec![command];
    if can_be_asked {
        match clusters_known_to(tool).await {
            Ok(known) => {
                checks.push(Check::ok(
                    "clusters",
                    format_args!("{name} knows {}", listed(&known)),
                ));
                checks.extend(Box::pin(cluster_of_a_run(tool, &known)).await);
            }
            Err(fault) => checks.push(Check::of_fault("clusters", &fault, START_DOCKER)),
        }
    }
    checks.push(leftovers(tool));
    checks
}

const fn install(tool: ClusterTool) -> &'static str {
    match tool {
        ClusterTool::K3d => "install k3d: https://k3d.io/stable/#installation",
        ClusterTool::Kind => {
            "install kind: https://kind.sigs.k8s.io/docs/user/quick-start/#installation"
        }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

/// Checks the kept cluster that a run would use, else what a run would make one of.
async fn cluster_of_a_run(tool: ClusterTool, known: &[String]) -> Vec<Check> {
    let kept = LeaseFolder::of_user().and_then(|leases| leases.for_runs(tool));
    match kept {
        Ok(Some(lease)) if known.contains(&lease.name) => vec![kept_cluster(&lease).await],
        Ok(Some(lease)) => vec![
            Check::ok(
                "kept-cluster",
                format_args!("{} is gone; a run makes one of its own", lease.name),
            ),
            node_image(tool).await,
        ],
        Ok(None) => vec![
            Check::ok("kept-cluster", "none; a run makes one and removes it"),
            node_image(tool).await,
        ],
        Err(error) => {
            let fault = EnvironmentFault::from(error);
            vec![Check::of_fault("kept-cluster", &fault, REMOVE_KEPT)]
        }
    }
}

async fn kept_cluster(lease: &Lease) -> Check {
    match reach_kept(lease).await {
        Ok(version) => {
            let until = match lease.purpose {
                LeasePurpose::ForRunsUntil(until) => format!(" until {until:.0}"),
                LeasePurpose::ToLookAt => String::new(),
            };
            Check::ok(
                "kept-cluster",
                format_args!("{} with Kubernetes {version}, kept{until}", lease.name),
            )
        }
        Err(fault) => Check::of_fault("kept-cluster", &fault, REMOVE_KEPT)
            .with_beginning(&format!("{} does not answer", lease.name))
            .with_fix(REMOVE_KEPT),
    }
}

async fn node_image(tool: ClusterTool) -> Check {
    let name = tool.name();
    match node_image_at_hand(tool).await {
        Some(image) => Check::ok("node-image", image),
        None => Check::shown_by_a_run(
            "node-image",
            format_args!("none in Docker; {name} pulls one of its own choice when a run starts"),
            ["`docker pull IMAGE` gets one before, and `--node-image IMAGE` names another one"],
        ),
    }
}

/// Checks what earlier runs left. A lease that cannot be read stops each run.
fn leftovers(tool: ClusterTool) -> Check {
    let found = LeaseFolder::of_user()
        .map_err(EnvironmentFault::from)
        .and_then(|leases| {
            let left = clusters_left(&cluster_records(&runtime_folder()), &leases, tool)?;
            let kept = leases.list()?.into_iter();
            let to_look_at: Vec<String> = kept
                .filter(|lease| lease.tool == tool && lease.purpose == LeasePurpose::ToLookAt)
                .map(|lease| lease.name)
                .collect();
            Ok((left, to_look_at))
        });
    match found {
        Ok((left, to_look_at)) if left.is_empty() && to_look_at.is_empty() => {
            Check::ok("leftovers", "none")
        }
        Ok((left, to_look_at)) => Check::ok(
            "leftovers",
            format_args!(
                "of runs that are gone: {}, which the next run or `conformance clean` removes; of `run --keep`: {}, which `conformance down --kept` removes",
                listed(&left),
                listed(&to_look_at)
            ),
        ),
        Err(fault) => Check::of_fault("leftovers", &fault, REMOVE_KEPT),
    }
}
