//! The Service in front of the pod: a forwarder that listens only while the pod is ready.
//!
//! Connections that were accepted live on when the pod stops being ready, as they do behind a real
//! Service.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time;

/// The pause after a failed accept, which would fail again at once.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// Forwards for ever.
pub(super) async fn run(
    service: SocketAddr,
    target: SocketAddr,
    mut readiness: watch::Receiver<bool>,
) {
    while readiness.wait_for(|ready| *ready).await.is_ok() {
        match TcpListener::bind(service).await {
            Ok(listener) => {
                tokio::select! {
                    _ = readiness.wait_for(|ready| !*ready) => {}
                    () = accept(&listener, target) => {}
                }
            }
            Err(error) => {
                tracing::error!(%service, %error, "cannot listen as the pod's Service");
                if readiness.wait_for(|ready| !*ready).await.is_err() {
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
                tokio::task::spawn_local(forward(client, target));
            }
            Err(error) => {
                // Most likely no descriptor is left; one comes free when a connection ends.
                tracing::warn!(%error, "the Service cannot accept a connection");
                time::sleep(ACCEPT_AGAIN_AFTER).await;
            }
        }
    }
}

async fn forward(mut client: TcpStream, target: SocketAddr) {
    // A target that refuses shows to the client as a closed connection, as behind a proxying
    // Service.
    if let Ok(mut server) = TcpStream::connect(target).await {
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}
