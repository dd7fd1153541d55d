//! What serves a run as a whole: its namespaces, its driver's pod, and the observers of the nodes.
//!
//! It uses [`super::cluster`] and [`super::delivery`], and [`super::api`] below them.

pub(super) mod namespace;
pub(super) mod namespace_pool;
pub(super) mod observer;
pub(super) mod observing;
pub(super) mod run_space;
pub(super) mod sweep;
