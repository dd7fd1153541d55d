//! `endurance`: the agent is looked at before and after many requests, and once more after a rest. How long the proxy waits for it is measured
//! before and after all of that, with one request of a kind under way at a time.
//!
//! The rest begins when the witnesses have told of every request: none is under way then.

pub use self::specification::EnduranceSpec;

mod carry_out;
mod specification;
