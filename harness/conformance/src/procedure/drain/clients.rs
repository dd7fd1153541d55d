//! The part of `drain` with clients that keep their connections: who was asked to leave, who was turned away, and who was cut.
//!
//! The clients come through the pod's Service. A pod that is being deleted gets no new connections from it once its nodes know, so a client whose
//! connection ends is turned away: with more pods another one would have taken it. That is no loss; a request that was sent and never
//! answered is one.

use harness_core::model::finding_kind::FindingKind;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::carry_out::reconcile;
use crate::procedure::deployment::Deployment;
use crate::procedure::drain::CutExpectation;
use crate::procedure::drain::PersistentConnections;
use crate::procedure::drain::ReleaseExpectation;
use crate::procedure::drain::ResponseDataExpectation;
use crate::procedure::drive::Drive;
use crate::procedure::error::ProcedureError;
use crate::procedure::plan::Prepared;
use crate::procedure::{JudgedRequest, ProcedureResults};
use harness_core::model::finding::Finding;
use harness_core::model::identity::RequestId;
use harness_core::model::located::Located;
use harness_core::model::outcome::Outcome;
use harness_core::model::request::{Protocol, RequestSpec};
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::stack::PROXY_CONTAINER;
use harness_traffic::plan::{ConnectionUse, Pacing, Requests, Stream};
use harness_traffic::record::{ClientRecord, ClientResult, RequestPhase};
use harness_verdict::judge::lifecycle::{earliest_term, first, place_in_time};
use harness_verdict::witness::join::Joined;
use harness_verdict::witness::outcome::decide;

/// The application's header for the time that it takes.
const DELAY_HEADER: &str = "x-app-delay";
/// The most requests of one client.
const MOST_REQUESTS: u32 = 10_000;
/// Requests per second of each client of HTTP/2.
const HTTP2_PER_SECOND: f64 = 20.0;
/// Answers for each client before the deletion is asked for.
const WARM_UP: usize = 3;

/// A client that had a connection to lose at TERM may be this much behind its schedule.
const LATE_ATTEMPT: SignedDuration = SignedDuration::from_millis(150);

/// The clients under way.
#[derive(Debug)]
pub(super) struct Clients {
    drive: Drive,
    prepared: Vec<(String, Prepared)>,
}

/// Starts the clients and waits until each has been answered.
pub(super) async fn start(
    kept: &PersistentConnections,
    deployment: &Deployment,
) -> Result<Clients, ProcedureError> {
    let mut prepared = Vec::new();
    let mut streams = Vec::new();
    for (protocol, count) in [(Protocol::Http1, kept.http1), (Protocol::H2, kept.http2)] {
        for number in 0..count {
            let (name, pacing) = match protocol {
                Protocol::H2 => (
                    format!("kept-http2-{number}"),
                    Pacing::Rate {
                        per_second: HTTP2_PER_SECOND,
                    },
                ),
                Protocol::Http1 | Protocol::Http10 => {
                    (format!("kept-http1-{number}"), Pacing::Sequential)
                }
            };
            let mut request = RequestSpec {
                protocol,
                ..kept.request.clone()
            };
            request.headers.push(Located::unwritten(format!(
                "{DELAY_HEADER}: {}ms",
                kept.answer_delay.as_duration().as_millis()
            )));
            let repeated = deployment.ids.prepare_repeated(&request, &name)?;
            streams.push(Stream {
                name: name.clone(),
                address: deployment.pod().addresses().service,
                pacing,
                connection: ConnectionUse::KeepUntilRefused,
                tls: None,
                requests: Requests::Repeat {
                    request: repeated.planned.clone(),
                    limit: MOST_REQUESTS,
                },
            });
            prepared.push((name, repeated));
        }
    }
    deployment.await_service().await?;
    let mut drive = deployment.start_drive(streams).await?;
    let waited_for = "every client's first answers";
    let budget = deployment.timeouts.first_answers();
    drive
        .await_records(waited_for, budget, |records| all_warm(records, &prepared))
        .await?;
    Ok(Clients { drive, prepared })
}

fn all_warm(records: &[ClientRecord], prepared: &[(String, Prepared)]) -> bool {
    prepared.iter().all(|(name, _)| {
        let of_client = records.iter().filter(|record| record.stream == *name);
        of_client.count() >= WARM_UP
    })
}

