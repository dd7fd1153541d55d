//! `exchange`: requests are sent to a pod that stands, and each is judged.

pub use self::judging::{found_in, judge_joined, record_reconciliation};
pub use self::requests::judge_requests;
pub use self::specification::{
    ClientSecurity, ConnectionChoice, CorpusUse, ExchangeSpec, Precondition,
};
pub use self::working::{
    check_deployment, check_stack, judge_controls, judge_working, show_working,
};

mod carry_out;
mod judging;
mod nameless;
mod requests;
mod specification;
mod working;
