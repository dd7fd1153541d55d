//! The pod's network: loopback with the pod's and the Service's address on it, and nothing else.

use std::io;
use std::net::Ipv4Addr;

use super::system;

/// Brings up the loopback interface with both addresses.
pub(super) fn bring_up(pod: Ipv4Addr, service: Ipv4Addr) -> io::Result<()> {
    disable_ipv6();
    // As containerd does: a user without privileges may listen on any port of the pod.
    let _ = fs_err::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    system::bring_loopback_up()?;
    system::add_loopback_address("lo:1", pod)?;
    system::add_loopback_address("lo:2", service)
}

/// Takes `::1` away, as an IPv4 cluster does: otherwise `localhost` binds where no client connects.
fn disable_ipv6() {
    for interface in ["all", "default", "lo"] {
        // A kernel without IPv6 does not have the file, and then there is nothing to disable.
        let _ = fs_err::write(
            format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6"),
            "1",
        );
    }
}
