//! Carries a whole benchmark or ladder out: the self-check, then one generation after another.

use tokio::sync::watch;

use super::arm::Arm;
use super::error::BenchError;
use super::generations::{self, BenchPlan, GenerationSeen};
use super::ladder::{Raised, Step};
use super::ladder_record::StepRecord;
use super::self_check::{self, SelfCheck};
use crate::report::terminal::remark;
use crate::run::setup::RunSetup;
use crate::run::{Going, exit_code};

/// What was measured until a run ended, and how it ended.
#[derive(Debug)]
pub struct Measured<P> {
    /// What was seen of a stop and of a delay that were known.
    pub self_check: Option<SelfCheck>,
    /// The parts, in the order in which they were measured.
    pub parts: Vec<P>,
    /// The exit code of a run that was measured to its end or interrupted, or why it could not go on.
    pub ended: Result<u8, BenchError>,
}

impl<P> Measured<P> {
    const fn nothing() -> Self {
        Self {
            self_check: None,
            parts: Vec::new(),
            ended: Ok(exit_code::PASSED),
        }
    }
}

/// Checks the machine, and measures one generation after another until one fails or a signal comes.
pub async fn measure(
    setup: &RunSetup,
    plan: &BenchPlan,
    going: &mut watch::Receiver<Going>,
) -> Measured<GenerationSeen> {
    let mut measured = Measured::nothing();
    let work = async {
        measured.self_check = Some(check(setup, plan).await?);
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
            measured.parts.push(seen);
        }
        Ok(exit_code::PASSED)
    };
    measured.ended = until_interrupted(work, going).await;
    measured
}

/// Checks the machine, and measures one step after another until one fails, a signal comes, or a higher step says no more.
pub async fn climb(
    setup: &RunSetup,
    plan: &BenchPlan,
    raised: &Raised,
    steps: &[Step],
    going: &mut watch::Receiver<Going>,
) -> Measured<StepRecord> {
    let mut climbed = Measured::nothing();
    let work = async {
        climbed.self_check = Some(check(setup, plan).await?);
        remark(format_args!(
            "measuring {} steps for {} s each, and their starts",
            steps.len(),
            plan.length().as_secs()
        ));
        for (number, step) in (1..).zip(steps) {
            let plan_of_step = step.plan(plan);
            let mut seen = Vec::new();
            for generation in 1..=plan.generations {
                let run = generations::run(setup, &plan_of_step, generation, None);
                seen.push(Box::pin(run).await?);
            }
            let record = StepRecord::new(step.to_string(), &plan.arms, &seen);
            remark(format_args!("{number} of {}: {raised} {step}", steps.len()));
            let is_decided = record.is_decided(Arm::A);
            climbed.parts.push(record);
            if !is_decided && raised.ends_at_first_failure() {
                break;
            }
        }
        Ok(exit_code::PASSED)
    };
    climbed.ended = until_interrupted(work, going).await;
    climbed
}

async fn check(setup: &RunSetup, plan: &BenchPlan) -> Result<SelfCheck, BenchError> {
    remark("self-check: a stop and a delay that are known");
    self_check::run(setup, plan).await
}

async fn until_interrupted(
    work: impl Future<Output = Result<u8, BenchError>>,
    going: &mut watch::Receiver<Going>,
) -> Result<u8, BenchError> {
    tokio::select! {
        ended = Box::pin(work) => ended,
        // Where no signal can be heard of, the work goes on to its end.
        Ok(()) = going.changed() => match *going.borrow() {
            Going::Interrupted(signal) => Ok(signal.exit_code()),
            Going::On => Ok(exit_code::PASSED),
        },
    }
}
