//! What may be said of two agents: slower, faster, no difference, or that this run cannot tell.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::difference::{Difference, difference, due_to_requests};
use super::percentile::Percentile;
use super::series::{Series, percentiles};

/// Agents that were measured beside each other.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'a> {
    /// The baseline.
    pub a: &'a Series,
    /// The baseline again: the same program in other processes.
    pub a_again: &'a Series,
    /// The candidate.
    pub b: &'a Series,
}

/// A candidate against a baseline, at one percentile.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Comparison {
    /// At which percentile.
    pub percentile: Percentile,
    /// What the baseline takes, in microseconds, over all of its processes.
    pub baseline: f64,
    /// By how much the baseline's second set of processes is slower than its first: the noise of this very run.
    pub same_against_same: Difference,
    /// By how much the candidate is slower than the baseline.
    pub candidate_against_baseline: Difference,
    /// What follows.
    pub verdict: Verdict,
}

/// What may be said of a candidate.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Verdict {
    /// It is faster.
    Faster(Extent),
    /// The whole interval is within the difference that matters, and the baseline differs from itself by no more than that.
    NoDifference {
        /// The difference that matters, in microseconds.
        within: f64,
    },
    /// It is slower.
    Slower(Extent),
    /// This run cannot tell.
    Inconclusive {
        /// What would settle it.
        settled_by: Remedy,
    },
}

/// How large a difference is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Extent {
    /// The smaller end of its interval, in microseconds.
    pub least: f64,
    /// The larger end.
    pub most: f64,
    /// The estimate in per cent of what the baseline takes.
    pub percent: f64,
}

/// What would settle what a run could not tell.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Remedy {
    /// So many generations in all, of the same length.
    Generations {
        /// How many.
        count: u32,
    },
    /// The same number of generations, each so many times as long.
    LongerGenerations {
        /// How many times as long.
        times: u32,
    },
    /// More generations than are worth a try would be needed: a machine with less beside it.
    QuieterMachine,
    /// The same program differs from itself by at least as much as the candidate does and as matters.
    SteadierBaseline,
}

/// The most generations that are worth a try.
const GENERATIONS_LIMIT: f64 = 60.0;
/// From which part on the requests, and not the processes, are what spreads the generations.
const MOSTLY_REQUESTS: f64 = 0.8;

/// Compares two agents at a percentile, given the difference that matters in microseconds. None where there are too few samples or generations.
pub fn compare(
    compared: &Compared<'_>,
    percentile: Percentile,
    smallest: f64,
    seed: u64,
) -> Option<Comparison> {
    let Compared { a, a_again, b } = *compared;
    let both: Series = a.iter().chain(a_again).cloned().collect();
    let baseline = *percentiles(&both).get(&percentile)?;
    let same = difference(a_again, &[a], percentile)?;
    let candidate = difference(b, &[a, a_again], percentile)?;
    let due_to_requests = || due_to_requests(b, &[a, a_again], percentile, seed);
    Some(Comparison {
        percentile,
        baseline,
        same_against_same: same,
        candidate_against_baseline: candidate,
        // What identical programs differ by in this run is no difference of programs.
        verdict: judge(
            &candidate,
            same.estimate.abs(),
            baseline,
            smallest,
            due_to_requests,
        ),
    })
}

/// Says what follows from a change between two runs: `noise` is what they differ by that is no agent's, in microseconds like the difference that
/// matters, and `base` what the change is a change of.
pub fn judge_change(change: &Difference, noise: f64, base: f64, smallest: f64) -> Verdict {
    // The requests of stored runs are not looked at again: more generations are what is advised.
    judge(change, noise, base, smallest, || 0.0)
}

fn judge(
    candidate: &Difference,
    floor: f64,
    baseline: f64,
    smallest: f64,
    due_to_requests: impl FnOnce() -> f64,
) -> Verdict {
    let reach = candidate.half_width_of_a_verdict();
    let percent = 100.0 * candidate.estimate / baseline;
    if candidate.estimate - reach > floor {
        Verdict::Slower(Extent {
            least: candidate.lower,
            most: candidate.upper,
            percent,
        })
    } else if candidate.estimate + reach < -floor {
        Verdict::Faster(Extent {
            least: -candidate.upper,
            most: -candidate.lower,
            percent: -percent,
        })
    } else if candidate.lower >= -smallest && candidate.upper <= smallest && floor <= smallest {
        Verdict::NoDifference { within: smallest }
    } else {
        let settled_by = remedy(candidate, floor, smallest, due_to_requests);
        Verdict::Inconclusive { settled_by }
    }
}

