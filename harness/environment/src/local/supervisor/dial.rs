//! Questions to the pod's ports: what probes, hooks and the harness ask over the pod's network.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::{Request, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::local::kubelet::{Dial, DialAnswer};
use crate::{PodHttpRequest, PodHttpResponse};

/// The most of a body that is read.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The most of a body that a probe reads, as the kubelet does.
const PROBE_BODY_LIMIT: usize = 10 * 1024;

/// What a probe calls itself.
const PROBE_AGENT: &str = "kube-probe/1.34";

/// Asks one question of a probe or hook.
pub(super) async fn dial(dial: &Dial, within: Duration) -> Result<DialAnswer, String> {
    match dial {
        Dial::Tcp { host, port } => connect(host, *port).await.map(|_| DialAnswer::Connected),
        Dial::Grpc {
            host,
            port,
            service,
        } => health(host, *port, service, within)
            .await
            .map(DialAnswer::Health),
        Dial::Http {
            host,
            port,
            path,
            headers,
        } => {
            let mut request = Request::get(path.as_str());
            let has = |name: &str| {
                headers
                    .iter()
                    .any(|(header, _)| header.eq_ignore_ascii_case(name))
            };
            if !has("host") {
                request = request.header(header::HOST, format!("{host}:{port}"));
            }
            if !has("user-agent") {
                request = request.header(header::USER_AGENT, PROBE_AGENT);
            }
            if !has("accept") {
                request = request.header(header::ACCEPT, "*/*");
            }
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let request = request
                .header(header::CONNECTION, "close")
                .body(Empty::new())
                .map_err(|error| error.to_string())?;
            let (status, _) = exchange(host, *port, request, PROBE_BODY_LIMIT).await?;
            Ok(DialAnswer::Status(status))
        }
    }
}

/// Asks a question of the harness.
pub(super) async fn ask(request: &PodHttpRequest) -> Result<PodHttpResponse, String> {
    let message = Request::builder()
        .method(request.method.as_str())
        .uri(request.path.as_str())
        .header(header::HOST, format!("{}:{}", request.host, request.port))
        .header(header::CONNECTION, "close")
        .body(Empty::new())
        .map_err(|error| error.to_string())?;
    let (status, body) = exchange(&request.host, request.port, message, BODY_LIMIT).await?;
    Ok(PodHttpResponse {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

async fn exchange(
    host: &str,
    port: u16,
    request: Request<Empty<Bytes>>,
    body_limit: usize,
) -> Result<(u16, Bytes), String> {
    let stream = connect(host, port).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let driver = tokio::task::spawn_local(async move {
        // What goes wrong here shows in the request's own result.
        let _ = connection.await;
    });
    let answer = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), body_limit)
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes);
        match body {
            Ok(body) => Ok((status, body)),
            // The kubelet judges by the status alone when the body of a probe is too long.
            Err(_) if body_limit == PROBE_BODY_LIMIT => Ok((status, Bytes::new())),
            Err(error) => Err(error.to_string()),
        }
    }
    .await;
    driver.abort();
    answer
}

async fn health(host: &str, port: u16, service: &str, within: Duration) -> Result<i32, String> {
    let address = resolve(host, port)?;
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| error.to_string())?
        .connect_timeout(within)
        .user_agent(PROBE_AGENT)
        .map_err(|error| error.to_string())?
        .connect()
        .await
        .map_err(|error| describe(&error))?;
    HealthClient::new(channel)
        .check(HealthCheckRequest {
            service: service.to_owned(),
        })
        .await
        .map(|response| response.into_inner().status)
        .map_err(|status| format!("gRPC status {:?}: {}", status.code(), status.message()))
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let address = resolve(host, port)?;
    TcpStream::connect(address)
        .await
        .map_err(|error| format!("connect to {address}: {error}"))
}

/// Resolves without asking anybody: a pod has no name server.
fn resolve(host: &str, port: u16) -> Result<SocketAddr, String> {
    if host == "localhost" {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    host.parse::<IpAddr>()
        .map(|address| SocketAddr::from((address, port)))
        .map_err(|_| format!("`{host}` is neither an address nor `localhost`"))
}

/// Writes out an error with its causes.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
