//! The way out of the pod that the agent's container alone is given, and that the others are not.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{Bench, shell, until_logged, with};
use harness_core::model::agent_egress::{AgentEgress, ProxyAddress};

/// Asks the proxy of `HTTPS_PROXY`, else the one at the agent's port, for a connection to `target`, sends a line through it and prints what comes
/// back, and how it ended.
fn asks_for(name: &str, request_line: &str) -> Value {
    let script = format!(
        r#"python3 -u -c '
import os, socket
where = os.environ.get("HTTPS_PROXY", "http://127.0.0.1:18128")
print("proxy", os.environ.get("HTTPS_PROXY"), os.environ.get("https_proxy"))
host, port = where.removeprefix("http://").split(":")
try:
    way = socket.create_connection((host, int(port)), 5)
    way.sendall(b"{request_line} HTTP/1.1\r\nHost: outside\r\n\r\n")
    head = way.recv(4096)
    if b" 200 " in head:
        way.sendall(b"ping\n")
        head += way.recv(4096)
    print("answered", head)
except OSError as error:
    print("error", type(error).__name__)
print("done")
'; exec sleep 60"#
    );
    shell(name, &script)
}

/// A server of the machine, outside of every pod, that answers one line with another.
async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut line = [0; 5];
            if connection.read_exact(&mut line).await.is_ok() && &line == b"ping\n" {
                let _ = connection.write_all(b"pong\n").await;
            }
        }
    });
    address
}

#[tokio::test]
async fn the_agents_container_reaches_the_host_and_its_neighbour_does_not() {
    let address = server().await;
    let bench = Bench::with_egress(AgentEgress::Host);
    let request = format!("CONNECT {address}");
    // A sidecar is started first: the agent runs, and holds its connection, while its neighbour asks.
    let pod = bench
        .create(json!({
            "initContainers": [with(
                asks_for("sigsci-agent", &request),
                json!({ "restartPolicy": "Always" }),
            )],
            "containers": [asks_for("helloworld", &request)],
        }))
        .await;
    let agent = until_logged(&*pod, "sigsci-agent", "done").await;
    assert!(
        agent.contains("proxy http://127.0.0.1:18128 http://127.0.0.1:18128"),
        "{agent}"
    );
    assert!(
        agent.contains(" 200 OK") && agent.contains("pong"),
        "{agent}"
    );
    let application = until_logged(&*pod, "helloworld", "done").await;
    assert!(application.contains("proxy None None"), "{application}");
    // It connects, and is cut off before anything is read.
    assert!(
        application.contains("answered b''") || application.contains("error ConnectionResetError"),
        "{application}"
    );
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn an_agent_without_a_way_out_has_no_proxy_and_nothing_at_its_port() {
    let bench = Bench::new();
    let pod = bench
        .create(json!({ "containers": [asks_for("sigsci-agent", "CONNECT 127.0.0.1:1")] }))
        .await;
    let agent = until_logged(&*pod, "sigsci-agent", "done").await;
    assert!(agent.contains("proxy None None"), "{agent}");
    assert!(agent.contains("error ConnectionRefusedError"), "{agent}");
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn what_cannot_be_reached_and_what_is_no_connect_is_answered_so() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nothing = free.local_addr().expect("bound");
    drop(free);
    let bench = Bench::with_egress(AgentEgress::Host);
    for (request, expected) in [
        (format!("CONNECT {nothing}"), " 502 "),
        (format!("GET http://{nothing}/"), " 405 "),
        ("CONNECT nowhere".to_owned(), " 400 "),
        ("nonsense".to_owned(), " 400 "),
    ] {
        let pod = bench
            .create(json!({ "containers": [asks_for("sigsci-agent", &request)] }))
            .await;
        let agent = until_logged(&*pod, "sigsci-agent", "done").await;
        assert!(agent.contains(expected), "{request}: {agent}");
        pod.remove().await.expect("removed");
    }
}

#[tokio::test]
async fn a_proxy_of_the_user_sees_what_the_agent_asks_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let seen = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        let mut text = vec![0; 4096];
        let length = connection.read(&mut text).await.expect("a request");
        let _ = connection.write_all(b"HTTP/1.1 403 Not here\r\n\r\n").await;
        String::from_utf8_lossy(&text[..length]).into_owned()
    });
    let bench = Bench::with_egress(AgentEgress::Proxy(ProxyAddress {
        host: "127.0.0.1".into(),
        port,
    }));
    let pod = bench
        .create(
            json!({ "containers": [asks_for("sigsci-agent", "CONNECT cloud.example.com:443")] }),
        )
        .await;
    let agent = until_logged(&*pod, "sigsci-agent", "done").await;
    assert!(agent.contains("403 Not here"), "{agent}");
    let seen = seen.await.expect("seen");
    assert!(
        seen.starts_with("CONNECT cloud.example.com:443 HTTP/1.1\r\n"),
        "{seen}"
    );
    pod.remove().await.expect("removed");
}
