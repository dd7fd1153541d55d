//! What `rollout` is as a procedure: its checks, what it asserts, what it needs.

use super::specification::{RolloutSpec, RolloutStep};
use super::validation::check_rollout;
use crate::procedure::interface::{CheckContext, Procedure, Repetition, Requirement, Weight};
use harness_core::model::complaints::Complaints;
use harness_core::model::feature::Feature;
use harness_verdict::judge::rollout::{LeakedExpectation, LossExpectation};

impl Procedure for RolloutSpec {
    fn check(&self, _: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_rollout(self, complaints);
    }

    fn assertions(&self) -> Vec<String> {
        let steps: Vec<String> = self.steps.iter().map(|step| step.to_string()).collect();
        let lost = match *self.lost {
            LossExpectation::Allowed => "benign requests may be lost",
            LossExpectation::None => "no benign request is lost",
            LossExpectation::Some => "benign requests are lost, and are seen to be",
        };
        let leaked = match *self.leaked {
            LeakedExpectation::None => "no attack reaches the application",
            LeakedExpectation::Some => "attacks reach the application, and are seen to",
        };
        vec![format!(
            "with {} pods, through {}: {lost}, {leaked}",
            *self.replicas,
            steps.join(", ")
        )]
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement::Fleet {
            replicas: *self.replicas,
            procedure: self,
        }
    }

    fn features(&self) -> &'static [Feature] {
        let mut steps = self.steps.iter();
        // Without it the node of a cluster of the user's would be cordoned.
        if steps.any(|step| matches!(**step, RolloutStep::DrainNode)) {
            &[Feature::Rollout, Feature::NodeDrain]
        } else {
            &[Feature::Rollout]
        }
    }

    fn weight(&self) -> Weight {
        Weight::Longest
    }

    fn repetition(&self) -> Repetition {
        Repetition::MatterOfTime
    }
}
