//! Turns what the Kubernetes API answers into a fault with the API's own message and a hint.

use std::time::Duration;

use kube::Error;
use kube::core::Status;
use tokio::time::timeout;

use crate::EnvironmentFault;
use crate::polling::Polling;
use harness_core::model::causes::chain;
use harness_core::model::timeouts::TimedOut;

/// How long the API may take for one answer.
const API_ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// By which phrases an answer of the API is a policy's refusal.
const POLICY_PHRASES: [&str; 9] = [
    "violates PodSecurity",
    "PodSecurityPolicy",
    "pod security policy",
    "security context constraint",
    "admission webhook",
    "denied the request",
    "denied request",
    "denied by",
    "disallowed by cluster policy",
];
/// How long it may be away while a run goes on.
const API_BACK_WITHIN: Duration = Duration::from_secs(90);
/// Between two attempts while it is away.
const API_POLL_EVERY: Duration = Duration::from_millis(500);

/// What the user can do where the API does not let the harness in.
const PERMISSIONS: &str = "the user of this kubeconfig needs to create and delete namespaces, and to create, watch and delete pods, \
     pods/exec, pods/log, pods/portforward, services, secrets and config maps in them, and to list endpointslices (before Kubernetes 1.21: to get endpoints); `kubectl auth can-i --list` shows what it may do";

/// Does one thing with the API, within its time.
pub(in crate::kube) async fn ask<T>(
    action: &str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, EnvironmentFault> {
    bounded(action, work)
        .await?
        .map_err(|error| fault(action, &error))
}

/// Does one thing with the API, within its time, for callers that read the API's own answer.
pub(in crate::kube) async fn bounded<T>(
    action: &str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<Result<T, Error>, EnvironmentFault> {
    timeout(API_ANSWERS_WITHIN, work).await.map_err(|_| {
        TimedOut {
            waited_for: format!("the Kubernetes API to {action}"),
            budget: API_ANSWERS_WITHIN.into(),
            last_seen: "no answer".into(),
        }
        .into()
    })
}

/// Whether something is asked for the first time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::kube) enum RequestAttempt {
    /// It is.
    First,
    /// It was asked before, and it is not known whether it was done: the answer was lost.
    Again,
}

/// Does one thing with the API that does no harm when it is done twice. While the API is away, as when its server is restarted, it is waited for.
pub(in crate::kube) async fn ask_patiently<T, F>(
    action: &str,
    mut work: impl FnMut(RequestAttempt) -> F,
) -> Result<T, EnvironmentFault>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut polling = Polling::within(API_BACK_WITHIN, API_POLL_EVERY);
    let mut attempt = RequestAttempt::First;
    let mut last_seen = String::new();
    while polling.next().await {
        last_seen = match timeout(API_ANSWERS_WITHIN, work(attempt)).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) if is_away(&error) => fault(action, &error).to_string(),
            Ok(Err(error)) => return Err(fault(action, &error)),
            Err(_) => "no answer".into(),
        };
        tracing::debug!(last_seen, "the API is waited for");
        attempt = RequestAttempt::Again;
    }
    Err(TimedOut {
        waited_for: format!("the Kubernetes API to come back and {action}"),
        budget: API_BACK_WITHIN.into(),
        last_seen,
    }
    .into())
}

/// Returns whether an error says that the API is not there, and nothing of what was asked.
fn is_away(error: &Error) -> bool {
    match error {
        Error::HyperError(_) | Error::Service(_) => true,
        Error::Api(status) => {
            matches!(status.code, 429 | 502..=504)
                // An API server that has just been started may not have read its own roles yet; an admission webhook's failure is no such thing.
                || (status.code == 403 && status.message.contains("not yet synced"))
        }
        _ => false,
    }
}

/// Makes a fault of an error of the API.
pub(in crate::kube) fn fault(action: &str, error: &Error) -> EnvironmentFault {
    if let Error::Api(status) = error
        && is_refused_by_policy(status)
    {
        return EnvironmentFault::NotAdmitted {
            action: action.into(),
            words: format!("{} (status {})", status.message, status.code),
            hint: hint_for(status.code, &status.message).map(Into::into),
        };
    }
    let (detail, hint) = match error {
        Error::Api(status) => (
            format!("{} (status {})", status.message, status.code),
            hint_for(status.code, &status.message),
        ),
        Error::Auth(_) => (
            message(error),
            Some("log in to the cluster again: the kubeconfig's credentials were not accepted"),
        ),
        Error::HyperError(_) | Error::Service(_) => (
            message(error),
            Some("is the cluster up? `kubectl --context NAME version` asks the same API"),
        ),
        Error::UpgradeConnection(_) => (
            message(error),
            Some(
                "exec and port-forward need a WebSocket to the API; a proxy in between may not let it through",
            ),
        ),
        _ => (message(error), None),
    };
    EnvironmentFault::Cluster {
        action: action.into(),
        detail,
        hint: hint.map(Into::into),
    }
}

