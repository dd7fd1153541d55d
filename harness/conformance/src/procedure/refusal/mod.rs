//! `refusal`: a deployment that the agent must refuse loudly, without letting anything through meanwhile.
//!
//! Requests are sent from the proxy's first moment on, until the agent has refused, been restarted and refused again: an agent that
//! serves for a while before it refuses is found.

pub use self::specification::RefusalSpec;

mod carry_out;
mod specification;
