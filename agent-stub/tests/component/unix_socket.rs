//! The gRPC listener on a unix socket.

use std::os::unix::fs::PermissionsExt as _;

use agent_stub::agent::RunningAgent;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::Endpoint;

use crate::support::{ATTACK, denied, get, message, settings};

#[tokio::test]
async fn checks_are_answered_on_a_unix_socket_that_any_user_may_open_and_that_goes_with_the_agent()
{
    let directory = tempfile::tempdir().expect("a directory");
    let flags = [
        "--envoy-grpc-address=unix:{dir}/grpc.sock",
        "--stub-faults=true",
    ];
    let path = directory.path().join("grpc.sock");
    // A socket that a killed agent left behind.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    let agent = RunningAgent::start(&settings(&directory, &flags)).expect("the agent starts");
    assert!(agent.grpc_addresses().is_empty());
    let mode = std::fs::metadata(&path)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o666);
    let target = path.clone();
    let channel = Endpoint::from_static("http://agent")
        .connect_with_connector(tower::service_fn(move |_| {
            let target = target.clone();
            async move { UnixStream::connect(target).await.map(TokioIo::new) }
        }))
        .await
        .expect("the agent listens");
    let mut client = AuthorizationClient::new(channel);
    let answer = client.check(message(get(ATTACK))).await.expect("an answer");
    denied(answer.into_inner());
    drop(client);
    agent.shut_down().await;
    assert!(!path.exists(), "the socket is removed");
}

#[tokio::test]
async fn a_socket_that_someone_listens_on_is_not_taken_over() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("grpc.sock");
    let _other = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    let settings = settings(&directory, &["--envoy-grpc-address=unix:{dir}/grpc.sock"]);
    let error = RunningAgent::start(&settings).expect_err("taken");
    assert!(error.to_string().contains("grpc.sock"), "{error}");
    assert!(path.exists());
}
