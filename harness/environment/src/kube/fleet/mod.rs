//! The pods of a Deployment.
//!
//! It uses [`super::pod`] and what that uses.

pub(super) mod fleet_objects;
pub(super) mod kube_fleet;
pub(super) mod members;
pub(super) mod status;
