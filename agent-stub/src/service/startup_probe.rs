//! The startup probe: `GET /startup` is 503 until the rules are loaded and 200 from then on; all else is 404.
//!
//! One request a connection; the kubelet's prober needs no more.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::listener::Door;
use crate::mutant::FaultHooks;
use crate::rules::{Rules, RulesState};

/// Answers probes for ever.
///
/// # Cancel safety
///
/// Dropping the future cuts off the answers under way.
pub async fn serve_startup_probe(door: Door, rules: Rules, fault_hooks: FaultHooks) {
    let mut answers = JoinSet::new();
    loop {
        let (stream, place) = tokio::select! {
            accepted = door.next() => accepted,
            Some(_) = answers.join_next(), if !answers.is_empty() => continue,
        };
        let rules = rules.clone();
        let fault_hooks = fault_hooks.clone();
        answers.spawn(async move {
            let _place = place;
            if let Ok(Err(error)) =
                tokio::time::timeout(EXCHANGE_DEADLINE, answer(stream, &rules, &fault_hooks)).await
            {
                tracing::debug!(%error, "a startup probe went unanswered");
            }
        });
    }
}

async fn answer(mut stream: TcpStream, rules: &Rules, fault_hooks: &FaultHooks) -> io::Result<()> {
    let head = read_head(&mut stream).await?;
    let (status, body) = match (
        is_startup_request(&head),
        fault_hooks.shown_to_probe(rules.state()),
    ) {
        (false, RulesState::Loaded | RulesState::Loading) => ("404 Not Found", "not found\n"),
        (true, RulesState::Loading) => ("503 Service Unavailable", "rules are not loaded\n"),
        (true, RulesState::Loaded) => ("200 OK", "rules are loaded\n"),
    };
    let length = body.len();
    let response = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(1_024);
    while head.len() < LONGEST_HEAD && !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

fn is_startup_request(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let method = words.next();
    let path = words
        .next()
        .and_then(|target| target.split(|byte| *byte == b'?').next());
    method == Some(b"GET".as_slice()) && path == Some(b"/startup".as_slice())
}

const LONGEST_HEAD: usize = 8 * 1024;
const EXCHANGE_DEADLINE: Duration = Duration::from_secs(5);
