//! HTTP/2 frames written by hand, right and wrong, and a connection that sends them.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Frame types of RFC 9113, section 6.
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Puts a frame together; nothing about it need be right.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Encodes fields as literals that are never indexed (RFC 7541, section 6.2.3).
pub(crate) fn header_block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0x10);
        for text in [name, value] {
            block.push(
                u8::try_from(text.len())
                    .ok()
                    .filter(|length| *length < 127)
                    .expect("a short text"),
            );
            block.extend(text.as_bytes());
        }
    }
    block
}

/// The head of a check.
pub(crate) fn check_head(stream: u32, flags: u8) -> Vec<u8> {
    let block = header_block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/envoy.service.auth.v3.Authorization/Check"),
        (":authority", "agent"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]);
    frame(HEADERS, flags | END_HEADERS, stream, &block)
}

/// A gRPC message: its flag, the length that it claims, and what comes.
pub(crate) fn message(flag: u8, claimed_length: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![flag];
    bytes.extend(claimed_length.to_be_bytes());
    bytes.extend(content);
    bytes
}

/// A connection over which anything can be sent.
pub(crate) struct Abuser(TcpStream);

impl Abuser {
    /// Connects, and sends the preface with these settings.
    pub(crate) fn connect(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let stream = TcpStream::connect(address).expect("the agent listens");
        stream
            .set_write_timeout(Some(Duration::from_secs(2)))
            .expect("a time-out");
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend(name.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        let mut abuser = Self(stream);
        let greeting = [PREFACE, &frame(SETTINGS, 0, 0, &payload)].concat();
        abuser
            .send(&greeting)
            .expect("a fresh connection takes the preface");
        abuser
    }

    /// Sends bytes; an agent that has closed the connection, or takes no more, is an error here.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Reads what comes until the agent closes, or for so long.
    pub(crate) fn drain(&mut self, within: Duration) {
        let end = Instant::now() + within;
        let mut buffer = [0; 16 * 1024];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.0.set_read_timeout(Some(left)).expect("a time-out");
            if !matches!(self.0.read(&mut buffer), Ok(1..)) {
                return;
            }
        }
    }
}
