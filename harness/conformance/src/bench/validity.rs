//! When the figures of a benchmark are none.

use std::collections::BTreeMap;

use super::arm::Arm;
use super::arm_record::ArmRecord;
use super::generations::GenerationSeen;
use harness_verdict::latency::comparison::Comparison;
use harness_verdict::latency::percentile::Percentile;

/// Says why nothing follows from the figures; nothing where something does.
pub(super) fn reasons_against(
    arms: &BTreeMap<Arm, ArmRecord>,
    late: &BTreeMap<Percentile, f64>,
    comparisons: &[Comparison],
    seen: &[GenerationSeen],
) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(lateness) = late.get(&Percentile::P50) {
        reasons.push(format!(
            "the generator was {lateness:.0} µs late for every second request: this machine cannot send at this rate (`--rate`)"
        ));
    } else if comparisons.is_empty() {
        reasons.push(
            "there are too few generations or requests to compare anything (`--generations`, `--duration`, `--rate`)".into(),
        );
    }
    for (arm, record) in arms {
        if record.failed_open > 0 {
            reasons.push(format!(
                "{} of {} requests of arm {arm} went on without the agent's decision: this is no measurement of its latency",
                record.failed_open, record.proxy_requests
            ));
        }
        if record.unanswered() > 0 {
            reasons.push(format!(
                "{} of {} requests of arm {arm} were not answered with 200 to 299",
                record.unanswered(),
                record.requests
            ));
        }
    }
    reasons.extend(reasons_of_counts(arms, seen));
    reasons
}

/// Says where requests went another way than they are measured on, or are not in every count. Where some were not let through, proxy and application
/// count differently, rightly.
pub(super) fn reasons_of_counts(
    arms: &BTreeMap<Arm, ArmRecord>,
    seen: &[GenerationSeen],
) -> Vec<String> {
    let mut reasons = Vec::new();
    for (arm, record) in arms {
        let (asked, requests) = (record.asked, record.proxy_requests);
        if !seen.is_empty() && record.requests == 0 {
            reasons.push(format!("no request was due in arm {arm}"));
        }
        if requests < record.with_status() {
            reasons.push(format!(
                "the proxy's log has {requests} requests of arm {arm}, and {} were answered",
                record.with_status()
            ));
        }
        if arm.asks() && asked < requests {
            reasons.push(format!(
                "the agent of arm {arm} was asked about {asked} of {requests} requests: the configuration has it left out for the others"
            ));
        }
        if !arm.asks() && asked > 0 {
            reasons.push(format!(
                "an agent was asked about {asked} of {requests} requests of arm {arm}, which is measured without one"
            ));
        }
    }
    if arms.values().any(|record| record.unanswered() > 0) {
        return reasons;
    }
    for (number, generation) in (1..).zip(seen) {
        let of_proxy: u64 = generation.proxy.values().map(|proxy| proxy.requests).sum();
        if of_proxy != generation.application.requests {
            reasons.push(format!(
                "generation {number}: the proxy had {of_proxy} requests and the application {}",
                generation.application.requests
            ));
        }
    }
    reasons
}

