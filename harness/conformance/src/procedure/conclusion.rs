//! How a scenario ends on its pods: the last reconciliation of one that has passed, and what the proxy says where it has not.

use async_trait::async_trait;

use super::deployment::Deployment;
use super::error::ProcedureError;
use super::final_reconciliation::reconcile_finally;
use super::pods::{OnePod, PodFleet, Pods};
use super::results::ProcedureResults;

/// What differs between one pod and a fleet when the procedure is over.
#[async_trait]
pub trait Conclusion: Pods {
    /// Concludes a scenario that has passed so far.
    async fn conclude(
        deployment: &Deployment<Self>,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError>;

    /// Asks the proxy what it is configured to do and what it has counted: names of evidence files, each with its text or why there is none.
    async fn proxy_state(
        deployment: &Deployment<Self>,
    ) -> Vec<(&'static str, Result<String, ProcedureError>)>;
}

#[async_trait]
impl Conclusion for OnePod {
    async fn conclude(
        deployment: &Deployment<Self>,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        reconcile_finally(deployment, results).await
    }

    async fn proxy_state(
        deployment: &Deployment<Self>,
    ) -> Vec<(&'static str, Result<String, ProcedureError>)> {
        vec![
            (
                "envoy-config-dump.json",
                deployment.admin("/config_dump").await,
            ),
            ("envoy-stats.txt", deployment.admin("/stats").await),
        ]
    }
}

#[async_trait]
impl Conclusion for PodFleet {
    /// Pods of a fleet come and go: what each has recorded was reconciled while it was there.
    async fn conclude(
        _: &Deployment<Self>,
        _: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        Ok(())
    }

    /// The proxies of a fleet are not asked: most of them have ended.
    async fn proxy_state(
        _: &Deployment<Self>,
    ) -> Vec<(&'static str, Result<String, ProcedureError>)> {
        Vec::new()
    }
}
