//! `filesystem`: where a container may write by the kernel's word, what it wrote, and with which privileges.

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
use harness_core::model::located::Located;
use harness_core::model::pod_security::PodSecurity;
use harness_core::model::validate_requests::check_some_cases;
use harness_core::stack::{AGENT_CONTAINER, APPLICATION_CONTAINER, PROXY_CONTAINER};
use harness_verdict::judge::filesystem::{
    ExpectedFile, FilesystemExpectation, RootExpectation, judge_view, total_size,
};

/// `filesystem`: what a container writes and where it may, and what else the kernel keeps it from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FilesystemSpec {
    /// Requests that are judged first, so that the agent has worked.
    pub cases: Vec<Case>,
    /// The container; the agent's when not given.
    #[serde(default)]
    pub container: Option<Located<String>>,
    /// What the kernel must say of the container's root.
    #[serde(default)]
    pub root: RootExpectation,
    /// Mount points that the container may write to. No other may exist but a writable root, and no file that it writes may lie elsewhere.
    pub writable: Located<Vec<String>>,
    /// Files that must be there, with their kind.
    pub files: Vec<ExpectedFile>,
    /// The most bytes that all its files may take.
    pub size_limit: Located<u64>,
    /// What the kernel must keep the container's first process from.
    #[serde(default)]
    pub security: Option<Located<PodSecurity>>,
}

impl Procedure for FilesystemSpec {
    fn check(&self, context: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_some_cases(&self.cases, "filesystem", context.section, complaints);
        if self.files.is_empty() && !self.writable.is_empty() {
            complaints.add(
                self.writable.position,
                "`filesystem` expects no file",
                "name at least one file that must have been written there",
            );
        }
        if let Some(container) = &self.container
            && ![AGENT_CONTAINER, APPLICATION_CONTAINER, PROXY_CONTAINER]
                .contains(&container.as_str())
        {
            complaints.add(
                container.position,
                format!("there is no container `{}`", **container),
                format!("known: {AGENT_CONTAINER}, {APPLICATION_CONTAINER}, {PROXY_CONTAINER}"),
            );
        }
    }

    fn assertions(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.cases.iter().map(assertion_of_case).collect();
        lines.push(format!(
            "the agent may write to {} and nowhere else",
            self.writable.join(", ")
        ));
        lines
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement::Pod(self)
    }

    fn judges_start(&self) -> bool {
        true
    }
}

#[async_trait]
impl CarryOut<OnePod> for FilesystemSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        judge_working(&self.cases, deployment, results).await?;
        let container = self
            .container
            .as_ref()
            .map_or(AGENT_CONTAINER, |name| name.as_str());
        let view = deployment.pod().inspect_files(container).await?;
        let expectation = FilesystemExpectation {
            root: self.root,
            writable: &self.writable,
            files: &self.files,
            size_limit: self.size_limit,
            security: self.security,
        };
        results.findings.extend(judge_view(&expectation, &view));
        results.observations.insert(
            format!("bytes that {container} wrote"),
            total_size(&view).to_string(),
        );
        Ok(())
    }
}
