//! `secrecy`: after traffic, and once more after the pod has ended, the agent's keys are looked for wherever they could show.

use super::ProcedureResults;
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::exchange::judge_working;
use crate::procedure::interface::CarryOut;
use crate::procedure::interface::{CheckContext, Procedure, Requirement, assertion_of_case};
use crate::procedure::pods::OnePod;
use async_trait::async_trait;
use harness_core::model::case::Case;
use harness_core::model::complaints::Complaints;
use harness_core::model::expectation::ClientExpectation;
use harness_core::model::file_kind::FileKind;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::Position;
use harness_core::model::validate_requests::check_some_cases;
use harness_core::redaction::Redactor;
use harness_core::stack::AGENT_CONTAINER;
use harness_traffic::record::ClientResult;
use harness_verdict::judge::exchange::judge_client;
use schemars::JsonSchema;
use serde::Deserialize;

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
    fn check(&self, _: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_some_cases(&self.cases, "secrecy", complaints);
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

/// How much of an answer's body a client record keeps, and so how long an answer may be here.
const KEPT_BODY_BYTES: u64 = 4 * 1024;
/// How much of each file is searched.
const FILE_LIMIT_BYTES: u64 = 8 * 1024 * 1024;

/// A place that was searched: its name and what stood there.
type Place = (String, Vec<u8>);

#[async_trait]
impl CarryOut<OnePod> for SecrecySpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        let spec = self;
        judge_working(&spec.cases, deployment, results).await?;
        judge_answers(spec, results);

        let mut places = live_places(deployment).await?;
        let witnesses = results
            .requests
            .iter()
            .flat_map(|request| serde_json::to_vec(&request.joined).unwrap_or_default())
            .collect();
        places.push(("an answer or a witness's record".into(), witnesses));
        deployment.pod().request_deletion().await?;
        deployment.await_gone().await?;
        places.extend(logs(deployment, "after its end").await?);

        let redactor = Redactor::new(&deployment.keys);
        for (place, text) in &places {
            if redactor.finds_secret(text) {
                results.findings.push(Finding::new(
                    FindingKind::SecretExposure,
                    Position::default(),
                    "the agent's keys show nowhere",
                    format!("one of them stands in {place}"),
                ));
            }
        }
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

/// Judges what clients received: the scenario's own expectation, and that all of it could be searched.
fn judge_answers(spec: &SecrecySpec, results: &mut ProcedureResults) {
    let mut findings = Vec::new();
    for request in &results.requests {
        let ClientResult::Response(response) = &request.joined.client.result else {
            continue;
        };
        let id = RequestId::from_witness(&request.planned.id);
        let mut found = judge_client(&spec.client, response);
        if response.body_length > KEPT_BODY_BYTES {
            found.push(Finding::new(
                FindingKind::NotExercised,
                Position::default(),
                format!("an answer of at most {KEPT_BODY_BYTES} bytes, which is searched whole"),
                format!("{} bytes", response.body_length),
            ));
        }
        findings.extend(
            found
                .into_iter()
                .map(|finding| finding.about(&request.case, &id)),
        );
    }
    results.findings.extend(findings);
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
