//! Every wait of the suite by name, with the span that bounds it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::timespan::TimeSpan;

/// By how much every bound is multiplied in a cluster.
const SLOWNESS_OF_A_CLUSTER: u32 = 3;
/// The bound of a pod's end in a cluster: longer than the kubelet's 90 s.
const POD_GONE_IN_A_CLUSTER: Duration = Duration::from_mins(2);
/// How often a scenario waits for enforcement at most: at its beginning, and after what it does to the agent.
const WAITS_FOR_ENFORCEMENT: u32 = 2;

/// The bound of each wait. A wait that ends here says what it waited for and what it saw last.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Timeouts {
    /// From the pod's creation until it is ready.
    pub pod_ready: TimeSpan,
    /// From the pod's creation until the proxy's admin endpoint says LIVE.
    pub proxy_live: TimeSpan,
    /// From readiness, or from a restart, until the agent is seen to apply its rules. One that is not seen to by then has not met what the
    /// scenario begins with.
    pub enforcing: TimeSpan,
    /// For one request, from its intended send instant until its answer is complete.
    pub request: TimeSpan,
    /// From the last answer until every witness has recorded every request.
    pub witnesses_settled: TimeSpan,
    /// From then until what passed between proxy and agent has been read. What comes later is not waited for again.
    pub wire_read: TimeSpan,
    /// For one question to the proxy's admin endpoint.
    pub proxy_admin: TimeSpan,
    /// From a deployment that must fail until the container has refused.
    pub refusal: TimeSpan,
    /// Beyond the pod's grace period until nothing of it runs.
    pub pod_gone: TimeSpan,
    /// For a container that was killed until the kubelet has started it again.
    pub restarted: TimeSpan,
    /// From the first request that a stopped agent holds until the proxy says that it admits no more.
    pub overloaded: TimeSpan,
    /// For the validation of one proxy configuration.
    pub proxy_validate: TimeSpan,
    /// For one scenario as a whole; clean-up and what it may wait for enforcement are excluded.
    pub scenario: TimeSpan,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = |seconds| TimeSpan::new(Duration::from_secs(seconds));
        Self {
            pod_ready: seconds(30),
            proxy_live: seconds(15),
            // The vendor's agent asks its cloud for rules in a cycle of 30 s.
            enforcing: seconds(60),
            request: seconds(15),
            witnesses_settled: seconds(10),
            wire_read: seconds(1),
            proxy_admin: seconds(5),
            refusal: seconds(20),
            pod_gone: seconds(15),
            restarted: seconds(30),
            overloaded: seconds(5),
            proxy_validate: seconds(30),
            scenario: seconds(120),
        }
    }
}

impl Timeouts {
    /// Returns the bounds for a cluster, where a kubelet polls once a second for what its rehearsal is notified of at once. A container that was being
    /// started again when its pod was deleted is checked next when the kubelet syncs the pod, up to 90 s later.
    #[must_use]
    pub fn in_a_cluster(&self) -> Self {
        Self {
            pod_gone: TimeSpan::new(POD_GONE_IN_A_CLUSTER),
            ..self.slowed_down(SLOWNESS_OF_A_CLUSTER)
        }
    }

    /// Returns the same bounds with another one for enforcement.
    #[must_use]
    pub fn enforcing_within(&self, bound: TimeSpan) -> Self {
        Self {
            enforcing: bound,
            ..self.clone()
        }
    }

    /// Returns the bound for one scenario with its waits for enforcement.
    #[must_use]
    pub fn scenario_in_all(&self) -> TimeSpan {
        let waits = self
            .enforcing
            .as_duration()
            .saturating_mul(WAITS_FOR_ENFORCEMENT);
        TimeSpan::new(self.scenario.as_duration().saturating_add(waits))
    }

    /// Returns the bound for the first answers of streams: a driver that still runs has by then reported a request that got none.
    #[must_use]
    pub fn first_answers(&self) -> TimeSpan {
        TimeSpan::new(self.request.as_duration().saturating_mul(2))
    }

    /// Returns the same bounds, each multiplied.
    #[must_use]
    pub fn slowed_down(&self, factor: u32) -> Self {
        let times = |span: TimeSpan| TimeSpan::new(span.as_duration().saturating_mul(factor));
        Self {
            pod_ready: times(self.pod_ready),
            proxy_live: times(self.proxy_live),
            enforcing: times(self.enforcing),
            request: times(self.request),
            witnesses_settled: times(self.witnesses_settled),
            wire_read: times(self.wire_read),
            proxy_admin: times(self.proxy_admin),
            refusal: times(self.refusal),
            pod_gone: times(self.pod_gone),
            restarted: times(self.restarted),
            overloaded: times(self.overloaded),
            proxy_validate: times(self.proxy_validate),
            scenario: times(self.scenario),
        }
    }
}

/// A wait that ended without its condition.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, JsonSchema, thiserror::Error)]
#[error("timed out after {budget} waiting for {waited_for}; last seen: {last_seen}")]
#[serde(rename_all = "kebab-case")]
pub struct TimedOut {
    /// The condition, as a phrase that follows "waiting for".
    pub waited_for: String,
    /// The bound.
    pub budget: TimeSpan,
    /// The last observation.
    pub last_seen: String,
}
