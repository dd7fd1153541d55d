//! Carries a benchmark out: one set of processes after another, each with the same arms.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::arm::Arm;
use super::error::BenchError;
use super::logs::{ProxySeen, hits, proxy_seen};
use super::stack::BenchStack;
use crate::run::setup::RunSetup;
use harness_core::model::container_usage::ContainerUsage;
use harness_core::model::identity::PodName;
use harness_core::model::timeouts::TimedOut;
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::{APPLICATION_CONTAINER, PROXY_CONTAINER};
use harness_environment::polling::Polling;
use harness_environment::{DriverProcess, EnvironmentFault, Pod, PodHttpRequest};
use harness_traffic::latency::plan::{Arrivals, LatencyPlan, REQUEST_LIMIT};
use harness_traffic::latency::sample::{SAMPLE_LENGTH, Sample, read_samples};
use harness_traffic::plan::Task;

/// Between two requests by which it is seen that an arm answers.
const POLL_EVERY: Duration = Duration::from_millis(50);
/// How long an answer of such a request may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How long the logs of proxy and application may differ once every request is answered.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);
/// How much longer than its plan a driver may take.
const DRIVER_SLACK: Duration = Duration::from_secs(30);

/// How a benchmark is carried out.
#[derive(Clone, Debug)]
pub struct BenchPlan {
    /// What is deployed.
    pub stack: BenchStack,
    /// How many sets of processes there are, one after another.
    pub generations: u8,
    /// Requests per second over all arms.
    pub requests_per_second: u32,
    /// When requests are due.
    pub arrivals: Arrivals,
    /// What is sent and not measured at the beginning of each generation.
    pub warm_up: TimeSpan,
    /// How long each generation is measured.
    pub duration: TimeSpan,
    /// Connections of each arm.
    pub connections: u16,
    /// What everything random is drawn from.
    pub seed: u64,
    /// The request's bytes.
    pub request: Vec<u8>,
}

/// What was seen of one generation.
#[derive(Debug)]
pub struct GenerationSeen {
    /// The driver's samples.
    pub samples: Vec<Sample>,
    /// What the processes took for the whole generation, by container.
    pub usage: BTreeMap<String, Used>,
    /// What the proxy's log says, by arm.
    pub proxy: BTreeMap<Arm, ProxySeen>,
    /// How many requests the application was reached by.
    pub application_requests: u64,
}

/// What a container took.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// Processor time while requests were sent.
    pub processor: Duration,
    /// Memory at the end, in bytes.
    pub resident_bytes: u64,
}

impl BenchPlan {
    /// Returns how long the whole benchmark takes without the starts of its processes.
    pub fn length(&self) -> Duration {
        (self.warm_up.as_duration() + self.duration.as_duration()) * u32::from(self.generations)
    }

    /// Returns what the driver is given in a generation.
    pub fn latency_plan(&self, address: &str, generation: u8) -> LatencyPlan {
        let milliseconds =
            |span: TimeSpan| u64::try_from(span.as_duration().as_millis()).unwrap_or(u64::MAX);
        let address = address
            .parse()
            .unwrap_or(std::net::Ipv4Addr::LOCALHOST.into());
        LatencyPlan {
            arms: Arm::ALL
                .into_iter()
                .map(|arm| SocketAddr::new(address, arm.listener_port()))
                .collect(),
            requests_per_second: self.requests_per_second,
            arrivals: self.arrivals,
            warm_up_milliseconds: milliseconds(self.warm_up),
            measured_milliseconds: milliseconds(self.duration),
            connections_per_arm: self.connections,
            give_up_milliseconds: 10_000,
            seed: self.seed.wrapping_add(generation.into()),
            request_base64: STANDARD.encode(&self.request),
        }
    }
}

/// Runs one generation, counted from 1: a pod of its own, from its start to its removal.
///
/// # Errors
///
/// When the pod cannot be run, or the driver does not measure.
pub async fn run(
    setup: &RunSetup,
    plan: &BenchPlan,
    generation: u8,
) -> Result<GenerationSeen, BenchError> {
    let failed = |source| BenchError::Environment { generation, source };
    let number = plan.seed.wrapping_add(generation.into());
    let bench = &plan.stack;
    let stack = bench.assemble(&setup.project, &setup.keys, &setup.overrides, number)?;
    let refused = setup.output.folder.join("refused-proxy-configurations");
    let within = setup.timeouts.proxy_validate;
    let validator = &setup.proxy_validator;
    validator
        .validate(&setup.envoy, &stack, &refused, within)
        .await?;
    let name = PodName {
        run: setup.run.clone(),
        purpose: format!("generation-{generation}"),
    };
    let pod = setup
        .environment
        .create(name, &stack)
        .await
        .map_err(failed)?;
    let seen = measure(setup, plan, generation, &pod).await;
    let removed = pod.remove().await.map_err(failed);
    let seen = seen?;
    removed.map(|()| seen)
}

