//! Holds the rehearsed kubelet of `local` against a real one: the same scenarios on both, and what their timelines have to agree upon.
//!
//! Needs a cluster: that of `conformance up`, or what `CONFORMANCE_ENVIRONMENT` names. Without one every trial is ignored and says so.
//! Where the two differ, `local` is wrong.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::Runtime;

use conformance::catalogue::load::load_catalogue;
use conformance::catalogue::scenario::Scenario;
use conformance::report::agreement::{Compared, compare, is_about_a_lifecycle};
use conformance::run::place::Place;
use conformance::run::runtime::runtime;
use conformance::run::scenario;
use conformance::run::setup::{RunSetup, SetupOptions, prepare};
use harness_core::model::causes::chain;
use harness_core::model::corpora::Corpora;
use harness_core::model::feature::FeatureSet;
use harness_core::model::project::Project;
use harness_environment::local::{pod_init_main, pod_stage_main};

mod attached;

/// Why nothing is compared.
const NO_CLUSTER: &str =
    "no cluster is attached: `conformance up` makes one, or set CONFORMANCE_ENVIRONMENT=kind";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("pod-stage") => return pod_stage_main(),
        Some("pod-init") => return pod_init_main(),
        Some(_) | None => {}
    }
    let mut arguments = Arguments::from_args();
    let loaded = attached::open(&mut arguments).and_then(|(place, project)| {
        let catalogue = load_catalogue(&project).map_err(|error| error.to_string())?;
        Ok((place, project, catalogue))
    });
    let (place, project, catalogue) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            anstream::eprintln!("error: {error}");
            return ExitCode::from(3);
        }
    };
    let scenarios: Vec<Scenario> = catalogue
        .scenarios
        .into_iter()
        .filter(|scenario| is_about_a_lifecycle(scenario.procedure.name))
        .collect();
    let both = Arc::new(Both {
        project,
        corpora: catalogue.corpora,
        needed: scenarios
            .iter()
            .flat_map(|scenario| scenario.spec.features.iter().copied())
            .collect(),
        place,
        prepared: OnceLock::new(),
    });
    let trials = scenarios
        .into_iter()
        .map(|scenario| {
            let both = both.clone();
            let name = scenario.name.to_string();
            Trial::ignorable_test(name, move || both.hold_against_each_other(&scenario))
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if both.finish() {
        conclusion.exit_code()
    } else {
        ExitCode::FAILURE
    }
}

/// The two environments. They are prepared by the first trial that runs, so that listing starts nothing.
struct Both {
    project: Project,
    corpora: Corpora,
    needed: FeatureSet,
    place: Place,
    prepared: OnceLock<Result<Prepared, String>>,
}

struct Prepared {
    runtime: Runtime,
    rehearsed: RunSetup,
    real: RunSetup,
}

impl Both {
    fn hold_against_each_other(&self, scenario: &Scenario) -> Result<Completion, Failed> {
        match self.place {
            Place::Local => return Ok(Completion::ignored_with(NO_CLUSTER)),
            Place::Kubernetes(_) => {}
        }
        let prepared = self.prepared.get_or_init(|| self.prepare());
        let prepared = prepared.as_ref().map_err(Failed::from)?;
        // One after the other: each is to have the machine as it has in a run of its own.
        let (rehearsed, real) = prepared.runtime.block_on(async {
            let rehearsed = scenario::run(&prepared.rehearsed, scenario).await;
            (rehearsed, scenario::run(&prepared.real, scenario).await)
        });
        match compare(&rehearsed, &real) {
            Compared::Agree => Ok(Completion::Completed),
            Compared::Differ(differences) => {
                let lines: Vec<String> = differences
                    .iter()
                    .map(|difference| format!("  {difference}"))
                    .collect();
                Err(format!("local against the cluster:\n{}", lines.join("\n")).into())
            }
            Compared::Errored(reason) => Err(reason.into()),
            Compared::Not(reason) => Ok(Completion::ignored_with(reason)),
        }
    }

    fn prepare(&self) -> Result<Prepared, String> {
        let runtime = runtime().map_err(|error| error.to_string())?;
        let setup = |place: Place| {
            let options = SetupOptions {
                place,
                needed: self.needed.clone(),
                conformance: Some(env!("CARGO_BIN_EXE_conformance").into()),
                ..SetupOptions::default()
            };
            let prepared = prepare(
                self.project.clone(),
                self.corpora.clone(),
                options,
                |what| {
                    anstream::eprintln!("{what}");
                },
            );
            runtime.block_on(prepared).map_err(|error| {
                format!(
                    "{}\nhint: {}",
                    chain(&error).join("\n  caused by: "),
                    error.hints().join("\nhint: ")
                )
            })
        };
        let rehearsed = setup(Place::Local)?;
        let real = setup(self.place.clone())?;
        Ok(Prepared {
            runtime,
            rehearsed,
            real,
        })
    }

    /// Removes what was made for all trials; returns whether nothing of it is left.
    fn finish(&self) -> bool {
        let Some(Ok(prepared)) = self.prepared.get() else {
            return true;
        };
        [&prepared.rehearsed, &prepared.real]
            .into_iter()
            .filter_map(|setup| {
                let finished = setup.environment.finish();
                prepared.runtime.block_on(finished).err()
            })
            .inspect(|error| anstream::eprintln!("{}", chain(error).join(": ")))
            .count()
            == 0
    }
}
