//! What the pods of a trial say to whoever connects, and how a Service in front of them is asked until enough of them have answered.
//!
//! Both sides run in pods. Nothing is sent to the pods, and neither side waits for the other without a bound.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

/// How many pods have to answer.
pub const ANSWERED_BY: usize = 2;
/// How long they may take to once they are ready. A node takes in a Service's endpoints within a second or two; one under load within ten.
pub const REACHED_WITHIN: Duration = Duration::from_secs(20);

/// How long one connection may take until its answer has been read, or written.
const CONNECTION_WITHIN: Duration = Duration::from_millis(500);
/// Between two connections.
const CONNECT_EVERY: Duration = Duration::from_millis(20);
/// The longest answer that is read, in bytes: a host name has at most 255.
const LONGEST_ANSWER: u64 = 256;

/// What came of asking a Service.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceAnswers {
    /// How many connections were attempted.
    pub connections: u64,
    /// How many of them brought an answer.
    pub answered: u64,
    /// Who answered.
    pub names: BTreeSet<String>,
    /// How the last connection without an answer ended.
    pub last_failure: Option<String>,
}

/// Listens on a port of every address of the pod, of whichever family it has.
///
/// # Errors
///
/// When the port cannot be had.
pub async fn listen(port: u16) -> io::Result<TcpListener> {
    // An IPv6 socket takes IPv4 connections too; a kernel without IPv6 has only the other one.
    let addresses = [
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
    ];
    TcpListener::bind(&addresses[..]).await
}

/// Answers every connection with a name and closes it, for as long as it is polled.
pub async fn answer_connections(listener: TcpListener, name: String) {
    loop {
        match listener.accept().await {
            Ok((mut stream, _)) => {
                // Who does not take the answer has gone; the next connection is another's.
                let _ = timeout(CONNECTION_WITHIN, stream.write_all(name.as_bytes())).await;
            }
            // A connection that ended early, or no descriptor for it: neither may keep the processor busy.
            Err(_) => sleep(CONNECT_EVERY).await,
        }
    }
}

/// Connects to an address again and again until so many different names have answered, or the time is over.
pub fn ask_until_answered_by(
    wanted: usize,
    address: SocketAddr,
    within: Duration,
) -> ServiceAnswers {
    let deadline = Instant::now() + within;
    let mut answers = ServiceAnswers::default();
    while answers.names.len() < wanted && Instant::now() < deadline {
        answers.connections += 1;
        match ask(address) {
            Ok(name) => {
                answers.answered += 1;
                answers.names.insert(name);
            }
            Err(error) => answers.last_failure = Some(error.to_string()),
        }
        std::thread::sleep(CONNECT_EVERY);
    }
    answers
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, CONNECTION_WITHIN)?;
    stream.set_read_timeout(Some(CONNECTION_WITHIN))?;
    let mut answer = Vec::new();
    let read = stream.take(LONGEST_ANSWER).read_to_end(&mut answer);
    match read.map_err(|error| error.kind()) {
        Ok(_) => {}
        // A socket says so of a read whose time is over.
        Err(ErrorKind::WouldBlock) => return Err(ErrorKind::TimedOut.into()),
        Err(kind) => return Err(kind.into()),
    }
    if answer.is_empty() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts something that answers its connections with these names in turn.
    async fn answering_in_turn(names: [&'static str; 2]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            for name in names.into_iter().cycle() {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                stream.write_all(name.as_bytes()).await.expect("writable");
            }
        });
        address
    }

    async fn asked(address: SocketAddr, within: Duration) -> ServiceAnswers {
        tokio::task::spawn_blocking(move || ask_until_answered_by(2, address, within))
            .await
            .expect("no panic")
    }

    #[tokio::test]
    async fn asking_ends_as_soon_as_both_have_answered() {
        let address = answering_in_turn(["a", "b"]).await;
        let answers = asked(address, Duration::from_secs(30)).await;
        assert_eq!(answers.names, BTreeSet::from(["a".into(), "b".into()]));
        assert_eq!((answers.connections, answers.answered), (2, 2));
    }

    #[tokio::test]
    async fn one_name_however_often_it_answers_is_one() {
        let address = answering_in_turn(["a", "a"]).await;
        let answers = asked(address, Duration::from_millis(200)).await;
        assert_eq!(answers.names, BTreeSet::from(["a".into()]));
        assert!(answers.answered > 1, "{answers:?}");
    }

    #[tokio::test]
    async fn connections_without_an_answer_are_counted_and_the_last_is_reported() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        let answers = asked(address, Duration::from_millis(100)).await;
        assert!(
            answers.connections > 0 && answers.answered == 0,
            "{answers:?}"
        );
        let failure = answers.last_failure.expect("a failure");
        assert!(failure.contains("refused"), "{failure}");
    }

    #[tokio::test]
    async fn a_pod_answers_each_connection_with_its_name() {
        let listener = listen(0).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(answer_connections(listener, "pod-1".into()));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        for _ in 0..2 {
            let answer = tokio::task::spawn_blocking(move || ask(address));
            assert_eq!(answer.await.expect("no panic").expect("an answer"), "pod-1");
        }
    }
}
