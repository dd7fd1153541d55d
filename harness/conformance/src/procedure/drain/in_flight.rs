//! The part of `drain` with slow requests that are under way when the pod's deletion is asked for.

use super::totals::reconcile;
use crate::procedure::ProcedureResults;
use crate::procedure::deployment::{Deployment, POLL_INTERVAL};
use crate::procedure::drive::{Drive, DriveReport};
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::{found_in, judge_joined};
use crate::procedure::expected::Expected;
use crate::procedure::plan::list_stream;
use harness_core::model::finding::Finding;
use harness_core::model::timeouts::TimedOut;
use harness_environment::polling::Polling;
use harness_traffic::plan::Pacing;
use harness_verdict::judge::drain::{deletion_asked_at, judge_under_way};
use harness_verdict::judge::lifecycle::phase_at;
use harness_verdict::witness::join::Joined;

/// Sends the slow requests and waits until the application has each of them.
pub(super) async fn start(
    requests: &[Expected],
    deployment: &Deployment,
) -> Result<Option<Drive>, ProcedureError> {
    if requests.is_empty() {
        return Ok(None);
    }
    let stream = list_stream(
        "in-flight",
        &deployment.proxy_address(),
        Pacing::Concurrent { limit: 64 },
        requests
            .iter()
            .map(|request| request.prepared.planned.clone())
            .collect(),
    );
    let drive = deployment.start_drive(vec![stream]).await?;
    let budget = deployment.timeouts.request;
    let mut polling = Polling::within(budget.as_duration(), POLL_INTERVAL);
    while polling.next().await {
        let under_way = deployment
            .collected(|collected| {
                requests
                    .iter()
                    .filter(|request| request.expect.outcome.reached_application())
                    .all(|request| {
                        !collected
                            .upstream
                            .of(&request.prepared.planned.id)
                            .is_empty()
                    })
            })
            .await?;
        if under_way {
            return Ok(Some(drive));
        }
    }
    Err(TimedOut {
        waited_for: "the slow requests to arrive at the application".into(),
        budget,
        last_seen: format!("{} requests were sent", requests.len()),
    }
    .into())
}

/// Judges them, and that they were under way.
pub(super) async fn judge(
    requests: &[Expected],
    report: &DriveReport,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let joined = deployment.settle(&report.records).await?;
    let timeline = deployment.pod().timeline();
    let asked = deletion_asked_at(&timeline);
    let ended_after = joined
        .iter()
        .filter(|joined| asked.is_some_and(|asked| joined.client.finished_at > asked))
        .count();
    let remark = |joined: &Joined| {
        Some(format!(
            "ended {}",
            phase_at(&timeline, joined.client.finished_at)
        ))
    };
    let found_before = results.findings.len();
    let tally = judge_joined(requests, found_in(&joined), remark, results);
    let found = results.findings.len() - found_before;
    results.observations.insert(
        "requests under way at the deletion that were answered".into(),
        ended_after.to_string(),
    );
    results
        .findings
        .extend(under_way_or_error(requests.len(), ended_after, found)?);
    reconcile(report, &tally.outcomes, deployment, results).await
}

/// Judges that the requests were under way. Where nothing else was found of them, they were answered as they had to be before anything was done
/// to the pod: the deletion came too late to show anything.
fn under_way_or_error(
    sent: usize,
    under_way: usize,
    found: usize,
) -> Result<Option<Finding>, ProcedureError> {
    match judge_under_way(sent, under_way) {
        Some(_) if found == 0 => Err(ProcedureError::NothingUnderWay {
            over: sent - under_way,
            sent,
        }),
        finding => Ok(finding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_were_all_under_way_are_no_finding() {
        assert!(matches!(under_way_or_error(2, 2, 0), Ok(None)));
    }

    #[test]
    fn a_deletion_after_good_answers_shows_nothing() {
        let outcome = under_way_or_error(2, 1, 0);
        let Err(ProcedureError::NothingUnderWay { over, sent }) = outcome else {
            panic!("an error, not {outcome:?}");
        };
        assert_eq!((over, sent), (1, 2));
    }

    #[test]
    fn requests_that_went_wrong_before_the_deletion_are_a_finding() {
        let finding = under_way_or_error(2, 0, 2).expect("a judgement");
        assert_eq!(
            finding.map(|finding| finding.observed.to_string()),
            Some("0 were".into())
        );
    }
}
