//! Carries a whole benchmark out: the self-check, then one generation after another.

use tokio::sync::watch;

use super::error::BenchError;
use super::generations::{self, BenchPlan, GenerationSeen};
use super::self_check::{self, SelfCheck};
use crate::report::terminal::remark;
use crate::run::setup::RunSetup;
use crate::run::{Going, exit_code};

/// What was measured until a run ended, and how it ended.
#[derive(Debug)]
pub struct Measured {
    /// What was seen of a stop and of a delay that were known.
    pub self_check: Option<SelfCheck>,
    /// The generations, in the order in which they were measured.
    pub seen: Vec<GenerationSeen>,
    /// The exit code of a run that was measured to its end or interrupted, or why it could not go on.
    pub ended: Result<u8, BenchError>,
}

/// Checks the machine, and measures one generation after another until one fails or a signal comes.
pub async fn measure(
    setup: &RunSetup,
    plan: &BenchPlan,
    going: &mut watch::Receiver<Going>,
) -> Measured {
    let mut measured = Measured {
        self_check: None,
        seen: Vec::new(),
        ended: Ok(exit_code::PASSED),
    };
    let work = async {
        remark("self-check: a stop and a delay that are known");
        measured.self_check = Some(self_check::run(setup, plan).await?);
        remark(format_args!(
            "measuring {} sets of processes for {} each: {} s and their starts",
            plan.generations,
            plan.duration,
            plan.length().as_secs()
        ));
        for generation in 1..=plan.generations {
            let seen = Box::pin(generations::run(setup, plan, generation, None)).await?;
            remark(format_args!(
                "{generation} of {}: {} requests",
                plan.generations,
                seen.samples.len()
            ));
            measured.seen.push(seen);
        }
        Ok(exit_code::PASSED)
    };
    let ended = tokio::select! {
        ended = Box::pin(work) => ended,
        _ = going.changed() => match *going.borrow() {
            Going::Interrupted(signal) => Ok(signal.exit_code()),
            Going::On => Ok(exit_code::PASSED),
        },
    };
    measured.ended = ended;
    measured
}
