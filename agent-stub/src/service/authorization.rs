//! The decision service: Envoy's `ext_authz` v3 check.

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::service::auth::v3::authorization_server::Authorization;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use tonic::{Request, Response, Status};

use crate::context::{Context, Contexts};
use crate::data_log::{DataLog, Record};
use crate::decision::{self, RequestIds, Verdict};
use crate::exchange::CheckedRequest;
use crate::inspect::{Signal, inspect};
use crate::rules::{Rules, RulesState};
use crate::settings::{BlockAnswer, ForwardedRequest, Mode, Settings};
use crate::statsd::{Counter, Statsd};

/// Answers checks.
#[derive(Clone, Debug)]
pub struct Authorizer(Arc<Decisions>);

/// All that a decision needs.
#[derive(Debug)]
pub struct Decisions {
    mode: Mode,
    block_answer: BlockAnswer,
    forwarded: ForwardedRequest,
    client_ip_header: String,
    answer_delay: Duration,
    response_data: ResponseDataPolicy,
    rules: Rules,
    request_ids: RequestIds,
    contexts: Arc<Contexts>,
    data_log: Option<Arc<DataLog>>,
    statsd: Arc<Statsd>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ResponseDataPolicy {
    /// A line is written when its response data is there.
    Awaited,
    /// A line is written with the decision.
    NotExpected,
}

impl Authorizer {
    /// Answers checks by these decisions.
    pub fn new(decisions: Decisions) -> Self {
        Self(Arc::new(decisions))
    }
}

impl Decisions {
    /// Takes what it needs from the settings.
    pub fn new(
        settings: &Settings,
        rules: Rules,
        contexts: Arc<Contexts>,
        data_log: Option<Arc<DataLog>>,
        statsd: Arc<Statsd>,
    ) -> Self {
        Self {
            mode: settings.mode,
            block_answer: settings.block_answer.clone(),
            forwarded: settings.forwarded.clone(),
            client_ip_header: settings.client_ip_header.clone(),
            answer_delay: settings.timings.decision_delay,
            response_data: if settings.expects_response_data {
                ResponseDataPolicy::Awaited
            } else {
                ResponseDataPolicy::NotExpected
            },
            rules,
            request_ids: RequestIds::default(),
            contexts,
            data_log,
            statsd,
        }
    }

    fn decide(&self, check: CheckRequest) -> Result<CheckResponse, Status> {
        let request = CheckedRequest::try_from(check)
            .map_err(|error| self.refuse(&Status::invalid_argument(error.to_string())))?;
        let signals = self.signals(&request)?;
        let verdict = Verdict::of(self.mode, &signals);
        let request_id = self.request_ids.next();
        self.count(verdict, &signals);
        self.remember(&request, &request_id, verdict, &signals);
        Ok(match verdict {
            Verdict::Allow => decision::allow(&request, &request_id, &signals, &self.forwarded),
            Verdict::Block => decision::block(&self.block_answer),
        })
    }

    fn signals(&self, request: &CheckedRequest) -> Result<Vec<Signal>, Status> {
        match (self.mode, self.rules.state()) {
            (Mode::Off, RulesState::Loaded | RulesState::Loading)
            | (Mode::Block | Mode::Log, RulesState::Loading) => Ok(vec![]),
            (Mode::Block | Mode::Log, RulesState::Loaded) => {
                inspect(request).map_err(|fault| self.refuse(&Status::internal(fault.to_string())))
            }
        }
    }

    fn refuse(&self, status: &Status) -> Status {
        self.statsd.count(&[Counter::Total, Counter::Error]);
        tracing::warn!(reason = status.message(), "a check could not be processed");
        status.clone()
    }

    fn count(&self, verdict: Verdict, signals: &[Signal]) {
        let outcome = match verdict {
            Verdict::Allow => Counter::Allow,
            Verdict::Block => Counter::Block,
        };
        let mut counters = vec![Counter::Total, outcome];
        counters.extend(signals.iter().map(|signal| Counter::Signal(signal.kind)));
        counters[2..].sort_by_key(|counter| format!("{counter:?}"));
        counters.dedup();
        self.statsd.count(&counters);
    }

    // The line is settled before the answer is held back: a proxy that gives up waiting has still been decided about.
    fn remember(
        &self,
        request: &CheckedRequest,
        request_id: &str,
        verdict: Verdict,
        signals: &[Signal],
    ) {
        let data_log = self.data_log.as_deref();
        let record = data_log.filter(|log| log.wants(signals)).map(|_| {
            Record::of_request(
                request,
                request_id,
                signals,
                verdict.code(&self.block_answer),
                &self.client_ip_header,
            )
        });
        match self.response_data {
            ResponseDataPolicy::NotExpected => {
                if let (Some(data_log), Some(record)) = (data_log, &record) {
                    data_log.write(record);
                }
            }
            ResponseDataPolicy::Awaited => {
                let early = self.contexts.insert(Context {
                    request_id: request_id.into(),
                    proxy_request_id: request.header("x-request-id").unwrap_or_default().into(),
                    verdict,
                    record: record.map(Box::new),
                });
                if let Some(data_log) = data_log {
                    data_log.write_all(&early);
                }
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
        let decided = self.0.decide(request.into_inner());
        if !self.0.answer_delay.is_zero() {
            tokio::time::sleep(self.0.answer_delay).await;
        }
        decided.map(Response::new)
    }
}
