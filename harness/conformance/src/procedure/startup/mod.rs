//! `startup`: attacks are sent to the pod's Service from the pod's first moment on, until the rules apply.

pub use self::specification::{ProbeExpectation, ReadinessExpectation, StartupSpec};

mod carry_out;
mod specification;
