//! What the driver's tests stand on: a small server, a drive over in-memory streams, and plans.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{DriveError, drive};
use crate::record::{ClientRecord, ClientResult, DriverLine, DriverSummary};

pub(super) const AMPLE: Duration = Duration::from_secs(30);

/// A server that answers every request with 200, and counts its connections.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicU64>,
}

impl Server {
    /// Starts a server that closes each connection after so many requests, without announcing it.
    pub(super) async fn start(requests_per_connection: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let connections = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    for _ in 0..requests_per_connection {
                        if read_head(&mut stream).await.is_err() {
                            return;
                        }
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                        if stream.write_all(answer).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self {
            address,
            connections,
        }
    }

    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

/// A listener whose queue is full: the kernel answers no more of those who connect to it.
pub(super) struct SilentListener {
    pub(super) address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl SilentListener {
    /// How long a connection over the loopback interface may take to be taken in.
    const TAKEN_IN_WITHIN: Duration = Duration::from_millis(500);
    /// More than the kernel makes of the shortest queue that can be asked for.
    const LONGEST_QUEUE: usize = 16;

    /// Starts it, and fills its queue.
    pub(super) async fn start() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(any_port).expect("a free port");
        let listener = socket.listen(0).expect("it listens");
        let address = listener.local_addr().expect("bound");
        let mut queued = Vec::new();
        while let Ok(connected) = timeout(Self::TAKEN_IN_WITHIN, TcpStream::connect(address)).await
        {
            queued.push(connected.expect("a connection that waits"));
            assert!(queued.len() < Self::LONGEST_QUEUE, "the queue has no end");
        }
        Self {
            address,
            _listener: listener,
            _queued: queued,
        }
    }

    /// Waits until the kernel has a client that is connecting to it.
    pub(super) async fn await_connecting(&self) {
        const CONNECTING: &str = "02";
        let port = format!(":{:04X}", self.address.port());
        let is_connecting = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            matches!(fields[..], [_, _, remote, CONNECTING, ..] if remote.ends_with(&port))
        };
        let seen = async {
            loop {
                let table = std::fs::read_to_string("/proc/self/net/tcp").expect("readable");
                if table.lines().any(is_connecting) {
                    return;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(AMPLE, seen).await.expect("the driver connects");
    }
}

pub(super) async fn read_head(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(())
}

/// A drive under way.
pub(super) struct Drive {
    pub(super) input: DuplexStream,
    pub(super) output: BufReader<DuplexStream>,
    pub(super) task: JoinHandle<Result<(), DriveError>>,
}

impl Drive {
    /// Starts a drive of requests.
    pub(super) async fn start(plan: &serde_json::Value) -> Self {
        Self::start_task(&json!({ "traffic": plan })).await
    }

    /// Starts a drive of whatever task.
    pub(super) async fn start_task(plan: &serde_json::Value) -> Self {
        let (mut input, driver_input) = duplex(64 * 1024);
        let (output, driver_output) = duplex(64 * 1024);
        let task = tokio::spawn(drive(driver_input, driver_output));
        input
            .write_all(format!("{plan}\n").as_bytes())
            .await
            .expect("the driver reads");
        Self {
            input,
            output: BufReader::new(output),
            task,
        }
    }

    pub(super) async fn next_line(&mut self) -> DriverLine {
        let mut line = String::new();
        timeout(AMPLE, self.output.read_line(&mut line))
            .await
            .expect("the driver goes on")
            .expect("readable");
        serde_json::from_str(&line).expect("a driver line")
    }

    pub(super) async fn next_record(&mut self) -> ClientRecord {
        match self.next_line().await {
            DriverLine::Request(record) => *record,
            line @ (DriverLine::Call(_)
            | DriverLine::Group(_)
            | DriverLine::Summary(_)
            | DriverLine::Refused { .. }) => {
                panic!("no record: {line:?}")
            }
        }
    }

    /// Returns every record and the summary that agrees with them.
    pub(super) async fn finish(mut self) -> (Vec<ClientRecord>, DriverSummary) {
        let mut records = Vec::new();
        let summary = loop {
            match self.next_line().await {
                DriverLine::Request(record) => records.push(*record),
                DriverLine::Summary(summary) => break summary,
                DriverLine::Refused { reason } => panic!("refused: {reason}"),
                line @ (DriverLine::Call(_) | DriverLine::Group(_)) => {
                    panic!("no record: {line:?}")
                }
            }
        };
        let mut rest = String::new();
        self.output
            .read_to_string(&mut rest)
            .await
            .expect("readable");
        assert_eq!(rest, "", "the summary is the last line");
        self.task.await.expect("no panic").expect("a good end");
        (records, summary)
    }
}

pub(super) fn request(id: &str) -> serde_json::Value {
    json!({
        "id": id, "method": "GET", "target": "/", "headers": [],
        "body-base64": null, "framing": "content-length",
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the cases read better without references"
)]
pub(super) fn plan(
    address: SocketAddr,
    pacing: serde_json::Value,
    connection: &str,
    requests: serde_json::Value,
) -> serde_json::Value {
    json!({
        "request-timeout-milliseconds": 20_000,
        "streams": [{
            "name": "main", "address": address.to_string(), "pacing": pacing,
            "connection": connection, "requests": requests,
        }],
    })
}

pub(super) fn list(count: usize) -> serde_json::Value {
    let requests: Vec<_> = (0..count).map(|n| request(&format!("s.c.{n}.r"))).collect();
    json!({ "list": requests })
}

pub(super) fn repeat(limit: u32) -> serde_json::Value {
    json!({ "repeat": { "request": request("s.c.{n}.r"), "limit": limit } })
}

pub(super) fn assert_reconciled(records: &[ClientRecord], summary: DriverSummary) {
    let answered = records
        .iter()
        .filter(|record| matches!(record.result, ClientResult::Response(_)))
        .count() as u64;
    assert_eq!(summary.sent, records.len() as u64);
    assert_eq!(summary.answered, answered);
    assert_eq!(summary.failed, summary.sent - answered);
    let mut ids: Vec<_> = records.iter().map(|record| &record.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), records.len(), "each request has one record");
}
