//! `contract`: calls to the agent's gRPC services without a proxy, each judged by the client's word and the agent's data log.
//!
//! An attack that must be blocked and a benign request that must be allowed begin and end every scenario, on its own connection: an agent
//! that odd messages have thrown off is found.

pub use self::specification::{
    AccessLogSpec, AttributeExtent, BodyExtent, BodyForm, CallPacing, CheckSpec, ContractCall,
    ContractCase, ContractConnection, ContractSpec, HeaderForm, HealthSpec, IdentifierPlace,
    LogEntrySpec, MissingPart, UnknownFields,
};

mod assertions;
mod calls;
mod carry_out;
mod check_message;
mod controls;
mod definition;
mod judging;
mod log_message;
mod round;
mod sent;
mod specification;
mod validation;
