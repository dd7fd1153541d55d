//! Holds expectations against what was seen, and names every difference.

pub mod contract;
pub mod exchange;
pub mod journey;
pub mod lifecycle;
pub mod lint;
