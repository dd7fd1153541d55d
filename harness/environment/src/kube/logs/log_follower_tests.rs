//! Tests of following a container's log, against an API that answers as a kubelet does.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use serde_json::json;

use super::*;

const FIRST: &str = "containerd://a";
const SECOND: &str = "containerd://b";

/// Follows a container that has ended twice to its pod's end. `answer` is given the number of the question, from 0 on, and whether it is for
/// the previous instance.
async fn followed(answer: fn(usize, bool) -> String) -> ContainerLog {
    let asked = Arc::new(AtomicUsize::new(0));
    let service = tower::service_fn(move |request: Request<Body>| {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        let query = request.uri().query().unwrap_or_default();
        let text = answer(number, query.contains("previous=true"));
        async move { Ok::<_, Infallible>(Response::new(Body::from(text.into_bytes()))) }
    });
    let ended = |id: &str| json!({ "terminated": { "exitCode": 2, "containerID": id } });
    let pod = serde_json::from_value(json!({
        "metadata": {},
        "status": { "containerStatuses": [{
            "name": "agent", "restartCount": 1, "ready": false, "image": "", "imageID": "",
            "containerID": SECOND, "state": ended(SECOND), "lastState": ended(FIRST),
        }] },
    }))
    .expect("a pod");
    let (_api, latest) = watch::channel(Latest {
        pod: Some(pod),
        stage: Stage::Ended,
    });
    let log = Arc::new(ContainerLog::default());
    follow(
        Client::new(service, "default"),
        PodPlace::new("default", "pod"),
        "agent".into(),
        latest,
        Arc::clone(&log),
    )
    .await;
    Arc::into_inner(log).expect("nothing else follows it")
}

fn removed(id: &str) -> String {
    format!("unable to retrieve container logs for {id}")
}

fn written(of_previous: bool) -> String {
    if of_previous { "first\n" } else { "second\n" }.into()
}

#[tokio::test]
async fn the_logs_of_both_instances_follow_each_other() {
    let log = followed(|_, of_previous| written(of_previous)).await;
    assert_eq!(log.all(), b"first\nsecond\n");
    assert_eq!(log.gap(), None);
}

#[tokio::test]
async fn an_instance_that_was_removed_is_missing_and_the_next_one_is_read() {
    let log = followed(|_, of_previous| {
        if of_previous {
            removed(FIRST)
        } else {
            written(of_previous)
        }
    })
    .await;
    assert_eq!(log.all(), b"second\n");
    let gap = log.gap().expect("the first is missing");
    assert!(gap.contains("the kubelet has removed it"), "{gap}");
}

#[tokio::test(start_paused = true)]
async fn a_kubelet_that_speaks_of_another_container_is_asked_again() {
    let log = followed(|number, of_previous| match number {
        0 => removed(SECOND),
        _ => written(of_previous),
    })
    .await;
    assert_eq!(log.all(), b"first\nsecond\n");
    assert_eq!(log.gap(), None);
}
