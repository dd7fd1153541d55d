//! `conformance self-test`: shows that the suite can fail, for the right reason.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use clap::Args;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinSet, LocalSet};

use super::cluster_options::{ClusterOptions, refuse_a_cluster_for_each_run};
use super::error::CliError;
use super::interrupts::listen_for_interrupts;
use super::options::{ExecutableOptions, ProjectOptions};
use crate::report::console::details;
use crate::report::terminal::{remark, say};
use crate::run::Going;
use crate::run::exit_code::{self, EndingSignal};
use crate::run::place::Place;
use crate::run::runtime::runtime;
use crate::run::setup::SetupOptions;
use crate::run::subjects::Subjects;
use crate::self_test::attempt::{Attempt, Bench, Scope};
use crate::self_test::load::load_matrix;
use crate::self_test::matrix::{Matrix, Mutant, SENTINELS};
use crate::self_test::record::{MutantRecord, SelfTestRecord, line_of, summary};
use crate::self_test::verdict::{MutantStatus, MutantVerdict, judge, not_run};
use crate::self_test::{document, listing};
use harness_core::model::causes::chain;
use harness_core::model::diagnostic::Colour;
use harness_core::model::finding::ScenarioResult;
use harness_core::model::timespan::TimeSpan;

/// How many scenarios of one mutant run at the same time.
const JOBS_PER_MUTANT: usize = 3;

/// How long a mutant has until it is seen to enforce. The reference stub loads its rules at once, and one that does not enforce at all is
/// waited for in each scenario.
const ENFORCING_WITHIN: Duration = Duration::from_secs(5);
/// The same in a cluster.
const ENFORCING_WITHIN_IN_A_CLUSTER: Duration = Duration::from_secs(15);

/// Options of `self-test`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Parts of the names of mutants; all when none is given.
    #[arg(value_name = "MUTANT")]
    mutants: Vec<String>,

    /// Run every scenario with each mutant, not only those that are named for it and the sentinels: takes hours.
    #[arg(long)]
    full: bool,

    /// Print the matrix as docs/kill-matrix.md has it; nothing is started.
    #[arg(long)]
    markdown: bool,

    /// Mutants that run at the same time. Default: two for each core, in a cluster one in all.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,

    #[command(flatten)]
    project: ProjectOptions,

    #[command(flatten)]
    cluster: ClusterOptions,

    #[command(flatten)]
    executables: ExecutableOptions,
}

/// Runs the self-test, or prints its matrix.
pub(super) fn main(arguments: &Arguments, colour: Colour) -> Result<u8, CliError> {
    let (project, catalogue) = arguments.project.load()?;
    let matrix = load_matrix(&project, &catalogue.scenarios)?;
    if arguments.markdown {
        say(document::render(&matrix, &catalogue.scenarios).trim_end())?;
        return Ok(exit_code::PASSED);
    }
    let mutants = arguments.chosen(&matrix)?;
    let runtime = runtime().map_err(CliError::Runtime)?;
    let place = arguments.cluster.place()?;
    arguments
        .cluster
        .refuse_executables_beside_images(&arguments.executables)?;
    refuse_a_cluster_for_each_run(&place)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let usual = match place {
        Place::Local => 2 * cores,
        Place::Kubernetes(_) => 1,
    };
    let at_a_time = arguments.jobs.map_or(usual, usize::from);
    let enforcing_within = TimeSpan::new(match place {
        Place::Local => ENFORCING_WITHIN,
        Place::Kubernetes(_) => ENFORCING_WITHIN_IN_A_CLUSTER,
    });
    let (interrupt, going) = watch::channel(Going::On);
    let options = SetupOptions {
        place,
        envoy: arguments.executables.envoy.clone(),
        agent_binary: arguments.executables.agent_binary.clone(),
        app_binary: arguments.executables.app_binary.clone(),
        enforcing_within: Some(enforcing_within),
        ..SetupOptions::default()
    };
    let subjects = Subjects::find(&options, &|what: &str| remark(what))?;
    let without_an_entry = listing::without_an_entry(subjects.agent_path(), &matrix)?;
    let bench = Bench {
        subjects,
        options,
        output: project.self_tests.clone(),
        project,
        jobs: JOBS_PER_MUTANT,
        going,
    };
    let code = runtime.block_on(async {
        tokio::spawn(listen_for_interrupts(interrupt));
        let self_test = SelfTest {
            bench: Arc::new(bench),
            full: arguments.full,
            without_an_entry,
            colour,
        };
        // Each mutant's own scenarios are tasks of the runtime; what is around them is light and stays on this thread.
        let around = LocalSet::new();
        around.run_until(self_test.run(&mutants, at_a_time)).await
    });
    // Whatever a scenario left behind in a thread must not hold the command up.
    runtime.shutdown_background();
    code
}

