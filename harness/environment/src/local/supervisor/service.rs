//! The Service in front of the pod: a listener that says where a connection leads, and listens only while it leads anywhere.
//!
//! A node translates the address of a connection to a Service once, when it is opened: what it leads to accepts or refuses it, and a connection that
//! stands is no business of the Service any more. The driver does the same here: it asks this listener for the address and connects there.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time;

use crate::local::ACCEPT_AGAIN_AFTER;

/// Answers for ever with `target`, while the Service has it as an endpoint.
pub(super) async fn run(
    service: SocketAddr,
    target: SocketAddr,
    mut endpoint: watch::Receiver<bool>,
) {
    while endpoint.wait_for(|has_one| *has_one).await.is_ok() {
        match TcpListener::bind(service).await {
            Ok(listener) => {
                tokio::select! {
                    _ = endpoint.wait_for(|has_one| !*has_one) => {}
                    () = accept(&listener, target) => {}
                }
            }
            Err(error) => {
                tracing::error!(%service, %error, "cannot listen as the pod's Service");
                if endpoint.wait_for(|has_one| !*has_one).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn accept(listener: &TcpListener, target: SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                tokio::task::spawn_local(answer(client, target));
            }
            Err(error) => {
                // Most likely no descriptor is left; one comes free when a connection ends.
                tracing::warn!(%error, "the Service cannot accept a connection");
                time::sleep(ACCEPT_AGAIN_AFTER).await;
            }
        }
    }
}

async fn answer(mut client: TcpStream, target: SocketAddr) {
    // Who does not take the answer has gone.
    let _ = client.write_all(target.to_string().as_bytes()).await;
}
