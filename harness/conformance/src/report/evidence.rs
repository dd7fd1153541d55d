//! The evidence folder of a scenario that did not pass, written before anything is cleaned up.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::evidence_ledger::{EvidenceLedger, Extent};
use super::record::PodRecord;
use crate::procedure::ProcedureResults;
use crate::procedure::conclusion::Conclusion;
use crate::procedure::deployment::Deployment;
use crate::procedure::pods::Pods;
use harness_core::model::causes::chain;
use harness_core::model::identity::RequestId;
use harness_core::model::timeline::LifecycleEvent;
use harness_core::redaction::Redactor;
use harness_core::stack::PROXY_PORT;
use harness_environment::FleetMember;
use harness_traffic::record::ClientResult;
use harness_traffic::request_bytes::written_out;

/// The folder of a run, to which everything goes through the redactor.
#[derive(Clone, Debug)]
pub struct Output {
    /// The folder.
    pub folder: Utf8PathBuf,
    /// How much evidence may go there.
    pub ledger: Arc<EvidenceLedger>,
    redactor: Redactor,
}

/// Why an output file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
pub struct WriteError {
    path: Utf8PathBuf,
    #[source]
    source: std::io::Error,
}

impl Output {
    /// Names the folder; it is made when the first file is written.
    pub fn new(folder: Utf8PathBuf, redactor: Redactor, ledger: EvidenceLedger) -> Self {
        Self {
            folder,
            ledger: Arc::new(ledger),
            redactor,
        }
    }

    /// Writes a file below the folder, redacted.
    pub fn write(&self, path: &Utf8Path, content: &[u8]) -> Result<(), WriteError> {
        let path = self.folder.join(path);
        let written = || {
            if let Some(parent) = path.parent() {
                fs_err::create_dir_all(parent)?;
            }
            let redacted = self.redactor.redact(content);
            self.ledger.add(redacted.len() as u64);
            fs_err::write(&path, redacted)
        };
        written().map_err(|source| WriteError {
            path: path.clone(),
            source,
        })
    }

    /// Writes a file of numbers below the folder: nothing in it is text, and what looks like a secret is none.
    pub fn write_as_it_is(&self, path: &Utf8Path, content: &[u8]) -> Result<(), WriteError> {
        let path = self.folder.join(path);
        fs_err::write(&path, content).map_err(|source| WriteError { path, source })
    }

    /// Replaces every secret in a text.
    pub fn redact(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.redactor.redact(text.as_bytes())).into_owned()
    }

    /// Writes a value as JSON below the folder, redacted.
    pub fn write_json(&self, path: &Utf8Path, value: &impl Serialize) -> Result<(), WriteError> {
        let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
        text.push(b'\n');
        self.write(path, &text)
    }
}

/// Writes what is known of a scenario, to this extent. What cannot be had, or is left out, is named in `incomplete.txt`.
pub async fn capture<P: Conclusion>(
    output: &Output,
    folder: &Utf8Path,
    deployment: &Deployment<P>,
    results: &ProcedureResults,
    extent: &Extent,
) -> Result<(), WriteError> {
    let mut missing = Vec::new();
    output.write_json(&folder.join("findings.json"), &results.findings)?;
    output.write_json(&folder.join("reconciliation.json"), &results.reconciliation)?;
    output.write_json(
        &folder.join("envoy-stats-delta.json"),
        &results.reconciliation.counted_by_proxy,
    )?;
    if let Extent::Brief { because } = extent {
        for member in deployment.pods.members() {
            write_timeline(
                output,
                &folder.join(deployment.pods.folder_of(&member)),
                &member,
            )?;
        }
        let note = format!("logs, requests and configurations were left out: {because}\n");
        return output.write(&folder.join("incomplete.txt"), note.as_bytes());
    }
    output.write_json(&folder.join("pod.json"), &deployment.stack.pod)?;
    if let Some(config) = deployment.stack.proxy_config() {
        output.write(&folder.join("envoy.yaml"), config.as_bytes())?;
    }
    let containers = deployment.stack.containers();
    let containers: BTreeSet<String> = containers
        .map(|container| container.name.clone())
        .chain(deployment.stack.agent_names())
        .collect();
    for member in deployment.pods.members() {
        let folder = folder.join(deployment.pods.folder_of(&member));
        write_timeline(output, &folder, &member)?;
        for name in &containers {
            let file = folder.join(format!("logs/{name}.log"));
            match member.pod.log(name).await {
                Ok(log) => output.write(&file, &log)?,
                Err(error) => {
                    missing.push(format!(
                        "the log of `{name}` of {}: {}",
                        member.name,
                        chain(&error).join(": ")
                    ));
                    if let Ok(kept) = member.pod.kept_log(name).await {
                        output.write(&file, &kept)?;
                    }
                }
            }
        }
    }
    for (file, answer) in P::proxy_state(deployment).await {
        match answer {
            Ok(text) => output.write(&folder.join(file), text.as_bytes())?,
            Err(error) => missing.push(format!("{file}: {}", chain(&error).join(": "))),
        }
    }
    write_requests(output, folder, results)?;
    write_calls(output, folder, results)?;
    if !missing.is_empty() {
        output.write(
            &folder.join("incomplete.txt"),
            format!("{}\n", missing.join("\n")).as_bytes(),
        )?;
    }
    Ok(())
}

