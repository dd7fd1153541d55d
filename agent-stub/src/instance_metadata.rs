//! Asks the metadata service of the cloud where the agent runs, as agents do at their start, and goes on without an answer.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::settings::{ListenAddress, MetadataQuestion};

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);
/// As much of an answer as is read.
const ANSWER_LIMIT_BYTES: usize = 4096;
/// A path that the services of more than one cloud have.
const QUESTION: &str = "GET /latest/meta-data/ HTTP/1.0\r\nconnection: close\r\n\r\n";

/// What came of the question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetadataAnswer {
    /// The service answered.
    Given,
    /// It did not within its time.
    TimedOut,
}

/// Asks until there is an answer or the time is over.
pub async fn ask(question: &MetadataQuestion) -> MetadataAnswer {
    let asking = async {
        while attempt(&question.address).await.is_err() {
            sleep(PAUSE).await;
        }
    };
    match timeout(question.patience, asking).await {
        Ok(()) => MetadataAnswer::Given,
        Err(_) => MetadataAnswer::TimedOut,
    }
}

async fn attempt(address: &ListenAddress) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
    stream.write_all(QUESTION.as_bytes()).await?;
    let mut answer = [0; ANSWER_LIMIT_BYTES];
    match stream.read(&mut answer).await? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn question(port: u16, patience: Duration) -> MetadataQuestion {
        let host = "127.0.0.1".into();
        MetadataQuestion {
            address: ListenAddress { host, port },
            patience,
        }
    }

    #[tokio::test]
    async fn an_answer_ends_the_question() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").await
        });
        let answer = ask(&question(port, Duration::from_secs(30))).await;
        assert_eq!(answer, MetadataAnswer::Given);
        serving.await.expect("no panic").expect("written");
    }

    #[tokio::test]
    async fn a_service_that_takes_the_question_and_is_silent_costs_no_more_than_its_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let answer = ask(&question(port, Duration::from_millis(50))).await;
        assert_eq!(answer, MetadataAnswer::TimedOut);
    }
}
