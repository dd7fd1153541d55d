//! How a check is decided: inspect, judge, count, remember, and answer.

use std::cell::LazyCell;
use std::ops::Deref;
use std::sync::Arc;

use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use tokio::time::Instant;
use tonic::Status;

use crate::context::{Context, Contexts};
use crate::data_log::{DataLog, Record};
use crate::decision::{self, RequestIds, Verdict};
use crate::exchange::CheckedRequest;
use crate::inspect::{Signal, SignalClass, SignalKind, anomalies, inspect};
use crate::mutant::FaultHooks;
use crate::rules::{Rules, RulesState};
use crate::service::fault::{FAULT_HEADER, WrongAnswer};
use crate::service::wrong_answer;
use crate::settings::{
    Blocking, ClientAddressSource, Faults, ForwardedRequest, Mode, Settings, Switch,
};
use crate::statsd::{Counter, Statsd};
use crate::threshold::{Standing, Thresholds};

/// All that a decision needs.
#[derive(Debug)]
pub struct Decisions {
    forwarded: ForwardedRequest,
    client_address: ClientAddressSource,
    anomalies: Switch,
    fault_hooks: FaultHooks,
    thresholds: Option<Thresholds>,
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
            forwarded: forwarded(settings),
            client_address: settings.client_address.clone(),
            anomalies: settings.anomalies,
            fault_hooks: settings.fault_hooks.clone(),
            thresholds: match settings.blocking {
                Blocking::Immediate => None,
                Blocking::Threshold(threshold) => {
                    Some(Thresholds::new(settings.fault_hooks.threshold(threshold)))
                }
            },
            response_data: if settings.expects_response_data || settings.fault_hooks.waits_unasked()
            {
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

    /// Decides about a request, and gives it the wrong answer where one is wanted.
    pub(super) fn decide(
        &self,
        request: &CheckedRequest,
        wrong: Option<WrongAnswer>,
    ) -> Result<CheckResponse, Status> {
        self.fault_hooks
            .fail_while_waiting(self.contexts.waiting_requests())?;
        let started = Instant::now();
        let policy = self.rules.policy();
        let signals = self.signals(request, policy.mode)?;
        // Most agents neither count nor log what has no signals, and so never ask whose request it is.
        let address = LazyCell::new(|| self.client_address.address_of(request));
        let standing = self.standing(&address, &signals);
        let decided = Verdict::of(self.fault_hooks.mode(policy.mode), standing, &signals);
        let request_id = self.fault_hooks.request_id(self.request_ids.next());
        let response = match (wrong, decided) {
            (Some(wrong), _) => {
                wrong_answer::respond(wrong, request, &request_id, &signals, &self.forwarded)
            }
            (None, Verdict::Allow) => {
                decision::allow(request, &request_id, &signals, &self.forwarded)
            }
            (None, Verdict::Block) => decision::block(&policy.block_answer),
        };
        let (verdict, code) = match wrong {
            None => (decided, decided.code(&policy.block_answer)),
            Some(wrong) => wrong_answer::verdict_of(wrong),
        };
        self.count(verdict, &signals);
        self.remember(request, &address, &request_id, verdict, code, &signals);
        self.statsd.decided_in(started.elapsed());
        self.fault_hooks.alter(response)
    }

    /// Counts a check that could not be processed, and returns its status.
    pub(super) fn refuse(&self, status: Status) -> Status {
        self.statsd.count(&[Counter::Total, Counter::Error]);
        tracing::warn!(reason = status.message(), "a check could not be processed");
        status
    }

    fn signals(&self, request: &CheckedRequest, mode: Mode) -> Result<Vec<Signal>, Status> {
        match (mode, self.rules.state()) {
            (Mode::Off, RulesState::Loaded | RulesState::Loading) => Ok(vec![]),
            (Mode::Block | Mode::Log, RulesState::Loading) => {
                self.fault_hooks.go_without_rules()?;
                Ok(vec![])
            }
            (Mode::Block | Mode::Log, RulesState::Loaded) => {
                let mut signals = inspect(&self.fault_hooks.seen(request))
                    .map_err(|fault| self.refuse(Status::internal(fault.to_string())))?;
                self.fault_hooks.misjudge(request, &mut signals);
                match self.anomalies {
                    Switch::Off => {}
                    Switch::On => signals.extend(anomalies(request)),
                }
                Ok(signals)
            }
        }
    }

    fn standing(&self, address: &impl Deref<Target = String>, signals: &[Signal]) -> Standing {
        let Some(thresholds) = &self.thresholds else {
            return Standing::Flagged;
        };
        let mut kinds: Vec<SignalKind> = signals
            .iter()
            .map(|signal| signal.kind)
            .filter(|kind| kind.class() == SignalClass::Attack)
            .collect();
        kinds.sort();
        kinds.dedup();
        match u32::try_from(kinds.len()) {
            Ok(count @ 1..) => thresholds.count(self.fault_hooks.counted_address(address), count),
            Ok(0) | Err(_) => Standing::Unflagged,
        }
    }

    fn count(&self, verdict: Verdict, signals: &[Signal]) {
        let outcome = match verdict {
            Verdict::Allow => Counter::Allow,
            Verdict::Block => Counter::Block,
        };
        let mut counters = vec![Counter::Total, outcome];
        let mut kinds: Vec<SignalKind> = signals.iter().map(|signal| signal.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        counters.extend(kinds.into_iter().map(Counter::Signal));
        self.statsd.count(&counters);
    }

    // The line is settled before the answer is held back: a proxy that gives up waiting has still been decided about.
    fn remember(
        &self,
        request: &CheckedRequest,
        address: &impl Deref<Target = String>,
        request_id: &str,
        verdict: Verdict,
        code: u16,
        signals: &[Signal],
    ) {
        let data_log = self.data_log.as_deref();
        // A response may still add a signal to a request that has none.
        let may_gain_signals = self.anomalies == Switch::On;
        let record = data_log
            .filter(|log| may_gain_signals || log.wants(signals))
            .map(|_| Record::of_request(request, address, request_id, signals, code));
        match self.response_data {
            ResponseDataPolicy::NotExpected => {
                if let (Some(data_log), Some(record)) = (data_log, &record) {
                    data_log.write(record);
                }
            }
            ResponseDataPolicy::Awaited if self.fault_hooks.forgets_request() => {}
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

// The wish for a fault is between the client and this agent.
fn forwarded(settings: &Settings) -> ForwardedRequest {
    let mut forwarded = settings.forwarded.clone();
    match settings.faults {
        Faults::Never => {}
        Faults::OnDemand { .. } => forwarded.remove_headers.push(FAULT_HEADER.into()),
    }
    forwarded
}