async fn measure(
    setup: &RunSetup,
    plan: &BenchPlan,
    generation: u8,
    pod: &Arc<dyn Pod>,
) -> Result<GenerationSeen, BenchError> {
    let failed = |source| BenchError::Environment { generation, source };
    for arm in Arm::ALL {
        await_answer(&**pod, arm, setup.timeouts.pod_ready).await?;
    }
    let before = usage(&**pod).await.map_err(failed)?;
    let latency = plan.latency_plan(&pod.addresses().pod_ip, generation);
    let length =
        Duration::from_millis(latency.warm_up_milliseconds + latency.measured_milliseconds);
    let driver = pod.start_driver().await.map_err(failed)?;
    let mut samples = drive(driver, latency, length + DRIVER_SLACK).await?;
    for sample in &mut samples {
        sample.generation = generation - 1;
    }
    let after = usage(&**pod).await.map_err(failed)?;
    let (proxy, application_requests) = settled_logs(&**pod).await.map_err(failed)?;
    Ok(GenerationSeen {
        samples,
        usage: used(&before, &after),
        proxy,
        application_requests,
    })
}

/// Reads the logs of proxy and application until both have the same number of requests, or for so long: the proxy holds its lines back for a moment.
async fn settled_logs(pod: &dyn Pod) -> Result<(BTreeMap<Arm, ProxySeen>, u64), EnvironmentFault> {
    let mut polling = Polling::within(SETTLED_WITHIN, POLL_EVERY);
    let mut last = (BTreeMap::new(), 0);
    while polling.next().await {
        let proxy = proxy_seen(&pod.log(PROXY_CONTAINER).await?);
        let application = hits(&pod.log(APPLICATION_CONTAINER).await?);
        let of_proxy: u64 = proxy.values().map(|proxy| proxy.requests).sum();
        last = (proxy, application);
        if of_proxy == application {
            break;
        }
    }
    // What they still differ by is said in the record.
    Ok(last)
}

/// Waits until an arm answers.
async fn await_answer(pod: &dyn Pod, arm: Arm, budget: TimeSpan) -> Result<(), BenchError> {
    let mut polling = Polling::within(budget.as_duration(), POLL_EVERY);
    let mut last_seen = "nothing".to_owned();
    while polling.next().await {
        let request = PodHttpRequest {
            method: "GET".into(),
            host: "127.0.0.1".into(),
            port: arm.listener_port(),
            path: "/".into(),
        };
        match pod.http(request, TimeSpan::new(ANSWER_WITHIN)).await {
            Ok(answer) if answer.status == 200 => return Ok(()),
            Ok(answer) => last_seen = format!("status {}", answer.status),
            Err(error) => last_seen = error.to_string(),
        }
    }
    Err(TimedOut {
        waited_for: format!("arm {arm} to answer with 200"),
        budget,
        last_seen,
    }
    .into())
}

/// Gives a driver its plan, and reads its samples.
async fn drive(
    mut driver: DriverProcess,
    plan: LatencyPlan,
    within: Duration,
) -> Result<Vec<Sample>, BenchError> {
    let mut line = serde_json::to_vec(&Task::Latency(plan)).unwrap_or_default();
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

fn containers() -> impl Iterator<Item = &'static str> {
    let agents = Arm::ALL.into_iter().filter(|arm| arm.asks()).map(Arm::name);
    [PROXY_CONTAINER, APPLICATION_CONTAINER]
        .into_iter()
        .chain(agents)
}

async fn usage(pod: &dyn Pod) -> Result<BTreeMap<String, ContainerUsage>, EnvironmentFault> {
    let mut usage = BTreeMap::new();
    for container in containers() {
        usage.insert(container.to_owned(), pod.usage(container).await?);
    }
    Ok(usage)
}

fn used(
    before: &BTreeMap<String, ContainerUsage>,
    after: &BTreeMap<String, ContainerUsage>,
) -> BTreeMap<String, Used> {
    let pairs = after
        .iter()
        .filter_map(|(name, after)| Some((name, before.get(name)?, after)));
    pairs
        .map(|(name, before, after)| {
            let used = Used {
                processor: after.processor_time.saturating_sub(before.processor_time),
                resident_bytes: after.resident_bytes,
            };
            (name.clone(), used)
        })
        .collect()
}
