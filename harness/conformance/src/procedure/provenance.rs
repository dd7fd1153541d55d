//! `provenance`: what runs is what was named. The digest of each container's image is the one that was built or asked for.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ProcedureResults;
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::exchange::judge_working;
use crate::procedure::interface::{
    CarryOut, CheckContext, Procedure, Requirement, assertion_of_case,
};
use crate::procedure::pods::OnePod;
use harness_core::model::case::Case;
use harness_core::model::complaints::Complaints;
use harness_core::model::validate_requests::check_some_cases;
use harness_verdict::judge::images::judge_container;

/// `provenance`: the digest of each container's image is the one that was built or asked for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProvenanceSpec {
    /// Requests that show that the containers work.
    pub cases: Vec<Case>,
}

impl Procedure for ProvenanceSpec {
    fn check(&self, context: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_some_cases(&self.cases, "provenance", context.section, complaints);
    }

    fn assertions(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.cases.iter().map(assertion_of_case).collect();
        lines.push(
            "each container runs the image that was built or asked for, by its digest".into(),
        );
        lines
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement::Pod(self)
    }
}

#[async_trait]
impl CarryOut<OnePod> for ProvenanceSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        judge_working(&self.cases, deployment, results).await?;
        for image in deployment.pod().images() {
            results.findings.extend(judge_container(&image));
            let digest = image
                .digest
                .map_or_else(|| "no digest".into(), |digest| digest.to_string());
            results.observations.insert(
                format!("the image of {}", image.container),
                format!("{} is {digest}", image.name),
            );
        }
        Ok(())
    }
}