/// Waits for the clients' end, once the proxy has ended, and judges them.
pub(super) async fn finish(
    kept: &Located<PersistentConnections>,
    clients: Clients,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let Clients {
        mut drive,
        prepared,
    } = clients;
    drive.stop().await?;
    let report = deployment.finish_drive(drive).await?;
    let joined = deployment.settle(&report.records).await?;
    let timeline = deployment.pod().timeline();
    let mut account = Account::new(&timeline);
    let mut outcomes = Vec::new();
    for joined in joined {
        let Some((name, request)) = prepared
            .iter()
            .find(|(name, _)| *name == joined.client.stream)
        else {
            continue;
        };
        let judgement = decide(&joined);
        outcomes.push(judgement.outcome);
        let fate = account.enter(&joined, judgement.outcome);
        if let Some(expected) = wrong(fate, kept) {
            let finding = Finding::new(
                FindingKind::PersistentConnection,
                kept.cut.position,
                expected,
                format!("{} {}", fate.describe(), judgement.outcome),
            )
            .about(name, &RequestId::from_witness(&joined.client.id));
            results
                .findings
                .push(place_in_time(finding, &joined, &judgement, &timeline));
        }
        results.requests.push(JudgedRequest::new(
            name,
            &request.planned,
            joined,
            judgement,
        ));
    }
    account.judge(kept, prepared.len(), results);
    reconcile(&report, &outcomes, deployment, results).await
}

/// What became of a client's request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    /// It was inspected and answered.
    Answered,
    /// It was sent on a connection and not answered.
    Cut(Phase),
    /// It had some other outcome.
    Odd(Phase),
    /// The Service had no pod for its connection.
    TurnedAway(Phase),
}

impl Fate {
    const fn describe(self) -> &'static str {
        match self {
            Self::Answered => "it was answered:",
            Self::Cut(Phase::BeforeDeletion) => "it was cut before the deletion:",
            Self::Cut(Phase::Draining) => "it was cut between the deletion and the proxy's TERM:",
            Self::Cut(Phase::AfterTerm) => "it was cut after the proxy's TERM:",
            Self::Odd(_) => "its outcome was",
            Self::TurnedAway(_) => "it was turned away:",
        }
    }
}

/// The parts of a pod's end, as a client sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    BeforeDeletion,
    Draining,
    AfterTerm,
}

/// Says what had to become of a request, if not this.
fn wrong(fate: Fate, kept: &PersistentConnections) -> Option<&'static str> {
    match fate {
        Fate::Answered | Fate::TurnedAway(Phase::Draining | Phase::AfterTerm) => None,
        Fate::TurnedAway(Phase::BeforeDeletion) => {
            Some("no client is turned away before the deletion")
        }
        // An answer may overtake the proxy's end, and its records may not.
        Fate::Cut(Phase::AfterTerm) | Fate::Odd(Phase::AfterTerm)
            if *kept.cut == CutExpectation::Some =>
        {
            None
        }
        Fate::Cut(_) => Some("every request that was sent is answered"),
        Fate::Odd(_) => Some("every request that was sent is inspected and answered"),
    }
}

/// The clients' losses, by the phase in which they happened.
#[derive(Debug, Default)]
struct Account {
    deleted: Option<Timestamp>,
    term: Option<Timestamp>,
    answered: usize,
    cut: [usize; 3],
    turned_away: usize,
    told_by_header: usize,
    /// Each client's first connection, as the proxy numbers them.
    connections: BTreeMap<String, u64>,
    left_before_term: BTreeSet<String>,
    without_response_data: usize,
}

impl Account {
    fn new(timeline: &[TimelineEvent]) -> Self {
        Self {
            deleted: first(timeline, None, |event| {
                matches!(event, LifecycleEvent::DeletionRequested { .. })
            }),
            term: earliest_term(timeline, PROXY_CONTAINER),
            ..Self::default()
        }
    }

    fn phase(&self, moment: Timestamp) -> Phase {
        match (self.deleted, self.term) {
            (Some(deleted), _) if moment < deleted => Phase::BeforeDeletion,
            (Some(_), Some(term)) if moment >= term => Phase::AfterTerm,
            (Some(_), _) => Phase::Draining,
            (None, _) => Phase::BeforeDeletion,
        }
    }

    /// Tells whether a client has come back on another connection: a Service may lead to a pod for a while after it has left.
    fn has_changed_connection(&mut self, joined: &Joined) -> bool {
        let Some(connection) = joined.proxy.first().and_then(|record| record.connection) else {
            return false;
        };
        let stream = joined.client.stream.clone();
        *self.connections.entry(stream).or_insert(connection) != connection
    }

