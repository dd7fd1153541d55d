//! The Service of a trial and its pods: they are made, asked from the driver's pod, and removed so that no node has a rule of theirs left.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::Resource;
use kube::api::{Api, DeleteParams};
use serde::de::DeserializeOwned;

use crate::EnvironmentFault;
use crate::kube::api::exec::{ask_line, exec};
use crate::kube::api::fault::{ask, bounded, fault, is_absent};
use crate::kube::api::objects::{self, DRIVER};
use crate::kube::space::run_space::RunSpace;
use crate::polling::Polling;
use crate::service_answers::ServiceAnswers;
use harness_core::model::timeouts::TimedOut;

/// Where the pods of a trial answer; also the port of its Service.
pub(super) const PORT: u16 = 8000;

/// The longest answer, in bytes: two names and a failure.
const LONGEST_ANSWER: u64 = 4096;
/// How long a question may take beyond the time for answers: the last connection, and the way there and back.
const ON_THE_WAY: Duration = Duration::from_secs(10);
/// How long one object of the trial may take to be gone.
const GONE_WITHIN: Duration = Duration::from_mins(1);
/// Between two polls of an object.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// Makes a Service in front of the pods of a role; returns its address.
pub(super) async fn make_service(
    space: &RunSpace,
    namespace: &str,
    name: &str,
    role: &str,
) -> Result<SocketAddr, EnvironmentFault> {
    let object = objects::service_of(name, role, PORT, &space.run);
    let service = space.apply(namespace, name, &object).await?;
    let ip: Option<IpAddr> = service
        .spec
        .as_ref()
        .and_then(|spec| spec.cluster_ip.as_ref()?.parse().ok());
    let ip = ip.ok_or_else(|| EnvironmentFault::Cluster {
        action: format!("try the Service `{name}`"),
        detail: "the API gave it no address".into(),
        hint: None,
    })?;
    Ok(SocketAddr::new(ip, PORT))
}

/// Asks an address from the driver's pod until so many pods have answered, or the time is over.
pub(super) async fn ask_from_driver(
    space: &RunSpace,
    address: SocketAddr,
    answers: usize,
    within: Duration,
) -> Result<ServiceAnswers, EnvironmentFault> {
    let pods = space.driver_pods().await?;
    let mut command = objects::command("await-answers");
    command.extend([
        address.to_string(),
        answers.to_string(),
        within.as_millis().to_string(),
    ]);
    let mut exec = exec(&pods, DRIVER, DRIVER, command).await?;
    let line = ask_line(&mut exec, b"", LONGEST_ANSWER, within + ON_THE_WAY).await?;
    serde_json::from_slice(&line).map_err(|error| EnvironmentFault::PodLost {
        reason: format!("what it says of a Service cannot be read: {error}"),
    })
}

/// Waits until the API has no ready endpoint of a Service.
pub(super) async fn await_no_endpoint(
    space: &RunSpace,
    namespace: &str,
    service: &str,
) -> Result<(), EnvironmentFault> {
    until(
        &format!("the Service `{service}` to have no ready endpoint"),
        async || {
            let api = space.endpoints;
            let ready = api
                .ready_addresses(&space.client, namespace, service)
                .await?;
            Ok((!ready.is_empty()).then(|| format!("{} ready endpoints", ready.len())))
        },
    )
    .await
}

/// Removes a pod without grace and waits until it is gone.
pub(super) async fn remove_pod(
    space: &RunSpace,
    namespace: &str,
    name: &str,
) -> Result<(), EnvironmentFault> {
    let pods: Api<Pod> = Api::namespaced(space.client.clone(), namespace);
    remove_object(&pods, name, &DeleteParams::default().grace_period(0)).await
}

/// Removes a Service and waits until it is gone.
pub(super) async fn remove_service(
    space: &RunSpace,
    namespace: &str,
    name: &str,
) -> Result<(), EnvironmentFault> {
    let services: Api<Service> = Api::namespaced(space.client.clone(), namespace);
    remove_object(&services, name, &DeleteParams::default()).await
}

async fn remove_object<K>(
    api: &Api<K>,
    name: &str,
    parameters: &DeleteParams,
) -> Result<(), EnvironmentFault>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let what = format!("the {} `{name}`", K::kind(&()).to_lowercase());
    let action = format!("remove {what}");
    match bounded(&action, api.delete(name, parameters)).await? {
        Ok(_) => {}
        Err(error) if is_absent(&error) => return Ok(()),
        Err(error) => return Err(fault(&action, &error)),
    }
    let action = format!("look for {what}");
    until(&format!("{what} to be gone"), async || {
        let found = ask(&action, api.get_opt(name)).await?;
        Ok(found.map(|_| "it is still there".into()))
    })
    .await
}

/// Polls until there is nothing to say of what is left.
async fn until(
    waited_for: &str,
    mut look: impl AsyncFnMut() -> Result<Option<String>, EnvironmentFault>,
) -> Result<(), EnvironmentFault> {
    let mut polling = Polling::within(GONE_WITHIN, POLL_EVERY);
    let mut last_seen = String::new();
    while polling.next().await {
        match look().await? {
            Some(left) => last_seen = left,
            None => return Ok(()),
        }
    }
    Err(TimedOut {
        waited_for: waited_for.into(),
        budget: GONE_WITHIN.into(),
        last_seen,
    }
    .into())
}
