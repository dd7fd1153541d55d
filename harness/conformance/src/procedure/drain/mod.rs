//! `drain`: the pod is deleted while requests go on; none may be cut and no attack may slip through.

pub use self::persistent_connections::{
    CutExpectation, PersistentConnections, ReleaseExpectation, ResponseDataExpectation,
};
pub use self::specification::{DrainSpec, DrainStream};

mod absence;
mod carry_out;
mod clients;
mod due;
mod in_flight;
mod persistent_connections;
mod specification;
mod streams;
