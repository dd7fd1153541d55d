//! Carries a benchmark out: one set of processes after another, each with the same arms.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::arm::Arm;
use super::driving::drive_all;
use super::error::BenchError;
use super::logs::{Hits, ProxySeen};
use super::proxies::BenchProxy;
use super::stack::BenchStack;
use super::waits::{LogsBegin, Undecided, await_arms, await_first_request, settled_logs};
use crate::run::setup::RunSetup;
use harness_core::model::container_usage::ContainerUsage;
use harness_core::model::feature::{Feature, FeatureSet};
use harness_core::model::identity::PodName;
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::APPLICATION_CONTAINER;
use harness_environment::{ContainerFault, EnvironmentFault, Pod};
use harness_traffic::latency::plan::{Arrivals, LatencyPlan};
use harness_traffic::latency::sample::Sample;

/// What a pod's logs keep of each container, in bytes.
const LOG_LIMIT: u64 = 64 * 1024 * 1024;
/// The most that the proxy or the application writes of a request beside the request's own head, in bytes.
const LINE_LENGTH: u64 = 800;
/// From the moment at which a request is due until it is given up: longer than any authorization service is waited for.
const GIVE_UP_MILLISECONDS: u64 = 10_000;

/// How a benchmark is carried out.
#[derive(Clone, Debug)]
pub struct BenchPlan {
    /// What is deployed.
    pub stack: BenchStack,
    /// The arms that requests are sent to.
    pub arms: Vec<Arm>,
    /// What becomes of an arm whose agent does not decide in time.
    pub undecided: Undecided,
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
    /// How many generators send at the same time, each an equal share.
    pub drivers: u8,
    /// What everything random is drawn from.
    pub seed: u64,
    /// The path and query that are asked for.
    pub target: String,
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
    /// What the application's log says.
    pub application: Hits,
    /// What the cluster says that each container runs: its image and the image's digest, by container. Nothing where there are no images.
    pub images: BTreeMap<String, String>,
}

/// A stop of the application while requests are sent (SIGSTOP): what is due meanwhile waits.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// From the first request that reaches the application, which is one of the warm-up.
    pub after: Duration,
    /// For how long.
    pub length: Duration,
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
    /// Checks what can be known before anything is started.
    ///
    /// # Errors
    ///
    /// When the plan cannot be carried out.
    pub fn check(&self) -> Result<(), BenchError> {
        let plan = self.latency_plan(Ipv4Addr::UNSPECIFIED.into(), 1);
        for part in 0..self.drivers {
            plan.share(part, self.drivers).check()?;
        }
        let requests = plan.requests();
        let head = { self.request.windows(4) }.position(|bytes| bytes == b"\r\n\r\n");
        let head = u64::try_from(head.unwrap_or_default()).unwrap_or_default();
        // The application's line has each field with quotes around name and value.
        let most = LOG_LIMIT / (LINE_LENGTH + 2 * head);
        if requests > most {
            return Err(BenchError::TooManyRequests { requests, most });
        }
        Ok(())
    }

    /// Returns how long the whole benchmark takes without the starts of its processes.
    pub fn length(&self) -> Duration {
        (self.warm_up.as_duration() + self.duration.as_duration()) * u32::from(self.generations)
    }

    /// Returns what the driver is given in a generation.
    fn latency_plan(&self, address: IpAddr, generation: u8) -> LatencyPlan {
        let milliseconds =
            |span: TimeSpan| u64::try_from(span.as_duration().as_millis()).unwrap_or(u64::MAX);
        LatencyPlan {
            arms: { self.arms.iter() }
                .map(|arm| SocketAddr::new(address, arm.listener_port()))
                .collect(),
            requests_per_second: self.requests_per_second,
            arrivals: self.arrivals,
            warm_up_milliseconds: milliseconds(self.warm_up),
            measured_milliseconds: milliseconds(self.duration),
            connections_per_arm: self.connections,
            give_up_milliseconds: GIVE_UP_MILLISECONDS,
            seed: self.seed.wrapping_add(generation.into()),
            request_base64: STANDARD.encode(&self.request),
        }
    }
}

/// Runs one generation, counted from 1, or the self-check, which is 0: a pod of its own, from its start to its removal.
///
/// # Errors
///
/// When the pod cannot be run, or the driver does not measure.
pub async fn run(
    setup: &RunSetup,
    plan: &BenchPlan,
    generation: u8,
    stop: Option<Stop>,
) -> Result<GenerationSeen, BenchError> {
    let failed = |source| BenchError::Environment { generation, source };
    let number = plan.seed.wrapping_add(generation.into());
    let bench = &plan.stack;
    let stack = bench.assemble(&setup.project, &setup.keys, &setup.overrides, number)?;
    let refused = setup.output.folder.join("refused-proxy-configurations");
    for proxy in bench.proxies() {
        let (envoy, alone) = (proxy.envoy(&setup.envoy), proxy.alone(&stack));
        let within = setup.timeouts.proxy_validate;
        let validator = &setup.proxy_validator;
        validator.validate(envoy, &alone, &refused, within).await?;
    }
    let name = PodName {
        run: setup.run.clone(),
        purpose: format!("generation-{generation}"),
    };
    let pod = setup
        .environment
        .create(name, &stack)
        .await
        .map_err(failed)?;
    let seen = measure(setup, plan, generation, &pod, stop).await;
    let removed = pod.remove().await.map_err(failed);
    let seen = seen?;
    removed.map(|()| seen)
}

