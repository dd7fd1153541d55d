//! The suite as a test target: one trial for each scenario, in the cluster of `conformance up` where one is kept, else in `local`.
//!
//! `CONFORMANCE_ENVIRONMENT` chooses: `local`, or `kind` or `k3d` whether a cluster is kept or has to be made.
//! Under nextest, which runs each trial as a process of its own, it is `local` alone. Listing touches nothing. The reports of the run are the
//! authority; the trials follow them.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use camino::Utf8Path;
use jiff::Timestamp;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::Runtime;

use conformance::catalogue::load::{Catalogue, load_catalogue};
use conformance::catalogue::scenario::Scenario;
use conformance::report::console::details;
use conformance::report::files;
use conformance::report::record::ScenarioRecord;
use conformance::run::environments::features_of_local_with_the_stub;
use conformance::run::exit_code::Ending;
use conformance::run::place::Place;
use conformance::run::runtime::runtime;
use conformance::run::setup::{RunSetup, SetupOptions, prepare};
use conformance::run::{record_of, scenario};
use harness_core::model::causes::chain;
use harness_core::model::corpora::Corpora;
use harness_core::model::diagnostic::Colour;
use harness_core::model::feature::FeatureSet;
use harness_core::model::finding::{ScenarioResult, describe_missing};
use harness_core::model::project::{LoadError, Project};
use harness_environment::local::{pod_init_main, pod_stage_main};

mod attached;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("pod-stage") => return pod_stage_main(),
        Some("pod-init") => return pod_init_main(),
        Some(_) | None => {}
    }
    let mut arguments = Arguments::from_args();
    let (place, project) = match attached::open(&mut arguments) {
        Ok(opened) => opened,
        Err(error) => {
            anstream::eprintln!("error: {error}");
            return ExitCode::from(3);
        }
    };
    let catalogue = match load_catalogue(&project) {
        Ok(catalogue) => catalogue,
        Err(error) => return refuse(&error),
    };
    let suite = Arc::new(Suite {
        project,
        place,
        corpora: catalogue.corpora.clone(),
        needed: catalogue
            .scenarios
            .iter()
            .flat_map(|scenario| scenario.spec.features.iter().copied())
            .collect(),
        prepared: OnceLock::new(),
        started_at: Timestamp::now(),
        records: Mutex::default(),
    });
    let trials = trials(catalogue, &suite);
    let conclusion = libtest_mimic::run(&arguments, trials);
    match suite.report() {
        WholeRun::Right => conclusion.exit_code(),
        WholeRun::Wrong => ExitCode::FAILURE,
    }
}

/// Whether anything was wrong with the run besides its scenarios.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum WholeRun {
    Right,
    Wrong,
}

fn trials(catalogue: Catalogue, suite: &Arc<Suite>) -> Vec<Trial> {
    let here = features_of_local_with_the_stub();
    catalogue
        .scenarios
        .into_iter()
        .map(|scenario| {
            let suite = suite.clone();
            let name = scenario.name.to_string();
            // What a trial of nextest says at its end is not looked at: what is unsupported has to be listed as ignored.
            let is_ignored = attached::under_nextest() && !scenario.spec.features.is_subset(&here);
            Trial::ignorable_test(name, move || suite.judge(&scenario))
                .with_ignored_flag(is_ignored)
        })
        .collect()
}

/// What all trials share. It is prepared by the first trial that runs, so that listing starts nothing.
struct Suite {
    project: Project,
    place: Place,
    corpora: Corpora,
    /// What all scenarios need together, whichever of them run.
    needed: FeatureSet,
    prepared: OnceLock<Result<(Runtime, Arc<RunSetup>), String>>,
    started_at: Timestamp,
    records: Mutex<Vec<ScenarioRecord>>,
}

impl Suite {
    fn judge(&self, scenario: &Scenario) -> Result<Completion, Failed> {
        let (runtime, setup) = self
            .prepared
            .get_or_init(|| self.prepare())
            .as_ref()
            .map_err(Failed::from)?;
        let record = runtime.block_on(scenario::run(setup, scenario));
        let verdict = verdict(&record, scenario, &setup.output.folder);
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(record);
        verdict
    }

    /// Writes the reports of the trials that ran, and removes what was made for all of them.
    fn report(&self) -> WholeRun {
        let Some(Ok((runtime, setup))) = self.prepared.get() else {
            return WholeRun::Right;
        };
        let records =
            std::mem::take(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner));
        let record = record_of(setup, self.started_at, records, Ending::Complete);
        let mut whole = WholeRun::Right;
        for finding in &record.findings {
            anstream::eprintln!("the run as a whole failed: {finding}");
            whole = WholeRun::Wrong;
        }
        if let Err(error) = runtime.block_on(setup.environment.finish()) {
            anstream::eprintln!("{}", chain(&error).join(": "));
            whole = WholeRun::Wrong;
        }
        match files::write(&setup.output, &record) {
            Ok(path) => anstream::println!("report: {path}"),
            Err(error) => anstream::eprintln!("{}", chain(&error).join(": ")),
        }
        whole
    }

    fn prepare(&self) -> Result<(Runtime, Arc<RunSetup>), String> {
        let runtime = runtime().map_err(|error| error.to_string())?;
        let options = SetupOptions {
            place: self.place.clone(),
            needed: self.needed.clone(),
            conformance: Some(env!("CARGO_BIN_EXE_conformance").into()),
            ..SetupOptions::default()
        };
        let prepared = prepare(
            self.project.clone(),
            self.corpora.clone(),
            options,
            |what| anstream::eprintln!("{what}"),
        );
        let setup = runtime.block_on(prepared).map_err(|error| {
            let causes = chain(&error).join("\n  caused by: ");
            format!("{causes}\nhint: {}", error.hints().join("\nhint: "))
        })?;
        Ok((runtime, Arc::new(setup)))
    }
}

fn verdict(
    record: &ScenarioRecord,
    scenario: &Scenario,
    folder: &Utf8Path,
) -> Result<Completion, Failed> {
    match &record.result {
        ScenarioResult::Passed => Ok(Completion::Completed),
        ScenarioResult::Unsupported { missing, reasons } => {
            let needs = format!("needs {}", describe_missing(missing, reasons));
            if attached::under_nextest() {
                // It was asked for by `--run-ignored`, and would be shown as passed.
                return Err(format!("unsupported here: {needs}").into());
            }
            Ok(Completion::ignored_with(needs))
        }
        ScenarioResult::Excluded { reason } => Ok(Completion::ignored_with(reason)),
        _ => Err(details(record, Some(scenario), folder, Colour::Plain)
            .unwrap_or_else(|| record.result.as_str().into())
            .into()),
    }
}

fn refuse(error: &LoadError) -> ExitCode {
    if let LoadError::Invalid(complaints) = error {
        for complaint in complaints {
            anstream::eprintln!("{}\n", complaint.render(Colour::Plain));
        }
    }
    anstream::eprintln!("error: {error}");
    ExitCode::from(2)
}
