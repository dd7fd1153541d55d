//! What the `local` environment needs of this machine.

use super::check::Check;
use crate::run::folders::runtime_folder;
use crate::run::programs::own_executable;
use harness_core::model::causes::chain;
use harness_environment::local::{check_resources, probe_support, runs_left};

/// What is done where a fault has no hint.
const RUN_ELSEWHERE: &str = "run as root, or in a cluster with `--environment kind`";

/// Checks what pods of `local` need, by trying it.
pub(super) async fn examine() -> Vec<Check> {
    vec![
        namespaces().await,
        match check_resources() {
            Ok(()) => Check::ok("descriptors", "enough for each process of a pod"),
            Err(fault) => Check::of_fault("descriptors", &fault, RUN_ELSEWHERE),
        },
        Check::ok(
            "network",
            "pods have a network of their own and reach nothing beyond the pod: no internet, no name server, no cloud of the vendor; --agent-egress gives the agent a way out",
        ),
        leftovers(),
    ]
}

async fn namespaces() -> Check {
    let own = match own_executable() {
        Ok(own) => own,
        Err(error) => {
            let fix = "start the harness by its whole path";
            return Check::missing("namespaces", chain(&error).join(": "), [fix]);
        }
    };
    match probe_support(&own).await {
        Ok(()) if nix::unistd::geteuid().is_root() => {
            Check::ok("namespaces", "a trial pod was made as root")
        }
        Ok(()) => Check::ok(
            "namespaces",
            "a trial pod was made in an unprivileged user namespace",
        ),
        Err(fault) => Check::of_fault("namespaces", &fault, RUN_ELSEWHERE),
    }
}

/// The next run removes what is left, so that nothing is missing where something is.
fn leftovers() -> Check {
    let folder = runtime_folder();
    match runs_left(&folder) {
        Ok(left) if left.is_empty() => Check::ok("leftovers", "none"),
        Ok(left) => Check::ok(
            "leftovers",
            format_args!(
                "of the runs {}, in {folder}; the next run removes them, and so does `conformance clean`",
                left.join(", ")
            ),
        ),
        Err(error) => Check::missing(
            "leftovers",
            format_args!("what earlier runs left in {folder} cannot be read: {error}"),
            ["`conformance clean` tries to remove it and says more"],
        ),
    }
}
