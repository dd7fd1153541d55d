//! Asks a port of a pod through the API's port-forward, which ends on the pod's loopback address.

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Portforwarder};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::kube::api::fault::fault;
use crate::{EnvironmentFault, PodHttpRequest, PodHttpResponse};
use harness_core::model::causes::chain;
use harness_core::model::timeouts::TimedOut;
use harness_core::model::timespan::TimeSpan;

/// The longest body that is read, in bytes.
const LONGEST_BODY: usize = 16 * 1024 * 1024;

/// Asks, and reads the whole answer.
pub(super) async fn ask_port(
    pods: &Api<Pod>,
    pod: &str,
    request: &PodHttpRequest,
    within: TimeSpan,
) -> Result<PodHttpResponse, EnvironmentFault> {
    timeout(within.as_duration(), answer(pods, pod, request))
        .await
        .unwrap_or_else(|_| {
            Err(TimedOut {
                waited_for: format!(
                    "an answer to {} {} on port {}",
                    request.method, request.path, request.port
                ),
                budget: within,
                last_seen: "no complete answer".into(),
            }
            .into())
        })
}

async fn answer(
    pods: &Api<Pod>,
    pod: &str,
    request: &PodHttpRequest,
) -> Result<PodHttpResponse, EnvironmentFault> {
    let action = format!("ask port {} of pod `{pod}`", request.port);
    let failed = |error: &dyn std::error::Error| EnvironmentFault::Cluster {
        action: action.clone(),
        detail: chain(error).join(": "),
        hint: None,
    };
    let forwarder = pods
        .portforward(pod, &[request.port])
        .await
        .map_err(|error| fault(&action, &error))?;
    let mut forwarding = Forwarding(forwarder);
    let stream = forwarding
        .0
        .take_stream(request.port)
        .expect("the port was asked for");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(&error))?;
    let _connection = PortConnection(tokio::spawn(connection));
    let question = http::Request::builder()
        .method(request.method.as_str())
        .uri(&request.path)
        .header(
            http::header::HOST,
            format!("{}:{}", request.host, request.port),
        )
        .header(http::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(&error))?;
    let response = sender
        .send_request(question)
        .await
        .map_err(|error| failed(&error))?;
    let status = response.status().as_u16();
    let body = http_body_util::Limited::new(response.into_body(), LONGEST_BODY)
        .collect()
        .await
        .map_err(|error| failed(error.as_ref()))?;
    Ok(PodHttpResponse {
        status,
        body: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
    })
}

/// A way to a pod's port, which ends when its answer is no longer waited for.
struct Forwarding(Portforwarder);

impl Drop for Forwarding {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What carries the question and the answer; it ends as the way does.
struct PortConnection<T>(JoinHandle<T>);

impl<T> Drop for PortConnection<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
