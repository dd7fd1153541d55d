//! What is tried in a cluster before a run's first pod: its agent's image, its Services, its admission.
//!
//! It uses [`super::space`] and [`super::api`].

pub(super) mod admission_trial;
pub(super) mod agent_probe;
pub(super) mod node_census;
pub(super) mod service_refusal;
pub(super) mod service_trial;
pub(super) mod terminating_trial;
pub(super) mod trial;
mod trial_service;
