//! Checks the section `rollout` of a scenario file.

use super::specification::{RolloutSpec, RolloutStep, StreamConnection};
use harness_core::model::candidate::Candidate;
use harness_core::model::complaints::Complaints;
use harness_core::model::located::Located;
use harness_core::model::request::Protocol;
use harness_core::model::validate_requests::check_request;

/// The most pods of a fleet: each is a proxy, an application and an agent on one node.
const MOST_REPLICAS: u32 = 20;
/// The most requests per second of a stream.
const HIGHEST_RATE: f64 = 1_000.0;

pub(super) fn check_rollout(rollout: &RolloutSpec, complaints: &mut Complaints<'_>) {
    check_request(&rollout.benign, rollout.benign.target.position, complaints);
    check_request(&rollout.attack, rollout.attack.target.position, complaints);
    if let Some(connection) = &rollout.benign_connection
        && **connection == StreamConnection::Persistent
        && rollout.benign.protocol != Protocol::H2
    {
        complaints.add(
            connection.position,
            "only HTTP/2 carries a stream on one connection",
            "write `protocol: h2` in `benign:`, or take `benign-connection:` out",
        );
    }
    for rate in [rollout.rates.benign, rollout.rates.attack] {
        if !(rate > 0.0 && rate <= HIGHEST_RATE) {
            complaints.add(
                rollout.rates.position,
                format!("{rate} is not a rate"),
                format!("write requests per second, over 0 and up to {HIGHEST_RATE}"),
            );
        }
    }
    check_replicas(*rollout.replicas, &rollout.replicas, complaints);
    if rollout.steps.is_empty() {
        complaints.add(
            rollout.replicas.position,
            "nothing happens to the fleet",
            "add to `steps:` what does, as in `- restart`",
        );
    }
    let scales = |step: &Located<RolloutStep>| matches!(**step, RolloutStep::Scale(_));
    if let Some(joining) = &rollout.joining
        && !rollout.steps.iter().any(scales)
    {
        complaints.add(
            joining.position,
            "no pod joins the fleet",
            "add a `scale` step to more pods than there are",
        );
    }
    let mut upgraded = false;
    for step in &rollout.steps {
        match &**step {
            RolloutStep::Scale(replicas) => check_replicas(*replicas, step, complaints),
            RolloutStep::Upgrade(candidate) => {
                upgraded = true;
                check_candidate(candidate, step, complaints);
            }
            RolloutStep::Rollback if !upgraded => complaints.add(
                step.position,
                "there is nothing to go back from",
                "write an `upgrade` before it",
            ),
            RolloutStep::RotateSecret(rotation) => {
                let is_empty = |name: &Located<String>| name.trim().is_empty();
                if let Some(name) = rotation.revoked_by.as_ref().filter(|name| is_empty(name)) {
                    complaints.add(
                        name.position,
                        "a variable needs a name",
                        "name the agent's variable, or take `revoked-by:` out",
                    );
                }
            }
            RolloutStep::Restart
            | RolloutStep::Evict
            | RolloutStep::DrainNode
            | RolloutStep::Kill
            | RolloutStep::KillAgent
            | RolloutStep::Rollback => {}
        }
    }
}

fn check_replicas<T>(replicas: u32, place: &Located<T>, complaints: &mut Complaints<'_>) {
    if !(1..=MOST_REPLICAS).contains(&replicas) {
        complaints.add(
            place.position,
            format!("{replicas} pods are no fleet"),
            format!("write a number from 1 to {MOST_REPLICAS}"),
        );
    }
}

fn check_candidate<T>(candidate: &Candidate, place: &Located<T>, complaints: &mut Complaints<'_>) {
    if candidate.agent_env.is_empty() && candidate.image.is_none() {
        complaints.add(
            place.position,
            "the candidate is the agent that runs already",
            "write what is different: `agent-env:` or `image:`",
        );
    }
}
