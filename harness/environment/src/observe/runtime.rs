//! Asks the node's container runtime how a container ended. A kubelet may remove an ended container before it has reported its end to the API.
//!
//! Source: the Container Runtime Interface, `RuntimeService/ContainerStatus`; the fields that are read have the same numbers in `v1` and `v1alpha2`.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use super::processes;
use super::protocol::ContainerId;

/// Where runtimes listen.
const SOCKETS: [&str; 4] = [
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
];
/// The calls of both versions of the interface.
const CALLS: [&str; 2] = [
    "/runtime.v1.RuntimeService/ContainerStatus",
    "/runtime.v1alpha2.RuntimeService/ContainerStatus",
];
/// `CONTAINER_EXITED`.
const EXITED: i32 = 2;
/// How long the runtime may take to notice that a container's first process has ended.
const NOTICED_WITHIN: Duration = Duration::from_secs(3);
/// How long one call may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);
/// Between two calls.
const ASK_EVERY: Duration = Duration::from_millis(10);

#[derive(Clone, PartialEq, prost::Message)]
struct ContainerStatusRequest {
    #[prost(string, tag = "1")]
    container_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ContainerStatusResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<ContainerStatus>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ContainerStatus {
    #[prost(int32, tag = "3")]
    state: i32,
    #[prost(int32, tag = "7")]
    exit_code: i32,
}

/// Returns the exit code of a container whose first process has ended; none where no runtime is reached or it does not know.
pub(super) fn exit_code(container: &ContainerId) -> Option<i32> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    runtime.block_on(async {
        let channel = connect().await?;
        for call in CALLS {
            let known = await_exit(channel.clone(), call, container).await;
            if let Ok(exit_code) = known {
                return exit_code;
            }
        }
        None
    })
}

async fn connect() -> Option<Channel> {
    let socket = SOCKETS
        .iter()
        .map(|socket| processes::on_node(socket))
        .find(|socket| socket.exists())?;
    let connector = tower::service_fn(move |_| dial(socket.clone()));
    // The name is sent as the authority and means nothing to a runtime.
    let endpoint = Endpoint::from_static("http://runtime").timeout(ANSWERED_WITHIN);
    let channel = timeout(ANSWERED_WITHIN, endpoint.connect_with_connector(connector));
    channel.await.ok()?.ok()
}

async fn dial(socket: PathBuf) -> io::Result<TokioIo<UnixStream>> {
    UnixStream::connect(socket).await.map(TokioIo::new)
}

/// Asks until the runtime knows of the end.
///
/// # Errors
///
/// When the runtime refuses the call: it may speak the other version.
async fn await_exit(
    channel: Channel,
    call: &'static str,
    container: &ContainerId,
) -> Result<Option<i32>, tonic::Status> {
    let deadline = Instant::now() + NOTICED_WITHIN;
    let mut client = Grpc::new(channel);
    while Instant::now() < deadline {
        client
            .ready()
            .await
            .map_err(|error| tonic::Status::unavailable(error.to_string()))?;
        let request = tonic::Request::new(ContainerStatusRequest {
            container_id: container.as_str().to_owned(),
        });
        let codec: ProstCodec<ContainerStatusRequest, ContainerStatusResponse> =
            ProstCodec::default();
        let answer = client
            .unary(request, PathAndQuery::from_static(call), codec)
            .await?;
        let status = answer.into_inner().status.unwrap_or_default();
        if status.state == EXITED {
            return Ok(Some(status.exit_code));
        }
        sleep(ASK_EVERY).await;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn the_end_of_a_container_is_read_out_of_a_runtimes_answer() {
        // ContainerStatus { id: "x", state: EXITED, exit_code: 137, reason: "Error" }, field by field.
        let status = [
            &b"\x0a\x01x"[..],
            b"\x18\x02",
            b"\x38\x89\x01",
            b"\x52\x05Error",
        ]
        .concat();
        let mut answer = vec![0x0a, u8::try_from(status.len()).expect("short")];
        answer.extend(status);
        let answer = ContainerStatusResponse::decode(answer.as_slice()).expect("an answer");
        let status = answer.status.expect("a status");
        assert_eq!((status.state, status.exit_code), (EXITED, 137));
    }
}
