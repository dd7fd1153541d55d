//! The wrong deployments: what a platform engineer gets wrong in the proxy's configuration, the manifest or the pod's settings.

mod bodies;
mod cluster;
mod containers;
mod drain;
mod failure;
mod protocol;
mod response_data;
mod routes;
mod row;
mod startup;

use super::matrix::Mutant;

/// The wrong deployments, a table for each area.
pub(super) const DEPLOYMENTS: [&[Mutant]; 9] = [
    bodies::BODIES,
    routes::ROUTES,
    protocol::PROTOCOL,
    failure::FAILURE,
    response_data::RESPONSE_DATA,
    startup::STARTUP,
    drain::DRAIN,
    containers::CONTAINERS,
    cluster::CLUSTER,
];
