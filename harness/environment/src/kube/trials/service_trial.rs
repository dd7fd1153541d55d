//! Tries whether a Service reaches more than one pod, before scenarios rely on it.
//!
//! A node whose kube-proxy cannot write the rules of a second endpoint seems healthy until a Service has one, and then takes in no change
//! of any Service. So nothing of the trial is left when it ends, and the node is known to have noticed.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Endpoints, Pod, Service};
use kube::Resource;
use kube::api::{Api, DeleteParams};
use serde::de::DeserializeOwned;

use crate::EnvironmentFault;
use crate::kube::api::exec::{ask_line, exec};
use crate::kube::api::fault::{ask, bounded, fault, is_absent};
use crate::kube::api::objects::{self, DRIVER};
use crate::kube::api::status;
use crate::kube::space::run_space::RunSpace;
use crate::kube::trials::service_refusal::await_refusal;
use crate::kube::trials::trial::Trial;
use crate::polling::Polling;
use crate::service_answers::{ANSWERED_BY, REACHED_WITHIN, ServiceAnswers};
use harness_core::model::feature::{Feature, FeatureSet};
use harness_core::model::timeouts::TimedOut;

/// How long the question may take: `REACHED_WITHIN`, the last connection, and the way there and back.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
/// The longest answer, in bytes: two names and a failure.
const LONGEST_ANSWER: u64 = 4096;
/// How long one object of the trial may take to be gone.
const GONE_WITHIN: Duration = Duration::from_mins(1);
/// Between two polls of an object.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// The Service, and the role of its pods.
const TRIAL: &str = "service-trial";
/// The pods.
const PODS: [&str; ANSWERED_BY] = ["service-trial-0", "service-trial-1"];
/// Where they answer; also the Service's port.
const PORT: u16 = 8000;

/// Which pods of two a Service reaches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::kube) enum ServiceReach {
    /// Both.
    Both,
    /// One or none, as a phrase that follows "Services".
    NotBoth(String),
    /// No scenario needs to know.
    NotTried,
}

impl ServiceReach {
    /// Returns what the report says of Services.
    pub(in crate::kube) fn fact(&self) -> String {
        match self {
            Self::Both => "reach two pods of two".into(),
            Self::NotBoth(words) => words.clone(),
            Self::NotTried => "not tried with two pods: no selected scenario needs it".into(),
        }
    }

    /// Returns the features that follow from it.
    pub(in crate::kube) fn features(&self) -> FeatureSet {
        match self {
            Self::Both => FeatureSet::from([Feature::Rollout]),
            Self::NotBoth(_) | Self::NotTried => FeatureSet::new(),
        }
    }

    /// Returns why there are no rollouts.
    pub(in crate::kube) fn why_no_rollout(&self) -> Option<String> {
        match self {
            Self::Both => None,
            Self::NotBoth(_) | Self::NotTried => Some(format!("Services: {}", self.fact())),
        }
    }

    fn of(answers: &ServiceAnswers) -> Self {
        let names: BTreeSet<&str> = PODS
            .into_iter()
            .filter(|name| answers.names.contains(*name))
            .collect();
        let failure = match &answers.last_failure {
            Some(failure) => format!(
                "; the last one without an answer: {}",
                failure.escape_debug()
            ),
            None => String::new(),
        };
        let asked = format!(
            "{} of {} connections within {} s were answered",
            answers.answered,
            answers.connections,
            REACHED_WITHIN.as_secs()
        );
        match names.len() {
            0 => Self::NotBoth(format!("reach no pod of two: {asked}{failure}")),
            1 => Self::NotBoth(format!(
                "reach one pod of two: {asked}, all by the same pod{failure}"
            )),
            _ => Self::Both,
        }
    }
}

/// Tries it where a scenario needs it, and removes what it took.
pub(in crate::kube) async fn try_service(
    space: &RunSpace,
    trial: Trial,
    say: &(impl Fn(&str) + Sync),
) -> Result<ServiceReach, EnvironmentFault> {
    match trial {
        Trial::Needed => {}
        Trial::NotNeeded => return Ok(ServiceReach::NotTried),
    }
    say("trying whether a Service reaches two pods");
    let namespace = space.own_namespace().await?;
    let object = objects::service_of(TRIAL, TRIAL, PORT, &space.run);
    let service = space.apply(namespace, TRIAL, &object).await?;
    let address = address_of(&service)?;
    tokio::try_join!(
        space.driver_pods(),
        start(space, namespace, PODS[0]),
        start(space, namespace, PODS[1]),
    )?;
    let answers = ask_from_driver(space, address).await?;
    remove(space, namespace, address).await?;
    Ok(ServiceReach::of(&answers))
}

