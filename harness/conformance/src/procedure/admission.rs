//! `admission`: whether the cluster lets the pod in, and that a pod which it lets in works.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ProcedureResults;
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::exchange::judge_working;
use crate::procedure::interface::{
    Admission, CarryOut, CheckContext, Procedure, Requirement, assertion_of_case,
};
use crate::procedure::pods::OnePod;
use harness_core::model::case::Case;
use harness_core::model::complaints::Complaints;
use harness_core::model::located::Located;
use harness_core::model::validate_requests::check_cases;
use harness_environment::{EnvironmentFault, Pod};
use harness_verdict::judge::admission::{judge_refusal, not_admitted, not_refused};

/// `admission`: whether the cluster lets the pod in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AdmissionSpec {
    /// What must become of the pod.
    pub pod: Located<AdmissionOutcome>,
    /// Texts that the cluster's refusal must contain, every one.
    #[serde(default)]
    pub says: Vec<Located<String>>,
    /// Requests that show that an admitted pod works.
    #[serde(default)]
    pub cases: Vec<Case>,
}

/// What becomes of a pod that a cluster is asked to let in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum AdmissionOutcome {
    /// It is created, and works.
    Admitted,
    /// It is not created.
    Refused,
}

impl Procedure for AdmissionSpec {
    fn check(&self, _: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_cases(&self.cases, complaints);
        match (*self.pod, self.says.is_empty(), self.cases.is_empty()) {
            (AdmissionOutcome::Admitted, true, false)
            | (AdmissionOutcome::Refused, false, true) => {}
            (AdmissionOutcome::Admitted, _, _) => complaints.add(
                self.pod.position,
                "a pod that is admitted has to be seen at work, and no reason is given why it is not",
                "write `cases:` and leave `says:` out",
            ),
            (AdmissionOutcome::Refused, _, _) => complaints.add(
                self.pod.position,
                "a pod that is refused takes no requests, and the cluster has to say why",
                "write `says:` and leave `cases:` out",
            ),
        }
    }

    fn assertions(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.cases.iter().map(assertion_of_case).collect();
        match *self.pod {
            AdmissionOutcome::Admitted => lines.push("the cluster lets the pod in".into()),
            AdmissionOutcome::Refused => lines.extend(
                self.says
                    .iter()
                    .map(|text| format!("the cluster refuses the pod and says `{}`", **text)),
            ),
        }
        lines
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement::Admission(self)
    }
}

#[async_trait]
impl CarryOut<OnePod> for AdmissionSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        judge_working(&self.cases, deployment, results).await
    }
}

#[async_trait]
impl Admission for AdmissionSpec {
    async fn judge_creation(
        &self,
        created: Result<Arc<dyn Pod>, EnvironmentFault>,
        results: &mut ProcedureResults,
    ) -> Result<Option<Arc<dyn Pod>>, EnvironmentFault> {
        let spec = self;
        let position = spec.pod.position;
        match (*spec.pod, created) {
            (AdmissionOutcome::Admitted, Ok(pod)) => Ok(Some(pod)),
            (AdmissionOutcome::Admitted, Err(EnvironmentFault::NotAdmitted { words, .. })) => {
                results.findings.push(not_admitted(position, words));
                Ok(None)
            }
            (AdmissionOutcome::Refused, Err(EnvironmentFault::NotAdmitted { words, .. })) => {
                results.absorb(judge_refusal(&spec.says, words));
                Ok(None)
            }
            (AdmissionOutcome::Refused, Ok(pod)) => {
                results.findings.push(not_refused(position));
                pod.remove().await?;
                Ok(None)
            }
            (AdmissionOutcome::Admitted | AdmissionOutcome::Refused, Err(fault)) => Err(fault),
        }
    }
}
