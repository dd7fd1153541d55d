//! What `rollout` is told: a fleet of pods behind one Service, two streams of requests, and what happens to the fleet meanwhile.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use harness_core::model::candidate::Candidate;
use harness_core::model::lint_rule::LintRule;
use harness_core::model::located::Located;
use harness_core::model::request::RequestSpec;
use harness_verdict::judge::rollout::{LeakedExpectation, LossExpectation, StreamExpectation};

/// `rollout`: a Deployment of the stack behind its Service changes while a benign stream and a stream of attacks go on. Whoever gets no
/// answer of the application is lost, an attack that reaches it is leaked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RolloutSpec {
    /// How many pods there are before the first step.
    pub replicas: Located<u32>,
    /// The benign request of the stream.
    pub benign: RequestSpec,
    /// How the benign stream uses connections; one for each request when not given.
    #[serde(default)]
    pub benign_connection: Option<Located<StreamConnection>>,
    /// The attack of the stream.
    pub attack: RequestSpec,
    /// Requests per second, open loop.
    pub rates: Located<Rates>,
    /// The status with which the agent denies attacks; 406 when not given.
    #[serde(default)]
    pub denied_with: Option<Located<u16>>,
    /// What happens to the fleet, in order. Each step waits until the fleet has settled.
    pub steps: Vec<Located<RolloutStep>>,
    /// Whether benign requests may be lost.
    pub lost: Located<LossExpectation>,
    /// Whether attacks may be leaked.
    pub leaked: Located<LeakedExpectation>,
    /// Whether pods that join must be seen to enforce before they are endpoints.
    #[serde(default)]
    pub joining: Option<Located<JoiningExpectation>>,
    /// What the static check of the deployment must report, and nothing else.
    #[serde(default)]
    pub lint: Vec<Located<LintRule>>,
}

/// How a stream uses connections.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum StreamConnection {
    /// One for each request.
    Separate,
    /// One of HTTP/2 for as long as it lasts: a pod that goes has to ask the client to leave.
    Persistent,
}

/// Requests per second of the two streams.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rates {
    /// Of the benign stream.
    pub benign: f64,
    /// Of the attacks.
    pub attack: f64,
}

/// One thing that happens to the fleet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum RolloutStep {
    /// Every pod is replaced by one of the same template, as `kubectl rollout restart` does.
    Restart,
    /// The fleet gets so many pods.
    Scale(u32),
    /// Every pod is evicted, one after the other, under a budget that keeps all but one available.
    Evict,
    /// A node that has pods of the fleet takes no more pods, and each of those is evicted under that budget, as `kubectl drain` does. It takes pods
    /// again once the fleet has settled.
    DrainNode,
    /// One pod is deleted without grace, as `kubectl delete --grace-period=0 --force` does.
    Kill,
    /// The agent's process of one pod is killed; the kubelet starts it again.
    KillAgent,
    /// The agent's keys are replaced in their secret, and every pod by one that reads them.
    RotateSecret(RotateSecret),
    /// Every pod is replaced by one with another agent.
    Upgrade(Candidate),
    /// Every pod is replaced by one of the first template.
    Rollback,
}

/// How the agent's keys are rotated.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RotateSecret {
    /// The agent's variable that names an access key which is accepted no more; it is set to the old one by reference to a secret.
    pub revoked_by: Option<Located<String>>,
}

/// Whether pods that join must be seen to enforce before they are endpoints.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum JoiningExpectation {
    /// The first denial of an attack that was sent straight to the pod comes before the pod is ready.
    EnforcesFirst,
}

impl fmt::Display for RolloutStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restart => formatter.write_str("restart"),
            Self::Scale(replicas) => write!(formatter, "scale to {replicas}"),
            Self::Evict => formatter.write_str("evict"),
            Self::DrainNode => formatter.write_str("drain-node"),
            Self::Kill => formatter.write_str("kill"),
            Self::KillAgent => formatter.write_str("kill-agent"),
            Self::RotateSecret(_) => formatter.write_str("rotate-secret"),
            Self::Upgrade(_) => formatter.write_str("upgrade"),
            Self::Rollback => formatter.write_str("rollback"),
        }
    }
}

impl RolloutSpec {
    /// Returns what must become of the two streams.
    pub(super) const fn stream_expectation(&self) -> StreamExpectation {
        StreamExpectation {
            lost: self.lost,
            leaked: self.leaked,
        }
    }
}
