//! What containers write, followed through the API over all restarts.
//!
//! It uses [`super::api`] alone.

pub(super) mod container_log;
mod log_answer;
pub(super) mod log_follower;
