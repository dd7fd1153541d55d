//! `pull`: what the kubelet makes of the agent's image and its pull policy.
//!
//! Where the image cannot be had, the proxy and the application run all the same: the pod must then never be ready, and the
//! proxy's failure mode decides upon every request that reaches it.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ProcedureResults;
use super::deployment::{Deployment, POLL_INTERVAL};
use super::error::ProcedureError;
use super::exchange::{check_deployment, judge_requests};
use super::expected::requests_of_cases;
use crate::procedure::interface::{
    CarryOut, CheckContext, Procedure, Requirement, Weight, assertion_of_case,
};
use crate::procedure::pods::OnePod;
use harness_core::model::case::Case;
use harness_core::model::complaints::Complaints;
use harness_core::model::image_use::ContainerImage;
use harness_core::model::located::Located;
use harness_core::model::validate_requests::check_some_cases;
use harness_core::stack::AGENT_CONTAINER;
use harness_environment::polling::Polling;
use harness_verdict::judge::pull::{
    ExpectedReason, PullOutcome, image_missing, judge_never_started, other_reason,
};

/// `pull`: what the kubelet makes of the agent's image and its pull policy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PullSpec {
    /// What must become of the agent's container.
    pub agent: Located<PullOutcome>,
    /// The reasons of which the kubelet must give one, where the container never starts.
    #[serde(default)]
    pub reasons: Vec<Located<String>>,
    /// Requests that are sent to the proxy once it is known what becomes of the agent.
    pub cases: Vec<Case>,
}

impl Procedure for PullSpec {
    fn check(&self, context: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_some_cases(&self.cases, "pull", context.section, complaints);
        match (*self.agent, self.reasons.is_empty()) {
        (PullOutcome::NeverStarts, true) => complaints.add(
            self.agent.position,
            "`pull` does not say why the agent never starts",
            "add to `reasons:` what the kubelet must give as its reason, such as ErrImageNeverPull",
        ),
        (PullOutcome::Runs, false) => complaints.add(
            self.agent.position,
            "an agent that runs has no reason not to",
            "leave `reasons:` out, or write `agent: never-starts`",
        ),
        (PullOutcome::NeverStarts, false) | (PullOutcome::Runs, true) => {}
    }
    }

    fn assertions(&self) -> Vec<String> {
        let reasons: Vec<&str> = self.reasons.iter().map(|reason| reason.as_str()).collect();
        let mut lines = vec![match *self.agent {
            PullOutcome::NeverStarts => format!(
                "the agent never starts, for {}, and the pod is never ready",
                reasons.join(" or ")
            ),
            PullOutcome::Runs => "the agent runs".into(),
        }];
        lines.extend(self.cases.iter().map(assertion_of_case));
        lines
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement::Pod(self)
    }

    fn weight(&self) -> Weight {
        Weight::Short
    }
}

/// How often the kubelet's word is looked at: it changes with each attempt, seconds apart.
const LOOK_EVERY: Duration = POLL_INTERVAL.saturating_mul(10);

#[async_trait]
impl CarryOut<OnePod> for PullSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        check_deployment(deployment, &[], results);
        match *self.agent {
            PullOutcome::Runs => {
                if let Some(reason) = await_running(deployment, results).await? {
                    let timeline = deployment.pod().timeline();
                    let finding = image_missing(self.agent.position, reason, &timeline);
                    results.findings.push(finding);
                    return Ok(());
                }
            }
            PullOutcome::NeverStarts => {
                await_reason(self, deployment, results).await;
                deployment.await_proxy_live().await?;
            }
        }
        let requests = requests_of_cases(&self.cases, deployment)?;
        judge_requests(requests, deployment, results).await?;
        match *self.agent {
            PullOutcome::Runs => {}
            PullOutcome::NeverStarts => {
                let timeline = deployment.pod().timeline();
                let finding = judge_never_started(self.agent.position, &timeline);
                results.findings.extend(finding);
                // How such a pod ends is not the matter here, and an older kubelet takes its time over a container that never was. Where something
                // was found, the evidence is taken of the pod as it stands.
                if results.findings.is_empty() {
                    deployment.pod().remove().await?;
                }
            }
        }
        Ok(())
    }
}

/// Waits until the agent decides; returns the kubelet's reason where it waits for the image instead.
async fn await_running(
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<Option<String>, ProcedureError> {
    let Err(error) = deployment.await_ready_and_enforcing(results).await else {
        return Ok(None);
    };
    let waits_for = agents_image(deployment).and_then(|image| image.waiting);
    match (&error, waits_for) {
        (ProcedureError::TimedOut(_), Some((reason, words))) => {
            Ok(Some(format!("{reason}: {words}")))
        }
        (_, _) => Err(error),
    }
}

/// Waits until the kubelet gives one of the reasons. That it gives another one, or none, is a finding: the clear diagnosis is what is tested.
async fn await_reason(spec: &PullSpec, deployment: &Deployment, results: &mut ProcedureResults) {
    let budget = deployment.timeouts.refusal;
    let wanted: Vec<&str> = spec.reasons.iter().map(|reason| reason.as_str()).collect();
    let mut polling = Polling::within(budget.as_duration(), LOOK_EVERY);
    let mut agent = None;
    while polling.next().await {
        agent = agents_image(deployment);
        if let Some((reason, words)) = agent.as_ref().and_then(|image| image.waiting.as_ref())
            && wanted.contains(&reason.as_str())
        {
            results
                .observations
                .insert("the kubelet's reason".into(), format!("{reason}: {words}"));
            return;
        }
    }
    let position = spec
        .reasons
        .first()
        .map_or(spec.agent.position, |reason| reason.position);
    let expected = ExpectedReason {
        any_of: &wanted,
        within: budget,
        position,
    };
    let timeline = deployment.pod().timeline();
    results
        .findings
        .push(other_reason(&expected, agent.as_ref(), &timeline));
}

fn agents_image(deployment: &Deployment) -> Option<ContainerImage> {
    let mut images = deployment.pod().images().into_iter();
    images.find(|image| image.container == AGENT_CONTAINER)
}
