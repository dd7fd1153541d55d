//! What runs in pods: executables that are found, built or installed, and the OCI images that are made of them. No tokio.

pub mod executable;
pub mod image;
