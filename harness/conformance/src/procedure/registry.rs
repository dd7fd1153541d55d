//! The register of procedures: a line for each, which makes its section part of a scenario file.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::interface::Procedure;
use harness_core::model::feature::Feature;
use harness_core::model::level::Level;
use harness_core::model::located::{Located, Position};
use harness_core::model::stack_settings::StackSettings;

/// The section of a scenario file that gives its procedure.
#[derive(Clone, Debug)]
pub struct Section {
    /// The section's name, which is the procedure's.
    pub name: &'static str,
    /// Where it stands.
    pub position: Position,
    procedure: Arc<dyn Procedure>,
}

impl Deref for Section {
    type Target = dyn Procedure;

    fn deref(&self) -> &Self::Target {
        &*self.procedure
    }
}

/// Makes the type of a scenario file of what every scenario says and of one section for each procedure.
macro_rules! procedures {
    ($($(#[$documentation:meta])* $section:ident: $specification:ty,)+) => {
        /// The text of a scenario file. Exactly one procedure is given.
        #[derive(Clone, Debug, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct ScenarioFile {
            /// The id in the catalogue (`A02`), or `G01` and onwards for the guide's own claims.
            pub id: Located<String>,
            /// One sentence: what holds.
            pub summary: String,
            /// What fails in real life when it does not hold.
            pub why: String,
            /// Where the requirement comes from.
            #[serde(default)]
            pub references: Vec<String>,
            /// Whether every agent must pass, or only those with the features.
            #[serde(default)]
            pub level: Level,
            /// What the environment and the agent must be able to do.
            #[serde(default)]
            pub features: BTreeSet<Feature>,
            /// What is deployed.
            #[serde(default)]
            pub stack: StackSettings,
            $(
                $(#[$documentation])*
                #[serde(default)]
                $section: Option<Located<$specification>>,
            )+
        }

        /// The names of the sections that give a procedure.
        pub const SECTIONS: &[&str] = &[$(stringify!($section)),+];

        impl ScenarioFile {
            /// Returns the sections that give a procedure, in the order in which they stand. A valid file has one.
            pub fn sections(&self) -> Vec<Section> {
                let mut sections = Vec::new();
                $(
                    if let Some(section) = &self.$section {
                        sections.push(Section {
                            name: stringify!($section),
                            position: section.position,
                            procedure: Arc::new(section.value.clone()),
                        });
                    }
                )+
                sections.sort_by_key(|section| section.position);
                sections
            }
        }
    };
}

procedures! {
    /// Whether the cluster lets the pod in.
    admission: super::admission::AdmissionSpec,
    /// Calls to the agent without a proxy, each judged.
    contract: super::contract::ContractSpec,
    /// Requests while the pod is deleted.
    drain: super::drain::DrainSpec,
    /// What many requests leave behind in the agent.
    endurance: super::endurance::EnduranceSpec,
    /// Requests, each judged.
    exchange: super::exchange::ExchangeSpec,
    /// Which ports of the pod are open to others.
    exposure: super::exposure::ExposureSpec,
    /// What the agent does to its file system.
    filesystem: super::filesystem::FilesystemSpec,
    /// Requests while the agent is disturbed.
    outage: super::outage::OutageSpec,
    /// The digest of each container's image.
    provenance: super::provenance::ProvenanceSpec,
    /// What the kubelet makes of the agent's image and its pull policy.
    pull: super::pull::PullSpec,
    /// A deployment that the agent must refuse.
    refusal: super::refusal::RefusalSpec,
    /// Requests while the agent's rules change.
    reload: super::reload::ReloadSpec,
    /// Requests while a fleet of pods changes.
    rollout: super::rollout::RolloutSpec,
    /// Where the agent's keys show up.
    secrecy: super::secrecy::SecrecySpec,
    /// Attacks from the pod's first moment on.
    startup: super::startup::StartupSpec,
}
