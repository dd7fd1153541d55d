//! Asks the agent of an image that the user has named what it is and which options it has.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};

use crate::EnvironmentFault;
use crate::kube::api::fault::ask;
use crate::kube::api::{objects, status};
use crate::kube::space::run_space::RunSpace;

/// The most that is read of an answer, in bytes.
const LONGEST_ANSWER: i64 = 256 * 1024;

/// What an agent says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AgentTraits {
    version: String,
    usage: String,
}

impl AgentTraits {
    /// Returns whether its list of options has this one.
    pub fn has_option(&self, name: &str) -> bool {
        self.usage.contains(name)
    }

    /// Returns whether it is our reference stub.
    pub fn is_reference_stub(&self) -> bool {
        self.version.starts_with("agent-stub ")
    }
}

/// Runs the image once for each question.
pub(in crate::kube) async fn probe_agent(
    space: &RunSpace,
    image: &str,
) -> Result<AgentTraits, EnvironmentFault> {
    let (version, usage) = tokio::try_join!(
        answer(space, image, "agent-version", "--version"),
        answer(space, image, "agent-usage", "--usage"),
    )?;
    Ok(AgentTraits { version, usage })
}

async fn answer(
    space: &RunSpace,
    image: &str,
    name: &str,
    argument: &str,
) -> Result<String, EnvironmentFault> {
    let namespace = space.own_namespace().await?;
    let mut pod = objects::once(name, &space.run, image, &[argument]);
    space.images.pulls.put_into_pod(&mut pod);
    space.apply(namespace, name, &pod).await?;
    space
        .await_pod(namespace, name, |pod| {
            status::containers(pod)
                .iter()
                .any(|view| view.instances.iter().any(|instance| instance.end.is_some()))
        })
        .await?;
    let pods: Api<Pod> = Api::namespaced(space.client.clone(), namespace);
    let parameters = LogParams {
        limit_bytes: Some(LONGEST_ANSWER),
        ..LogParams::default()
    };
    ask(
        "read what the agent says of itself",
        pods.logs(name, &parameters),
    )
    .await
}
