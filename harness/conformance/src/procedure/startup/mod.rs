//! `startup`: attacks are sent to the pod's Service from the pod's first moment on, until the rules apply.

pub use self::specification::{
    Entrance, LeakExpectation, ProbeExpectation, ReadinessExpectation, StartupSpec,
};

mod attacks;
mod carry_out;
mod gap;
mod specification;
