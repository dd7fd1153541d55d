//! Clusters of `kind` and `k3d`: made, kept between runs by a lease, attached to, and removed.
//!
//! It uses [`super::api`] and [`super::command`].

pub(super) mod choice;
pub(super) mod down;
pub(super) mod keeping;
mod kept;
pub(super) mod lease;
pub(super) mod lease_folder;
mod made;
mod node_image;
mod owner_record;
mod removal;
pub(super) mod run_cluster;
pub(super) mod survey;
pub(super) mod sweep;
pub(super) mod tool;
mod tool_processes;
pub(super) mod up;