    /// Takes one request into the account.
    fn enter(&mut self, joined: &Joined, outcome: Outcome) -> Fate {
        let client = &joined.client;
        let phase = self.phase(client.finished_at);
        match &client.result {
            ClientResult::Failed(failure) if failure.phase == RequestPhase::Connect => {
                self.turned_away += 1;
                // The attempt may take long; that it was made shows that the client had no connection any more.
                if self.phase(client.intended_at + LATE_ATTEMPT) == Phase::Draining {
                    self.left_before_term.insert(client.stream.clone());
                }
                Fate::TurnedAway(phase)
            }
            ClientResult::Failed(_) => {
                self.cut[phase as usize] += 1;
                Fate::Cut(phase)
            }
            ClientResult::Response(response) => {
                if joined.answered_from_outside().is_some() {
                    // The Service's address led nowhere for a moment.
                    self.turned_away += 1;
                    return Fate::TurnedAway(phase);
                }
                if outcome != Outcome::Allowed {
                    return Fate::Odd(phase);
                }
                self.answered += 1;
                let leaves = response
                    .header_values("connection")
                    .any(|value| value.eq_ignore_ascii_case("close"));
                if leaves && phase == Phase::Draining {
                    self.told_by_header += 1;
                }
                let changed = self.has_changed_connection(joined);
                if (leaves || changed) && phase == Phase::Draining {
                    self.left_before_term.insert(client.stream.clone());
                }
                let reported = joined
                    .agent
                    .first()
                    .is_some_and(|record| record.response_code == i32::from(response.status));
                self.without_response_data += usize::from(!reported);
                Fate::Answered
            }
        }
    }

    /// Holds the totals against what had to be seen, and reports them.
    fn judge(
        &self,
        kept: &Located<PersistentConnections>,
        clients: usize,
        results: &mut ProcedureResults,
    ) {
        let [before, draining, after] = self.cut;
        for (name, figure) in [
            ("kept connections: answered", self.answered),
            ("kept connections: cut before the deletion", before),
            ("kept connections: cut while draining", draining),
            ("kept connections: cut by the proxy's TERM", after),
            ("kept connections: turned away afterwards", self.turned_away),
            ("kept connections: told to close", self.told_by_header),
            (
                "kept connections: clients gone before TERM",
                self.left_before_term.len(),
            ),
            (
                "kept connections: answers without response data",
                self.without_response_data,
            ),
        ] {
            results.observations.insert(name.into(), figure.to_string());
        }
        let mut find = |kind, position, expected: &str, observed: String| {
            results
                .findings
                .push(Finding::new(kind, position, expected, observed));
        };
        if *kept.cut == CutExpectation::Some && after == 0 {
            find(
                FindingKind::NotExercised,
                kept.cut.position,
                "the proxy's TERM cuts requests",
                "it cut none, so the scenario cannot show a cut".into(),
            );
        }
        let gone = self.left_before_term.len();
        match *kept.released {
            ReleaseExpectation::All if gone < clients => find(
                FindingKind::PersistentConnection,
                kept.released.position,
                "every client is asked to leave before the proxy's TERM",
                format!("{gone} of {clients} left"),
            ),
            ReleaseExpectation::None if gone > 0 || self.told_by_header > 0 => find(
                FindingKind::PersistentConnection,
                kept.released.position,
                "no client is asked to leave before the proxy's TERM",
                format!(
                    "{gone} of {clients} left, and {} answers said so",
                    self.told_by_header
                ),
            ),
            ReleaseExpectation::All | ReleaseExpectation::None => {}
        }
        let Some(wanted) = &kept.response_data else {
            return;
        };
        let lacking = self.without_response_data;
        match **wanted {
            ResponseDataExpectation::Complete if lacking > 0 => find(
                FindingKind::ResponseData,
                wanted.position,
                "each answered request has its response data at the agent",
                format!("{lacking} of {} have none", self.answered),
            ),
            ResponseDataExpectation::Lost if lacking == 0 || lacking < self.answered => find(
                FindingKind::ResponseData,
                wanted.position,
                "the response data of every answered request is lost at the proxy's end",
                format!("{lacking} of {} have none", self.answered),
            ),
            ResponseDataExpectation::Complete | ResponseDataExpectation::Lost => {}
        }
    }
}