async fn measure(
    setup: &RunSetup,
    plan: &BenchPlan,
    generation: u8,
    pod: &Arc<dyn Pod>,
    stop: Option<Stop>,
) -> Result<GenerationSeen, BenchError> {
    let failed = |source| BenchError::Environment { generation, source };
    let budget = setup.timeouts.pod_ready;
    let begin = await_arms(&**pod, plan, generation, budget).await?;
    refuse_other_images(&**pod)?;
    let before = usage(&**pod, &plan.stack, &setup.features)
        .await
        .map_err(failed)?;
    let address = pod.addresses().pod_ip;
    let address = address
        .parse()
        .map_err(|_| BenchError::Address { address })?;
    let latency = plan.latency_plan(address, generation);
    let mut drivers = Vec::new();
    for _ in 0..plan.drivers {
        drivers.push(pod.start_driver().await.map_err(failed)?);
    }
    let (samples, carried_out) = tokio::join!(
        drive_all(drivers, &latency),
        stop_for_a_while(&**pod, stop, &begin, generation)
    );
    carried_out?;
    let mut samples = samples?;
    for sample in &mut samples {
        // The driver calls an arm by its position in the plan.
        let arm = plan.arms.get(usize::from(sample.arm));
        sample.arm = arm.map_or(u8::MAX, |arm| arm.position());
        sample.generation = generation.saturating_sub(1);
    }
    let after = usage(&**pod, &plan.stack, &setup.features)
        .await
        .map_err(failed)?;
    let (proxy, application) = settled_logs(&**pod, &begin).await.map_err(failed)?;
    Ok(GenerationSeen {
        samples,
        usage: used(&before, &after),
        proxy,
        application,
        images: images(&**pod),
    })
}

/// Refuses to measure a container that runs another image than the one that is known to be right.
fn refuse_other_images(pod: &dyn Pod) -> Result<(), BenchError> {
    let mut images = pod.images().into_iter();
    let other = images.find(|image| {
        let digest = image.digest.as_ref();
        !image.expected.is_empty() && digest.is_some_and(|digest| !image.expected.contains(digest))
    });
    other.map_or(Ok(()), |image| {
        Err(BenchError::AnotherImage {
            container: image.container,
            expected: image.expected.iter().map(ToString::to_string).collect(),
            found: image
                .digest
                .map_or(String::new(), |digest| digest.to_string()),
        })
    })
}

fn images(pod: &dyn Pod) -> BTreeMap<String, String> {
    let images = pod.images().into_iter();
    let named = images.map(|image| {
        let digest = image.digest.map(|digest| digest.to_string());
        let digest = digest.unwrap_or_else(|| "of unknown digest".into());
        (image.container, format!("{} {digest}", image.name))
    });
    named.collect()
}

/// Stops the application as is wanted. For how long it stood still, its own log says best: on the way to a node a signal takes its time.
async fn stop_for_a_while(
    pod: &dyn Pod,
    stop: Option<Stop>,
    begin: &LogsBegin,
    generation: u8,
) -> Result<(), BenchError> {
    let failed = |source| BenchError::Environment { generation, source };
    let Some(stop) = stop else {
        return Ok(());
    };
    await_first_request(pod, begin, generation).await?;
    // Both moments are a part of the fault.
    tokio::time::sleep(stop.after).await;
    {
        pod.inject(APPLICATION_CONTAINER, ContainerFault::Pause)
            .await
    }
    .map_err(failed)?;
    tokio::time::sleep(stop.length).await;
    {
        pod.inject(APPLICATION_CONTAINER, ContainerFault::Resume)
            .await
    }
    .map_err(failed)
}

/// Returns what each container has taken so far; nothing where the environment does not measure it.
async fn usage(
    pod: &dyn Pod,
    stack: &BenchStack,
    features: &FeatureSet,
) -> Result<BTreeMap<String, ContainerUsage>, EnvironmentFault> {
    if !features.contains(&Feature::ResourceUsage) {
        return Ok(BTreeMap::new());
    }
    let proxies = stack.proxies().into_iter().map(BenchProxy::container);
    let agents = Arm::ALL.into_iter().filter(|arm| arm.asks());
    let agents = agents.map(|arm| arm.name().to_owned());
    let mut usage = BTreeMap::new();
    for container in proxies.chain([APPLICATION_CONTAINER.into()]).chain(agents) {
        let of_container = pod.usage(&container).await?;
        usage.insert(container, of_container);
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
