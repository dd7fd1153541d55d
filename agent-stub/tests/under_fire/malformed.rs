//! Frames and messages that are wrong: each costs its connection or its call at most.

use std::time::Duration;

use rstest::rstest;

use super::frames::{
    Abuser, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, PUSH_PROMISE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, check_head, frame, message,
};
use super::support::AgentUnderFire;

/// How long a connection is read after its bytes.
const READ_FOR: Duration = Duration::from_millis(100);

/// A check whose gRPC message is these bytes.
fn call(body: &[u8]) -> Vec<u8> {
    [check_head(1, 0), frame(DATA, END_STREAM, 1, body)].concat()
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "a table of attacks, and one check after each"
)]
async fn malformed_frames_and_messages_cost_their_connections_only() {
    let target = AgentUnderFire::start().await;
    let attacks: Vec<(&str, Vec<u8>)> = vec![
        (
            "a frame over the limit",
            frame(DATA, 0, 1, &vec![0; 1 << 20]),
        ),
        (
            "a claimed length of 16 MiB",
            vec![0xff, 0xff, 0xff, HEADERS, 0, 0, 0, 0, 1],
        ),
        ("a head on stream 0", check_head(0, END_STREAM)),
        ("a head on an even stream", check_head(2, END_STREAM)),
        ("data on an idle stream", frame(DATA, 0, 1, b"x")),
        (
            "a window that grows by nothing",
            frame(WINDOW_UPDATE, 0, 0, &[0; 4]),
        ),
        (
            "a window that overflows",
            frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]).repeat(2),
        ),
        ("settings of odd length", frame(SETTINGS, 0, 0, &[0; 5])),
        ("settings on a stream", frame(SETTINGS, 0, 1, &[0; 6])),
        ("a ping of odd length", frame(PING, 0, 0, &[0; 7])),
        (
            "a continuation of nothing",
            frame(CONTINUATION, END_HEADERS, 1, b""),
        ),
        (
            "a head that data interrupts",
            [frame(HEADERS, 0, 1, b""), frame(DATA, 0, 1, b"x")].concat(),
        ),
        (
            "an index that no table has",
            frame(
                HEADERS,
                END_HEADERS | END_STREAM,
                1,
                &[0xff, 0xff, 0xff, 0xff, 0x0f],
            ),
        ),
        (
            "a text longer than its block",
            frame(HEADERS, END_HEADERS, 1, &[0x10, 0x7f, 0xff, 0xff, 0x7f]),
        ),
        (
            "a head without fields",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, b""),
        ),
        (
            "a promise of a client",
            frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]),
        ),
        (
            "a reset of an idle stream",
            frame(RST_STREAM, 0, 9, &[0; 4]),
        ),
        (
            "a stream that depends on itself",
            frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 0]),
        ),
        (
            "frames of no known type",
            frame(0xee, 0xff, 1, &[0; 100]).repeat(100),
        ),
        (
            "an earlier stream opened late",
            [check_head(9, END_STREAM), check_head(3, END_STREAM)].concat(),
        ),
        ("no message", call(b"")),
        ("half a prefix", call(&[0, 0])),
        (
            "a message shorter than it claims",
            call(&message(0, 100, b"x")),
        ),
        (
            "a message of 4 GiB by its own claim",
            call(&message(0, u32::MAX, b"x")),
        ),
        (
            "compression that was not negotiated",
            call(&message(1, 4, b"\x1f\x8b\x08\0")),
        ),
        ("a flag that there is not", call(&message(7, 0, b""))),
        (
            "two messages where one belongs",
            call(&message(0, 0, b"").repeat(2)),
        ),
        ("no protobuf", call(&message(0, 5, &[0xff; 5]))),
        (
            "a field that ends in nowhere",
            call(&message(0, 3, &[0x0a, 0x7f, 0])),
        ),
        (
            "nesting without end",
            call(&message(
                0,
                4_000,
                &[0x0a, 0xff, 0x1f].repeat(1_334)[..4_000],
            )),
        ),
    ];
    for (what, bytes) in &attacks {
        let mut abuser = Abuser::connect(target.address, &[]);
        // The agent may have closed before all of it was sent.
        let _ = abuser.send(bytes);
        abuser.drain(READ_FOR);
        let answered = tokio::time::timeout(super::support::PROMPT, target.check(Vec::new())).await;
        assert!(matches!(answered, Ok(Ok(()))), "after {what}: {answered:?}");
    }
    target.assert_unharmed().await;
}

#[rstest]
#[case::zeroes(0)]
#[case::ones(0xff)]
#[tokio::test]
async fn a_stream_of_noise_costs_its_connection_only(#[case] mask: u8) {
    let target = AgentUnderFire::start().await;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20 {
        let noise: Vec<u8> = (0..64 * 1024)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[0] ^ mask
            })
            .collect();
        let mut abuser = Abuser::connect(target.address, &[]);
        let _ = abuser.send(&noise);
    }
    target.assert_unharmed().await;
}
