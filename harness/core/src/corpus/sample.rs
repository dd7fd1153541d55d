//! An even sample of placements over classes and positions.

use std::collections::BTreeMap;

use super::placement::Placement;
use super::random::Random;
use crate::model::payload::PayloadClass;
use crate::model::seed_position::SeedPosition;

/// Picks placements with at most `limit` requests among them, in their original order.
///
/// One is taken of each class and position in turn, so a class with many seeds does not crowd out one with few. Within a class
/// and position the order is shuffled, so that a small sample is not the first seeds of each file.
pub(super) fn sampled(all: Vec<Placement<'_>>, limit: usize, seed: u64) -> Vec<Placement<'_>> {
    let mut groups: BTreeMap<(PayloadClass, SeedPosition), Vec<usize>> = BTreeMap::new();
    for (index, placement) in all.iter().enumerate() {
        let group = (placement.seed.class, placement.position);
        groups.entry(group).or_default().push(index);
    }
    for ((class, position), indices) in &mut groups {
        Random::new(seed, &format!("{class} {position}")).shuffle(indices);
    }
    // With a limit below the number of groups, the number decides which are left out.
    let mut queues: Vec<Vec<usize>> = groups.into_values().collect();
    Random::new(seed, "order of groups").shuffle(&mut queues);
    let mut chosen = vec![false; all.len()];
    let mut left = limit;
    while queues.iter().any(|queue| !queue.is_empty()) {
        for queue in &mut queues {
            let Some(index) = queue.pop() else { continue };
            let Some(remaining) = left.checked_sub(all[index].requests()) else {
                // A single request may still fit where a pair does not.
                continue;
            };
            left = remaining;
            chosen[index] = true;
        }
    }
    all.into_iter()
        .zip(chosen)
        .filter_map(|(placement, is_chosen)| is_chosen.then_some(placement))
        .collect()
}
