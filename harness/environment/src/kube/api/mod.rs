//! What the harness gives the Kubernetes API and what the API answers: connection, requests, objects, statuses.
//!
//! It uses no other module of [`super`]; all others use it.

mod client;
pub(super) mod connection;
pub(super) mod endpoints;
pub(super) mod exec;
pub(super) mod fault;
pub(super) mod image_names;
pub(super) mod labels;
pub(super) mod latest;
pub(super) mod nodes;
pub(super) mod objects;
pub(super) mod ownership;
pub(super) mod processor;
pub(super) mod status;
