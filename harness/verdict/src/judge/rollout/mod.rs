//! What a fleet owes while it changes: the two streams, the statuses of denials, and the pods that join.

pub use self::denials::judge_denials;
pub use self::expectation::{LeakedExpectation, LossExpectation, StreamExpectation};
pub use self::joining::{Joining, is_denied, judge_presence};
pub use self::streams::{StreamRequest, Timelines, judge_streams};

mod denials;
mod expectation;
mod joining;
mod streams;
mod totals;
