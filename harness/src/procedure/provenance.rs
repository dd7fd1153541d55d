//! `provenance`: what runs is what was named. The digest of each container's image is the one that was built or asked for.

use super::Proceedings;
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::exchange::judge_working;
use crate::judge::images::judge_container;
use crate::model::image_procedures::ProvenanceSpec;

/// Compares the images of the pod's containers, once they have been seen to work.
pub async fn carry_out(
    spec: &ProvenanceSpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    judge_working(&spec.cases, deployment, proceedings).await?;
    for image in deployment.pod.images() {
        proceedings.findings.extend(judge_container(&image));
        let digest = image
            .digest
            .map_or_else(|| "no digest".into(), |digest| digest.to_string());
        proceedings.observations.insert(
            format!("the image of {}", image.container),
            format!("{} is {digest}", image.name),
        );
    }
    Ok(())
}
