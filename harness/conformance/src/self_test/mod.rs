//! The suite tested on itself: wrong agents and wrong deployments, each with the scenarios that must notice it.

pub mod agents;
pub mod attempt;
pub mod deployments;
pub mod document;
pub mod edit;
pub mod listing;
pub mod matrix;
pub mod record;
pub mod verdict;
