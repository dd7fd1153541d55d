//! The `local` environment on this machine's kernel: real namespaces, real processes.
//!
//! Where the machine cannot run pods each test fails and says why: a skip would look like a pass.

mod cleanup;
mod containers;
mod egress;
mod envoy;
mod lifecycle;
mod network;
mod support;
mod unprivileged;
mod usage;
