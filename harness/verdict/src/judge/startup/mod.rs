//! What a pod owes from its first moment on: which attacks slip through until the rules apply, and when it is ready.

pub use self::attacks::{Attacks, Leak, judge_attacks};
pub use self::expectation::{AttackExpectation, Enforcement, Entrance, LeakExpectation};
pub use self::gap::judge_gap;
pub use self::readiness::{judge_closed, judge_lasting_readiness, judge_time_to_ready};

mod attacks;
mod expectation;
mod gap;
mod readiness;
