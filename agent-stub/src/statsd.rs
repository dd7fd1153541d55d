//! Counters by `StatsD` over UDP, under the vendor's names.
//!
//! Fire and forget: a missing sink never disturbs a decision.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use crate::inspect::SignalKind;

/// Sends counters, or drops them when no address was given.
#[derive(Debug)]
pub struct Statsd(Option<UdpSocket>);

/// One thing to count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counter {
    /// A request was let through.
    Allow,
    /// A request was blocked.
    Block,
    /// A check could not be processed.
    Error,
    /// A signal was raised.
    Signal(SignalKind),
    /// A check arrived.
    Total,
    /// An access-log entry belonged to no waiting request.
    UnmatchedEntry,
}

impl Statsd {
    /// Drops every counter.
    pub fn disabled() -> Self {
        Self(None)
    }

    /// Sends counters to an address.
    ///
    /// # Errors
    ///
    /// No socket can be had, or the address has no route.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let any: SocketAddr = if address.is_ipv4() {
            ([0, 0, 0, 0], 0).into()
        } else {
            ([0_u16; 8], 0).into()
        };
        let socket = UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        socket.connect(address)?;
        Ok(Self(Some(socket)))
    }

    /// Adds one to each counter, in one datagram.
    pub fn count(&self, counters: &[Counter]) {
        let Some(socket) = &self.0 else { return };
        let lines: Vec<String> = counters.iter().map(|counter| counter.line()).collect();
        if let Err(error) = socket.send(lines.join("\n").as_bytes()) {
            tracing::debug!(%error, "a StatsD datagram was dropped");
        }
    }
}

impl Counter {
    fn line(self) -> String {
        match self {
            Self::Allow => "sigsci.agent.waf.allow:1|c".into(),
            Self::Block => "sigsci.agent.waf.block:1|c".into(),
            Self::Error => "sigsci.agent.waf.error:1|c".into(),
            Self::Signal(kind) => format!("sigsci.agent.signal.{}:1|c", kind.as_str()),
            Self::Total => "sigsci.agent.waf.total:1|c".into(),
            Self::UnmatchedEntry => "sigsci.agent.stub.access_log.unmatched:1|c".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_arrive_as_plain_lines() {
        let sink = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let statsd = Statsd::connect(sink.local_addr().expect("bound")).expect("reachable");
        statsd.count(&[
            Counter::Total,
            Counter::Block,
            Counter::Signal(SignalKind::Log4jJndi),
        ]);
        let mut buffer = [0; 512];
        let length = sink.recv(&mut buffer).expect("a datagram");
        assert_eq!(
            String::from_utf8_lossy(&buffer[..length]),
            "sigsci.agent.waf.total:1|c\nsigsci.agent.waf.block:1|c\nsigsci.agent.signal.LOG4J-JNDI:1|c"
        );
    }
}
