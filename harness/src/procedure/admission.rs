//! `admission`: whether the cluster lets the pod in, and that a pod which it lets in works.

use std::sync::Arc;

use super::Proceedings;
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::exchange::judge_working;
use crate::environment::{EnvironmentFault, Pod};
use crate::model::admission::{AdmissionOutcome, AdmissionSpec};
use crate::model::finding::Finding;

/// Lets an admitted pod work.
pub async fn carry_out(
    spec: &AdmissionSpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    judge_working(&spec.cases, deployment, proceedings).await
}

/// Judges what became of the pod's creation. Returns the pod where it is there and had to be; one that had to be refused is removed.
///
/// # Errors
///
/// When the pod was not created for another reason than that the cluster refused it.
pub async fn judge_creation(
    spec: &AdmissionSpec,
    created: Result<Arc<dyn Pod>, EnvironmentFault>,
    proceedings: &mut Proceedings,
) -> Result<Option<Arc<dyn Pod>>, EnvironmentFault> {
    let finding = |expected: &str, observed: String| {
        Finding::new("admission", spec.pod.position, expected, observed)
    };
    match (*spec.pod, created) {
        (AdmissionOutcome::Admitted, Ok(pod)) => Ok(Some(pod)),
        (AdmissionOutcome::Admitted, Err(EnvironmentFault::NotAdmitted { words, .. })) => {
            let finding = finding("the cluster lets the pod in", words);
            proceedings.findings.push(finding);
            Ok(None)
        }
        (AdmissionOutcome::Refused, Err(EnvironmentFault::NotAdmitted { words, .. })) => {
            judge_words(spec, words, proceedings);
            Ok(None)
        }
        (AdmissionOutcome::Refused, Ok(pod)) => {
            let finding = finding("the cluster refuses the pod", "it was created".into());
            proceedings.findings.push(finding);
            pod.remove().await?;
            Ok(None)
        }
        (AdmissionOutcome::Admitted | AdmissionOutcome::Refused, Err(fault)) => Err(fault),
    }
}

fn judge_words(spec: &AdmissionSpec, words: String, proceedings: &mut Proceedings) {
    for text in &spec.says {
        if !words.contains(text.as_str()) {
            proceedings.findings.push(Finding::new(
                "admission",
                text.position,
                format!("the refusal says `{}`", **text),
                words.clone(),
            ));
        }
    }
    proceedings
        .observations
        .insert("the cluster's refusal".into(), words);
}
