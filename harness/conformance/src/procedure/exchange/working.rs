//! Shows that a deployment works, before or after a procedure does something to it.

use super::requests::judge_requests;
use crate::procedure::ProcedureResults;
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::expected::{expected, outcome_only, requests_of_cases};
use crate::procedure::plan::Route;
use harness_core::model::case::Case;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::lint_rule::LintRule;
use harness_core::model::located::Located;
use harness_core::model::outcome::Outcome;
use harness_core::model::request::RequestSpec;
use harness_core::stack::Stack;
use harness_core::stack::proxy_config::ProxyFacts;
use harness_verdict::judge::lint;

/// Runs the static check of the deployment.
pub fn check_deployment(
    deployment: &Deployment,
    expected: &[Located<LintRule>],
    results: &mut ProcedureResults,
) {
    check_stack(&deployment.stack, &deployment.proxy, expected, results);
}

/// Runs the static check of what is deployed, whether it is one pod or a fleet.
pub fn check_stack(
    stack: &Stack,
    proxy: &ProxyFacts,
    expected: &[Located<LintRule>],
    results: &mut ProcedureResults,
) {
    let reports = lint::check(stack, proxy);
    for report in &reports {
        results.observations.insert(
            format!("{} {}", FindingKind::Lint, report.rule),
            report.explanation.clone(),
        );
    }
    results.findings.extend(lint::judge(&reports, expected));
}

/// Shows that a deployment works before it is looked into: the static check finds nothing, it is ready and enforces, and its cases come out.
pub async fn judge_working(
    cases: &[Case],
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    check_deployment(deployment, &[], results);
    deployment.await_ready_and_enforcing(results).await?;
    let requests = requests_of_cases(cases, deployment)?;
    judge_requests(requests, deployment, results).await
}

/// Shows that an attack can be delivered, and that the nearest benign request passes, on the pod as it stands.
pub async fn judge_controls(
    attack: &RequestSpec,
    benign: &RequestSpec,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let requests = vec![
        expected(
            deployment,
            benign,
            "attack-twin",
            Route::Inspected,
            outcome_only(Outcome::Allowed, benign.target.position),
        )?,
        expected(
            deployment,
            attack,
            "attack-control",
            Route::Control,
            outcome_only(Outcome::NotInspected, attack.target.position),
        )?,
    ];
    judge_requests(requests, deployment, results).await
}

/// Shows that a pod works before something is done to it: the static check says what is expected, it is ready and enforces, an attack can be
/// delivered, and the nearest benign request passes.
pub async fn show_working(
    lint: &[Located<LintRule>],
    attack: &RequestSpec,
    benign: &RequestSpec,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    check_deployment(deployment, lint, results);
    deployment.await_ready_and_enforcing(results).await?;
    judge_controls(attack, benign, deployment, results).await
}
