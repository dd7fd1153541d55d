//! The pod's end of the agent's way out: a port of the loopback interface that serves the processes of one container alone.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::rc::Rc;
use std::sync::Arc;

use camino::Utf8Path;
use nix::unistd::Pid;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::time;

use super::containers::ContainerProcess;
use super::members;
use crate::local::ACCEPT_AGAIN_AFTER;
use crate::local::egress::{EGRESS_PORT, EGRESS_SOCKET, MOST_CONNECTIONS};
use crate::local::folder_sockets::FolderSockets;
use crate::local::kubelet::{ContainerActivity, PodState};

/// The state of an established connection in `/proc/net/tcp`.
const ESTABLISHED: &str = "01";

/// The way out of one container.
#[derive(Debug)]
pub(super) struct WayOut {
    listener: TcpListener,
    sockets: Rc<FolderSockets>,
    state: Rc<PodState<ContainerProcess>>,
    container: usize,
}

impl WayOut {
    /// Listens for the container, before it is started. `folder` is the pod's.
    pub(super) async fn open(
        folder: &Utf8Path,
        state: Rc<PodState<ContainerProcess>>,
        container: usize,
    ) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind((Ipv4Addr::LOCALHOST, EGRESS_PORT)).await?,
            sockets: Rc::new(FolderSockets::open(folder)?),
            state,
            container,
        })
    }

    /// Serves for ever.
    pub(super) async fn run(self) {
        let free = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let Ok(permit) = Arc::clone(&free).acquire_owned().await else {
                return;
            };
            let (inside, from) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "the way out cannot accept a connection");
                    time::sleep(ACCEPT_AGAIN_AFTER).await;
                    continue;
                }
            };
            if self.is_of_the_container(from) {
                let handing_over = hand_over(inside, Rc::clone(&self.sockets));
                tokio::task::spawn_local(async move {
                    handing_over.await;
                    drop(permit);
                });
            } else {
                // Dropped, and so closed: this is not its way.
                tracing::warn!(%from, "a connection to the agent's way out is not known to be of the agent's container");
            }
        }
    }

    fn is_of_the_container(&self, from: SocketAddr) -> bool {
        let first = match self.state.activity(self.container) {
            // Once its end was noticed its number may be another's.
            ContainerActivity::Running(process) if !process.has_ended() => process.first,
            ContainerActivity::Running(_) | ContainerActivity::Waiting(_) => return false,
        };
        let Ok(table) = fs_err::read_to_string("/proc/net/tcp") else {
            return false;
        };
        let SocketAddr::V4(from) = from else {
            return false;
        };
        socket_of(&table, from).is_some_and(|socket| {
            let mut members = members::of(first).into_iter();
            members.any(|process| holds(process, &socket))
        })
    }
}

/// Returns what a descriptor of the connected end is a link to, by the kernel's table of connections (proc(5)). Both ends are looked for: the same
/// port may be in use for a connection to somewhere else.
fn socket_of(table: &str, connected: SocketAddrV4) -> Option<String> {
    let written = |ip: &Ipv4Addr, port: u16| {
        let address = u32::from_ne_bytes(ip.octets());
        format!("{address:08X}:{port:04X}")
    };
    let local = written(connected.ip(), connected.port());
    let remote = written(&Ipv4Addr::LOCALHOST, EGRESS_PORT);
    let mut rows = table.lines().map(|line| line.split_whitespace().collect());
    rows.find_map(|fields: Vec<&str>| {
        let is_it = fields.get(1) == Some(&local.as_str())
            && fields.get(2) == Some(&remote.as_str())
            && fields.get(3) == Some(&ESTABLISHED);
        let inode = fields.get(9).filter(|_| is_it)?;
        Some(format!("socket:[{inode}]"))
    })
}

fn holds(process: Pid, socket: &str) -> bool {
    let Ok(descriptors) = fs_err::read_dir(format!("/proc/{process}/fd")) else {
        return false;
    };
    descriptors
        .filter_map(Result::ok)
        .filter_map(|descriptor| fs_err::read_link(descriptor.path()).ok())
        .any(|target| target.as_os_str() == socket)
}

async fn hand_over(mut inside: TcpStream, sockets: Rc<FolderSockets>) {
    match UnixStream::connect(sockets.path(EGRESS_SOCKET)).await {
        Ok(mut harness) => {
            let _ = copy_bidirectional(&mut inside, &mut harness).await;
        }
        Err(error) => tracing::warn!(%error, "the harness does not take the agent's connection"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:46D0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 501 1
   1: 0100007F:C001 0100007F:46D0 01 00000000:00000000 00:00000000 00000000     0        0 777 1
   2: 0100007F:46D0 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 778 1
   3: 0100007F:C002 0100007F:46D0 06 00000000:00000000 00:00000000 00000000     0        0 0 3
   4: short
   5: 0100007F:C001 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 779 1
   6: 0100007F:C004 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 780 1
   7: 0100007F:C004 0100007F:46D0 01 00000000:00000000 00:00000000 00000000     0        0 781 1
";

    #[test]
    fn a_socket_is_found_by_its_own_end_while_it_is_connected() {
        let of = |port| socket_of(TABLE, SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
        assert_eq!(of(0xC001).as_deref(), Some("socket:[777]"));
        // Another connection of the same port, to somewhere else, stands first.
        assert_eq!(of(0xC004).as_deref(), Some("socket:[781]"));
        assert_eq!(of(0xC002), None);
        assert_eq!(of(0xC003), None);
    }
}
