//! Which scenarios the user wants.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::catalogue::scenario::Scenario;
use harness_core::model::feature::Feature;
use harness_core::model::level::Level;

/// How many near names an error suggests.
const SUGGESTIONS: usize = 3;

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Parts of names, or ids; empty means all.
    pub wanted: Vec<String>,
    /// Parts of names, or ids, that are left out.
    pub excluded: Vec<String>,
    /// Only these groups; empty means all.
    pub groups: Vec<String>,
    /// Only scenarios that need one of these features; empty means all.
    pub features: Vec<Feature>,
    /// No scenarios that need one of these features.
    pub excluded_features: Vec<Feature>,
    /// Only scenarios of this level.
    pub level: Option<Level>,
    /// Only this part of them.
    pub shard: Option<Shard>,
}

/// One of several parts, which together are all: every so-many-th scenario by name, so that slow groups are spread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shard {
    /// Which part, from 1 on.
    pub index: usize,
    /// How many parts there are.
    pub count: usize,
}

/// The most parts.
const MOST_SHARDS: usize = 1000;

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = |text: &str| text.parse::<usize>().ok();
        text.split_once('/')
            .and_then(|(index, count)| {
                Some(Self {
                    index: parse(index)?,
                    count: parse(count)?,
                })
            })
            .filter(|shard| (1..=shard.count).contains(&shard.index) && shard.count <= MOST_SHARDS)
            .ok_or_else(|| {
                format!("`{text}` is not a part such as 1/4; there are up to {MOST_SHARDS}")
            })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index, self.count)
    }
}

/// Why the filters select nothing.
#[derive(Debug, thiserror::Error)]
pub enum NothingSelected {
    /// A filter has no text: as a part of a name it would match every scenario.
    #[error("a filter is empty")]
    EmptyFilter,
    /// There is no group of that name.
    #[error("there is no group `{name}`")]
    NoGroup {
        /// The name.
        name: String,
        /// The groups that there are.
        known: Vec<String>,
    },
    /// The filters together leave nothing.
    #[error("no scenario is left by {filters}")]
    NothingLeft {
        /// The options that were given.
        filters: String,
    },
    /// A filter matches nothing.
    #[error("no scenario matches `{filter}`")]
    NoMatch {
        /// The filter.
        filter: String,
        /// The nearest names and ids.
        nearest: Vec<String>,
    },
}

impl NothingSelected {
    /// Says that a filter matches nothing, with what is nearest to it.
    pub fn no_match(filter: &str, scenarios: &[Scenario]) -> Self {
        Self::NoMatch {
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
            if filter.trim().is_empty() {
                return Err(NothingSelected::EmptyFilter);
            }
            if !scenarios.iter().any(|scenario| matches(filter, scenario)) {
                return Err(NothingSelected::no_match(filter, &scenarios));
            }
        }
        let known: BTreeSet<&str> = scenarios.iter().map(|one| one.name.group()).collect();
        if let Some(name) = self
            .groups
            .iter()
            .find(|name| !known.contains(name.as_str()))
        {
            return Err(NothingSelected::NoGroup {
                name: name.clone(),
                known: known.into_iter().map(String::from).collect(),
            });
        }
        let picked: Vec<Arc<Scenario>> = scenarios
            .into_iter()
            .filter(|scenario| {
                let wanted = self.wanted.is_empty()
                    || self.wanted.iter().any(|filter| matches(filter, scenario));
                wanted
                    && !self.excluded.iter().any(|filter| matches(filter, scenario))
                    && self.has_kind(scenario)
            })
            .map(Arc::new)
            .collect();
        let picked: Vec<Arc<Scenario>> = match self.shard {
            Some(Shard { index, count }) => {
                picked.into_iter().skip(index - 1).step_by(count).collect()
            }
            None => picked,
        };
        if picked.is_empty() {
            return Err(NothingSelected::NothingLeft {
                filters: self.described(),
            });
        }
        Ok(picked)
    }

    fn has_kind(&self, scenario: &Scenario) -> bool {
        let group = scenario.name.group();
        let features = &scenario.spec.features;
        let needs_one_of = |named: &[Feature]| named.iter().any(|one| features.contains(one));
        (self.groups.is_empty() || self.groups.iter().any(|name| name == group))
            && (self.features.is_empty() || needs_one_of(&self.features))
            && !needs_one_of(&self.excluded_features)
            && self.level.is_none_or(|level| level == scenario.spec.level)
    }

    /// Writes the filters as options.
    fn described(&self) -> String {
        let mut options = self.wanted.clone();
        options.extend(
            self.excluded
                .iter()
                .map(|filter| format!("--exclude {filter}")),
        );
        options.extend(self.groups.iter().map(|name| format!("--group {name}")));
        options.extend(
            self.features
                .iter()
                .map(|feature| format!("--feature {feature}")),
        );
        options.extend(
            self.excluded_features
                .iter()
                .map(|feature| format!("--exclude-feature {feature}")),
        );
        options.extend(self.level.map(|level| format!("--level {level}")));
        options.extend(self.shard.map(|shard| format!("--shard {shard}")));
        format!("`{}`", options.join(" "))
    }
}

/// Returns whether a filter is a part of the name, the id, or the id without its suffix. Ids are found in any case.
fn matches(filter: &str, scenario: &Scenario) -> bool {
    let id = scenario.spec.id.as_str();
    let is_id = |id: Option<&str>| id.is_some_and(|id| id.eq_ignore_ascii_case(filter));
    scenario.name.as_str().contains(filter) || is_id(Some(id)) || is_id(id.split('-').next())
}

/// Returns the names and ids that are nearest to a filter, each scenario once.
fn nearest(filter: &str, scenarios: &[Scenario]) -> Vec<String> {
    let mut ranked: Vec<(f64, String)> = scenarios
        .iter()
        .map(|scenario| {
            let name = scenario.name.as_str();
            let tail = name.rsplit("::").next().unwrap_or_default();
            let id = scenario.spec.id.as_str();
            let likeness = |candidate: &str| strsim::jaro_winkler(filter, candidate);
            let of_id = likeness(id).max(likeness(&id.to_lowercase()));
            let of_name = likeness(name).max(likeness(tail));
            (of_id.max(of_name), format!("{name} ({id})"))
        })
        .collect();
    ranked.sort_by(|left, right| right.0.total_cmp(&left.0));
    ranked
        .into_iter()
        .take(SUGGESTIONS)
        .map(|(_, shown)| shown)
        .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1/1", Some((1, 1)))]
    #[case("4/4", Some((4, 4)))]
    #[case("0/4", None)]
    #[case("5/4", None)]
    #[case("1/1001", None)]
    #[case("1", None)]
    #[case("1/x", None)]
    fn a_part_is_one_of_those_that_there_are(
        #[case] text: &str,
        #[case] expected: Option<(usize, usize)>,
    ) {
        let shard: Option<Shard> = text.parse().ok();
        assert_eq!(shard.map(|shard| (shard.index, shard.count)), expected);
    }
}
