//! Holds expectations against what was seen, and names every difference.

mod agent_record;
pub mod agreement;
pub mod bound;
pub mod contract;
pub mod endurance;
pub mod essence;
pub mod exchange;
pub mod fleet;
pub mod header_fields;
pub mod images;
pub mod lifecycle;
pub mod lint;
pub mod redirect_chain;
pub mod upstream;
