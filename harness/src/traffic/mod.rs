//! Requests as bytes, the driver that sends them, and the records that it keeps.

pub mod plan;
pub mod record;
