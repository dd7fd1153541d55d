//! What the intervals and verdicts are worth, on series whose truth is known.
//!
//! The series have what latencies have: a long tail, seconds that are slow for every arm, a drift over the run, and a constant part that belongs to each
//! process from its start.

use super::comparison::{Compared, Verdict, compare};
use super::difference::difference;
use super::percentile::Percentile;
use super::series::{Generation, Series};
use harness_core::corpus::random::Random;

/// How many series each figure is made of.
const SERIES: u64 = 1000;
const GENERATIONS: usize = 10;
const BLOCKS: usize = 10;
const REQUESTS_A_BLOCK: usize = 12;
/// The standard deviation of what a process has from its start, in microseconds.
const PROCESS_EFFECT: f64 = 3.0;

/// Draws a standard normal number (Box and Muller).
fn normal(random: &mut Random) -> f64 {
    let angle = std::f64::consts::TAU * random.open_fraction();
    (-2.0 * random.open_fraction().ln()).sqrt() * angle.cos()
}

/// Draws the series of several arms that were measured in the same seconds, each with its shift in microseconds.
fn arms(random: &mut Random, shifts: &[f64]) -> Vec<Series> {
    let mut arms = vec![Series::new(); shifts.len()];
    for _ in 0..GENERATIONS {
        let mut drawn = vec![Generation::default(); shifts.len()];
        let processes: Vec<f64> = { shifts.iter() }
            .map(|shift| shift + PROCESS_EFFECT * normal(random))
            .collect();
        let mut second = 0.0;
        for block in 0..BLOCKS {
            // What slows a second slows the next one too, and the machine drifts.
            second = 0.7 * second + 8.0 * normal(random);
            let drift = 2.0 * f64::from(u8::try_from(block).unwrap_or(u8::MAX));
            for (arm, process) in processes.iter().enumerate() {
                let latencies = (0..REQUESTS_A_BLOCK).map(|_| {
                    // Pareto's tail: one of 100 requests takes 360 µs more, one of 10,000 takes 4 ms more.
                    let tail = 40.0 * (random.open_fraction().powf(-0.5) - 1.0);
                    400.0 + process + second + drift + 20.0 * normal(random) + tail
                });
                drawn[arm].blocks.push(latencies.collect());
            }
        }
        for (arm, generation) in arms.iter_mut().zip(drawn) {
            arm.push(generation);
        }
    }
    arms
}

/// What came of many comparisons of B with A, in which B is slower by so much.
#[derive(Debug, Default)]
struct Counted {
    covered: u32,
    slower: u32,
    faster: u32,
    inconclusive: u32,
}

fn count(percentile: Percentile, shift: f64) -> Counted {
    let mut counted = Counted::default();
    for seed in 0..SERIES {
        let mut random = Random::new(seed, "simulation");
        let drawn = arms(&mut random, &[0.0, 0.0, shift]);
        let compared = Compared {
            a: &drawn[0],
            a_again: &drawn[1],
            b: &drawn[2],
        };
        let comparison = compare(&compared, percentile, 20.0, seed).expect("enough");
        let interval = comparison.candidate_against_baseline;
        if interval.lower <= shift && shift <= interval.upper {
            counted.covered += 1;
        }
        match comparison.verdict {
            Verdict::Faster(_) => counted.faster += 1,
            Verdict::Slower(_) => counted.slower += 1,
            Verdict::Inconclusive { .. } => counted.inconclusive += 1,
            Verdict::NoDifference { .. } => {}
        }
    }
    counted
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    for (percentile, shift) in [
        (Percentile::P50, 0.0),
        (Percentile::P50, 20.0),
        (Percentile::P90, 0.0),
    ] {
        let covered = count(percentile, shift).covered;
        assert!(
            (930..=970).contains(&covered),
            "{covered} of 1,000 at {percentile} and {shift} µs"
        );
    }
}

#[test]
fn the_same_program_is_hardly_ever_told_from_itself() {
    for percentile in [Percentile::P50, Percentile::P90] {
        let counted = count(percentile, 0.0);
        let false_verdicts = counted.slower + counted.faster;
        assert!(false_verdicts <= 10, "{percentile}: {counted:?}");
    }
}

#[test]
fn a_difference_of_20_microseconds_is_found() {
    let counted = count(Percentile::P50, 20.0);
    assert!(counted.slower >= 950, "{counted:?}");
    assert_eq!(counted.faster, 0, "{counted:?}");
}

#[test]
fn intervals_between_runs_hold_the_truth_as_often_as_they_say() {
    let cost = |random: &mut Random, shift| {
        let drawn = arms(random, &[0.0, shift]);
        difference(&drawn[1], &[&drawn[0]], Percentile::P50).expect("enough")
    };
    let mut covered = 0;
    for seed in 0..SERIES {
        let mut random = Random::new(seed, "two runs");
        let before = cost(&mut random, 300.0);
        let change = cost(&mut random, 320.0).since(&before);
        covered += u32::from(change.lower <= 20.0 && 20.0 <= change.upper);
    }
    assert!((930..=970).contains(&covered), "{covered} of 1,000");
}

/// What `ci/power.sh` prints: how often a difference of each size is found, and how often it is taken for none.
#[test]
#[ignore = "it takes minutes; ci/power.sh runs it"]
#[expect(clippy::print_stdout, reason = "the table is what it is run for")]
fn power_curve() {
    for percentile in [Percentile::P50, Percentile::P90] {
        let mut found_before = 0;
        for shift in [0.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0] {
            let Counted {
                covered,
                slower,
                faster,
                inconclusive,
            } = count(percentile, shift);
            println!(
                "{percentile} {shift:>3} µs slower: found {slower:>4}, taken for faster {faster:>3}, inconclusive {inconclusive:>4}, \
                 in its interval {covered:>4}, each of {SERIES}"
            );
            // Chance moves a few of a thousand.
            assert!(
                slower + 30 >= found_before,
                "a larger difference is found less often"
            );
            found_before = slower;
        }
    }
}
