//! Turns what the Kubernetes API answers into a fault with the API's own words and a hint.

use std::time::Duration;

use kube::Error;
use kube::core::Status;
use tokio::time::timeout;

use crate::environment::EnvironmentFault;
use crate::model::causes::chain;
use crate::model::timeouts::TimedOut;

/// How long the API may take for one answer.
pub(super) const API_ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// By which words an answer of the API is a policy's refusal.
const POLICY_WORDS: [&str; 4] = [
    "violates PodSecurity",
    "admission webhook",
    "denied the request",
    "denied by",
];

/// What the user can do where the API does not let the harness in.
const PERMISSIONS: &str = "the user of this kubeconfig needs to create and delete namespaces, and to create, watch and delete pods, \
     pods/exec, pods/log, pods/portforward, services, secrets and config maps in them, and to get endpoints; `kubectl auth can-i --list` shows what it may do";

/// Does one thing with the API, within its time.
pub(super) async fn ask<T>(
    action: &str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, EnvironmentFault> {
    match timeout(API_ANSWERS_WITHIN, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(fault(action, &error)),
        Err(_) => Err(TimedOut {
            waited_for: format!("the Kubernetes API to {action}"),
            budget: API_ANSWERS_WITHIN.into(),
            last_seen: "no answer".into(),
        }
        .into()),
    }
}

/// Makes a fault of an error of the API.
pub(super) fn fault(action: &str, error: &Error) -> EnvironmentFault {
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
            words(error),
            Some("log in to the cluster again: the kubeconfig's credentials were not accepted"),
        ),
        Error::HyperError(_) | Error::Service(_) => (
            words(error),
            Some("is the cluster up? `kubectl --context NAME version` asks the same API"),
        ),
        Error::UpgradeConnection(_) => (
            words(error),
            Some(
                "exec and port-forward need a WebSocket to the API; a proxy in between may not let it through",
            ),
        ),
        _ => (words(error), None),
    };
    EnvironmentFault::Cluster {
        action: action.into(),
        detail,
        hint: hint.map(Into::into),
    }
}

/// Tells whether the API has said that there is no such object.
pub(super) fn is_absent(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 404)
}

/// Tells whether a policy has refused an object: Pod Security admission, or a webhook.
pub(super) fn is_refused_by_policy(status: &Status) -> bool {
    POLICY_WORDS
        .iter()
        .any(|words| status.message.contains(words))
}

fn words(error: &Error) -> String {
    chain(error).join(": ")
}

fn hint_for(code: u16, message: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["exceeded quota", "maximum cpu", "maximum memory"]) {
        return Some(
            "a quota of the cluster refuses it: run fewer scenarios at a time with `--jobs`, or ask for more",
        );
    }
    if says(&POLICY_WORDS) {
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

    #[test]
    fn a_fault_carries_the_apis_own_words() {
        let status =
            kube::core::Status::failure("pods is forbidden: no", "Forbidden").with_code(403);
        let fault = fault("create the pod", &Error::Api(Box::new(status)));
        assert_eq!(
            fault.to_string(),
            "cannot create the pod: pods is forbidden: no (status 403)"
        );
    }
}
