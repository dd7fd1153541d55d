//! The WebSocket handshake and its frames (RFC 6455), as far as one message and its echo need
//! them. It does no I/O.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::record::UpgradeOutcome;

/// The most bytes of a frame that is taken.
const FRAME_LIMIT: usize = 1024 * 1024;
/// The most control frames before the echo.
const CONTROL_FRAME_LIMIT: usize = 64;
/// What the accept value is made of besides the key (RFC 6455, section 1.3).
const ACCEPT_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The length that says that the real one follows in two bytes.
const LENGTH_IN_TWO_BYTES: u8 = 126;
/// The length that says that the real one follows in eight bytes.
const LENGTH_IN_EIGHT_BYTES: u8 = 127;
/// Masks the frames. A fixed mask keeps runs the same; it hides nothing, and need not here.
const MASK: [u8; 4] = [0x57, 0x41, 0x46, 0x43];

/// The handshake of one connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Handshake {
    key: String,
}

impl Handshake {
    /// Takes the key that the fields give, or makes one from the request's id, so that the same
    /// request has the same bytes in each run.
    pub(crate) fn new(id: &str, fields: &[(String, String)]) -> Self {
        let given = fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
            .map(|(_, value)| value.trim().to_owned());
        Self {
            key: given.unwrap_or_else(|| STANDARD.encode(&Sha256::digest(id)[..16])),
        }
    }

    /// Returns the fields that ask for the upgrade in HTTP/1.1.
    pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("connection", "Upgrade".to_owned()),
            ("upgrade", "websocket".to_owned()),
        ];
        fields.extend(self.fields_of_websocket());
        fields
    }

    /// Returns those of the fields that belong to WebSocket and not to HTTP/1.1.
    pub(crate) fn fields_of_websocket(&self) -> [(&'static str, String); 2] {
        [
            ("sec-websocket-version", "13".to_owned()),
            ("sec-websocket-key", self.key.clone()),
        ]
    }

    /// Returns the value of `sec-websocket-accept` that grants the upgrade.
    pub(crate) fn accept(&self) -> String {
        STANDARD.encode(Sha1::digest(format!("{}{ACCEPT_SUFFIX}", self.key)))
    }
}