fn address_of(service: &Service) -> Result<SocketAddr, EnvironmentFault> {
    let ip: Option<IpAddr> = service
        .spec
        .as_ref()
        .and_then(|spec| spec.cluster_ip.as_ref()?.parse().ok());
    let ip = ip.ok_or_else(|| EnvironmentFault::Cluster {
        action: "try a Service with two pods".into(),
        detail: "the API gave it no address".into(),
        hint: None,
    })?;
    Ok(SocketAddr::new(ip, PORT))
}

async fn start(space: &RunSpace, namespace: &str, name: &str) -> Result<(), EnvironmentFault> {
    let mut pod = objects::answering(name, TRIAL, PORT, &space.run, &space.images.driver);
    space.images.pulls.put_into_pod(&mut pod);
    space.apply(namespace, name, &pod).await?;
    space.await_pod(namespace, name, status::is_ready).await?;
    Ok(())
}

async fn ask_from_driver(
    space: &RunSpace,
    address: SocketAddr,
) -> Result<ServiceAnswers, EnvironmentFault> {
    let pods = space.driver_pods().await?;
    let mut command = objects::command("await-answers");
    command.push(address.to_string());
    let mut exec = exec(&pods, DRIVER, DRIVER, command).await?;
    let line = ask_line(&mut exec, b"", LONGEST_ANSWER, ANSWERED_WITHIN).await?;
    serde_json::from_slice(&line).map_err(|error| EnvironmentFault::PodLost {
        reason: format!("what it says of a Service cannot be read: {error}"),
    })
}

/// Removes the pods, waits until neither the API nor the driver's node has an endpoint left, and removes the Service.
async fn remove(
    space: &RunSpace,
    namespace: &str,
    address: SocketAddr,
) -> Result<(), EnvironmentFault> {
    let pods: Api<Pod> = Api::namespaced(space.client.clone(), namespace);
    tokio::try_join!(remove_object(&pods, PODS[0]), remove_object(&pods, PODS[1]))?;
    let endpoints: Api<Endpoints> = Api::namespaced(space.client.clone(), namespace);
    let action = format!("look at the endpoints of `{TRIAL}`");
    until(
        &format!("the Service `{TRIAL}` to have no endpoints"),
        async || {
            let found = ask(&action, endpoints.get_opt(TRIAL)).await?;
            let count = found
                .and_then(|found| found.subsets)
                .unwrap_or_default()
                .len();
            Ok((count > 0).then(|| format!("{count} sets of endpoints")))
        },
    )
    .await?;
    await_refusal(space, &address.to_string()).await?;
    let services: Api<Service> = Api::namespaced(space.client.clone(), namespace);
    remove_object(&services, TRIAL).await
}

async fn remove_object<K>(api: &Api<K>, name: &str) -> Result<(), EnvironmentFault>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let what = format!("the {} `{name}`", K::kind(&()).to_lowercase());
    let action = format!("remove {what}");
    match bounded(&action, api.delete(name, &DeleteParams::default())).await? {
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&PODS, None)]
    #[case(&PODS[..1], Some("reach one pod of two: 7 of 9 connections"))]
    #[case(&[], Some("reach no pod of two"))]
    #[case(&["service-trial-1", "a stranger"], Some("reach one pod of two"))]
    fn rollouts_need_both_pods_and_the_reason_says_how_many_answered(
        #[case] names: &[&str],
        #[case] reason: Option<&str>,
    ) {
        let reach = ServiceReach::of(&ServiceAnswers {
            connections: 9,
            answered: 7,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            last_failure: Some("connection timed out\n".into()),
        });
        assert_eq!(
            reach.features().contains(&Feature::Rollout),
            reason.is_none()
        );
        let said = reach.why_no_rollout();
        assert_eq!(said.is_some(), reason.is_some(), "{said:?}");
        let said = said.unwrap_or_default();
        assert!(said.contains(reason.unwrap_or_default()), "{said}");
        assert!(!said.contains('\n'), "{said}");
    }

    #[test]
    fn what_was_not_tried_is_not_claimed() {
        assert_eq!(ServiceReach::NotTried.features(), FeatureSet::new());
        assert!(ServiceReach::NotTried.fact().starts_with("not tried"));
    }
}
