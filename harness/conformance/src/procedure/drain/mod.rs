//! `drain`: the pod is deleted while requests go on; none may be cut and no attack may slip through.

pub use self::persistent_connections::PersistentConnections;
pub use self::specification::{DrainSpec, DrainStream};

mod carry_out;
mod clients;
mod in_flight;
mod persistent_connections;
mod specification;
mod streams;
mod totals;
