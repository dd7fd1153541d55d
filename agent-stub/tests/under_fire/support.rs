//! The agent as a process of its own, whose memory can be read, and an honest client.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use tempfile::TempDir;
use tonic::Status;
use tonic::transport::Endpoint;

/// The most memory that the agent may ever have taken, in KiB.
const PEAK_LIMIT_KIBIBYTES: u64 = 64 * 1024;
/// How soon an honest check is answered in spite of everything.
pub(crate) const PROMPT: Duration = Duration::from_secs(5);

/// An agent that is under fire.
pub(crate) struct AgentUnderFire {
    process: Child,
    pub(crate) address: SocketAddr,
    _directory: TempDir,
}

impl AgentUnderFire {
    /// Starts the agent and waits until it answers.
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port");
        let process = Command::new(env!("CARGO_BIN_EXE_agent-stub"))
            .env_clear()
            .env("SIGSCI_ACCESSKEYID", "id")
            .env("SIGSCI_SECRETACCESSKEY", "secret")
            .env("SIGSCI_ENVOY_GRPC_ADDRESS", address.to_string())
            .env("SIGSCI_RPC_ADDRESS", directory.path().join("sigsci.sock"))
            .env("SIGSCI_SHARED_CACHE_DIR", directory.path().join("cache"))
            .env("SIGSCI_WAF_DATA_LOG", directory.path().join("waf.log"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let target = Self {
            process,
            address,
            _directory: directory,
        };
        target.await_answer(Duration::from_secs(20)).await;
        target
    }

    /// Waits until an honest check is answered.
    pub(crate) async fn await_answer(&self, within: Duration) {
        let end = Instant::now() + within;
        loop {
            match tokio::time::timeout(PROMPT, self.check(Vec::new())).await {
                Ok(Ok(())) => return,
                Ok(Err(status)) => assert!(Instant::now() < end, "no answer: {status}"),
                Err(_) => assert!(Instant::now() < end, "no answer within {PROMPT:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends one honest check over a connection of its own.
    pub(crate) async fn check(&self, raw_body: Vec<u8>) -> Result<(), Status> {
        let endpoint =
            Endpoint::from_shared(format!("http://{}", self.address)).expect("a valid URL");
        let channel = endpoint
            .connect()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let request = CheckRequest {
            attributes: Some(AttributeContext {
                request: Some(Request {
                    time: None,
                    http: Some(HttpRequest {
                        method: "GET".into(),
                        path: "/".into(),
                        raw_body,
                        ..HttpRequest::default()
                    }),
                }),
                ..AttributeContext::default()
            }),
        };
        AuthorizationClient::new(channel)
            .max_encoding_message_size(usize::MAX)
            .check(request)
            .await
            .map(|_| ())
    }

    /// Checks that the agent still answers at once, and that its memory has never been out of bounds.
    pub(crate) async fn assert_unharmed(&self) {
        self.assert_unharmed_within(PEAK_LIMIT_KIBIBYTES).await;
    }

    /// As above, within a bound of its own.
    pub(crate) async fn assert_unharmed_within(&self, limit_kibibytes: u64) {
        self.await_answer(PROMPT).await;
        let peak = self.peak_kibibytes();
        assert!(
            peak <= limit_kibibytes,
            "the agent has taken {peak} KiB at its peak"
        );
    }

    fn peak_kibibytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).expect("the agent lives");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("a living process has a peak");
        let number = line.split_whitespace().next().expect("a number");
        number.parse().expect("a number")
    }
}

impl Drop for AgentUnderFire {
    fn drop(&mut self) {
        // It may have died of the fire, which the test has said by then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