/// Returns whether the API has said that there is no such object.
pub(in crate::kube) fn is_absent(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 404)
}

/// Returns whether a policy has refused an object: Pod Security admission, or a webhook.
pub(in crate::kube) fn is_refused_by_policy(status: &Status) -> bool {
    POLICY_PHRASES
        .iter()
        .any(|phrase| status.message.contains(phrase))
}

fn message(error: &Error) -> String {
    chain(error).join(": ")
}

fn hint_for(code: u16, message: &str) -> Option<&'static str> {
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
    if says(&["exceeded quota", "maximum cpu", "maximum memory"]) {
        return Some(
            "a quota of the cluster refuses it: run fewer scenarios at a time with `--jobs`, or ask for more",
        );
    }
    if says(&POLICY_PHRASES) || says(&["failed calling webhook"]) {
        return Some(
            "an admission policy of the cluster refuses it: the suite's namespaces are labelled `conformance/run`, by which a policy can exempt them",
        );
    }
    match code {
        401 => Some("log in to the cluster again: the kubeconfig's credentials were not accepted"),
        403 => Some(PERMISSIONS),
        409 => Some(
            "something of that name is there already and is not this run's: it was left as it is",
        ),
        429 | 500..=599 => Some("the cluster's API is overloaded or out of order"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        403,
        "pods is forbidden: User \"x\" cannot create",
        Some("kubectl auth can-i")
    )]
    #[case(403, "pods \"x\" is forbidden: exceeded quota: q", Some("--jobs"))]
    #[case(
        403,
        "pods \"x\" is forbidden: violates PodSecurity \"restricted\"",
        Some("admission policy")
    )]
    #[case(
        500,
        "Internal error occurred: failed calling webhook \"x\"",
        Some("admission policy")
    )]
    #[case(404, "namespaces \"x\" not found", None)]
    fn a_refusal_of_the_api_has_the_hint_that_fits(
        #[case] code: u16,
        #[case] message: &str,
        #[case] hint: Option<&str>,
    ) {
        let found = hint_for(code, message);
        assert_eq!(found.is_some(), hint.is_some(), "{found:?}");
        assert!(
            found.unwrap_or_default().contains(hint.unwrap_or_default()),
            "{found:?}"
        );
    }

    fn away() -> Error {
        Error::Service("connection closed before message completed".into())
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_that_comes_back_is_waited_for() {
        let mut attempts = Vec::new();
        let asked = ask_patiently("look", |attempt| {
            attempts.push(attempt);
            let answer = if attempts.len() < 4 {
                Err(away())
            } else {
                Ok(7)
            };
            async { answer }
        })
        .await;
        assert_eq!(asked.expect("an answer"), 7);
        assert_eq!(attempts[0], RequestAttempt::First);
        assert_eq!(attempts[1..], [RequestAttempt::Again; 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_that_stays_away_is_given_up_with_its_last_answer() {
        let asked = ask_patiently("look", |_| async { Err::<(), _>(away()) }).await;
        let text = asked.expect_err("a fault").to_string();
        assert!(text.contains("connection closed"), "{text}");
        assert!(text.contains("1m 30s"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_that_never_answers_is_given_up_in_its_time() {
        let never = std::future::pending::<Result<(), Error>>();
        let fault = bounded("look", never).await.expect_err("a fault");
        assert!(matches!(fault, EnvironmentFault::TimedOut(_)), "{fault}");
        let refused = bounded("look", async { Err::<(), _>(away()) }).await;
        assert!(refused.expect("an answer").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_not_asked_for_again() {
        let mut asked = 0;
        let refused = ask_patiently("look", |_| {
            asked += 1;
            let status = kube::core::Status::failure("no", "Forbidden").with_code(403);
            async { Err::<(), _>(Error::Api(Box::new(status))) }
        })
        .await;
        assert!(refused.is_err());
        assert_eq!(asked, 1);
    }

    #[test]
    fn a_fault_carries_the_apis_own_message() {
        let status =
            kube::core::Status::failure("pods is forbidden: no", "Forbidden").with_code(403);
        let fault = fault("create the pod", &Error::Api(Box::new(status)));
        assert_eq!(
            fault.to_string(),
            "cannot create the pod: pods is forbidden: no (status 403)"
        );
    }
}
