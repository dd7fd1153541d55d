//! `secrecy`: after traffic, the agent's keys are looked for wherever they could show.

use super::Proceedings;
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::exchange::{check_deployment, judge_requests, requests_of_cases};
use crate::judge::exchange::judge_client;
use crate::model::finding::Finding;
use crate::model::identity::RequestId;
use crate::model::located::Position;
use crate::model::procedure::SecrecySpec;
use crate::report::redaction::Redactor;
use crate::traffic::record::ClientResult;

/// Carries a search for the agent's keys out.
pub async fn carry_out(
    spec: &SecrecySpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    check_deployment(deployment, &[], proceedings);
    deployment.await_ready_and_enforcing().await?;
    let requests = requests_of_cases(&spec.cases, deployment)?;
    judge_requests(requests, deployment, proceedings).await?;
    for request in &proceedings.requests {
        if let ClientResult::Response(response) = &request.joined.client.result {
            let id = RequestId::from_witness(&request.planned.id);
            let findings = judge_client(&spec.client, response);
            proceedings.findings.extend(
                findings
                    .into_iter()
                    .map(|finding| finding.about(&request.case, &id)),
            );
        }
    }
    let places = places(deployment, proceedings).await?;
    let redactor = Redactor::new(&deployment.keys);
    proceedings.observations.insert(
        "places searched".into(),
        format!(
            "{} places, {} bytes",
            places.len(),
            places.iter().map(|(_, text)| text.len()).sum::<usize>()
        ),
    );
    for (place, text) in places {
        if redactor.finds_secret(&text) {
            proceedings.findings.push(Finding::new(
                "secret",
                Position::default(),
                "the agent's keys show nowhere",
                format!("one of them stands in {place}"),
            ));
        }
    }
    Ok(())
}

/// Collects everything that a key could have leaked into, by name.
async fn places(
    deployment: &Deployment,
    proceedings: &Proceedings,
) -> Result<Vec<(String, Vec<u8>)>, ProcedureError> {
    let mut places = Vec::new();
    for container in &deployment.stack.pod.containers {
        let name = &container.name;
        places.push((
            format!("the log of `{name}`"),
            deployment.pod.log(name).await?,
        ));
        let command_lines = deployment.pod.command_lines(name).await?;
        places.push((
            format!("a command line of `{name}`"),
            command_lines.join("\n").into_bytes(),
        ));
    }
    let dump = deployment.admin("/config_dump").await?;
    places.push(("the proxy's configuration dump".into(), dump.into_bytes()));
    let answers: Vec<u8> = proceedings
        .requests
        .iter()
        .flat_map(|request| serde_json::to_vec(&request.joined).unwrap_or_default())
        .collect();
    places.push(("an answer or a witness's record".into(), answers));
    Ok(places)
}