impl Arguments {
    fn chosen(&self, matrix: &Matrix) -> Result<Vec<Arc<Mutant>>, CliError> {
        let has = |mutant: &Mutant, part: &String| mutant.name.contains(part.as_str());
        for part in &self.mutants {
            if !matrix.all().any(|mutant| has(mutant, part)) {
                return Err(CliError::NoMutant { name: part.clone() });
            }
        }
        let chosen = matrix.all().filter(|mutant| {
            self.mutants.is_empty() || self.mutants.iter().any(|part| has(mutant, part))
        });
        Ok(chosen.cloned().collect())
    }
}

struct SelfTest {
    bench: Arc<Bench>,
    full: bool,
    /// Mutants of the agent that no entry is for.
    without_an_entry: Vec<String>,
    colour: Colour,
}

impl SelfTest {
    async fn run(&self, mutants: &[Arc<Mutant>], at_a_time: usize) -> Result<u8, CliError> {
        let began = Instant::now();
        let scope = self.scope_of(mutants);
        remark("running what is right: a scenario that fails for it proves nothing of a mutant");
        let right = self.bench.with_nothing_wrong(&scope, at_a_time).await?;
        if let Some(signal) = self.ended_by() {
            return Ok(signal.exit_code());
        }
        if right.record.exit_code != exit_code::PASSED {
            self.show_what_is_right(&right)?;
            return Ok(right.record.exit_code);
        }
        remark(format_args!(
            "running {} mutants, {at_a_time} at a time",
            mutants.len()
        ));
        let mutants = self.run_mutants(mutants, at_a_time, &right.results).await?;
        if let Some(signal) = self.ended_by() {
            return Ok(signal.exit_code());
        }
        let record = SelfTestRecord {
            mutants,
            without_an_entry: self.without_an_entry.clone(),
            elapsed_milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        let path = record.write(&self.bench.output)?;
        say(format_args!("\n{}", summary(&record, self.colour)))?;
        say(format_args!("report: {path}"))?;
        Ok(record.exit_code())
    }

    fn scope_of(&self, mutants: &[Arc<Mutant>]) -> Scope {
        if self.full {
            return Scope::All;
        }
        let ids: BTreeSet<String> = mutants
            .iter()
            .flat_map(|mutant| mutant.scenarios())
            .chain(SENTINELS.map(str::to_owned))
            .collect();
        Scope::Ids(ids)
    }

    async fn run_mutants(
        &self,
        mutants: &[Arc<Mutant>],
        at_a_time: usize,
        right: &BTreeMap<String, ScenarioResult>,
    ) -> Result<Vec<MutantRecord>, CliError> {
        let permits = Arc::new(Semaphore::new(at_a_time));
        let mut tasks = JoinSet::new();
        let mut records = Vec::new();
        for mutant in mutants {
            // A mutant without a scenario here need not run.
            let verdict = judge(mutant, right);
            if verdict.status() == MutantStatus::NotHere {
                records.push(record_of(mutant, verdict, Duration::ZERO, None));
                continue;
            }
            let bench = self.bench.clone();
            let permits = permits.clone();
            let scope = self.scope_of(std::slice::from_ref(mutant));
            let mutant = mutant.clone();
            tasks.spawn_local(async move {
                let _permit = permits.acquire_owned().await;
                if let Going::Interrupted(_) = *bench.going.borrow() {
                    return None;
                }
                let began = Instant::now();
                let attempt = bench.with_mutant(&mutant, &scope).await;
                Some((mutant, attempt, began.elapsed()))
            });
        }
        while let Some(ended) = tasks.join_next().await {
            let ended = ended.map_err(|error| CliError::Runtime(std::io::Error::other(error)))?;
            let Some((mutant, attempt, elapsed)) = ended else {
                continue;
            };
            let record = match attempt {
                Ok(attempt) => {
                    let verdict = judge(&mutant, &attempt.results);
                    record_of(&mutant, verdict, elapsed, Some(attempt.report))
                }
                Err(error) => record_of(&mutant, not_run(&mutant, &chain(&error)), elapsed, None),
            };
            if self.ended_by().is_none() {
                say(line_of(&record, self.colour))?;
            }
            records.push(record);
        }
        records.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(records)
    }

    fn show_what_is_right(&self, right: &Attempt) -> Result<(), CliError> {
        let folder = right.report.parent().map(Utf8PathBuf::from);
        for scenario in &right.record.scenarios {
            if let Some(text) = details(
                scenario,
                None,
                &folder.clone().unwrap_or_default(),
                self.colour,
            ) {
                say(format_args!("\n{text}"))?;
            }
        }
        say(
            "\nthe suite does not pass with the right agent, so no failure proves anything; no mutant was run",
        )?;
        Ok(say(format_args!("report: {}", right.report))?)
    }

    /// Returns the signal by which the user has ended the self-test.
    fn ended_by(&self) -> Option<EndingSignal> {
        match *self.bench.going.borrow() {
            Going::On => None,
            Going::Interrupted(signal) => Some(signal),
        }
    }
}

fn record_of(
    mutant: &Mutant,
    verdict: MutantVerdict,
    elapsed: Duration,
    report: Option<Utf8PathBuf>,
) -> MutantRecord {
    MutantRecord {
        name: mutant.name.clone(),
        verdict,
        elapsed_milliseconds: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        report,
    }
}
