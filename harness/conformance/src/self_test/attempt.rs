//! Runs scenarios with one mutant, or with what is right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use camino::Utf8PathBuf;
use tokio::sync::watch;

use super::edit::{EditError, edited};
use super::matrix::{Mutant, Wrong};
use crate::catalogue::load::load_catalogue;
use crate::catalogue::scenario::Scenario;
use crate::report::files::{self, ReportsError};
use crate::report::record::{RunRecord, ScenarioRecord};
use crate::run::place::Place;
use crate::run::setup::{SetupOptions, prepare_with};
use crate::run::setup_error::SetupError;
use crate::run::subjects::Subjects;
use crate::run::{Going, RunBounds, RunObserver, run};
use harness_core::model::finding::ScenarioResult;
use harness_core::model::image_digest::ImageDigest;
use harness_core::model::project::{LoadError, Project};
use harness_environment::EnvironmentFault;

/// The variable that makes the reference stub a mutant.
const MUTANT_VARIABLE: &str = "STUB_MUTANT";

/// Which scenarios run with a mutant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// All of the project.
    All,
    /// These, by their ids; what the project has not is not run.
    Ids(BTreeSet<String>),
}

/// Where and how mutants run.
#[derive(Debug)]
pub struct Bench {
    /// The project as it is.
    pub project: Project,
    /// The options of every run; the agent's settings, the output and the jobs are set for each.
    pub options: SetupOptions,
    /// What takes part in every run.
    pub subjects: Subjects,
    /// The folder that holds a folder for each mutant.
    pub output: Utf8PathBuf,
    /// How many scenarios of one mutant run at the same time.
    pub jobs: usize,
    /// Hears when the user wants it all to end.
    pub going: watch::Receiver<Going>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Attempt {
    /// The results of its scenarios, by their ids.
    pub results: BTreeMap<String, ScenarioResult>,
    /// The whole record.
    pub record: RunRecord,
    /// Its `report.json`.
    pub report: Utf8PathBuf,
}

/// Why nothing was proven with a mutant.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// The deployment cannot be made wrong.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The project cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The run cannot begin.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The environment cannot be put away.
    #[error(transparent)]
    Environment(#[from] EnvironmentFault),
    /// The reports cannot be written.
    #[error(transparent)]
    Reports(#[from] ReportsError),
}

/// Reports nothing of a mutant's scenarios while they run: the result is reported for the mutant as a whole.
struct Silent;

impl RunObserver for Silent {
    fn scenario_started(&self, _: &Scenario) {}

    fn scenario_finished(&self, _: &ScenarioRecord) {}
}

impl Bench {
    /// Runs scenarios with a mutant.
    pub async fn with_mutant(
        &self,
        mutant: &Mutant,
        scope: &Scope,
    ) -> Result<Attempt, AttemptError> {
        let mut options = SetupOptions {
            jobs: Some(self.jobs),
            ..self.options.clone()
        };
        let name = mutant.name.as_str();
        match &mutant.wrong {
            Wrong::Agent(agent) => {
                options.overrides.variables =
                    BTreeMap::from([(MUTANT_VARIABLE.into(), agent.value.clone())]);
                self.run(&self.project, options, name, scope).await
            }
            Wrong::Deployment(changes) => {
                let wrong = edited(&self.project, changes, &self.output.join(name))?;
                self.run(&wrong.project, options, name, scope).await
            }
            Wrong::Image(role) => {
                // Where nothing runs from an image, the scenarios of these mutants are unsupported.
                if let Place::Kubernetes(place) = &mut options.place {
                    // That another image runs than was named, and that another was named than runs, is one fault.
                    let expected = &mut place.images.expected_digests;
                    expected.insert(*role, ImageDigest::of_no_image());
                }
                self.run(&self.project, options, name, scope).await
            }
        }
    }

    /// Runs scenarios with the right agent in the right deployment, under the load of so many mutants: what then passes does not fail for
    /// the load alone.
    pub async fn with_nothing_wrong(
        &self,
        scope: &Scope,
        mutants_at_a_time: usize,
    ) -> Result<Attempt, AttemptError> {
        let options = SetupOptions {
            jobs: Some(mutants_at_a_time * self.jobs),
            ..self.options.clone()
        };
        self.run(&self.project, options, "nothing-wrong", scope)
            .await
    }

    async fn run(
        &self,
        project: &Project,
        options: SetupOptions,
        folder: &str,
        scope: &Scope,
    ) -> Result<Attempt, AttemptError> {
        let catalogue = load_catalogue(project)?;
        let scenarios: Vec<Arc<Scenario>> = catalogue
            .scenarios
            .into_iter()
            .filter(|scenario| match scope {
                Scope::All => true,
                Scope::Ids(ids) => ids.contains(scenario.spec.id.as_str()),
            })
            .map(Arc::new)
            .collect();
        let options = SetupOptions {
            needed: scenarios
                .iter()
                .flat_map(|scenario| scenario.spec.features.iter().copied())
                .collect(),
            output: Some(self.output.join(folder)),
            ..options
        };
        let setup = prepare_with(
            &self.subjects,
            project.clone(),
            catalogue.corpora,
            options,
            |_: &str| {},
        );
        let setup = Arc::new(setup.await?);
        let observer: Arc<dyn RunObserver> = Arc::new(Silent);
        let record = run(
            &setup,
            &scenarios,
            &observer,
            RunBounds::default(),
            self.going.clone(),
        )
        .await;
        setup.environment.finish().await?;
        let report = files::write(&setup.output, &record)?;
        let results = record
            .scenarios
            .iter()
            .map(|scenario| (scenario.id.clone(), scenario.result.clone()))
            .collect();
        Ok(Attempt {
            results,
            record,
            report,
        })
    }
}
