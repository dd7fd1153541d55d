//! What the `existing` environment needs: a kubeconfig, a server that answers, rights, and a way for images.

use super::check::Check;
use harness_environment::kube::{Grant, KubeContext, Need, ReachedCluster, Right};

/// What is done where the kubeconfig is of no use.
const GET_KUBECONFIG: &str = "set KUBECONFIG to a kubeconfig, or have one in ~/.kube/config; `--context NAME` chooses a context of it";
/// What is done where the server does not answer.
const REACH_SERVER: &str = "`kubectl --context NAME version` asks the same server";
/// What is done where the server does not say what may be done.
const ASK_RIGHTS: &str = "`kubectl auth can-i --list` asks the same server";

/// Checks a context of the kubeconfig and its cluster.
pub(super) async fn examine(context: Option<String>) -> Vec<Check> {
    let context = match KubeContext::read(context).await {
        Ok(context) => context,
        Err(fault) => {
            return vec![
                Check::of_fault("kubeconfig", &fault, GET_KUBECONFIG).with_fix(GET_KUBECONFIG),
            ];
        }
    };
    let mut checks = vec![Check::ok(
        "kubeconfig",
        format_args!("context {} at {}", context.name(), context.server()),
    )];
    match context.reach().await {
        Ok(cluster) => {
            checks.push(Check::ok(
                "server",
                format_args!("answers with Kubernetes {}", cluster.version()),
            ));
            let (rights, leftovers) = tokio::join!(rights(&cluster), leftovers(&cluster));
            checks.extend(rights);
            checks.push(leftovers);
        }
        Err(fault) => checks.push(Check::of_fault("server", &fault, REACH_SERVER)),
    }
    checks.push(Check::shown_by_a_run(
        "image-delivery",
        "the nodes of your cluster get a run's images by one of three ways, of which none is tried here",
        ["give a run `--registry PREFIX`, `--image-load COMMAND`, or the names of images: `--agent-image` and its like"],
    ));
    checks
}

async fn rights(cluster: &ReachedCluster) -> Vec<Check> {
    let answers = match cluster.rights().await {
        Ok(answers) => answers,
        Err(fault) => return vec![Check::of_fault("rights", &fault, ASK_RIGHTS)],
    };
    let granted = listed(&answers, Grant::Granted);
    let mut checks = Vec::new();
    if !granted.is_empty() {
        let granted = granted.iter().map(|(words, _)| words.as_str());
        checks.push(Check::ok("rights", granted.collect::<Vec<_>>().join("; ")));
    }
    for (words, right) in listed(&answers, Grant::Refused) {
        let fixes = [format!(
            "an administrator binds a cluster role with it to you; `kubectl auth can-i {}` asks the same",
            right.as_kubectl_asks()
        )];
        checks.push(match right.need {
            Need::EveryRun => Check::missing("rights", format_args!("you may not {words}"), fixes),
            Need::Rollouts => Check::missing_in_part(
                "rights",
                format_args!("you may not {words}: scenarios of a rollout cannot be judged"),
                fixes,
            ),
        });
    }
    checks
}

/// Puts the verbs of each resource together: `create, get pods/exec`; with the first right of each.
fn listed(answers: &[(Right, Grant)], wanted: Grant) -> Vec<(String, Right)> {
    let rights: Vec<Right> = answers
        .iter()
        .filter(|(_, grant)| *grant == wanted)
        .map(|(right, _)| *right)
        .collect();
    rights
        .chunk_by(|left, right| left.resource == right.resource)
        .map(|group| {
            let verbs: Vec<&str> = group.iter().map(|right| right.verb).collect();
            let first = group[0];
            (format!("{} {}", verbs.join(", "), first.resource), first)
        })
        .collect()
}

/// The next run removes what is left, so that nothing is missing where something is.
async fn leftovers(cluster: &ReachedCluster) -> Check {
    match cluster.left_namespaces().await {
        Ok(left) if left.is_empty() => Check::ok("leftovers", "none"),
        Ok(left) => Check::ok(
            "leftovers",
            format_args!(
                "the namespaces {}; the next run removes them, and so does `conformance clean --context NAME`",
                left.join(", ")
            ),
        ),
        Err(fault) => Check::of_fault("leftovers", &fault, ASK_RIGHTS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verbs_of_a_resource_stand_together() {
        let answers: Vec<(Right, Grant)> = Right::all()
            .map(|right| match right.resource {
                "pods/exec" => (right, Grant::Refused),
                _ => (right, Grant::Granted),
            })
            .collect();
        let refused = listed(&answers, Grant::Refused);
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].0, "create, get pods/exec");
        assert_eq!(refused[0].1.verb, "create");
        let granted = listed(&answers, Grant::Granted);
        assert!(
            granted
                .iter()
                .any(|(words, _)| words == "create, delete, list namespaces")
        );
    }
}
