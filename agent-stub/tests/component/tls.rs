//! The gRPC listener with a TLS identity.

use crate::support::{PATIENCE, TestAgent, allowed, get};
use rcgen::generate_simple_self_signed;
use tempfile::TempDir;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

struct Identity {
    certificate: String,
    flags: [String; 2],
    // Kept for as long as the agent may read the files.
    _directory: TempDir,
}

fn identity() -> Identity {
    let directory = tempfile::tempdir().expect("a directory");
    let made = generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (certificate, key) = (
        directory.path().join("tls.crt"),
        directory.path().join("tls.key"),
    );
    std::fs::write(&certificate, made.cert.pem()).expect("writable");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("writable");
    Identity {
        certificate: made.cert.pem(),
        flags: [
            format!("--envoy-grpc-cert={}", certificate.display()),
            format!("--envoy-grpc-key={}", key.display()),
        ],
        _directory: directory,
    }
}

fn endpoint(agent: &TestAgent, authority: &str) -> Endpoint {
    let port = agent.agent.grpc_addresses()[0].port();
    let trust = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority))
        .domain_name("localhost");
    Endpoint::from_shared(format!("https://127.0.0.1:{port}"))
        .expect("a valid URL")
        .tls_config(trust)
        .expect("a valid configuration")
        .connect_timeout(PATIENCE)
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_is_answered() {
    let identity = identity();
    let mut agent = TestAgent::start_unconnected(&identity.flags.each_ref().map(String::as_str));
    agent.channel = endpoint(&agent, &identity.certificate)
        .connect()
        .await
        .expect("a connection");
    allowed(agent.check(get("/hello")).await.expect("an answer"));
}

#[tokio::test]
async fn a_client_that_trusts_another_certificate_and_one_without_tls_are_not() {
    let served = identity();
    let agent = TestAgent::start_unconnected(&served.flags.each_ref().map(String::as_str));
    endpoint(&agent, &identity().certificate)
        .connect()
        .await
        .expect_err("not trusted");
    // The plain client finds no HTTP/2 behind the port: its first call fails.
    agent.check(get("/hello")).await.expect_err("no plain text");
}
