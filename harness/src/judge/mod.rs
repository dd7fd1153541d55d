//! Holds expectations against what was seen, and names every difference.

pub mod exchange;
pub mod journey;
pub mod lifecycle;
pub mod lint;
