//! `provenance`: what runs is what was named. The digest of each container's image is the one that was built or asked for.

use super::ProcedureResults;
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::exchange::judge_working;
use harness_core::model::image_procedures::ProvenanceSpec;
use harness_verdict::judge::images::judge_container;

/// Compares the images of the pod's containers, once they have been seen to work.
pub async fn carry_out(
    spec: &ProvenanceSpec,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    judge_working(&spec.cases, deployment, results).await?;
    for image in deployment.pod.images() {
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
