//! Requests to an agent that is away or comes back, and how each of them is judged.

use crate::procedure::deployment::Deployment;
use crate::procedure::drive::Drive;
use crate::procedure::error::ProcedureError;
use crate::procedure::outage::OutageSpec;
use crate::procedure::plan::{Prepared, Route, list_stream};
use crate::procedure::round::{ReconciledEntries, Round};
use crate::procedure::{JudgedRequest, ProcedureResults};
use harness_core::model::outcome::Outcome;
use harness_core::model::stream_kind::StreamKind;
use harness_traffic::plan::{Pacing, PlannedRequest};
use harness_verdict::judge::outage::{OutageRequest, judge_request};
use harness_verdict::witness::counters::Counters;
use harness_verdict::witness::join::Joined;
use harness_verdict::witness::outcome::decide;
use harness_verdict::witness::reconciliation::EarlierHops;

/// The most requests that are under way at the same time: over any limit that a scenario fills.
const AT_ONCE: u32 = 128;

/// A request to an agent that is away, or back again.
pub(super) struct Request {
    kind: StreamKind,
    case: String,
    prepared: Prepared,
}

impl Request {
    /// Prepares the request of a kind; `when` completes the name of its case.
    pub(super) fn prepare(
        kind: StreamKind,
        when: &str,
        number: u32,
        spec: &OutageSpec,
        deployment: &Deployment,
    ) -> Result<Self, ProcedureError> {
        let request = match kind {
            StreamKind::Attack => &spec.attack,
            StreamKind::Benign => &spec.benign,
        };
        let case = format!("{kind}-{when}");
        let prepared = deployment
            .ids
            .prepare(request, &case, number, Route::Inspected)?;
        Ok(Self {
            kind,
            case,
            prepared,
        })
    }
}

/// Sends requests at once and judges each against the outcome that is right for its kind.
pub(super) async fn send(
    deployment: &Deployment,
    requests: &[Request],
    right: impl Fn(StreamKind) -> Outcome,
    spec: &OutageSpec,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let before = deployment.counters().await?;
    let drive = start_judged(deployment, requests).await?;
    let sent = Sent { drive, requests };
    conclude(sent, before, right, spec, deployment, results).await
}

/// Requests that are under way.
pub(super) struct Sent<'a> {
    pub(super) drive: Drive,
    pub(super) requests: &'a [Request],
}

/// Starts to send requests that will be judged, all at once.
pub(super) async fn start_judged(
    deployment: &Deployment,
    requests: &[Request],
) -> Result<Drive, ProcedureError> {
    start_prepared(deployment, requests.iter().map(|request| &request.prepared)).await
}

/// Starts to send requests, all at once.
pub(super) async fn start_prepared<'a>(
    deployment: &Deployment,
    requests: impl Iterator<Item = &'a Prepared>,
) -> Result<Drive, ProcedureError> {
    let stream = list_stream(
        "outage",
        &deployment.proxy_address(),
        Pacing::Concurrent { limit: AT_ONCE },
        requests.map(|request| request.planned.clone()).collect(),
    );
    deployment.start_drive(vec![stream]).await
}

/// Waits for the answers to requests that are under way, and judges each. `before` are the counters before the first of them was decided.
pub(super) async fn conclude(
    sent: Sent<'_>,
    before: Counters,
    right: impl Fn(StreamKind) -> Outcome,
    spec: &OutageSpec,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let round = Round::conclude(sent.drive, before, deployment).await?;
    let requests = round.joined(deployment).await;
    let mut outcomes = Vec::new();
    for request in sent.requests {
        let Some(joined) = requests
            .iter()
            .find(|joined| joined.client.id == request.prepared.planned.id)
        else {
            continue;
        };
        let acceptable = [right(request.kind)];
        outcomes.push(judge(
            &request.case,
            &request.prepared.planned,
            joined,
            &acceptable,
            spec,
            deployment,
            results,
        ));
    }
    let hops = EarlierHops::of(&requests);
    let entries = ReconciledEntries::Unknown;
    round
        .reconcile(&outcomes, hops, entries, deployment, results)
        .await
}

/// Judges one request against the outcomes that are right for it.
pub(super) fn judge(
    case: &str,
    planned: &PlannedRequest,
    joined: &Joined,
    acceptable: &[Outcome],
    spec: &OutageSpec,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Outcome {
    let judgement = decide(joined);
    let outcome = judgement.outcome;
    let request = OutageRequest {
        case,
        joined,
        judgement: &judgement,
    };
    let timeline = deployment.pod().timeline();
    let findings = judge_request(&request, acceptable, &spec.expectation(), &timeline);
    results.findings.extend(findings);
    results
        .requests
        .push(JudgedRequest::new(case, planned, joined.clone(), judgement));
    outcome
}
