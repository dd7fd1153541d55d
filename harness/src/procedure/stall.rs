//! A proxy that was not run for a while: what then failed for want of time is not the agent's doing.
//!
//! A proxy gives a check up at its time-out, to the millisecond. Where it says that it waited much longer, nobody let it run, and an agent
//! on the same machine fared no better. Findings that such a wait cannot explain are never excused.

use std::time::Duration;

use super::JudgedRequest;
use crate::model::finding::Finding;
use crate::model::outcome::Outcome;

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

/// Returns the stall that explains every finding; none where there is none, or where it does not explain one of them.
pub fn explain_all(findings: &[Finding], requests: &[JudgedRequest]) -> Option<ProxyStalled> {
    let (waited, authorization_timeout) =
        requests
            .iter()
            .filter_map(wait_of)
            .max_by_key(|(waited, authorization_timeout)| {
                waited.saturating_sub(*authorization_timeout)
            })?;
    let is_late = waited >= authorization_timeout + LATE_BY;
    let explains_all = findings
        .iter()
        .all(|finding| ran_out_of_time(finding, requests));
    (is_late && explains_all && !findings.is_empty()).then_some(ProxyStalled {
        waited,
        authorization_timeout,
        findings: findings.len(),
    })
}

/// Tells whether a finding is about a request that the proxy's failure mode decided because its time-out was over.
fn ran_out_of_time(finding: &Finding, requests: &[JudgedRequest]) -> bool {
    let Some(id) = &finding.request else {
        return false;
    };
    requests
        .iter()
        .filter(|request| request.joined.client.id == id.as_str())
        .any(|request| {
            let by_failure_mode = matches!(
                request.judgement.outcome,
                Outcome::FailedClosed | Outcome::FailedOpen
            );
            by_failure_mode
                && wait_of(request)
                    .is_some_and(|(waited, authorization_timeout)| waited >= authorization_timeout)
        })
}

/// Returns how long the proxy waited for the agent, and how long it may wait.
fn wait_of(request: &JudgedRequest) -> Option<(Duration, Duration)> {
    let waits = request
        .joined
        .proxy
        .iter()
        .filter_map(|record| record.authorization_microseconds);
    let longest = Duration::from_micros(waits.max()?);
    Some((longest, request.joined.authorization_timeout?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::RequestId;
    use crate::model::located::Position;
    use crate::witness::fixture;
    use crate::witness::outcome::Judgement;

    const TIMEOUT: Duration = Duration::from_secs(5);

    fn request(id: &str, outcome: Outcome, waited_milliseconds: u64) -> JudgedRequest {
        let mut joined = fixture::joined();
        joined.client.id = id.into();
        joined.authorization_timeout = Some(TIMEOUT);
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

    fn about(id: &str) -> Finding {
        Finding::new("outcome", Position::default(), "allowed", "failed-closed")
            .about("a", &RequestId::from_witness(id))
    }

    #[test]
    fn a_late_proxy_explains_what_ran_out_of_time() {
        let requests = [
            request("x.a.0.r", Outcome::FailedClosed, 7_000),
            request("x.a.1.r", Outcome::FailedOpen, 5_001),
        ];
        let stalled = explain_all(&[about("x.a.0.r"), about("x.a.1.r")], &requests);
        let waited = Duration::from_secs(7);
        assert_eq!(stalled.map(|stalled| stalled.waited), Some(waited));
    }

    #[test]
    fn a_proxy_in_time_explains_nothing() {
        let requests = [request("x.a.0.r", Outcome::FailedClosed, 5_499)];
        assert_eq!(explain_all(&[about("x.a.0.r")], &requests), None);
    }

    #[test]
    fn a_late_proxy_explains_neither_another_outcome_nor_another_finding() {
        let late = request("x.a.0.r", Outcome::FailedClosed, 7_000);
        for other in [
            request("x.a.1.r", Outcome::NotInspected, 5_001),
            request("x.a.1.r", Outcome::FailedClosed, 4_000),
        ] {
            let findings = [about("x.a.0.r"), about("x.a.1.r")];
            assert_eq!(explain_all(&findings, &[late.clone(), other]), None);
        }
        let books = Finding::new("books", Position::default(), "2 denied", "1");
        assert_eq!(explain_all(&[about("x.a.0.r"), books], &[late]), None);
    }
}
