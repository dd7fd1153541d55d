//! Frames and streams in numbers: resets, bombs, floods, and ten thousand streams that stay open.

use std::time::Duration;

use rstest::rstest;

use super::frames::{
    Abuser, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, check_head, frame, message,
};
use super::support::AgentUnderFire;

/// As many frames as are sent in one piece.
const BATCH: u32 = 500;
/// What 10,000 calls may take that are open at the same time: tonic gives each a buffer of 8 KiB for its message before a byte of it has
/// come, and the call itself is some 3 KiB. The agent takes 4,096 on a connection at most.
const OPEN_STREAMS_LIMIT_KIBIBYTES: u64 = 160 * 1024;

#[tokio::test]
async fn rapid_resets_end_with_the_connection_and_delay_no_other_client() {
    let target = AgentUnderFire::start().await;
    let address = target.address;
    let attack = tokio::task::spawn_blocking(move || {
        for _ in 0..20 {
            let mut abuser = Abuser::connect(address, &[]);
            let mut stream = 1;
            // 10,000 streams on each of 20 connections (CVE-2023-44487), unless the agent has enough of it.
            for _ in 0..20 {
                let mut batch = Vec::new();
                for _ in 0..BATCH {
                    batch.extend(check_head(stream, 0));
                    batch.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
                    stream += 2;
                }
                if abuser.send(&batch).is_err() {
                    break;
                }
            }
        }
    });
    while !attack.is_finished() {
        let answered = tokio::time::timeout(super::support::PROMPT, target.check(Vec::new())).await;
        assert!(matches!(answered, Ok(Ok(()))), "{answered:?}");
    }
    attack.await.expect("the attack comes to its end");
    target.assert_unharmed().await;
}

#[tokio::test]
async fn ten_thousand_open_streams_delay_no_other_client() {
    let target = AgentUnderFire::start().await;
    let mut abusers = Vec::new();
    for _ in 0..4 {
        let mut abuser = Abuser::connect(target.address, &[]);
        for first in (0..2_500).step_by(BATCH as usize) {
            let batch: Vec<u8> = (first..first + BATCH)
                .flat_map(|number| check_head(2 * number + 1, 0))
                .collect();
            abuser
                .send(&batch)
                .expect("within the agent's limit of streams");
        }
        // Answers that come would mean that the streams are over.
        abuser.drain(Duration::from_millis(100));
        abusers.push(abuser);
    }
    target
        .assert_unharmed_within(OPEN_STREAMS_LIMIT_KIBIBYTES)
        .await;
    drop(abusers);
    target
        .assert_unharmed_within(OPEN_STREAMS_LIMIT_KIBIBYTES)
        .await;
}

#[tokio::test]
async fn ten_thousand_answers_that_are_not_read_delay_no_other_client() {
    let target = AgentUnderFire::start().await;
    let mut abusers = Vec::new();
    for _ in 0..4 {
        // SETTINGS_INITIAL_WINDOW_SIZE of 0: no answer can be sent.
        let mut abuser = Abuser::connect(target.address, &[(4, 0)]);
        for first in (0..2_500).step_by(BATCH as usize) {
            let batch: Vec<u8> = (first..first + BATCH)
                .flat_map(|number| {
                    let stream = 2 * number + 1;
                    let body = frame(DATA, END_STREAM, stream, &message(0, 0, b""));
                    [check_head(stream, 0), body].concat()
                })
                .collect();
            let _ = abuser.send(&batch);
        }
        abusers.push(abuser);
    }
    target.assert_unharmed().await;
    drop(abusers);
}

#[rstest]
#[case::pings(frame(PING, 0, 0, &[7; 8]))]
#[case::settings(frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]))]
#[case::windows(frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]))]
#[case::priorities(frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 9]))]
#[case::unknown_frames(frame(0xbb, 0, 1, &[9; 64]))]
#[case::empty_data([check_head(1, 0), frame(DATA, 0, 1, b"").repeat(100)].concat())]
#[tokio::test]
async fn a_flood_whose_answers_are_not_read_is_survived(#[case] frames: Vec<u8>) {
    let target = AgentUnderFire::start().await;
    let mut abuser = Abuser::connect(target.address, &[]);
    let batch = frames.repeat(1_000);
    for _ in 0..100 {
        if abuser.send(&batch).is_err() {
            break;
        }
    }
    target.assert_unharmed().await;
}

#[tokio::test]
async fn a_head_that_unpacks_to_megabytes_is_refused() {
    let target = AgentUnderFire::start().await;
    for _ in 0..10 {
        let mut abuser = Abuser::connect(target.address, &[]);
        // A field of 4,000 bytes that enters the table, and 12,000 references to it (RFC 7541, sections 6.2.1 and 6.1).
        let mut block = vec![0x40, 1, b'a', 0x7f];
        block.extend([0xa1, 0x1e]);
        block.extend([b'x'; 4_000]);
        block.extend([0xbe; 12_000]);
        let _ = abuser.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block));
        abuser.drain(Duration::from_millis(100));
    }
    target.assert_unharmed().await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_refused() {
    let target = AgentUnderFire::start().await;
    let mut abuser = Abuser::connect(target.address, &[]);
    let _ = abuser.send(&frame(HEADERS, 0, 1, b""));
    let mut field = vec![0x10, 1, b'a', 0x7e];
    field.extend([b'x'; 126]);
    let piece = frame(CONTINUATION, 0, 1, &field.repeat(100)).repeat(10);
    // 128 MiB (CVE-2024-27316), unless the agent has enough of it.
    let refused = (0..1_000).any(|_| abuser.send(&piece).is_err());
    assert!(refused, "the agent takes a head of any length");
    target.assert_unharmed().await;
}
