//! Reads in the proxy's own log when it was sent TERM, which no API tells of.
//!
//! Envoy writes `[2026-01-31 12:00:00.123][1][warning][main] [source/server/server.cc:1028] caught ENVOY_SIGTERM`, at its default level and in UTC.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::log_follower::ContainerLog;

const CAUGHT: &[u8] = b"caught ENVOY_SIGTERM";
const TIME_FORMAT: &str = "[%Y-%m-%d %H:%M:%S%.f]";
/// The most that is read at a time, in bytes.
const PIECE: usize = 1024 * 1024;

/// How far the log has been read.
#[derive(Debug, Default)]
pub(super) struct ProxyWord {
    read: u64,
}

impl ProxyWord {
    /// Reads on; returns when the proxy was sent TERM, where a new line says so.
    pub(super) fn of_term(&mut self, log: &ContainerLog) -> Option<Timestamp> {
        let piece = log.beyond(self.read, PIECE);
        // The last line may not be complete yet.
        let complete = piece.iter().rposition(|byte| *byte == b'\n')? + 1;
        self.read += complete as u64;
        piece[..complete]
            .split(|byte| *byte == b'\n')
            .find_map(term_at)
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

    #[test]
    fn the_proxys_line_is_read_once_it_is_complete() {
        let log = ContainerLog::default();
        let mut word = ProxyWord::default();
        log.append(b"{\"conformance-proxy\":{}}\n[2026-11-24 12:38:46.075][1][warning][main] [source/server/server.cc:1028] caught ENVOY");
        assert_eq!(word.of_term(&log), None);
        log.append(b"_SIGTERM\n");
        let expected: Timestamp = "2026-11-24T12:38:46.075Z".parse().expect("a time");
        assert_eq!(word.of_term(&log), Some(expected));
        assert_eq!(word.of_term(&log), None);
    }

    #[test]
    fn a_line_that_only_quotes_the_words_is_not_the_proxys() {
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
