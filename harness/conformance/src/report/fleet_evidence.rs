//! The evidence folder of a scenario with a fleet that did not pass: a timeline and the logs of every pod that it ever had.

use camino::Utf8Path;

use super::evidence::{Output, WriteError, write_requests};
use super::record::PodRecord;
use crate::procedure::ProcedureResults;
use crate::procedure::rollout::FleetDeployment;
use harness_core::model::causes::chain;

/// Writes everything that is known of a scenario. What cannot be had is named in `incomplete.txt`.
pub async fn capture_fleet(
    output: &Output,
    folder: &Utf8Path,
    deployment: &FleetDeployment,
    results: &ProcedureResults,
) -> Result<(), WriteError> {
    let mut missing = Vec::new();
    output.write_json(&folder.join("findings.json"), &results.findings)?;
    output.write_json(&folder.join("reconciliation.json"), &results.reconciliation)?;
    output.write_json(&folder.join("pod.json"), &deployment.stack.pod)?;
    if let Some(config) = deployment.stack.proxy_config() {
        output.write(&folder.join("envoy.yaml"), config.as_bytes())?;
    }
    for member in deployment.fleet.pods() {
        let folder = folder.join("pods").join(&member.name);
        output.write_json(&folder.join("timeline.json"), &member.pod.timeline())?;
        for container in deployment.stack.containers() {
            let name = &container.name;
            match member.pod.log(name).await {
                Ok(log) => output.write(&folder.join(format!("{name}.log")), &log)?,
                Err(error) => {
                    missing.push(format!(
                        "the log of `{name}` of {}: {}",
                        member.name,
                        chain(&error).join(": ")
                    ));
                    if let Ok(kept) = member.pod.kept_log(name).await {
                        output.write(&folder.join(format!("{name}.log")), &kept)?;
                    }
                }
            }
        }
    }
    write_requests(output, folder, results)?;
    if !missing.is_empty() {
        let text = format!("{}\n", missing.join("\n"));
        output.write(&folder.join("incomplete.txt"), text.as_bytes())?;
    }
    Ok(())
}

/// Returns what happened to each pod that the fleet ever had.
pub fn pod_records(deployment: &FleetDeployment) -> Vec<PodRecord> {
    let pods = deployment.fleet.pods().into_iter();
    pods.map(|member| PodRecord {
        name: member.name,
        timeline: member.pod.timeline(),
    })
    .collect()
}
