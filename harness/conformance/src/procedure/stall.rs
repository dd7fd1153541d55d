//! A proxy that was not run for a while: what then failed for want of time is not the agent's doing.
//!
//! A proxy gives a check up at its time-out and no later. Where it says that it waited much longer, nobody let it run, and an agent
//! on the same machine fared no better. Findings that such a wait cannot explain are never excused.

use std::collections::BTreeSet;
use std::time::Duration;

use super::ProcedureResults;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::outcome::Outcome;
use harness_core::stack::proxy_config::ProxyFacts;
use harness_verdict::judge::judged_requests::BriefRequest;
use harness_verdict::witness::agent_word::waited_out;

/// By how much a proxy has to be late for its own time-out before it counts as stalled.
const LATE_BY: Duration = Duration::from_millis(500);

/// A proxy that was late for its own time-out, and nothing else to be found.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the proxy was not run for a while: it gave a check up after {} ms, and its time-out is {} ms; all {findings} findings are of checks that ran out of time",
    .waited.as_millis(),
    .authorization_timeout.as_millis()
)]
pub struct ProxyStalled {
    /// The longest wait for the agent.
    pub waited: Duration,
    /// When the proxy should have given it up.
    pub authorization_timeout: Duration,
    /// What would have been held against the agent.
    pub findings: usize,
}

/// Tells whether what was found is the agent's doing.
///
/// # Errors
///
/// When a stall explains every finding.
pub fn unless_stalled(results: &ProcedureResults, proxy: &ProxyFacts) -> Result<(), ProxyStalled> {
    let Some(authorization_timeout) = proxy.longest_authorization_timeout else {
        return Ok(());
    };
    let waited = results
        .requests
        .iter()
        .filter_map(|request| request.waited())
        .max();
    let Some(waited) = waited.filter(|waited| *waited >= authorization_timeout + LATE_BY) else {
        return Ok(());
    };
    let out_of_time: BTreeSet<String> = results
        .requests
        .iter()
        .filter(|request| ran_out_of_time(request, authorization_timeout))
        .map(|request| request.id())
        .collect();
    let findings = &results.findings;
    let is_explained = findings.iter().all(|finding| {
        let request = finding.request.as_ref();
        finding.kind == FindingKind::Outcome
            && request.is_some_and(|id| out_of_time.contains(id.as_str()))
    });
    if findings.is_empty() || !is_explained {
        return Ok(());
    }
    Err(ProxyStalled {
        waited,
        authorization_timeout,
        findings: findings.len(),
    })
}

/// Tells whether the proxy's failure mode decided a request because the time-out was over.
fn ran_out_of_time(request: &BriefRequest<'_>, authorization_timeout: Duration) -> bool {
    let by_failure_mode = matches!(
        request.outcome(),
        Outcome::FailedClosed | Outcome::FailedOpen
    );
    by_failure_mode && { request.waited() }
        .is_some_and(|waited| waited_out(waited, authorization_timeout))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::procedure::JudgedRequest;
    use harness_core::model::finding::Finding;
    use harness_core::model::identity::RequestId;
    use harness_core::model::located::Position;
    use harness_verdict::witness::fixture;
    use harness_verdict::witness::outcome::Judgement;

    fn request(id: &str, outcome: Outcome, waited_milliseconds: u64) -> JudgedRequest {
        let mut joined = fixture::joined();
        joined.client.id = id.into();
        joined.proxy[0].authorization_microseconds = Some(waited_milliseconds * 1_000);
        let planned = serde_json::json!({
            "id": id, "method": "GET", "target": "/", "headers": [], "body-base64": null, "framing": "content-length",
        });
        JudgedRequest {
            case: "a".into(),
            planned: serde_json::from_value(planned).expect("a plan"),
            joined,
            judgement: Judgement {
                outcome,
                reasons: Vec::new(),
            },
        }
    }

    fn finding(kind: FindingKind, id: &str) -> Finding {
        Finding::new(kind, Position::default(), "allowed", "another")
            .about("a", &RequestId::from_witness(id))
    }

    /// Judges a scenario of a proxy with two filters, which wait for 1 s and for 5 s.
    fn judged(requests: Vec<JudgedRequest>, findings: Vec<Finding>) -> Result<(), ProxyStalled> {
        let results = ProcedureResults {
            findings,
            requests: requests.into_iter().collect(),
            ..ProcedureResults::default()
        };
        let proxy = ProxyFacts {
            sends_response_data: true,
            unlogged_headers: Vec::new(),
            passes_bodies: true,
            authorization_timeout: Some(Duration::from_secs(1)),
            longest_authorization_timeout: Some(Duration::from_secs(5)),
        };
        unless_stalled(&results, &proxy)
    }

    #[test]
    fn a_late_proxy_explains_what_ran_out_of_time() {
        let requests = vec![
            request("x.a.0.r", Outcome::FailedClosed, 7_000),
            request("x.a.1.r", Outcome::FailedOpen, 4_000),
        ];
        let findings = vec![
            finding(FindingKind::Outcome, "x.a.0.r"),
            finding(FindingKind::Outcome, "x.a.1.r"),
        ];
        let stalled = ProxyStalled {
            waited: Duration::from_secs(7),
            authorization_timeout: Duration::from_secs(5),
            findings: 2,
        };
        assert_eq!(judged(requests, findings), Err(stalled));
    }

    #[test]
    fn a_late_proxy_is_no_error_where_nothing_was_found() {
        let late = request("x.a.0.r", Outcome::FailedClosed, 7_000);
        assert_eq!(judged(vec![late], Vec::new()), Ok(()));
    }

    #[test]
    fn a_proxy_in_time_explains_nothing() {
        let in_time = request("x.a.0.r", Outcome::FailedClosed, 5_499);
        assert_eq!(
            judged(
                vec![in_time],
                vec![finding(FindingKind::Outcome, "x.a.0.r")]
            ),
            Ok(())
        );
    }

    #[rstest]
    #[case::of_another_outcome(FindingKind::Outcome, Outcome::NotInspected, 5_001)]
    #[case::that_failed_in_time(FindingKind::Outcome, Outcome::FailedClosed, 3_000)]
    #[case::that_differs_in_something_else(FindingKind::ClientHeader, Outcome::FailedClosed, 5_001)]
    fn a_late_proxy_excuses_no_request(
        #[case] kind: FindingKind,
        #[case] outcome: Outcome,
        #[case] waited_milliseconds: u64,
    ) {
        let requests = vec![
            request("x.a.0.r", Outcome::FailedClosed, 7_000),
            request("x.a.1.r", outcome, waited_milliseconds),
        ];
        let findings = vec![
            finding(FindingKind::Outcome, "x.a.0.r"),
            finding(kind, "x.a.1.r"),
        ];
        assert_eq!(judged(requests, findings), Ok(()));
    }

    #[test]
    fn a_late_proxy_does_not_explain_what_is_about_no_request() {
        let late = request("x.a.0.r", Outcome::FailedClosed, 7_000);
        let reconciliation = Finding::new(
            FindingKind::Reconciliation,
            Position::default(),
            "2 denied",
            "1",
        );
        let findings = vec![finding(FindingKind::Outcome, "x.a.0.r"), reconciliation];
        assert_eq!(judged(vec![late], findings), Ok(()));
    }
}
