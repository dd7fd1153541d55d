//! The suite tested on itself: wrong agents and wrong deployments, each with the scenarios that must notice it.

pub mod attempt;
pub mod document;
pub mod document_path;
pub mod documents;
pub mod edit;
pub mod listing;
pub mod load;
pub mod matrix;
pub mod mutant_file;
pub mod operation;
pub mod record;
pub mod verdict;
