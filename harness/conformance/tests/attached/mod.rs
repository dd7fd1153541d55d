//! Where the scenarios of a test target run: what the user says, else the cluster that is kept for runs, else this machine.

use camino::Utf8PathBuf;
use libtest_mimic::Arguments;

use conformance::run::place::{KubernetesPlace, Place};
use harness_core::model::causes::chain;
use harness_core::model::environment_kind::{EnvironmentKind, UnknownEnvironment};
use harness_core::model::project::Project;
use harness_environment::kube::{
    ClusterChoice, ClusterNodes, ClusterTool, ImageChoice, Keeping, LeaseFolder,
};

/// Says where the scenarios run.
const ENVIRONMENT_VARIABLE: &str = "CONFORMANCE_ENVIRONMENT";

/// Returns where the scenarios run and the project that they are of, and lets as many trials run at a time as the place bears.
pub(crate) fn open(arguments: &mut Arguments) -> Result<(Place, Project), String> {
    let place = chosen_place()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert(place.jobs(cores));
    let root = Utf8PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let project = Project::at(&root.canonicalize_utf8().unwrap_or(root));
    Ok((place, project))
}

/// Returns whether nextest lists or runs the trials.
pub(crate) fn under_nextest() -> bool {
    std::env::var_os("NEXTEST").is_some()
}

fn chosen_place() -> Result<Place, String> {
    let made = |tool| {
        Place::Kubernetes(KubernetesPlace {
            cluster: ClusterChoice::Made {
                tool,
                nodes: ClusterNodes::default(),
            },
            images: ImageChoice::default(),
            keeping: Keeping::Remove,
        })
    };
    if let Ok(name) = std::env::var(ENVIRONMENT_VARIABLE) {
        let kind = name
            .parse()
            .map_err(|error: UnknownEnvironment| format!("{ENVIRONMENT_VARIABLE}: {error}"))?;
        if under_nextest() && kind != EnvironmentKind::Local {
            return Err(format!(
                "{ENVIRONMENT_VARIABLE} is `{kind}`, and nextest would prepare the cluster anew for each scenario: use `cargo test --test conformance` or `conformance run`"
            ));
        }
        return match kind {
            EnvironmentKind::Existing => Err(format!(
                "{ENVIRONMENT_VARIABLE} is `{kind}`, and a test target runs on `local`, `kind` or `k3d`"
            )),
            EnvironmentKind::K3d => Ok(made(ClusterTool::K3d)),
            EnvironmentKind::Kind => Ok(made(ClusterTool::Kind)),
            EnvironmentKind::Local => Ok(Place::Local),
        };
    }
    if under_nextest() {
        return Ok(Place::Local);
    }
    let leases = LeaseFolder::of_user().map_err(|error| chain(&error).join(": "))?;
    for tool in ClusterTool::ALL {
        let lease = leases.for_runs(tool);
        if let Some(lease) = lease.map_err(|error| chain(&error).join(": "))? {
            anstream::eprintln!(
                "the scenarios run in the cluster {}, which `conformance up` has made ({ENVIRONMENT_VARIABLE}=local runs them here)",
                lease.name
            );
            return Ok(made(tool));
        }
    }
    Ok(Place::Local)
}