fn write_timeline(
    output: &Output,
    folder: &Utf8Path,
    member: &FleetMember,
) -> Result<(), WriteError> {
    output.write_json(&folder.join("timeline.json"), &member.pod.timeline())?;
    output.write_json(&folder.join("exit-codes.json"), &exit_codes(member))
}

/// Returns what happened to each pod that there ever was.
pub fn pod_records<P: Pods>(deployment: &Deployment<P>) -> Vec<PodRecord> {
    let members = deployment.pods.members().into_iter();
    members
        .map(|member| PodRecord {
            name: member.name,
            timeline: member.pod.timeline(),
        })
        .collect()
}

/// Lists each end of each container of a pod, in order.
fn exit_codes(member: &FleetMember) -> Vec<(String, i32)> {
    member
        .pod
        .timeline()
        .into_iter()
        .filter_map(|event| match event.event {
            LifecycleEvent::Exited(status) => {
                Some((event.container?, status.as_container_exit_code()))
            }
            _ => None,
        })
        .collect()
}

/// Returns the ids that a finding names.
fn concerned(results: &ProcedureResults) -> BTreeSet<&str> {
    let named = results.findings.iter();
    named
        .filter_map(|finding| finding.request.as_ref())
        .map(RequestId::as_str)
        .collect()
}

/// Writes the requests that a finding names: their bytes, the answer's head, and every witness's record.
fn write_requests(
    output: &Output,
    folder: &Utf8Path,
    results: &ProcedureResults,
) -> Result<(), WriteError> {
    let proxy_address = format!("127.0.0.1:{PROXY_PORT}");
    for request in results.requests.named(&concerned(results)) {
        let folder = folder.join("requests").join(file_name(&request.planned.id));
        output.write(
            &folder.join("request.http"),
            &written_out(&request.planned, &proxy_address),
        )?;
        if let ClientResult::Response(response) = &request.joined.client.result {
            let mut text = format!("status {}\n", response.status);
            for (name, value) in &response.headers {
                text.push_str(name);
                text.push_str(": ");
                text.push_str(value);
                text.push('\n');
            }
            output.write(&folder.join("response-head.txt"), text.as_bytes())?;
            let body = STANDARD
                .decode(&response.body_head_base64)
                .unwrap_or_default();
            output.write(&folder.join("response-body-head.bin"), &body)?;
        }
        output.write_json(&folder.join("witnesses.json"), &request)?;
    }
    Ok(())
}

/// Writes the calls that a finding names, with what both witnesses said.
fn write_calls(
    output: &Output,
    folder: &Utf8Path,
    results: &ProcedureResults,
) -> Result<(), WriteError> {
    let concerned = concerned(results);
    for call in &results.calls {
        if concerned.contains(call.record.id.as_str()) {
            let file = format!("calls/{}.json", file_name(&call.record.id));
            output.write_json(&folder.join(file), call)?;
        }
    }
    Ok(())
}

/// Returns a request's id as a file name: nothing but letters, digits, dots and hyphens.
fn file_name(id: &str) -> String {
    id.chars()
        .map(|character| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' => character,
            _ => '_',
        })
        .take(150)
        .collect()
}
