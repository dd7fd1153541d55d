//! Whether a trial is carried out in a run.

use harness_core::model::feature::{Feature, FeatureSet};

/// Whether what takes time to try has to be tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trial {
    /// A scenario of the run needs it.
    Needed,
    /// None does.
    NotNeeded,
}

impl Trial {
    /// Returns what follows for a feature from the features that the scenarios of a run need.
    pub fn of(feature: Feature, needed: &FeatureSet) -> Self {
        Self::of_any(&[feature], needed)
    }

    /// Returns what follows for features that one trial shows.
    pub fn of_any(features: &[Feature], needed: &FeatureSet) -> Self {
        if features.iter().any(|feature| needed.contains(feature)) {
            Self::Needed
        } else {
            Self::NotNeeded
        }
    }
}
