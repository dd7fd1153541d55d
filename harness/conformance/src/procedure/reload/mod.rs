//! `reload`: the source of the agent's rules changes while attacks and benign requests go on.
//!
//! An agent that is restarted to that end may be missing for a while, which the proxy answers by failing closed.

pub use self::specification::{ReloadSpec, ReloadStep};

mod carry_out;
mod specification;
