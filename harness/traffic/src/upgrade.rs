//! What follows a granted WebSocket upgrade: one message goes out, and its echo is awaited.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use crate::record::{ResponseRecord, UpgradeOutcome};
use crate::websocket::{EchoWatch, Handshake, text_frame};

/// The space that is made before each read.
const READ_SIZE: usize = 4 * 1024;

/// Returns whether an answer grants the upgrade that was asked for.
pub(crate) fn is_granted(handshake: &Handshake, response: &ResponseRecord) -> bool {
    let mut accepted = response.header_values("sec-websocket-accept");
    accepted.next() == Some(handshake.accept().as_str()) && accepted.next().is_none()
}

/// Sends the message and waits for its echo until `deadline`. `surplus` came after the answer.
pub(crate) async fn converse(
    transport: &mut (impl AsyncRead + AsyncWrite + Unpin),
    message: &[u8],
    surplus: &[u8],
    deadline: Instant,
) -> UpgradeOutcome {
    timeout_at(deadline, send_and_watch(transport, message, surplus))
        .await
        .unwrap_or(UpgradeOutcome::Silent)
}

async fn send_and_watch(
    transport: &mut (impl AsyncRead + AsyncWrite + Unpin),
    message: &[u8],
    surplus: &[u8],
) -> UpgradeOutcome {
    if transport.write_all(&text_frame(message)).await.is_err() || transport.flush().await.is_err()
    {
        return UpgradeOutcome::Closed;
    }
    let mut watch = EchoWatch::new(message);
    let mut input = surplus.to_vec();
    loop {
        if let Some(outcome) = watch.read(&input) {
            return outcome;
        }
        input.clear();
        input.reserve(READ_SIZE);
        match transport.read_buf(&mut input).await {
            Ok(0) | Err(_) => return UpgradeOutcome::Closed,
            Ok(_) => {}
        }
    }
}
