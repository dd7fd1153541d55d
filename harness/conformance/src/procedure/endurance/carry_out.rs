//! `endurance`: the agent is looked at before and after many requests, and once more after a rest. How long the proxy waits for it is measured
//! before and after all of that, with one request of a kind under way at a time.
//!
//! The rest begins when the witnesses have told of every request: none is under way then.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use crate::procedure::ProcedureResults;
use crate::procedure::deployment::Deployment;
use crate::procedure::endurance::EnduranceSpec;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::show_working;
use crate::procedure::interface::CarryOut;
use crate::procedure::pods::OnePod;
use crate::procedure::round::{ReconciledEntries, Round};
use crate::procedure::stream_pair::{Repeated, StreamPair};
use harness_core::model::byte_size::ByteSize;
use harness_core::model::container_usage::ContainerUsage;
use harness_core::model::outcome::Outcome;
use harness_core::stack::AGENT_CONTAINER;
use harness_traffic::plan::Pacing;
use harness_verdict::judge::endurance::{Readings, Waits, judge, judge_request, milliseconds};
use harness_verdict::judge::judged_requests::LookedAtAgain;
use harness_verdict::witness::join::Joined;
use harness_verdict::witness::joined_requests::JoinedRequests;
use harness_verdict::witness::outcome::decide;
use harness_verdict::witness::reconciliation::EarlierHops;

/// Requests of each kind by which the proxy's wait is measured, before and after.
const MEASURED: u32 = 5;

/// How many requests of a kind are sent, and how.
#[derive(Clone, Copy, Debug)]
struct Load {
    count: u32,
    pacing: Pacing,
}

#[async_trait]
impl CarryOut<OnePod> for EnduranceSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        show_working(&[], &self.attack, &self.benign, deployment, results).await?;

        let under_load = |count| Load {
            count,
            pacing: Pacing::Rate {
                per_second: *self.per_second,
            },
        };
        let one_by_one = Load {
            count: MEASURED,
            pacing: Pacing::Sequential,
        };
        let mut send = async |cases, load| send(self, cases, load, deployment, results).await;
        let warm_up = ["warm-up-benign", "warm-up-attack"];
        send(warm_up, under_load(*self.warm_up)).await?;
        let measured_before = send(["benign-before", "attack-before"], one_by_one).await?;
        let before = look(deployment).await?;
        let cases = ["benign-under-load", "attack-under-load"];
        send(cases, under_load(*self.requests)).await?;
        let after = look(deployment).await?;
        let resting_since = Instant::now();
        sleep(self.idle_for.as_duration()).await;
        let rested = look(deployment).await?;
        let rest = resting_since.elapsed();
        let measured_after = send(["benign-after", "attack-after"], one_by_one).await?;
        let readings = Readings {
            before,
            after,
            rested,
            rest,
            waits: Waits::of(&measured_before, &measured_after),
        };
        observe(&readings, results);
        results.findings.extend(judge(&self.bounds(), &readings));
        Ok(())
    }
}

/// Sends requests of both kinds, and judges each.
async fn send(
    spec: &EnduranceSpec,
    [benign, attack]: [&'static str; 2],
    load: Load,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<Vec<Duration>, ProcedureError> {
    let pair = StreamPair::prepare(
        &deployment.ids,
        (benign, &spec.benign),
        (attack, &spec.attack),
    )?;
    let address = deployment.proxy_address();
    let mut streams = pair.streams(&address, |_| *spec.per_second, load.count);
    for stream in &mut streams {
        stream.pacing = load.pacing;
    }
    let round = Round::send(streams, deployment).await?;
    let mut outcomes = Vec::new();
    let mut earlier_hops = EarlierHops::default();
    let mut waits = Vec::new();
    let judging = |requests: JoinedRequests<'_>| {
        for joined in requests.iter() {
            earlier_hops.add(&joined);
            waits.extend(waits_of(&joined));
            let stream = pair.of(&joined.client);
            outcomes.push(judge_one(stream, joined, results));
        }
    };
    round.look(deployment, judging).await;
    let entries = ReconciledEntries::OneEach;
    round
        .reconcile(&outcomes, earlier_hops, entries, deployment, results)
        .await?;
    Ok(waits)
}

fn judge_one(stream: &Repeated, joined: Joined, results: &mut ProcedureResults) -> Outcome {
    let judgement = decide(&joined);
    let outcome = judgement.outcome;
    let finding = judge_request(
        (stream.kind, stream.case),
        stream.position,
        &joined,
        &judgement,
    );
    let again = match finding {
        Some(_) => LookedAtAgain::Yes,
        None => LookedAtAgain::No,
    };
    results.findings.extend(finding);
    { &mut results.requests }.add(stream.case, stream.planned(), joined, judgement, again);
    outcome
}

async fn look(deployment: &Deployment) -> Result<ContainerUsage, ProcedureError> {
    Ok(deployment.pod().usage(AGENT_CONTAINER).await?)
}

/// Returns how long the proxy waited for the agent.
fn waits_of(joined: &Joined) -> impl Iterator<Item = Duration> {
    let records = joined.proxy.iter();
    records
        .filter_map(|record| record.authorization_microseconds)
        .map(Duration::from_micros)
}

/// Reports the figures, whether or not they are within their bounds.
fn observe(readings: &Readings, results: &mut ProcedureResults) {
    let [before, after] = [readings.before, readings.after];
    let sizes = [before, after].map(|look| ByteSize::new(look.resident_bytes));
    let [memory_before, memory_after] = sizes;
    let mut figures = vec![
        (
            "agent's memory",
            format!("{memory_before} before, {memory_after} after"),
        ),
        (
            "agent's descriptors",
            format!("{} before, {} after", before.descriptors, after.descriptors),
        ),
        (
            "agent's processor time",
            format!(
                "{} ms for the requests, {:.2} of a core at rest",
                after
                    .processor_time
                    .saturating_sub(before.processor_time)
                    .as_millis(),
                readings.idle_share()
            ),
        ),
    ];
    if let Some(waits) = readings.waits {
        figures.push((
            "the proxy's wait for the agent",
            format!(
                "{} before the requests, {} after them, in the median",
                milliseconds(waits.before),
                milliseconds(waits.after)
            ),
        ));
    }
    results.observations.extend(
        figures
            .into_iter()
            .map(|(name, figure)| (name.into(), figure)),
    );
}
