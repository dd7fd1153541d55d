//! Holds two timelines of the same scenario against each other: one of a rehearsed kubelet, one of a real one.
//!
//! Moments are never compared, distances between a kubelet's own doings are, with room for its haste.

use std::fmt;

use jiff::SignedDuration;

use super::essence::{ContainerEssence, Essence, LifecycleStep, Moment, Readiness, StartupProbe};
use super::lifecycle::describe;
use harness_core::model::timeline::TimelineEvent;

/// By how much the distance of two steps may differ: a kubelet looks once a second, starts hooks one process after the other and tells of ends late.
const DISTANCE_TOLERANCE: SignedDuration = SignedDuration::from_secs(3);
/// What is this much apart has an order; what is closer may come either way.
const APART: SignedDuration = SignedDuration::from_secs(1);
/// By how much the time between TERM and KILL may differ: a kubelet counts a hook's time in whole seconds.
const GRACE_TOLERANCE_MILLISECONDS: u64 = 1500;

/// Something in which two timelines do not agree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// What is compared.
    pub aspect: String,
    /// What the first one says.
    pub first: String,
    /// What the second one says.
    pub second: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            aspect,
            first,
            second,
        } = self;
        write!(formatter, "{aspect}: {first} against {second}")
    }
}

/// Compares two timelines; what is returned is empty where they agree.
pub fn differences(first: &[TimelineEvent], second: &[TimelineEvent]) -> Vec<Difference> {
    let (first, second) = (Essence::of(first), Essence::of(second));
    let mut found = Differences(Vec::new());
    found.compare(
        "readiness of the pod when its deletion was asked for",
        &first.ready_when_deleted,
        &second.ready_when_deleted,
        |readiness| match readiness {
            None => "no deletion was asked for".into(),
            Some(Readiness::NotReady) => "not ready".into(),
            Some(Readiness::Ready) => "ready".into(),
        },
    );
    let names: Vec<&String> = first
        .containers
        .keys()
        .chain(
            second
                .containers
                .keys()
                .filter(|name| !first.containers.contains_key(*name)),
        )
        .collect();
    for name in names {
        match (first.containers.get(name), second.containers.get(name)) {
            (Some(of_first), Some(of_second)) => found.of_container(name, of_first, of_second),
            (of_first, of_second) => found.compare(
                &format!("container `{name}`"),
                &of_first.is_some(),
                &of_second.is_some(),
                |there| if *there { "seen" } else { "never seen" }.into(),
            ),
        }
    }
    found.of_steps(&first, &second);
    found.0
}

struct Differences(Vec<Difference>);

impl Differences {
    fn add(&mut self, aspect: &str, first: String, second: String) {
        self.0.push(Difference {
            aspect: aspect.into(),
            first,
            second,
        });
    }

    fn compare<T: PartialEq>(
        &mut self,
        aspect: &str,
        first: &T,
        second: &T,
        words: impl Fn(&T) -> String,
    ) {
        if first != second {
            self.add(aspect, words(first), words(second));
        }
    }

    fn of_container(&mut self, name: &str, first: &ContainerEssence, second: &ContainerEssence) {
        let of = |what: &str| format!("{what} of `{name}`");
        let ends = (&first.earlier_ends, &second.earlier_ends);
        // A crash loop goes on until the deletion, and that may come sooner or later; whether there is one at all may not differ.
        let agree = ends.0.iter().zip(ends.1).all(|(left, right)| left == right)
            && ends.0.is_empty() == ends.1.is_empty();
        if !agree {
            let words = |codes: &[i32]| match codes {
                [] => "none".into(),
                codes => format!("{codes:?}"),
            };
            self.add(
                &of("ends before the deletion"),
                words(ends.0),
                words(ends.1),
            );
        }
        self.compare(
            &of("startup probe"),
            &first.startup_probe,
            &second.startup_probe,
            |probe| {
                match probe {
                    StartupProbe::Absent => "absent",
                    StartupProbe::Fails => "never succeeds",
                    StartupProbe::Succeeds => "succeeds",
                }
                .into()
            },
        );
        self.compare(
            &of("order of the start"),
            &first.disorder,
            &second.disorder,
            |disorder| {
                if disorder.is_empty() {
                    "as it has to be".into()
                } else {
                    disorder.iter().copied().collect::<Vec<_>>().join(", ")
                }
            },
        );
        if first.is_between_lives() || second.is_between_lives() {
            // Whether the deletion meets a crash loop's container or its back-off is chance.
            return;
        }
        self.compare(&of("preStop"), &first.pre_stop, &second.pre_stop, |end| {
            end.map_or("nothing", describe).into()
        });
        // A pod that is gone has ended; a kubelet that removes it at once may not have said how.
        if let (Some(first), Some(second)) = (first.last_end, second.last_end) {
            self.compare(&of("exit code"), &first, &second, ToString::to_string);
        }
        let grace = (
            first.kill_after_milliseconds,
            second.kill_after_milliseconds,
        );
        let agree = match grace {
            (Some(first), Some(second)) => first.abs_diff(second) <= GRACE_TOLERANCE_MILLISECONDS,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !agree {
            let words = |given: Option<u64>| {
                given.map_or_else(|| "no TERM".into(), |given| format!("{given} ms"))
            };
            self.add(
                &of("time between TERM and KILL"),
                words(grace.0),
                words(grace.1),
            );
        }
    }

    /// Compares the distance of every two steps that both have.
    fn of_steps(&mut self, first: &Essence, second: &Essence) {
        let common: Vec<(&LifecycleStep, Moment, Moment)> = first
            .steps
            .iter()
            .filter_map(|(step, moment)| Some((step, *moment, *second.steps.get(step)?)))
            .collect();
        for (index, (step, in_first, in_second)) in common.iter().enumerate() {
            for (other, other_in_first, other_in_second) in &common[index + 1..] {
                let in_first = Distance::between(*in_first, *other_in_first);
                let in_second = Distance::between(*in_second, *other_in_second);
                if in_first.contradicts(in_second) {
                    self.add(
                        &format!("from {step} to {other}"),
                        in_first.to_string(),
                        in_second.to_string(),
                    );
                }
            }
        }
    }
}

/// How far one step lies behind another one, as exactly as it is known; less than nothing where it came before.
#[derive(Clone, Copy, Debug)]
struct Distance {
    least: SignedDuration,
    most: SignedDuration,
}

impl Distance {
    fn between(from: Moment, to: Moment) -> Self {
        Self {
            least: to.earliest.duration_since(from.latest),
            most: to.latest.duration_since(from.earliest),
        }
    }

    fn contradicts(self, other: Self) -> bool {
        let before = |distance: Self| distance.most <= -APART;
        let behind = |distance: Self| distance.least >= APART;
        let turned_round = (before(self) && behind(other)) || (behind(self) && before(other));
        let apart = (self.least - other.most).max(other.least - self.most);
        turned_round || apart > DISTANCE_TOLERANCE
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.least.as_millis(), self.most.as_millis());
        if least == most {
            write!(formatter, "{least} ms")
        } else {
            write!(formatter, "{least} to {most} ms")
        }
    }
}

#[cfg(test)]
#[path = "agreement_tests.rs"]
mod tests;
