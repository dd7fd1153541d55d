//! Runs scenarios: selection, set-up, parallel execution, the record of the whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use self::exit_code::{Ending, EndingSignal};
use self::setup::RunSetup;
use crate::catalogue::scenario::Scenario;
use crate::report::decisions;
use crate::report::record::{EnvironmentRecord, RunRecord, SCHEMA_VERSION, ScenarioRecord, Totals};
use harness_core::model::digest::sha256;
use harness_core::model::finding::{Fault, ScenarioResult};
use harness_core::model::timespan::TimeSpan;
use harness_verdict::judge::images::judge_run;

mod enforcement;
pub mod environments;
pub mod exit_code;
pub mod fitness;
mod fitness_by_envoy;
pub mod folders;
pub mod place;
pub mod programs;
pub mod proxy_validation;
pub mod runtime;
pub mod scenario;
pub mod selection;
pub mod setup;
pub mod setup_error;
pub mod setup_options;
pub mod subjects;
mod without_judgement;

/// Hears of a run as it goes on.
pub trait RunObserver: Send + Sync {
    /// A scenario began.
    fn scenario_started(&self, scenario: &Scenario);
    /// A scenario ended.
    fn scenario_finished(&self, record: &ScenarioRecord);
}

/// Whether a run goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Going {
    /// It goes on.
    On,
    /// The user wants it to end.
    Interrupted(EndingSignal),
}

/// What ends a run before all its scenarios were run.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunBounds {
    /// What a scenario that does not pass means for those that were not begun.
    pub after_failure: AfterFailure,
    /// The longest time of the run, clean-up excluded.
    pub time: Option<TimeSpan>,
}

/// What a scenario that does not pass means for those that were not begun.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AfterFailure {
    /// They are run all the same.
    #[default]
    GoOn,
    /// They are left out.
    Stop,
}

/// Runs the scenarios, several at a time, and returns the record of the run.
pub async fn run(
    setup: &Arc<RunSetup>,
    scenarios: &[Arc<Scenario>],
    observer: &Arc<dyn RunObserver>,
    bounds: RunBounds,
    mut going: watch::Receiver<Going>,
) -> RunRecord {
    let started_at = Timestamp::now();
    let out_of_time = async {
        match bounds.time {
            Some(time) => tokio::time::sleep(time.as_duration()).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(out_of_time);
    let stopped = Arc::new(AtomicBool::new(false));
    let permits = Arc::new(Semaphore::new(setup.jobs));
    let mut tasks = JoinSet::new();
    for scenario in longest_first(scenarios) {
        let setup = setup.clone();
        let observer = observer.clone();
        let permits = permits.clone();
        let stopped = stopped.clone();
        tasks.spawn(async move {
            let _permit = permits.acquire_owned().await;
            if stopped.load(Ordering::Relaxed) {
                let reason = "another scenario had not passed (`--fail-fast`)".into();
                return scenario::record_without_run(
                    &scenario,
                    ScenarioResult::Excluded { reason },
                );
            }
            observer.scenario_started(&scenario);
            let span = tracing::info_span!("scenario", name = %scenario.name);
            let running = scenario::run(&setup, &scenario).instrument(span);
            let record = Box::pin(running).await;
            match record.result {
                ScenarioResult::Failed(_) | ScenarioResult::Errored(_) => {
                    let stops = bounds.after_failure == AfterFailure::Stop;
                    stopped.fetch_or(stops, Ordering::Relaxed);
                }
                ScenarioResult::Passed
                | ScenarioResult::Unsupported { .. }
                | ScenarioResult::Excluded { .. } => {}
            }
            observer.scenario_finished(&record);
            record
        });
    }
    let mut records = Vec::new();
    let mut ending = Ending::Complete;
    loop {
        tokio::select! {
            ended = tasks.join_next() => match ended {
                Some(Ok(record)) => records.push(record),
                Some(Err(error)) => {
                    tracing::error!(%error, "a scenario's task failed");
                    ending = Ending::InternalFault;
                }
                None => break,
            },
            () = &mut out_of_time => {
                tasks.shutdown().await;
                ending = match ending {
                    Ending::InternalFault => ending,
                    Ending::Complete | Ending::Interrupted(_) | Ending::OutOfTime => Ending::OutOfTime,
                };
                break;
            }
            changed = going.changed() => {
                let signal = match *going.borrow() {
                    Going::Interrupted(signal) => Some(signal),
                    // Whoever could say that the run ends is gone.
                    Going::On => changed.is_err().then_some(EndingSignal::Interrupt),
                };
                if let Some(signal) = signal {
                    tasks.shutdown().await;
                    ending = Ending::Interrupted(signal);
                    break;
                }
            }
        }
    }
    for scenario in scenarios {
        if !records.iter().any(|record| record.name == scenario.name) {
            records.push(scenario::record_without_run(scenario, not_run(ending)));
        }
    }
    record_of(setup, started_at, records, ending)
}

/// Returns what became of a scenario that a run did not come to, by the run's end.
fn not_run(ending: Ending) -> ScenarioResult {
    match ending {
        Ending::Interrupted(_) => ScenarioResult::Excluded {
            reason: "interrupted".into(),
        },
        Ending::OutOfTime => ScenarioResult::Errored(Fault {
            causes: vec!["the time of the run was over before it had been judged".into()],
            hints: vec!["give the run more with `--run-timeout`, or run fewer scenarios".into()],
        }),
        Ending::Complete | Ending::InternalFault => ScenarioResult::Errored(Fault {
            causes: vec!["the harness failed: this is a bug in the suite".into()],
            hints: vec!["the message of the failure stands on standard error".into()],
        }),
    }
}

/// Makes the record of a run from those of its scenarios.
pub fn record_of(
    setup: &RunSetup,
    started_at: Timestamp,
    mut scenarios: Vec<ScenarioRecord>,
    ending: Ending,
) -> RunRecord {
    scenarios.sort_by(|left, right| left.name.cmp(&right.name));
    let images = setup.environment.images();
    let mut record = RunRecord {
        schema_version: SCHEMA_VERSION,
        run: setup.run.clone(),
        started_at,
        finished_at: Timestamp::now(),
        environment: EnvironmentRecord {
            name: setup.environment.kind(),
            kubelet: setup.environment.kubelet(),
            features: setup.features.clone(),
            facts: setup.environment.facts(),
            images: images.clone(),
        },
        options: setup.options.clone(),
        subjects: setup.subjects.clone(),
        totals: Totals::of(&scenarios),
        decisions_sha256: sha256(decisions::render(&scenarios).as_bytes()),
        findings: judge_run(&images),
        scenarios,
        exit_code: 0,
    };
    record.exit_code = exit_code::of_run(&record, ending);
    record
}

/// Orders scenarios so that those which mostly wait begin first.
fn longest_first(scenarios: &[Arc<Scenario>]) -> Vec<Arc<Scenario>> {
    let mut ordered = scenarios.to_vec();
    ordered.sort_by_key(|scenario| scenario.procedure.weight());
    ordered
}
