//! Which scenarios the user wants.

use std::sync::Arc;

use crate::catalogue::scenario::Scenario;

/// How many near names an error suggests.
const SUGGESTIONS: usize = 3;

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Parts of names, or ids; empty means all.
    pub wanted: Vec<String>,
    /// Parts of names, or ids, that are left out.
    pub excluded: Vec<String>,
}

/// A filter that matches nothing.
#[derive(Debug, thiserror::Error)]
#[error("no scenario matches `{filter}`")]
pub struct NothingSelected {
    /// The filter.
    pub filter: String,
    /// The nearest names.
    pub nearest: Vec<String>,
}

impl NothingSelected {
    /// Says that a filter matches nothing, with the names that are nearest to it.
    pub fn new(filter: &str, scenarios: &[Scenario]) -> Self {
        Self {
            filter: filter.into(),
            nearest: nearest(filter, scenarios),
        }
    }
}

impl Selection {
    /// Picks the scenarios.
    ///
    /// # Errors
    ///
    /// When one of the filters matches nothing.
    pub fn apply(&self, scenarios: Vec<Scenario>) -> Result<Vec<Arc<Scenario>>, NothingSelected> {
        for filter in self.wanted.iter().chain(&self.excluded) {
            if !scenarios.iter().any(|scenario| matches(filter, scenario)) {
                return Err(NothingSelected::new(filter, &scenarios));
            }
        }
        let picked: Vec<Arc<Scenario>> = scenarios
            .into_iter()
            .filter(|scenario| {
                let wanted = self.wanted.is_empty()
                    || self.wanted.iter().any(|filter| matches(filter, scenario));
                wanted && !self.excluded.iter().any(|filter| matches(filter, scenario))
            })
            .map(Arc::new)
            .collect();
        if picked.is_empty() {
            return Err(NothingSelected {
                filter: self.excluded.join(" "),
                nearest: Vec::new(),
            });
        }
        Ok(picked)
    }
}

/// Returns whether a filter is a part of the name, the id, or the id without its suffix.
fn matches(filter: &str, scenario: &Scenario) -> bool {
    let id = scenario.spec.id.as_str();
    scenario.name.as_str().contains(filter) || id == filter || id.split('-').next() == Some(filter)
}

fn nearest(filter: &str, scenarios: &[Scenario]) -> Vec<String> {
    let mut ranked: Vec<(f64, String)> = scenarios
        .iter()
        .map(|scenario| {
            let name = scenario.name.as_str();
            let tail = name.rsplit("::").next().unwrap_or_default();
            let likeness = [name, tail, scenario.spec.id.as_str()]
                .into_iter()
                .map(|candidate| strsim::jaro_winkler(filter, candidate))
                .fold(0.0, f64::max);
            (likeness, name.to_owned())
        })
        .collect();
    ranked.sort_by(|left, right| right.0.total_cmp(&left.0));
    ranked
        .into_iter()
        .take(SUGGESTIONS)
        .map(|(_, name)| name)
        .collect()
}
