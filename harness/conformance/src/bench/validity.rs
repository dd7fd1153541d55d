//! When the figures of a benchmark are none.

use std::collections::BTreeMap;

use super::arm::Arm;
use super::generations::GenerationSeen;
use super::record::ArmRecord;
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
        let (asked, requests) = (record.asked, record.proxy_requests);
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
        let answered = record.endings.get("answered").copied().unwrap_or_default();
        if answered < record.requests {
            reasons.push(format!(
                "{} of {} requests of arm {arm} were not answered with 200 to 299",
                record.requests - answered,
                record.requests
            ));
        }
    }
    for (number, generation) in (1..).zip(seen) {
        let of_proxy: u64 = generation.proxy.values().map(|proxy| proxy.requests).sum();
        if of_proxy != generation.application_requests {
            reasons.push(format!(
                "generation {number}: the proxy had {of_proxy} requests and the application {}",
                generation.application_requests
            ));
        }
    }
    reasons
}
