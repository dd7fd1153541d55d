//! Gives the generators of a benchmark their plans, and merges what they measure.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::error::BenchError;
use harness_core::model::timeouts::TimedOut;
use harness_core::model::timespan::TimeSpan;
use harness_environment::DriverProcess;
use harness_traffic::latency::plan::{LatencyPlan, REQUEST_LIMIT};
use harness_traffic::latency::sample::{SAMPLE_LENGTH, Sample, read_samples};
use harness_traffic::plan::Task;

/// How much longer than its plan a driver may take.
const DRIVER_SLACK: Duration = Duration::from_secs(30);

/// Lets each driver send its share of a plan. Returns the samples of all of them, in the order in which they were due; each driver counts from the end of
/// its own warm-up, and the connections of an arm are counted over all drivers.
///
/// # Errors
///
/// When one of them does not measure.
pub(super) async fn drive_all(
    drivers: Vec<DriverProcess>,
    plan: &LatencyPlan,
) -> Result<Vec<Sample>, BenchError> {
    let of = u8::try_from(drivers.len()).unwrap_or(u8::MAX);
    let mut running = JoinSet::new();
    for (part, driver) in (0..of).zip(drivers) {
        let share = plan.share(part, of);
        running.spawn(async move { (part, drive(driver, share).await) });
    }
    let mut measured = BTreeMap::new();
    while let Some(ended) = running.join_next().await {
        let (part, samples) = ended.expect("what reads a driver's samples does not panic");
        measured.insert(part, samples?);
    }
    let mut all = Vec::new();
    let mut connections = 0;
    for (part, mut samples) in measured {
        for sample in &mut samples {
            sample.connection = sample.connection.saturating_add(connections);
        }
        connections += u8::try_from(plan.share(part, of).connections_per_arm).unwrap_or(u8::MAX);
        all.append(&mut samples);
    }
    all.sort_by_key(|sample| sample.due_nanoseconds);
    Ok(all)
}

/// Gives a driver its plan, and reads its samples.
async fn drive(mut driver: DriverProcess, plan: LatencyPlan) -> Result<Vec<Sample>, BenchError> {
    let length = Duration::from_millis(plan.warm_up_milliseconds + plan.measured_milliseconds);
    let within = length + DRIVER_SLACK;
    let mut line = serde_json::to_vec(&Task::Latency(plan)).expect("a plan has only text keys");
    line.push(b'\n');
    let limit = 16 + REQUEST_LIMIT * u64::try_from(SAMPLE_LENGTH).unwrap_or(u64::MAX);
    let exchange = async {
        driver.stdin.write_all(&line).await?;
        driver.stdin.flush().await?;
        let mut answer = Vec::new();
        (&mut driver.stdout)
            .take(limit)
            .read_to_end(&mut answer)
            .await?;
        std::io::Result::Ok(answer)
    };
    let answer = match timeout(within, exchange).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            return Err(BenchError::Driver {
                reason: error.to_string(),
            });
        }
        Err(_) => {
            return Err(TimedOut {
                waited_for: "the driver's samples".into(),
                budget: TimeSpan::new(within),
                last_seen: "no end of them".into(),
            }
            .into());
        }
    };
    if answer.starts_with(b"{") {
        let reason = String::from_utf8_lossy(&answer[..answer.len().min(2048)]);
        return Err(BenchError::Driver {
            reason: reason.trim().to_owned(),
        });
    }
    Ok(read_samples(&answer[..])?)
}
