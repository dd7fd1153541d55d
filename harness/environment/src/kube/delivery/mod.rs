//! How images get to a cluster's nodes, and which images the run's pods ran.
//!
//! It uses [`super::api`] and [`super::command`].

pub(super) mod image_census;
pub(super) mod image_delivery;
pub(super) mod pulls;
mod registry_push;
