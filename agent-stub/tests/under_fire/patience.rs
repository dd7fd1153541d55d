//! Long messages and peers that never get on: what they can hold is bounded.

use std::net::TcpStream;
use std::time::Duration;

use tonic::Code;

use super::frames::{Abuser, DATA, check_head, frame, message};
use super::support::AgentUnderFire;

/// Keep-alive notices a dead peer within its interval and its time-out, 10 s each.
const FREED_WITHIN: Duration = Duration::from_secs(40);

#[tokio::test]
async fn a_message_of_a_hundred_mebibytes_is_refused() {
    let target = AgentUnderFire::start().await;
    for _ in 0..3 {
        let status = target
            .check(vec![b'a'; 100 * 1024 * 1024])
            .await
            .expect_err("over every limit");
        let expected = [
            Code::OutOfRange,
            Code::ResourceExhausted,
            Code::Internal,
            Code::Unknown,
        ];
        assert!(expected.contains(&status.code()), "{status}");
    }
    target.assert_unharmed().await;
}

#[tokio::test]
async fn unfinished_messages_are_held_up_to_their_limit_and_no_longer_than_their_connection() {
    let target = AgentUnderFire::start().await;
    let address = target.address;
    // Eight messages just under the agent's limit of 4 MiB, and the last byte of none of them ever comes.
    let abusers = tokio::task::spawn_blocking(move || {
        let mut abusers: Vec<Abuser> = (0..8).map(|_| Abuser::connect(address, &[])).collect();
        for abuser in &mut abusers {
            let _ = abuser.send(&check_head(1, 0));
            let begun = message(0, 4 * 1024 * 1024, &[b'a'; 1024]);
            let _ = abuser.send(&frame(DATA, 0, 1, &begun));
        }
        for _ in 0..250 {
            for abuser in &mut abusers {
                // Within the window, which the agent opens again as it reads.
                let _ = abuser.send(&frame(DATA, 0, 1, &[b'a'; 16 * 1024]));
            }
            for abuser in &mut abusers {
                abuser.drain(Duration::from_millis(1));
            }
        }
        abusers
    });
    let abusers = abusers.await.expect("the attack comes to its end");
    // Buffers double as they grow.
    target.assert_unharmed_within(128 * 1024).await;
    drop(abusers);
    target.assert_unharmed_within(128 * 1024).await;
}

#[tokio::test]
async fn peers_that_say_nothing_lose_their_places() {
    let target = AgentUnderFire::start().await;
    // More than the agent has places for. Half of them speak HTTP/2 and then never answer a ping, half never speak.
    let silent: Vec<TcpStream> = (0..300)
        .map(|_| TcpStream::connect(target.address).expect("the agent listens"))
        .collect();
    let half_open: Vec<Abuser> = (0..300)
        .map(|_| Abuser::connect(target.address, &[]))
        .collect();
    target.await_answer(FREED_WITHIN).await;
    target.assert_unharmed().await;
    drop((silent, half_open));
}
