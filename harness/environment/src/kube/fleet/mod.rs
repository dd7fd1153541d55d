//! The pods of a Deployment.
//!
//! It uses [`super::pod`] and what that uses.

mod fleet_objects;
pub(super) mod kube_fleet;
pub(super) mod members;
mod status;