/// Says where a container ran one image in one generation and another one in the next, or A another one than A again: a tag was moved meanwhile.
pub(super) fn reasons_of_images(seen: &[GenerationSeen]) -> Vec<String> {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    let mut reasons = Vec::new();
    for generation in seen {
        for (container, image) in &generation.images {
            // Both are one agent.
            let role = match container.as_str() {
                "a-again" => Arm::A.name(),
                other => other,
            };
            let known = first.entry(role).or_insert(image);
            if *known != image {
                reasons.push(format!(
                    "container {container} ran {image}, and {known} was measured before"
                ));
            }
        }
    }
    reasons
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::bench::logs::Hits;

    /// Returns what was measured of an arm in which nothing went wrong.
    pub(in crate::bench) fn arm(requests: u64, asked: u64) -> ArmRecord {
        ArmRecord {
            requests,
            endings: BTreeMap::from([("answered".to_owned(), requests)]),
            proxy_requests: requests,
            asked,
            failed_open: 0,
            failed_closed: 0,
            latency_microseconds: BTreeMap::new(),
            slowest_microseconds: None,
            authorization_microseconds: BTreeMap::new(),
            lateness_microseconds: BTreeMap::new(),
            processor_milliseconds_per_1000: None,
            resident_bytes: None,
            image: None,
            own_proxy: None,
        }
    }

    fn reasons(change: impl FnOnce(&mut BTreeMap<Arm, ArmRecord>)) -> Vec<String> {
        let mut arms = Arm::ALL
            .map(|name| (name, arm(9, if name.asks() { 9 } else { 0 })))
            .into();
        change(&mut arms);
        // Lateness at the median stands for comparisons, which a unit has none of.
        let mut reasons =
            reasons_against(&arms, &BTreeMap::from([(Percentile::P50, 1.0)]), &[], &[]);
        assert!(reasons.remove(0).contains("late for every second request"));
        reasons
    }

    fn of(arms: &mut BTreeMap<Arm, ArmRecord>, arm: Arm) -> &mut ArmRecord {
        arms.get_mut(&arm).expect("every arm is there")
    }

    #[test]
    fn a_run_in_which_all_went_well_has_no_reason_against_it() {
        assert_eq!(reasons(|_| {}), Vec::<String>::new());
    }

    #[rstest]
    #[case(|arms: &mut BTreeMap<Arm, ArmRecord>| of(arms, Arm::B).failed_open = 1, "1 of 9 requests of arm b went on without")]
    #[case(|arms: &mut BTreeMap<Arm, ArmRecord>| of(arms, Arm::A).asked = 8, "agent of arm a was asked about 8 of 9")]
    #[case(|arms: &mut BTreeMap<Arm, ArmRecord>| of(arms, Arm::Disabled).asked = 1, "asked about 1 of 9 requests of arm disabled")]
    #[case(|arms: &mut BTreeMap<Arm, ArmRecord>| of(arms, Arm::Null).requests = 10, "1 of 10 requests of arm null were not answered")]
    #[case(|arms: &mut BTreeMap<Arm, ArmRecord>| of(arms, Arm::Absent).proxy_requests = 8, "the proxy's log has 8 requests of arm absent, and 9 were")]
    fn each_request_that_went_another_way_is_a_reason(
        #[case] change: fn(&mut BTreeMap<Arm, ArmRecord>),
        #[case] said: &str,
    ) {
        let reasons = reasons(change);
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        assert!(reasons[0].contains(said), "{reasons:?}");
    }

    #[test]
    fn an_image_that_changes_in_a_run_is_a_reason() {
        let seen = |a: &str, again: &str| GenerationSeen {
            samples: Vec::new(),
            usage: BTreeMap::new(),
            images: BTreeMap::from([("a".into(), a.into()), ("a-again".into(), again.into())]),
            proxy: BTreeMap::new(),
            application: Hits::default(),
        };
        assert!(reasons_of_images(&[seen("x 1", "x 1"), seen("x 1", "x 1")]).is_empty());
        let differs = reasons_of_images(&[seen("x 1", "x 2")]);
        assert_eq!(differs.len(), 1, "A and A again are one agent: {differs:?}");
        let moved = reasons_of_images(&[seen("x 1", "x 1"), seen("x 1", "x 2")]);
        assert_eq!(
            moved,
            ["container a-again ran x 2, and x 1 was measured before"]
        );
    }

    #[test]
    fn counts_that_differ_are_a_reason() {
        let seen = GenerationSeen {
            samples: Vec::new(),
            usage: BTreeMap::new(),
            images: BTreeMap::new(),
            proxy: BTreeMap::new(),
            application: Hits {
                requests: 3,
                longest_gap: Duration::ZERO,
            },
        };
        let reasons = reasons_against(&BTreeMap::new(), &BTreeMap::new(), &[], &[seen]);
        assert_eq!(reasons.len(), 2, "{reasons:?}");
        assert!(reasons[0].contains("too few generations"));
        assert!(reasons[1].contains("the proxy had 0 requests and the application 3"));
    }
}
