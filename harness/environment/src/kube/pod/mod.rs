//! One pod under test, and agents in pods of their own.
//!
//! It uses [`super::timeline`], [`super::logs`] and [`super::space`], and [`super::api`] below them.

pub(super) mod agent_service;
pub(super) mod kube_pod;
mod pod_http;
pub(super) mod pod_maker;
