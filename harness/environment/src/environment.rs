//! The trait of everything that can run pods.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::fault::EnvironmentFault;
use super::fleet::Fleet;
use super::pod::Pod;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_core::model::feature::{Feature, FeatureSet};
use harness_core::model::identity::PodName;
use harness_core::model::image_use::ImagesInUse;
use harness_core::model::kubelet::Kubelet;
use harness_core::stack::Stack;

/// A place that can run pods.
#[async_trait]
pub trait Environment: fmt::Debug + Send + Sync {
    /// Returns what it is, as reports name it.
    fn kind(&self) -> EnvironmentKind;

    /// Returns whose probes, hooks and signals its pods see.
    fn kubelet(&self) -> Kubelet;

    /// Returns what this environment can carry out.
    fn features(&self) -> FeatureSet;

    /// Returns why it lacks a feature, where there is more to say than that it does.
    fn why_not(&self, feature: Feature) -> Option<String> {
        let _ = feature;
        None
    }

    /// Returns what ran where, for the report: kernel, Kubernetes version, runtime.
    fn facts(&self) -> BTreeMap<String, String>;

    /// Returns which images the run's pods ran so far, by digest; nothing where there are no images.
    fn images(&self) -> ImagesInUse {
        BTreeMap::new()
    }

    /// Creates the pod. Returns once it exists, not once it is ready: what a pod does before
    /// readiness is what several scenarios are about.
    ///
    /// # Errors
    ///
    /// When the pod cannot be created at all. A container that refuses to start is not an error
    /// here: it shows in the pod's timeline.
    async fn create(&self, name: PodName, stack: &Stack) -> Result<Arc<dyn Pod>, EnvironmentFault>;

    /// Creates a Deployment with so many pods of the stack behind one Service. Returns once it exists, not once it has settled.
    ///
    /// # Errors
    ///
    /// When the environment has no Deployments, or it cannot be created.
    async fn create_fleet(
        &self,
        name: PodName,
        stack: &Stack,
        replicas: u32,
    ) -> Result<Arc<dyn Fleet>, EnvironmentFault> {
        let _ = (name, stack, replicas);
        Err(EnvironmentFault::NotCarriedOut {
            path: None,
            what: "a Deployment".into(),
        })
    }

    /// Removes what was made for the run as a whole, and every pod that is left of it. No pod is created afterwards.
    ///
    /// # Errors
    ///
    /// When something of it is left.
    async fn finish(&self) -> Result<(), EnvironmentFault> {
        Ok(())
    }
}
