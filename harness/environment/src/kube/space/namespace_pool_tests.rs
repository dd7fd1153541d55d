//! Tests of clearing a namespace, against an API that answers as a cluster's does.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use serde_json::json;

use super::*;

/// What an API answers to a question.
type Answers = fn(&str) -> StatusCode;

/// Clears a namespace that a pod has left; returns what came of it, and what the API was asked.
async fn cleared(answers: Answers) -> (Result<(), EnvironmentFault>, Vec<String>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let question = format!("{} {}", request.method(), request.uri().path());
        let status = answers(&question);
        seen.lock().expect("no panic").push(question);
        let body = match (request.method(), status) {
            (&Method::GET, StatusCode::OK) => json!({ "metadata": { "name": "pod-7" } }),
            (_, StatusCode::OK) => json!({ "kind": "Status", "status": "Success" }),
            (_, StatusCode::NOT_FOUND) => {
                json!({ "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404 })
            }
            (_, other) => {
                json!({ "kind": "Status", "status": "Failure", "reason": "Forbidden", "code": other.as_u16() })
            }
        };
        let response = Response::builder()
            .status(status)
            .body(Body::from(body.to_string().into_bytes()));
        async move { Ok::<_, Infallible>(response.expect("valid")) }
    });
    let left = Left {
        pod: "pod-7".into(),
        secrets: vec!["keys".into()],
        config_maps: vec!["envoy-config".into(), "rules".into()],
    };
    let result = clear(&Client::new(service, "default"), "n", &left).await;
    let asked = asked.lock().expect("no panic").clone();
    (result, asked)
}

fn is_look(question: &str) -> bool {
    question.starts_with("GET")
}

#[tokio::test]
async fn a_successor_finds_no_pod_no_secret_and_no_config_map() {
    let (result, asked) = cleared(|question| {
        if is_look(question) {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::OK
        }
    })
    .await;
    result.expect("clear");
    assert_eq!(
        asked,
        [
            "DELETE /api/v1/namespaces/n/pods/pod-7",
            "DELETE /api/v1/namespaces/n/secrets/keys",
            "DELETE /api/v1/namespaces/n/configmaps/envoy-config",
            "DELETE /api/v1/namespaces/n/configmaps/rules",
            "GET /api/v1/namespaces/n/pods/pod-7",
        ]
    );
}

#[tokio::test]
async fn what_is_gone_already_is_cleared() {
    let (result, _) = cleared(|_| StatusCode::NOT_FOUND).await;
    result.expect("clear");
}

#[tokio::test]
async fn a_secret_that_may_not_be_deleted_is_named() {
    let (result, asked) = cleared(|question| {
        if question.contains("secrets") {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::OK
        }
    })
    .await;
    let error = result.expect_err("it is not clear").to_string();
    assert!(error.contains("remove the Secret `keys` of `n`"), "{error}");
    assert!(!asked.iter().any(|question| is_look(question)), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_the_api_does_not_forget_is_waited_for_and_named() {
    let (result, asked) = cleared(|_| StatusCode::OK).await;
    let error = result.expect_err("it is not clear").to_string();
    assert!(
        error.contains("the pod `pod-7` of `n` to be forgotten"),
        "{error}"
    );
    let looks = asked.iter().filter(|question| is_look(question));
    assert!(looks.count() > 10, "{asked:?}");
}
