//! What the parts of a pod's plan share: its address, labels, and how a field is refused that is not carried out.

use std::fmt;

use crate::EnvironmentFault;

/// The longest host name that the kernel and Kubernetes allow.
pub(super) const LONGEST_HOST_NAME: usize = 63;

/// The same in each pod: each has a network of its own.
pub(super) const POD_IP: &str = "10.244.0.2";

/// Says that a field is not carried out.
pub(super) fn not_carried_out(path: &str, value: &dyn fmt::Display) -> EnvironmentFault {
    EnvironmentFault::NotCarriedOut {
        path: Some(path.to_owned()),
        what: format!("`{path}: {value}`"),
    }
}

/// Returns whether a name is what Kubernetes calls a DNS label: such a name is safe in a path.
pub(super) fn is_label(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LONGEST_HOST_NAME).contains(&name.len())
        && name.bytes().all(is_inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}
