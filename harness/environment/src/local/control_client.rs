//! Speaks to a pod's supervisor.

use std::io::{self, Write as _};

use camino::Utf8PathBuf;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use super::folder_sockets::FolderSockets;
use super::protocol::{CONTROL_SOCKET, ControlReply, ControlRequest, LONGEST_LINE};
use crate::EnvironmentFault;

/// The way to one pod's control socket.
#[derive(Debug)]
pub(super) struct ControlClient {
    sockets: FolderSockets,
}

impl ControlClient {
    /// Takes the way through the pod's folder.
    pub(super) const fn new(sockets: FolderSockets) -> Self {
        Self { sockets }
    }

    /// Returns the socket's path.
    pub(super) fn socket(&self) -> Utf8PathBuf {
        self.sockets.path(CONTROL_SOCKET)
    }

    /// Asks and returns the answer.
    pub(super) async fn ask(
        &self,
        request: &ControlRequest,
    ) -> Result<ControlReply, EnvironmentFault> {
        let mut connection = self.open(request).await?;
        read_reply(&mut BufReader::new(&mut connection)).await
    }

    /// Asks and keeps the connection. The answer is read with [`read_reply_exactly`].
    pub(super) async fn open(
        &self,
        request: &ControlRequest,
    ) -> Result<UnixStream, EnvironmentFault> {
        let connect = async {
            let mut connection = UnixStream::connect(self.socket()).await?;
            connection.write_all(&line(request)?).await?;
            Ok(connection)
        };
        connect.await.map_err(|error: io::Error| lost(&error))
    }

    /// Asks without waiting for the answer, from code that cannot wait.
    pub(super) fn send(&self, request: &ControlRequest) -> io::Result<()> {
        let mut connection = std::os::unix::net::UnixStream::connect(self.socket())?;
        connection.write_all(&line(request)?)
    }
}

/// Reads the answer without taking a byte beyond it from the connection.
pub(super) async fn read_reply_exactly(
    connection: &mut UnixStream,
) -> Result<ControlReply, EnvironmentFault> {
    // One byte at a time: the reply is short and what follows it belongs to another reader.
    read_reply(&mut BufReader::with_capacity(1, connection)).await
}

async fn read_reply<R: tokio::io::AsyncRead + Unpin>(
    connection: &mut BufReader<R>,
) -> Result<ControlReply, EnvironmentFault> {
    let mut bytes = Vec::new();
    connection
        .take(LONGEST_LINE as u64)
        .read_until(b'\n', &mut bytes)
        .await
        .map_err(|error| lost(&error))?;
    if bytes.is_empty() {
        return Err(EnvironmentFault::PodLost {
            reason: "its supervisor hung up".into(),
        });
    }
    match serde_json::from_slice(&bytes) {
        Ok(ControlReply::Refused(fault)) => Err(fault.into()),
        Ok(reply) => Ok(reply),
        Err(error) => Err(lost(&error)),
    }
}

fn line(request: &ControlRequest) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    Ok(line)
}

fn lost(error: &dyn std::fmt::Display) -> EnvironmentFault {
    EnvironmentFault::PodLost {
        reason: format!("its supervisor does not answer: {error}"),
    }
}