/// Says what would make the interval narrow enough for a verdict.
fn remedy(
    candidate: &Difference,
    floor: f64,
    smallest: f64,
    due_to_requests: impl FnOnce() -> f64,
) -> Remedy {
    let size = candidate.estimate.abs();
    if floor >= size.max(smallest) {
        return Remedy::SteadierBaseline;
    }
    // Whichever verdict is nearer: that it lies within what matters, or beyond the floor. How many times narrower the interval has to be for it.
    let within = candidate.half_width() / (smallest - size).max(0.0);
    let beyond = candidate.half_width_of_a_verdict() / (size - floor).max(0.0);
    let times = within.min(beyond).powi(2);
    let generations = f64::from(u32::try_from(candidate.generations).unwrap_or(u32::MAX));
    if times * generations > GENERATIONS_LIMIT {
        return Remedy::QuieterMachine;
    }
    if due_to_requests() >= MOSTLY_REQUESTS {
        return Remedy::LongerGenerations {
            times: whole(times).max(2),
        };
    }
    Remedy::Generations {
        count: whole(times * generations).max(whole(generations) + 1),
    }
}

/// Rounds a small number up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is between 0 and 60"
)]
fn whole(number: f64) -> u32 {
    number.ceil() as u32
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Faster(extent) => write!(formatter, "faster by {extent}"),
            Self::NoDifference { within } => {
                write!(formatter, "no difference (within ±{within:.0} µs)")
            }
            Self::Slower(extent) => write!(formatter, "slower by {extent}"),
            Self::Inconclusive { settled_by } => {
                write!(formatter, "inconclusive: {settled_by}")
            }
        }
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            least,
            most,
            percent,
        } = self;
        write!(formatter, "[{least:.0}, {most:.0}] µs ({percent:.1} %)")
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generations { count } => {
                write!(formatter, "about {count} generations would settle it")
            }
            Self::LongerGenerations { times } => {
                write!(
                    formatter,
                    "generations about {times} times as long would settle it"
                )
            }
            Self::QuieterMachine => formatter.write_str(
                "more than 60 generations would be needed; a quieter machine would settle it",
            ),
            Self::SteadierBaseline => {
                formatter.write_str("in this run A differs from itself by as much; run it again")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn interval(lower: f64, upper: f64) -> Difference {
        Difference {
            estimate: f64::midpoint(lower, upper),
            lower,
            upper,
            generations: 5,
        }
    }

    #[rstest]
    #[case(interval(35.0, 45.0), interval(-5.0, 9.0), "slower by [35, 45] µs (10.0 %)")]
    #[case(interval(-45.0, -35.0), interval(-5.0, 9.0), "faster by [35, 45] µs (10.0 %)")]
    #[case(interval(-9.0, 12.0), interval(-5.0, 5.0), "no difference (within ±20 µs)")]
    #[case(interval(-10.0, 40.0), interval(-5.0, 5.0), "inconclusive: about 39 generations would settle it")]
    #[case(
        interval(3.0, 50.0),
        interval(10.0, 60.0),
        "inconclusive: in this run A differs from itself by as much; run it again"
    )]
    #[case(interval(-10.0, 12.0), interval(40.0, 80.0), "inconclusive: in this run A differs from itself by as much; run it again")]
    #[case(
        interval(-900.0, 915.0),
        interval(-1.0, 1.0),
        "inconclusive: more than 60 generations would be needed; a quieter machine would settle it"
    )]
    fn verdicts_say_what_the_intervals_allow(
        #[case] candidate: Difference,
        #[case] same: Difference,
        #[case] said: &str,
    ) {
        assert_eq!(
            judge(&candidate, same.estimate.abs(), 400.0, 20.0, || 0.1).to_string(),
            said
        );
    }

    proptest! {
        #[test]
        fn what_is_slower_one_way_is_faster_the_other(
            estimate in -200.0_f64..200.0, reach in 0.0_f64..200.0, same in -50.0_f64..50.0, smallest in 1.0_f64..50.0,
        ) {
            let there = interval(estimate - reach, estimate + reach);
            let back = interval(-estimate - reach, -estimate + reach);
            let floor = same.abs();
            let pair = (judge(&there, floor, 400.0, smallest, || 0.1), judge(&back, floor, 400.0, smallest, || 0.1));
            let agree = match pair {
                (Verdict::Slower(one), Verdict::Faster(other)) | (Verdict::Faster(one), Verdict::Slower(other)) => {
                    (one.least - other.least).abs() < 1e-9
                }
                (Verdict::NoDifference { .. }, Verdict::NoDifference { .. }) | (Verdict::Inconclusive { .. }, Verdict::Inconclusive { .. }) => true,
                _ => false,
            };
            prop_assert!(agree);
        }
    }
}
