//! The gRPC server: its services, and the limits that keep one client from exhausting it.

use std::io;
use std::time::Duration;

use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_server::AccessLogServiceServer;
use envoy_types::pb::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::agent::phase::AgentPhase;
use crate::connection::Connection;
use crate::service::{AccessLog, Authorizer, StreamResetLayer};

/// Serves connections until the agent stops serving and what is under way is finished.
pub(super) async fn serve(
    longest_message: usize,
    status: ServingStatus,
    authorizer: Authorizer,
    access_log: AccessLog,
    health: HealthReporter,
    connections: mpsc::Receiver<io::Result<Connection>>,
    mut phases: watch::Receiver<AgentPhase>,
) -> Result<(), tonic::transport::Error> {
    for service in HEALTH_SERVICES {
        health.set_service_status(*service, status).await;
    }
    let incoming = ReceiverStream::new(connections);
    Server::builder()
        .max_concurrent_streams(MOST_STREAMS)
        .concurrency_limit_per_connection(MOST_CALLS)
        .load_shed(true)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .layer(StreamResetLayer)
        .add_service(
            AuthorizationServer::new(authorizer).max_decoding_message_size(longest_message),
        )
        .add_service(
            AccessLogServiceServer::new(access_log).max_decoding_message_size(longest_message),
        )
        .add_service(HealthServer::new(HealthService::from_health_reporter(
            health,
        )))
        .serve_with_incoming_shutdown(incoming, async move {
            // An error means that the agent itself is gone.
            let _ended = phases.wait_for(|phase| *phase != AgentPhase::Serving).await;
        })
        .await
}

/// Reports every service as not serving.
pub(super) async fn report_stopping(health: &HealthReporter) {
    for service in HEALTH_SERVICES {
        health
            .set_service_status(*service, ServingStatus::NotServing)
            .await;
    }
}

const HEALTH_SERVICES: &[&str] = &[
    "",
    "envoy.service.auth.v3.Authorization",
    "envoy.service.accesslog.v3.AccessLogService",
];
const MOST_STREAMS: u32 = 4_096;
const MOST_CALLS: usize = 4_096;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
