//! `admission`: whether the cluster lets the pod in, and that a pod which it lets in works.

use harness_core::model::finding_kind::FindingKind;
use std::sync::Arc;

use super::ProcedureResults;
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::exchange::judge_working;
use harness_core::model::admission::{AdmissionOutcome, AdmissionSpec};
use harness_core::model::finding::Finding;
use harness_environment::{EnvironmentFault, Pod};

/// Lets an admitted pod work.
pub async fn carry_out(
    spec: &AdmissionSpec,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    judge_working(&spec.cases, deployment, results).await
}

/// Judges what became of the pod's creation. Returns the pod where it is there and had to be; one that had to be refused is removed.
///
/// # Errors
///
/// When the pod was not created for another reason than that the cluster refused it.
pub async fn judge_creation(
    spec: &AdmissionSpec,
    created: Result<Arc<dyn Pod>, EnvironmentFault>,
    results: &mut ProcedureResults,
) -> Result<Option<Arc<dyn Pod>>, EnvironmentFault> {
    let finding = |expected: &str, observed: String| {
        Finding::new(
            FindingKind::Admission,
            spec.pod.position,
            expected,
            observed,
        )
    };
    match (*spec.pod, created) {
        (AdmissionOutcome::Admitted, Ok(pod)) => Ok(Some(pod)),
        (AdmissionOutcome::Admitted, Err(EnvironmentFault::NotAdmitted { words, .. })) => {
            let finding = finding("the cluster lets the pod in", words);
            results.findings.push(finding);
            Ok(None)
        }
        (AdmissionOutcome::Refused, Err(EnvironmentFault::NotAdmitted { words, .. })) => {
            judge_words(spec, words, results);
            Ok(None)
        }
        (AdmissionOutcome::Refused, Ok(pod)) => {
            let finding = finding("the cluster refuses the pod", "it was created".into());
            results.findings.push(finding);
            pod.remove().await?;
            Ok(None)
        }
        (AdmissionOutcome::Admitted | AdmissionOutcome::Refused, Err(fault)) => Err(fault),
    }
}

fn judge_words(spec: &AdmissionSpec, words: String, results: &mut ProcedureResults) {
    for text in &spec.says {
        if !words.contains(text.as_str()) {
            results.findings.push(Finding::new(
                FindingKind::Admission,
                text.position,
                format!("the refusal says `{}`", **text),
                words.clone(),
            ));
        }
    }
    results
        .observations
        .insert("the cluster's refusal".into(), words);
}
