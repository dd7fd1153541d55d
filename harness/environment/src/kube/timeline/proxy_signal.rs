//! Reads in the proxy's own log when it was sent TERM, which no API reports.
//!
//! Envoy writes `[2026-01-31 12:00:00.123][1][warning][main] [source/server/server.cc:1028] caught ENVOY_SIGTERM`, at its default level and in UTC.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::kube::logs::container_log::ContainerLog;

const CAUGHT: &[u8] = b"caught ENVOY_SIGTERM";
const TIME_FORMAT: &str = "[%Y-%m-%d %H:%M:%S%.f]";
/// The most that is read at a time, in bytes.
const PIECE: usize = 1024 * 1024;

/// How far the log has been read.
#[derive(Debug, Default)]
pub(super) struct ProxySignal {
    read: u64,
}

impl ProxySignal {
    /// Reads on in the log of an instance; returns when that was sent TERM, where a new line says so. What an earlier instance has written is
    /// passed over: it was sent a TERM of its own.
    pub(super) fn of_term(&mut self, log: &ContainerLog, instance: &str) -> Option<Timestamp> {
        self.read = self.read.max(log.beginning_of(instance)?);
        loop {
            let piece = log.beyond(self.read, PIECE);
            let complete = match piece.iter().rposition(|byte| *byte == b'\n') {
                Some(last) => last + 1,
                // A line that does not fit is not the proxy's signal.
                None if piece.len() == PIECE => PIECE,
                // The last line may not be complete yet.
                None => return None,
            };
            self.read += complete as u64;
            let mut lines = piece[..complete].split(|byte| *byte == b'\n');
            if let Some(at) = lines.find_map(term_at) {
                return Some(at);
            }
        }
    }
}

fn term_at(line: &[u8]) -> Option<Timestamp> {
    if !line.ends_with(CAUGHT) {
        return None;
    }
    let end = line.iter().position(|byte| *byte == b']')? + 1;
    let time = std::str::from_utf8(&line[..end]).ok()?;
    let time = DateTime::strptime(TIME_FORMAT, time).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUGHT_LINE: &[u8] = b"[2026-11-24 12:38:46.075][1][warning][main] [source/server/server.cc:1028] caught ENVOY_SIGTERM\n";

    fn caught_at() -> Timestamp {
        "2026-11-24T12:38:46.075Z".parse().expect("a time")
    }

    #[test]
    fn the_proxys_line_is_read_once_it_is_complete() {
        let log = ContainerLog::default();
        log.begin_instance("a");
        let mut signal = ProxySignal::default();
        let (beginning, rest) = CAUGHT_LINE.split_at(90);
        log.append(b"{\"conformance-proxy\":{}}\n");
        log.append(beginning);
        assert_eq!(signal.of_term(&log, "a"), None);
        log.append(rest);
        assert_eq!(signal.of_term(&log, "a"), Some(caught_at()));
        assert_eq!(signal.of_term(&log, "a"), None);
    }

    #[test]
    fn the_signal_of_an_earlier_instance_is_passed_over() {
        let log = ContainerLog::default();
        log.begin_instance("a");
        log.append(CAUGHT_LINE);
        let mut signal = ProxySignal::default();
        assert_eq!(signal.of_term(&log, "b"), None, "its log is not read yet");
        log.begin_instance("b");
        log.append(b"started\n");
        assert_eq!(signal.of_term(&log, "b"), None);
        log.append(CAUGHT_LINE);
        assert_eq!(signal.of_term(&log, "b"), Some(caught_at()));
    }

    #[test]
    fn a_line_that_fits_in_no_piece_does_not_stop_the_reader() {
        let log = ContainerLog::default();
        log.begin_instance("a");
        log.append(&vec![b'x'; 3 * PIECE]);
        log.append(b"\n");
        log.append(CAUGHT_LINE);
        let mut signal = ProxySignal::default();
        assert_eq!(signal.of_term(&log, "a"), Some(caught_at()));
    }

    #[test]
    fn a_line_that_only_quotes_the_phrase_is_not_the_proxys() {
        for line in [
            &b"{\"path\":\"/caught ENVOY_SIGTERM\"}"[..],
            b"[yesterday][1][warning] caught ENVOY_SIGTERM",
            b"caught ENVOY_SIGTERM",
            b"\xff\xfe caught ENVOY_SIGTERM",
        ] {
            assert_eq!(term_at(line), None, "{}", String::from_utf8_lossy(line));
        }
    }
}
