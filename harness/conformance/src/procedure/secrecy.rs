//! `secrecy`: after traffic, and once more after the pod has ended, the agent's keys are looked for wherever they could show.

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
use harness_core::model::expectation::ClientExpectation;
use harness_core::model::file_kind::FileKind;
use harness_core::model::validate_requests::check_some_cases;
use harness_core::redaction::Redactor;
use harness_core::stack::AGENT_CONTAINER;
use harness_verdict::judge::secrecy::{Place, judge_answers, judge_places};

/// `secrecy`: after traffic, the agent's keys are looked for wherever they could show.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecrecySpec {
    /// Requests that are judged first, so that the agent has worked.
    pub cases: Vec<Case>,
    /// What a client must never receive, in any answer.
    #[serde(default)]
    pub client: ClientExpectation,
}

impl Procedure for SecrecySpec {
    fn check(&self, context: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_some_cases(&self.cases, "secrecy", context.section, complaints);
    }

    fn assertions(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.cases.iter().map(assertion_of_case).collect();
        lines.push("the agent's keys show nowhere".into());
        lines
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement::Pod(self)
    }
}

/// How much of each file is searched.
const FILE_LIMIT_BYTES: u64 = 8 * 1024 * 1024;

#[async_trait]
impl CarryOut<OnePod> for SecrecySpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        results.requests.keep_all();
        judge_working(&self.cases, deployment, results).await?;
        let found = judge_answers(&self.client, results.requests.whole());
        results.findings.extend(found);

        let mut places = live_places(deployment).await?;
        let witnesses = results
            .requests
            .whole()
            .iter()
            .flat_map(|request| serde_json::to_vec(&request.joined).unwrap_or_default())
            .collect();
        places.push(("an answer or a witness's record".into(), witnesses));
        deployment.pod().request_deletion().await?;
        deployment.await_gone().await?;
        places.extend(logs(deployment, "after its end").await?);

        let redactor = Redactor::new(&deployment.keys);
        results.findings.extend(judge_places(&places, &redactor));
        results.observations.insert(
            "places searched".into(),
            format!(
                "{} places, {} bytes",
                places.len(),
                places.iter().map(|(_, text)| text.len()).sum::<usize>()
            ),
        );
        Ok(())
    }
}

/// Collects everything that a key could have leaked into while the pod stands, by name.
async fn live_places(deployment: &Deployment) -> Result<Vec<Place>, ProcedureError> {
    let mut places = logs(deployment, "while it ran").await?;
    for container in deployment.stack.containers() {
        let name = &container.name;
        let command_lines = deployment.pod().command_lines(name).await?;
        places.push((
            format!("a command line of `{name}`"),
            command_lines.join("\n").into_bytes(),
        ));
    }
    let dump = deployment.admin("/config_dump").await?;
    places.push(("the proxy's configuration dump".into(), dump.into_bytes()));
    let view = deployment.pod().inspect_files(AGENT_CONTAINER).await?;
    for (path, entry) in &view.files {
        places.push((
            format!("the name of the file {path}"),
            path.clone().into_bytes(),
        ));
        if entry.kind == FileKind::File && entry.size > 0 {
            let content = deployment
                .pod()
                .read_file(AGENT_CONTAINER, path, FILE_LIMIT_BYTES)
                .await?;
            places.push((format!("the file {path}"), content));
        }
    }
    Ok(places)
}

async fn logs(deployment: &Deployment, when: &str) -> Result<Vec<Place>, ProcedureError> {
    let mut places = Vec::new();
    for container in deployment.stack.containers() {
        let name = &container.name;
        places.push((
            format!("the log of `{name}` {when}"),
            deployment.pod().log(name).await?,
        ));
    }
    Ok(places)
}
