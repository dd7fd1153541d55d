//! What a terminal shows of a benchmark.

use std::fmt::Write as _;

use super::arm::Arm;
use super::arm_record::{ArmRecord, Usage};
use super::record::{BenchRecord, LATENESS_LIMIT_MICROSECONDS, Method};
use harness_core::model::environment_kind::EnvironmentKind;
use harness_verdict::latency::percentile::Percentile;

/// What one proxy serves where there is no other.
const ALL_ARMS: &str = "all arms";

/// Returns the tables and the verdict.
pub fn render(record: &BenchRecord) -> String {
    let mut text = String::new();
    for reason in &record.invalid {
        let _ = writeln!(text, "not a measurement: {reason}");
    }
    let _ = writeln!(
        text,
        "\n{:<8} {:<30} {:>8} {:>9} {:>9} {:>9} {:>9} {:>11} {:>8} {:>8}",
        "arm",
        "",
        "requests",
        "p50 µs",
        "p90 µs",
        "p99 µs",
        "p99.9 µs",
        "late p99 µs",
        "CPU ms/k",
        "MiB"
    );
    for arm in Arm::ALL {
        if let Some(measured) = record.arms.get(&arm) {
            let _ = writeln!(text, "{}", row(arm, measured));
        }
    }
    text.push_str(&circumstances(record));
    let _ = writeln!(
        text,
        "\nadded latency, µs, with 95 % intervals over {} generations",
        record.method.generations
    );
    for cost in &record.costs {
        let difference = &cost.difference;
        let _ = writeln!(
            text,
            "  {:<6} {:<30} {:>8.0}  [{:.0}, {:.0}]",
            cost.percentile,
            format!(
                "{} above {}",
                cost.arm.description(),
                cost.above.description()
            ),
            difference.estimate,
            difference.lower,
            difference.upper
        );
    }
    let _ = writeln!(text, "\nagent B against agent A");
    for comparison in &record.comparisons {
        let same = &comparison.same_against_same;
        let _ = writeln!(
            text,
            "  {:<6} {}; A against itself: {:.0} µs [{:.0}, {:.0}]",
            comparison.percentile, comparison.verdict, same.estimate, same.lower, same.upper
        );
    }
    for (percentile, lateness) in &record.late {
        let _ = writeln!(
            text,
            "  {percentile:<6} not judged: the generator was {lateness:.0} µs late there, and {LATENESS_LIMIT_MICROSECONDS:.0} µs is the most"
        );
    }
    if !record.gate.is_empty() {
        let _ = writeln!(text, "\ngate");
    }
    for judged in &record.gate {
        let _ = writeln!(
            text,
            "  {:<12} {}; observed {}",
            judged.result, judged.limit, judged.observed
        );
    }
    text
}

/// Says how it was measured, and what the proxies took.
fn circumstances(record: &BenchRecord) -> String {
    let mut text = String::new();
    let method = &record.method;
    let _ = writeln!(
        text,
        "\n{} requests/s over all arms ({}), {} connections each, {} generator{}, {} generations of {:.1} s; {} build, Linux {}, {} processors",
        method.requests_per_second,
        method.arrivals,
        method.connections,
        method.drivers,
        if method.drivers == 1 { "" } else { "s" },
        method.generations,
        method.seconds,
        method.build,
        method.kernel,
        method.processors
    );
    text.push_str(&environment(method));
    let own = { record.arms.iter() }
        .filter_map(|(arm, measured)| Some((*arm, measured.own_proxy.as_ref()?)));
    let own: Vec<(Arm, &Usage)> = own.collect();
    let others = if own.is_empty() {
        ALL_ARMS
    } else {
        "the other arms"
    };
    for (arm, usage) in own {
        text.push_str(&proxy_usage(&format!("arm {arm}"), usage));
    }
    text.push_str(&proxy_usage(others, &record.proxy));
    if others != ALL_ARMS {
        text.push_str("a, a-again and b stand behind an Envoy each: compare them with each other, and not with the arms above them\n");
    }
    if let Some(self_check) = &record.self_check {
        let _ = writeln!(text, "self-check: {self_check}");
    }
    text
}

/// Says where it ran, where that is not the machine of the line before.
fn environment(method: &Method) -> String {
    if method.environment_facts.is_empty() || method.environment == EnvironmentKind::Local.as_str()
    {
        return String::new();
    }
    let version = { method.environment_facts.get("kubernetes") }.map_or("", String::as_str);
    let mut text = format!(
        "environment: {} {version}; the driver pod sent the requests, from its node to the pod's address\n",
        method.environment
    );
    for (container, limit) in &method.processor_limits {
        let _ = writeln!(text, "{container} may take {limit} processors at most");
    }
    text
}

fn proxy_usage(served: &str, usage: &Usage) -> String {
    let Usage {
        processor_milliseconds_per_1000,
        resident_bytes,
    } = usage;
    match (processor_milliseconds_per_1000, resident_bytes) {
        (Some(spent), Some(bytes)) => format!(
            "Envoy of {served}: {spent:.1} ms of a processor for 1,000 requests, {} MiB\n",
            bytes / (1024 * 1024)
        ),
        _ => String::new(),
    }
}

fn row(arm: Arm, measured: &ArmRecord) -> String {
    let latency = |percentile| match measured.latency_microseconds.get(&percentile) {
        Some(microseconds) => format!("{microseconds:.0}"),
        None => "-".into(),
    };
    let late = measured.lateness_microseconds.get(&Percentile::P99);
    format!(
        "{:<8} {:<30} {:>8} {:>9} {:>9} {:>9} {:>9} {:>11} {:>8} {:>8}",
        arm,
        arm.description(),
        measured.requests,
        latency(Percentile::P50),
        latency(Percentile::P90),
        latency(Percentile::P99),
        latency(Percentile::P999),
        late.map_or("-".into(), |late| format!("{late:.0}")),
        { measured.processor_milliseconds_per_1000 }
            .map_or("-".into(), |spent| format!("{spent:.1}")),
        { measured.resident_bytes }.map_or("-".into(), |bytes| (bytes / (1024 * 1024)).to_string()),
    )
}
