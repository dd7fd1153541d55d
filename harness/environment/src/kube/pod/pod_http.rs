//! Asks a port of a pod through the API's port-forward, which ends on the pod's loopback address.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Portforwarder};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::kube::api::fault::fault;
use crate::{EnvironmentFault, PodHttpRequest, PodHttpResponse, PortStream};
use harness_core::model::causes::chain;
use harness_core::model::timeouts::TimedOut;
use harness_core::model::timespan::TimeSpan;

/// The longest body that is read, in bytes.
const LONGEST_BODY: usize = 16 * 1024 * 1024;

/// How long an API server may take to open a way to a port.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);

/// Connects to a port of a pod.
pub(super) async fn connect_port(
    pods: &Api<Pod>,
    pod: &str,
    port: u16,
) -> Result<PortStream, EnvironmentFault> {
    let action = format!("connect to port {port} of pod `{pod}`");
    let connected = timeout(CONNECTED_WITHIN, forward(pods, pod, port, &action)).await;
    let forwarded = connected.unwrap_or_else(|_| {
        Err(TimedOut {
            waited_for: format!("a way to port {port} of pod `{pod}`"),
            budget: TimeSpan::new(CONNECTED_WITHIN),
            last_seen: "no answer of the API server".into(),
        }
        .into())
    });
    Ok(Box::new(forwarded?))
}

async fn forward(
    pods: &Api<Pod>,
    pod: &str,
    port: u16,
    action: &str,
) -> Result<ForwardedPort, EnvironmentFault> {
    let mut forwarder = pods
        .portforward(pod, &[port])
        .await
        .map_err(|error| fault(action, &error))?;
    let stream = forwarder.take_stream(port).expect("the port was asked for");
    Ok(ForwardedPort {
        stream: Box::new(stream),
        forwarder,
    })
}

/// A way to a pod's port, which ends when it is dropped.
struct ForwardedPort {
    stream: PortStream,
    forwarder: Portforwarder,
}

impl Drop for ForwardedPort {
    fn drop(&mut self) {
        self.forwarder.abort();
    }
}

impl AsyncRead for ForwardedPort {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for ForwardedPort {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

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
    let stream = forward(pods, pod, request.port, &action).await?;
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

/// What carries the question and the answer; it ends as the way does.
struct PortConnection<T>(JoinHandle<T>);

impl<T> Drop for PortConnection<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
