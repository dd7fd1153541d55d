//! What takes part in a run: the executables, what identifies them, and the images made of them. Several runs can share them.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::OnceCell;

use super::programs::{GivenBinaries, Programs, find_programs, make_images, own_executable};
use super::setup_error::SetupError;
use super::setup_options::SetupOptions;
use harness_artifacts::executable::Identity;
use harness_artifacts::image::Images;

/// The agent's name among the identities.
pub const AGENT: &str = "agent";

/// Envoy's name among the identities.
pub const ENVOY: &str = "envoy";

/// What takes part in one run or in several.
#[derive(Debug)]
pub struct Subjects {
    pub(super) programs: Programs,
    /// The harness's own executable.
    pub(super) conformance: Utf8PathBuf,
    pub(super) identities: BTreeMap<String, Identity>,
    images: OnceCell<Images>,
}

impl Subjects {
    /// Finds the executables, takes carried ones where the user has named none, and identifies each. `say` hears what takes time.
    ///
    /// # Errors
    ///
    /// When one is not there or cannot be read.
    pub fn find(options: &SetupOptions, say: &impl Fn(&str)) -> Result<Self, SetupError> {
        let conformance = match &options.conformance {
            Some(path) => path.clone(),
            None => own_executable()?,
        };
        let programs = find_programs(options, &conformance, say)?;
        let identities = BTreeMap::from([
            (AGENT.to_owned(), Identity::of(&programs.agent)?),
            (
                "application".to_owned(),
                Identity::of(&programs.application)?,
            ),
            (ENVOY.to_owned(), Identity::of(&programs.envoy)?),
            ("harness".to_owned(), Identity::of(&conformance)?),
        ]);
        Ok(Self {
            programs,
            conformance,
            identities,
            images: OnceCell::new(),
        })
    }

    /// Returns the executable of the agent under test.
    pub fn agent_path(&self) -> &Utf8Path {
        &self.agent().path
    }

    /// Returns the agent under test.
    pub(super) fn agent(&self) -> &Identity {
        &self.identities[AGENT]
    }

    /// Returns the images, which are made when they are asked for the first time.
    pub(super) async fn images(
        &self,
        given: GivenBinaries<'_>,
        archives: &Utf8Path,
        say: &(impl Fn(&str) + Sync),
    ) -> Result<Images, SetupError> {
        let make = || {
            make_images(
                &self.conformance,
                &self.programs.envoy,
                &given,
                archives,
                say,
            )
        };
        Ok(self.images.get_or_try_init(make).await?.clone())
    }
}
