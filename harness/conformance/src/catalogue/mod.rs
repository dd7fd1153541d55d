//! The scenarios and profiles of a project: what their files say, read and checked.

pub mod carried;
pub mod configuration;
pub mod load;
pub mod profile;
pub mod scenario;
mod validate;
