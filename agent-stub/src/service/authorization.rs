//! The decision service: Envoy's `ext_authz` v3 check.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::service::auth::v3::authorization_server::Authorization;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use tonic::{Request, Response, Status};

use crate::connection::ConnectionControl;
use crate::exchange::CheckedRequest;
use crate::mutant::FaultHooks;
use crate::service::decisions::Decisions;
use crate::service::fault::{Failure, RequestedFault};
use crate::service::stream_reset::ResetStream;
use crate::settings::{Faults, Settings};

/// Answers checks.
#[derive(Clone, Debug)]
pub struct Authorizer {
    decisions: Arc<Decisions>,
    answer_delay: Duration,
    faults: Faults,
    cache_directory: PathBuf,
    fault_hooks: FaultHooks,
}

impl Authorizer {
    /// Answers checks by these decisions.
    pub fn new(settings: &Settings, decisions: Decisions) -> Self {
        Self {
            decisions: Arc::new(decisions),
            answer_delay: settings.timings.decision_delay,
            faults: settings.faults,
            cache_directory: settings.cache_directory.clone(),
            fault_hooks: settings.fault_hooks.clone(),
        }
    }

    async fn answer(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let connection = request.extensions().get::<ConnectionControl>().cloned();
        self.fault_hooks.leave_behind(&self.cache_directory);
        let mut check = request.into_inner();
        self.fault_hooks.meet(&check);
        self.fault_hooks.hide_from_inspection(&mut check);
        let request = CheckedRequest::try_from(check).map_err(|error| {
            self.fault_hooks.meet_check_without_request();
            self.decisions
                .refuse(Status::invalid_argument(error.to_string()))
        })?;
        let fault = self
            .faults
            .wanted_by(&request)
            .map_err(|status| self.decisions.refuse(status))?;
        let (wrong, delay) = match fault {
            Some(RequestedFault::Failure(failure)) => {
                return self.fail(failure, connection.as_ref()).await;
            }
            Some(RequestedFault::GoAway) => {
                if let Some(connection) = &connection {
                    connection.go_away();
                }
                (None, Duration::ZERO)
            }
            Some(RequestedFault::Allocate(bytes)) => {
                // Written to, or the kernel would give none of it.
                std::hint::black_box(vec![1_u8; bytes].leak());
                (None, Duration::ZERO)
            }
            Some(RequestedFault::Answer(wrong)) => (Some(wrong), Duration::ZERO),
            Some(RequestedFault::Delay(delay)) => (None, delay),
            None => (None, Duration::ZERO),
        };
        let decided = self.decisions.decide(&request, wrong);
        let held_back = self.answer_delay + delay;
        if !held_back.is_zero() {
            tokio::time::sleep(held_back).await;
        }
        Ok(Response::new(self.fault_hooks.hand_out(decided?).await))
    }

    async fn fail(
        &self,
        failure: Failure,
        connection: Option<&ConnectionControl>,
    ) -> Result<Response<CheckResponse>, Status> {
        match failure {
            Failure::GrpcStatus(code) => Err(self.decisions.refuse(Status::new(code, "on demand"))),
            Failure::StreamReset => {
                self.decisions
                    .refuse(Status::unavailable("stream reset on demand"));
                let mut response = Response::new(CheckResponse::default());
                response.extensions_mut().insert(ResetStream);
                Ok(response)
            }
            Failure::ConnectionReset => {
                let status = self
                    .decisions
                    .refuse(Status::unavailable("connection reset on demand"));
                if let Some(connection) = connection {
                    connection.reset();
                    // The connection takes this call with it; an answer would come first otherwise.
                    tokio::time::sleep(RESET_BUDGET).await;
                }
                Err(status)
            }
        }
    }
}

#[tonic::async_trait]
impl Authorization for Authorizer {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let under_way = self.fault_hooks.take_up().await?;
        let answer = tokio::select! {
            answer = self.answer(request) => answer,
            status = self.fault_hooks.cut_off() => Err(status),
        };
        under_way.finish();
        answer
    }
}

const RESET_BUDGET: Duration = Duration::from_secs(5);
