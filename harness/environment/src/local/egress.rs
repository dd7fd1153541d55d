//! The harness' end of an agent's way out: takes connections from the pod and opens those that they ask for.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time;

use super::ACCEPT_AGAIN_AFTER;
use super::folder_sockets::FolderSockets;
use super::plan::PodPlan;
use harness_core::model::agent_egress::{AgentEgress, ProxyAddress};
use harness_core::model::container::AGENT_CONTAINER;

/// The name of the socket in the pod's folder.
pub(super) const EGRESS_SOCKET: &str = "egress.sock";

/// Where the agent finds its proxy, on the pod's loopback interface: a port that nothing of the guide uses.
pub(super) const EGRESS_PORT: u16 = 18_128;

/// How long a host outside may take to accept a connection.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);

/// The most connections of one pod at the same time.
pub(super) const MOST_CONNECTIONS: usize = 256;

/// A way out that is open; it closes, with every connection through it, when this is dropped.
#[derive(Debug)]
pub(super) struct OpenEgress {
    accepting: JoinHandle<()>,
}

impl Drop for OpenEgress {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The variables by which programs find their proxy for HTTPS, as curl and Go read them.
const PROXY_VARIABLES: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];

/// Gives the agent of a planned pod its way out, where one was asked for: the harness's proxy by its variables, unless the template names
/// another.
pub(super) fn equip(plan: &mut PodPlan, egress: &AgentEgress) {
    match egress {
        AgentEgress::None => return,
        AgentEgress::Host | AgentEgress::Proxy(_) => {}
    }
    let mut containers = plan.rules.containers.iter();
    let Some(agent) = containers.position(|container| container.name == AGENT_CONTAINER) else {
        return;
    };
    plan.way_out_of = Some(agent);
    if let Ok(variables) = &mut plan.containers[agent].variables {
        let is_set = |name| variables.iter().any(|(known, _)| known == name);
        if !PROXY_VARIABLES.into_iter().any(is_set) {
            let value = format!("http://{}:{EGRESS_PORT}", Ipv4Addr::LOCALHOST);
            variables.extend(PROXY_VARIABLES.map(|name| (name.to_owned(), value.clone())));
        }
    }
}

/// Opens the way out of the pod whose folder this is; none is opened where none was asked for.
///
/// # Errors
///
/// When the socket cannot be made.
pub(super) fn open(
    egress: &AgentEgress,
    sockets: &FolderSockets,
) -> io::Result<Option<OpenEgress>> {
    let exit = match egress {
        AgentEgress::None => return Ok(None),
        AgentEgress::Host => Exit::Here,
        AgentEgress::Proxy(address) => Exit::Proxy(address.clone()),
    };
    let listener = UnixListener::bind(sockets.path(EGRESS_SOCKET))?;
    let accepting = tokio::spawn(accept(listener, Arc::new(exit)));
    Ok(Some(OpenEgress { accepting }))
}

/// Where connections leave.
#[derive(Debug)]
enum Exit {
    Here,
    Proxy(ProxyAddress),
}

async fn accept(listener: UnixListener, exit: Arc<Exit>) {
    let free = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else {
            return;
        };
        let connection = match listener.accept().await {
            Ok((connection, _)) => connection,
            Err(error) => {
                // Most likely no descriptor is left; one comes free when a connection ends.
                tracing::warn!(%error, "the agent's way out cannot accept a connection");
                time::sleep(ACCEPT_AGAIN_AFTER).await;
                continue;
            }
        };
        let exit = Arc::clone(&exit);
        connections.spawn(async move {
            let served = match &*exit {
                Exit::Here => serve_connects(connection).await,
                Exit::Proxy(address) => forward(connection, address).await,
            };
            if let Err(error) = served {
                tracing::debug!(%error, "a connection of the agent to the outside has ended");
            }
            drop(permit);
        });
    }
}

/// Hands everything over to the user's proxy: it is the one that reads what is asked for.
async fn forward(mut inside: UnixStream, address: &ProxyAddress) -> io::Result<()> {
    let mut outside = match connect(&address.host, address.port).await {
        Ok(outside) => outside,
        Err(error) => {
            tracing::warn!(%error, "the proxy for the agent's way out cannot be reached");
            let answer = format!(
                "HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{error}\n",
                error.to_string().len() + 1
            );
            return inside.write_all(answer.as_bytes()).await;
        }
    };
    copy_bidirectional(&mut inside, &mut outside)
        .await
        .map(|_| ())
}

/// What a CONNECT leaves to do: the connection as it will be, and the one that it asked for.
type Tunnel = (OnUpgrade, TcpStream);

/// Is a proxy of CONNECT alone (RFC 9110, section 9.3.6).
async fn serve_connects(connection: UnixStream) -> io::Result<()> {
    let asked_for = Mutex::new(None);
    hyper::server::conn::http1::Builder::new()
        .serve_connection(
            TokioIo::new(connection),
            service_fn(|request| answer(request, &asked_for)),
        )
        .with_upgrades()
        .await
        .map_err(io::Error::other)?;
    let tunnel: Option<Tunnel> = asked_for
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let Some((upgrade, mut outside)) = tunnel else {
        return Ok(());
    };
    let mut inside = TokioIo::new(upgrade.await.map_err(io::Error::other)?);
    copy_bidirectional(&mut inside, &mut outside)
        .await
        .map(|_| ())
}

async fn answer(
    mut request: Request<Incoming>,
    asked_for: &Mutex<Option<Tunnel>>,
) -> Result<Response<String>, http::Error> {
    if request.method() != Method::CONNECT {
        return Response::builder()
            .status(StatusCode::METHOD_NOT_ALLOWED)
            .header(http::header::ALLOW, "CONNECT")
            .body("the agent's way out takes CONNECT alone\n".into());
    }
    let authority = request.uri().authority();
    let target =
        authority.and_then(|authority| Some((authority.host().to_owned(), authority.port_u16()?)));
    let Some((host, port)) = target else {
        return Response::builder()
            .status(StatusCode::BAD_REQUEST)
            .body("CONNECT needs a host and a port\n".into());
    };
    match connect(host.trim_matches(['[', ']']), port).await {
        Ok(outside) => {
            let tunnel = (hyper::upgrade::on(&mut request), outside);
            *asked_for.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
            Response::builder().body(String::new())
        }
        Err(error) => Response::builder()
            .status(StatusCode::BAD_GATEWAY)
            .body(format!("{error}\n")),
    }
}

async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let connecting = TcpStream::connect((host, port));
    match time::timeout(CONNECTED_WITHIN, connecting).await {
        Ok(connected) => connected.map_err(|error| {
            io::Error::new(error.kind(), format!("connect to {host}:{port}: {error}"))
        }),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("connect to {host}:{port}: no answer within {CONNECTED_WITHIN:?}"),
        )),
    }
}
