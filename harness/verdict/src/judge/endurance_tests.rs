//! Tests of the judgement of what an agent takes of its machine.

use rstest::rstest;

use super::*;

const MEBIBYTE: u64 = 1 << 20;

fn bounds() -> EnduranceBounds {
    EnduranceBounds {
        requests: Located::unwritten(20),
        memory_growth: Located::unwritten(ByteSize::new(32 * MEBIBYTE)),
        descriptors_growth: Located::unwritten(32),
        idle_processor_share: Located::unwritten(0.5),
        slowdown: Located::unwritten(2.0),
        slowdown_margin: Located::unwritten(TimeSpan::new(Duration::from_millis(100))),
    }
}

/// An agent that uses up exactly what it may.
fn at_the_bounds() -> Readings {
    let before = ContainerUsage {
        first_process: 7,
        resident_bytes: 10 * MEBIBYTE,
        descriptors: 20,
        processor_time: Duration::from_millis(300),
        processor_wait: Duration::from_millis(100),
    };
    let after = ContainerUsage {
        resident_bytes: 42 * MEBIBYTE,
        descriptors: 52,
        processor_time: Duration::from_millis(900),
        ..before
    };
    let rested = ContainerUsage {
        processor_time: Duration::from_millis(1_900),
        ..after
    };
    Readings {
        before,
        after,
        rested,
        rest: Duration::from_secs(2),
        waits: Some(waits(100, 200)),
    }
}

fn waits(before: u64, after: u64) -> Waits {
    Waits {
        before: Duration::from_millis(before),
        after: Duration::from_millis(after),
    }
}

fn only_finding(readings: &Readings) -> (String, String) {
    let findings = judge(&bounds(), readings);
    let [finding] = findings.as_slice() else {
        panic!("one finding, not {findings:?}");
    };
    (finding.kind.to_string(), finding.observed.to_string())
}

#[test]
fn an_agent_at_its_bounds_keeps_them() {
    assert_eq!(judge(&bounds(), &at_the_bounds()), []);
}

#[test]
fn an_agent_that_gives_back_what_it_had_keeps_its_bounds() {
    let mut readings = at_the_bounds();
    readings.after.resident_bytes = 0;
    readings.after.descriptors = 0;
    assert_eq!(judge(&bounds(), &readings), []);
}

#[test]
fn memory_beyond_its_bound_is_named_with_its_figures() {
    let mut readings = at_the_bounds();
    readings.after.resident_bytes = 43 * MEBIBYTE;
    let (expectation, observed) = only_finding(&readings);
    assert_eq!(expectation, "memory-growth");
    assert_eq!(observed, "33 MiB");
}

#[test]
fn descriptors_beyond_their_bound_are_named_with_their_figures() {
    let mut readings = at_the_bounds();
    readings.after.descriptors = 53;
    let (expectation, observed) = only_finding(&readings);
    assert_eq!(expectation, "descriptor-growth");
    assert_eq!(observed, "33");
}

#[test]
fn an_agent_that_does_not_rest_is_named_with_its_share() {
    let mut readings = at_the_bounds();
    readings.rested.processor_time = Duration::from_millis(2_100);
    let (expectation, observed) = only_finding(&readings);
    assert_eq!(expectation, "idle-processor");
    assert_eq!(observed, "60 %");
}

#[rstest]
#[case::one_that_spins_where_others_do(1_500, 500, "100 %")]
#[case::one_with_threads_that_spin(4_000, 200, "80 %")]
fn an_agent_that_does_not_rest_is_named_where_it_gets_little_of_a_processor(
    #[case] waited: u64,
    #[case] used: u64,
    #[case] said: &str,
) {
    let mut readings = at_the_bounds();
    let waited = Duration::from_millis(waited);
    let used = Duration::from_millis(used);
    readings.rested.processor_wait = readings.after.processor_wait + waited;
    readings.rested.processor_time = readings.after.processor_time + used;
    let (expectation, observed) = only_finding(&readings);
    assert_eq!(expectation, "idle-processor");
    assert_eq!(observed, said);
}

#[test]
fn an_agent_that_rests_on_a_busy_machine_keeps_its_bound() {
    let mut readings = at_the_bounds();
    readings.rested.processor_wait += Duration::from_secs(3);
    readings.rested.processor_time = readings.after.processor_time + Duration::from_millis(100);
    assert_eq!(judge(&bounds(), &readings), []);
}

#[test]
fn an_agent_that_became_slower_is_named_with_both_medians() {
    let mut readings = at_the_bounds();
    readings.waits = Some(waits(100, 201));
    let (expectation, observed) = only_finding(&readings);
    assert_eq!(expectation, "slowdown");
    assert_eq!(observed, "201ms");
}

#[rstest]
#[case::many_times_as_long_but_short(1, 101)]
#[case::much_longer_but_not_many_times(400, 800)]
fn an_agent_that_passes_one_of_two_bounds_is_not_slower(#[case] before: u64, #[case] after: u64) {
    let mut readings = at_the_bounds();
    readings.waits = Some(waits(before, after));
    assert_eq!(judge(&bounds(), &readings), []);
}

#[test]
fn an_agent_that_nobody_measured_is_not_passed() {
    let mut readings = at_the_bounds();
    readings.waits = Waits::of(&[Duration::ZERO], &[]);
    let (expectation, observed) = only_finding(&readings);
    assert_eq!(expectation, "slowdown");
    assert_eq!(observed, "none");
}

#[test]
fn an_agent_that_was_started_again_is_named() {
    let mut readings = at_the_bounds();
    readings.before.first_process = 5;
    let (expectation, observed) = only_finding(&readings);
    assert_eq!(expectation, "agent-restarted");
    assert_eq!(observed, "process 5, then 7, then 7");
}

#[test]
fn one_long_wait_is_no_slowdown() {
    let before = [9, 1, 2].map(Duration::from_millis);
    let after = [30, 90, 20].map(Duration::from_millis);
    assert_eq!(Waits::of(&before, &after), Some(waits(2, 30)));
}
