//! Tries whether a Service reaches more than one pod, before scenarios rely on it.
//!
//! A node whose kube-proxy cannot write the rules of a second endpoint seems healthy until a Service has one, and then takes in no change
//! of any Service. So nothing of the trial is left when it ends, and the node is known to have noticed.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::EnvironmentFault;
use crate::kube::api::{objects, status};
use crate::kube::space::run_space::RunSpace;
use crate::kube::trials::service_refusal::await_refusal;
use crate::kube::trials::trial::Trial;
use crate::kube::trials::trial_service::{
    PORT, ask_from_driver, await_no_endpoint, make_service, remove_pod, remove_service,
};
use crate::service_answers::{ANSWERED_BY, REACHED_WITHIN, ServiceAnswers};
use harness_core::model::feature::{Feature, FeatureSet};

/// The Service, and the role of its pods.
const TRIAL: &str = "service-trial";
/// The pods.
const PODS: [&str; ANSWERED_BY] = ["service-trial-0", "service-trial-1"];

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
    let address = make_service(space, namespace, TRIAL, TRIAL).await?;
    tokio::try_join!(
        space.driver_pods(),
        start(space, namespace, PODS[0]),
        start(space, namespace, PODS[1]),
    )?;
    let answers = ask_from_driver(space, address, ANSWERED_BY, REACHED_WITHIN).await?;
    remove(space, namespace, address).await?;
    Ok(ServiceReach::of(&answers))
}

async fn start(space: &RunSpace, namespace: &str, name: &str) -> Result<(), EnvironmentFault> {
    let mut pod = objects::answering(name, TRIAL, PORT, &space.run, &space.images.driver);
    space.images.pulls.put_into_pod(&mut pod);
    space.apply(namespace, name, &pod).await?;
    space.await_pod(namespace, name, status::is_ready).await?;
    Ok(())
}

/// Removes the pods, waits until neither the API nor the driver's node has an endpoint left, and removes the Service.
async fn remove(
    space: &RunSpace,
    namespace: &str,
    address: SocketAddr,
) -> Result<(), EnvironmentFault> {
    tokio::try_join!(
        remove_pod(space, namespace, PODS[0]),
        remove_pod(space, namespace, PODS[1])
    )?;
    await_no_endpoint(space, namespace, TRIAL).await?;
    await_refusal(space, &address.to_string()).await?;
    remove_service(space, namespace, TRIAL).await
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
