//! Long messages and peers that never get on: what they can hold is bounded.

use std::net::TcpStream;
use std::time::Duration;

use tonic::Code;

use super::frames::{Abuser, DATA, check_head, frame, message};
use super::support::Target;

/// Keep-alive notices a dead peer within its interval and its time-out, 10 s each.
const FREED_WITHIN: Duration = Duration::from_secs(40);

#[tokio::test]
async fn a_message_of_a_hundred_mebibytes_is_refused() {
    let target = Target::start().await;
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
async fn unfinished_messages_cannot_fill_the_memory() {
    let target = Target::start().await;
    // 100 messages of a mebibyte each, and the last byte of none of them ever comes.
    let mut abusers = Vec::new();
    for _ in 0..100 {
        let mut abuser = Abuser::connect(target.address, &[]);
        let _ = abuser.send(&check_head(1, 0));
        let begun = message(0, 1024 * 1024, &[b'a'; 1024]);
        let _ = abuser.send(&frame(DATA, 0, 1, &begun));
        for _ in 0..63 {
            if abuser.send(&frame(DATA, 0, 1, &[b'a'; 16 * 1024])).is_err() {
                break;
            }
        }
        abusers.push(abuser);
    }
    target.assert_unharmed().await;
    drop(abusers);
    target.assert_unharmed().await;
}

#[tokio::test]
async fn peers_that_say_nothing_lose_their_places() {
    let target = Target::start().await;
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
