//! Counters and gauges by `StatsD` over UDP, under the vendor's names.
//!
//! Fire and forget: a missing sink never disturbs a decision.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::inspect::SignalKind;

/// Sends counters and gauges, or drops them when no address was given.
#[derive(Debug)]
pub struct Statsd {
    socket: Option<UdpSocket>,
    // How long the latest decisions took, in no particular order.
    decision_times: Mutex<DecisionTimes>,
}

#[derive(Debug, Default)]
struct DecisionTimes {
    latest: Vec<Duration>,
    next: usize,
}

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
        Self {
            socket: None,
            decision_times: Mutex::default(),
        }
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
        Ok(Self {
            socket: Some(socket),
            decision_times: Mutex::default(),
        })
    }

    /// Adds one to each counter, in one datagram.
    pub fn count(&self, counters: &[Counter]) {
        if self.socket.is_none() {
            return;
        }
        let lines: Vec<String> = counters.iter().map(|counter| counter.line()).collect();
        self.send(&lines);
    }

    /// Notes how long a decision took.
    pub fn decided_in(&self, span: Duration) {
        if self.socket.is_none() {
            return;
        }
        let mut times = self.times();
        let next = times.next;
        if times.latest.len() < MOST_TIMES {
            times.latest.push(span);
        } else {
            times.latest[next] = span;
        }
        times.next = (next + 1) % MOST_TIMES;
    }

    /// Sends the percentiles of the latest decisions as gauges, in milliseconds; nothing before the first decision.
    pub fn send_gauges(&self) {
        let mut latest = self.times().latest.clone();
        latest.sort_unstable();
        let lines: Vec<String> = [50, 95, 99]
            .into_iter()
            .filter_map(|percentile| {
                let rank = (latest.len() * percentile).div_ceil(100);
                let span = latest.get(rank.checked_sub(1)?)?;
                let millis = span.as_secs_f64() * 1e3;
                Some(format!(
                    "sigsci.agent.waf.perf.decision_time.{percentile}pct:{millis:.3}|g"
                ))
            })
            .collect();
        if !lines.is_empty() {
            self.send(&lines);
        }
    }

    fn send(&self, lines: &[String]) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(lines.join("\n").as_bytes()) {
            tracing::debug!(%error, "a StatsD datagram was dropped");
        }
    }

    fn times(&self) -> MutexGuard<'_, DecisionTimes> {
        self.decision_times
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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

const MOST_TIMES: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_percentiles_of_the_latest_decisions() {
        let sink = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let statsd = Statsd::connect(sink.local_addr().expect("bound")).expect("reachable");
        statsd.send_gauges();
        for millis in (1..=2_000).rev().map(|millis| millis.min(100)) {
            statsd.decided_in(Duration::from_millis(millis));
        }
        for millis in 1..=1_024 {
            statsd.decided_in(Duration::from_millis(millis * 100 / 1_024));
        }
        statsd.send_gauges();
        let mut buffer = [0; 512];
        let length = sink.recv(&mut buffer).expect("a datagram");
        assert_eq!(
            String::from_utf8_lossy(&buffer[..length]),
            "sigsci.agent.waf.perf.decision_time.50pct:50.000|g\n\
             sigsci.agent.waf.perf.decision_time.95pct:95.000|g\n\
             sigsci.agent.waf.perf.decision_time.99pct:99.000|g"
        );
    }

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