/// Returns a whole text message as one masked frame.
pub(crate) fn text_frame(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match (u8::try_from(message.len()), u16::try_from(message.len())) {
        (Ok(length @ 0..=125), _) => frame.push(0x80 | length),
        (_, Ok(length)) => {
            frame.push(0x80 | LENGTH_IN_TWO_BYTES);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        (_, Err(_)) => {
            frame.push(0x80 | LENGTH_IN_EIGHT_BYTES);
            frame.extend_from_slice(&(message.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    let masked = message.iter().zip(MASK.iter().cycle());
    frame.extend(masked.map(|(byte, mask)| byte ^ mask));
    frame
}

/// Waits for the echo of a message in bytes as they come.
#[derive(Debug)]
pub(crate) struct EchoWatch<'a> {
    expected: &'a [u8],
    unread: Vec<u8>,
    message: Vec<u8>,
    control_frames: usize,
}

impl<'a> EchoWatch<'a> {
    /// Starts to wait.
    pub(crate) fn new(expected: &'a [u8]) -> Self {
        Self {
            expected,
            unread: Vec::new(),
            message: Vec::new(),
            control_frames: 0,
        }
    }

    /// Takes the next bytes. Returns what became of the message once that is known.
    pub(crate) fn read(&mut self, input: &[u8]) -> Option<UpgradeOutcome> {
        self.unread.extend_from_slice(input);
        loop {
            let (frame, length) = match parse_frame(&self.unread) {
                Ok(Some(parsed)) => parsed,
                Ok(None) => return None,
                Err(MalformedFrame) => return Some(UpgradeOutcome::Malformed),
            };
            let payload = self.unread[length - frame.payload_length..length].to_vec();
            self.unread.drain(..length);
            match frame.kind {
                FrameKind::Close => return Some(UpgradeOutcome::Closed),
                FrameKind::Control => {
                    self.control_frames += 1;
                    if self.control_frames > CONTROL_FRAME_LIMIT {
                        return Some(UpgradeOutcome::Malformed);
                    }
                }
                FrameKind::Data => {
                    if self.message.len() + payload.len() > FRAME_LIMIT {
                        return Some(UpgradeOutcome::Malformed);
                    }
                    self.message.extend_from_slice(&payload);
                    if frame.is_final {
                        return Some(if self.message == self.expected {
                            UpgradeOutcome::Echoed
                        } else {
                            UpgradeOutcome::Altered
                        });
                    }
                }
            }
        }
    }
}

#[derive(Debug)]
struct MalformedFrame;

#[derive(Debug)]
struct Frame {
    kind: FrameKind,
    is_final: bool,
    payload_length: usize,
}

#[derive(Debug)]
enum FrameKind {
    Close,
    Control,
    Data,
}

/// Returns a server's frame with its whole length, or none while it is incomplete.
fn parse_frame(bytes: &[u8]) -> Result<Option<(Frame, usize)>, MalformedFrame> {
    let &[first, second, ref rest @ ..] = bytes else {
        return Ok(None);
    };
    // Reserved bits need an extension, and none was asked for. A server does not mask.
    if first & 0x70 != 0 || second & 0x80 != 0 {
        return Err(MalformedFrame);
    }
    let is_final = first & 0x80 != 0;
    let kind = match first & 0x0f {
        0..=2 => FrameKind::Data,
        8 => FrameKind::Close,
        9 | 10 => FrameKind::Control,
        _ => return Err(MalformedFrame),
    };
    let (payload_length, head_length) = match second & 0x7f {
        LENGTH_IN_TWO_BYTES => match rest.first_chunk() {
            Some(&length) => (u64::from(u16::from_be_bytes(length)), 4),
            None => return Ok(None),
        },
        LENGTH_IN_EIGHT_BYTES => match rest.first_chunk() {
            Some(&length) => (u64::from_be_bytes(length), 10),
            None => return Ok(None),
        },
        length => (u64::from(length), 2),
    };
    let payload_length = usize::try_from(payload_length)
        .ok()
        .filter(|&length| length <= FRAME_LIMIT)
        .ok_or(MalformedFrame)?;
    let length = head_length + payload_length;
    let frame = Frame {
        kind,
        is_final,
        payload_length,
    };
    Ok((bytes.len() >= length).then_some((frame, length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_accept_value_is_that_of_the_rfc() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==".to_owned();
        let handshake = Handshake::new("x", &[("Sec-WebSocket-Key".to_owned(), key)]);
        assert_eq!(handshake.accept(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_frame_is_masked_as_in_the_rfc() {
        assert_eq!(text_frame(b""), [&[0x81, 0x80][..], &MASK].concat());
        let frame = text_frame(b"WAFCW");
        assert_eq!(frame[6..], [0, 0, 0, 0, 0]);
        assert_eq!(text_frame(&[0; 126])[1..4], [0xfe, 0, 126]);
        assert_eq!(
            text_frame(&vec![0; 65536])[1..10],
            [0xff, 0, 0, 0, 0, 0, 1, 0, 0]
        );
    }

    #[rstest]
    #[case(b"\x81\x02hi", Some(UpgradeOutcome::Echoed))]
    #[case(b"\x89\x00\x01\x01h\x80\x01i", Some(UpgradeOutcome::Echoed))]
    #[case(b"\x81\x7e\x00\x02hi", Some(UpgradeOutcome::Echoed))]
    #[case(b"\x81\x02ha", Some(UpgradeOutcome::Altered))]
    #[case(b"\x88\x02\x03\xe8", Some(UpgradeOutcome::Closed))]
    #[case(b"\x81\x82\0\0\0\0hi", Some(UpgradeOutcome::Malformed))]
    #[case(b"\xc1\x02hi", Some(UpgradeOutcome::Malformed))]
    #[case(
        b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
        Some(UpgradeOutcome::Malformed)
    )]
    #[case(b"\x81\x02h", None)]
    fn what_comes_back_is_distinguished(
        #[case] bytes: &[u8],
        #[case] expected: Option<UpgradeOutcome>,
    ) {
        assert_eq!(EchoWatch::new(b"hi").read(bytes), expected);
        let mut watch = EchoWatch::new(b"hi");
        let piecewise = bytes.iter().find_map(|&byte| watch.read(&[byte]));
        assert_eq!(piecewise, expected);
    }

    #[test]
    fn endless_control_frames_are_refused() {
        let outcome = EchoWatch::new(b"hi").read(&b"\x89\x00".repeat(CONTROL_FRAME_LIMIT + 1));
        assert_eq!(outcome, Some(UpgradeOutcome::Malformed));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let whole = EchoWatch::new(b"hi").read(&bytes);
            let mut watch = EchoWatch::new(b"hi");
            let piecewise = bytes.chunks(3).find_map(|piece| watch.read(piece));
            prop_assert_eq!(whole, piecewise);
        }
    }
}
