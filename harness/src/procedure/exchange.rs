//! `exchange`: requests are sent to a pod that stands, and each is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use super::access_log::judge_access_log;
use super::agent_log::judge_log;
use super::client_security::{by_protocol, judge_agreement, tls_plan};
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::expected::{
    Expected, expected, outcome_only, requests_of_cases, requests_of_corpus, requests_of_payloads,
};
use super::observations::observe_cases;
use super::plan::{Route, list_stream};
use super::round::{EntriesInBooks, Round};
use super::{JudgedRequest, Proceedings};
use crate::judge::exchange::{Subject, judge};
use crate::judge::journey::judge_undeliverable;
use crate::judge::lint::{self, LINT};
use crate::model::expectation::Expectation;
use crate::model::finding::Finding;
use crate::model::identity::RequestId;
use crate::model::located::{Located, Position};
use crate::model::outcome::Outcome;
use crate::model::procedure::{
    AccessLogExpectation, Case, ClientSecurity, ConnectionChoice, ExchangeSpec, LintRule,
    Precondition,
};
use crate::model::request::RequestSpec;
use crate::stack::Stack;
use crate::stack::proxy_config::ProxyFacts;
use crate::traffic::plan::{ConnectionUse, Pacing, PlannedRequest, Requests, Stream, TlsPlan};
use crate::witness::books::Books;
use crate::witness::join::Joined;
use crate::witness::outcome::decide;

/// How many requests are under way at the same time.
const CONCURRENCY: u32 = 32;

/// Carries an exchange out.
pub async fn carry_out(
    spec: &ExchangeSpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    check_deployment(deployment, &spec.lint, proceedings);
    match spec.after {
        Precondition::Enforcing => deployment.await_ready_and_enforcing().await?,
        Precondition::Ready => deployment.await_ready().await?,
    }
    let mut requests = requests_of_cases(&spec.cases, deployment)?;
    if let Some(used) = &spec.payloads {
        requests.extend(requests_of_payloads(used, deployment)?);
    }
    if let Some(used) = &spec.corpus {
        requests.extend(requests_of_corpus(used, deployment)?);
    }
    let (nameless, named): (Vec<Expected>, Vec<Expected>) = requests
        .into_iter()
        .partition(|request| is_nameless(&request.expect));
    if !named.is_empty() {
        let sending = match spec.connection {
            ConnectionChoice::Separate => Sending::Concurrently,
            ConnectionChoice::Shared => Sending::OneConnection,
        };
        judge_sent(
            sending,
            spec.security
                .as_ref()
                .map_or(ClientSecurity::Cleartext, |security| **security),
            named,
            spec.access_log,
            deployment,
            proceedings,
        )
        .await?;
    }
    for request in nameless {
        judge_nameless(request, deployment, proceedings).await?;
    }
    observe_cases(&spec.cases, proceedings);
    judge_log(&spec.says, deployment, proceedings).await
}

fn is_nameless(expect: &Expectation) -> bool {
    expect.proxy.as_ref().is_some_and(|proxy| proxy.nameless)
}

/// Sends one request whose id the proxy cannot read, and judges it by the proxy's next record without an id.
async fn judge_nameless(
    request: Expected,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    let before = deployment.counters().await?;
    let seen = deployment
        .testimony(|testimony| testimony.proxy.without_id.len())
        .await?;
    let stream = list_stream(
        "exchange",
        &deployment.proxy_address(),
        Pacing::Sequential,
        vec![request.prepared.planned.clone()],
    );
    let drive = deployment.start_drive(vec![stream]).await?;
    let report = deployment.finish_drive(drive).await?;
    let id = request.prepared.planned.id.clone();
    let record = deployment.nameless_record(seen, &id).await?;
    deployment.nameless.fetch_add(1, Ordering::Relaxed);
    let joined = deployment
        .testimony(|testimony| {
            report
                .records
                .iter()
                .map(|client| Joined {
                    proxy: record.clone().into_iter().collect(),
                    ..deployment.join(client, testimony)
                })
                .collect::<Vec<_>>()
        })
        .await?;
    let after = deployment.counters().await?;
    let outcomes = judge_joined(&[request], &joined, |_| None, proceedings);
    let books = deployment
        .draw_up(
            report.summary.sent,
            &outcomes,
            Some((&before, &after)),
            None,
        )
        .await?;
    record_books(books, proceedings);
    Ok(())
}

/// How requests are sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sending {
    /// Several at a time, each on a connection of its own.
    Concurrently,
    /// One after the other on one connection.
    OneConnection,
}

/// Runs the static check of the deployment.
pub fn check_deployment(
    deployment: &Deployment,
    expected: &[Located<LintRule>],
    proceedings: &mut Proceedings,
) {
    check_stack(&deployment.stack, &deployment.proxy, expected, proceedings);
}

/// Runs the static check of what is deployed, whether it is one pod or a fleet.
pub fn check_stack(
    stack: &Stack,
    proxy: &ProxyFacts,
    expected: &[Located<LintRule>],
    proceedings: &mut Proceedings,
) {
    let reports = lint::check(stack, proxy);
    for report in &reports {
        proceedings.observations.insert(
            format!("{LINT} {}", report.rule),
            report.explanation.clone(),
        );
    }
    proceedings.findings.extend(lint::judge(&reports, expected));
}

/// Shows that a deployment works before it is looked into: the static check finds nothing, it is ready and enforces, and its cases come out.
pub async fn judge_working(
    cases: &[Case],
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    check_deployment(deployment, &[], proceedings);
    deployment.await_ready_and_enforcing().await?;
    let requests = requests_of_cases(cases, deployment)?;
    judge_requests(requests, deployment, proceedings).await
}

/// Sends requests several at a time, waits for their testimony, judges each and draws the books up.
pub async fn judge_requests(
    requests: Vec<Expected>,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    judge_sent(
        Sending::Concurrently,
        ClientSecurity::Cleartext,
        requests,
        AccessLogExpectation::Complete,
        deployment,
        proceedings,
    )
    .await
}

async fn judge_sent(
    sending: Sending,
    security: ClientSecurity,
    requests: Vec<Expected>,
    access_log: AccessLogExpectation,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    let (pacing, connection) = match sending {
        Sending::Concurrently => (
            Pacing::Concurrent { limit: CONCURRENCY },
            ConnectionUse::New,
        ),
        Sending::OneConnection => (Pacing::Sequential, ConnectionUse::Keep),
    };
    let stream = |tls: Option<TlsPlan>, requests: Vec<PlannedRequest>| Stream {
        name: "exchange".into(),
        address: deployment.proxy_address(),
        pacing: pacing.clone(),
        connection,
        requests: Requests::List(requests),
        tls,
    };
    let planned = requests
        .iter()
        .map(|request| request.prepared.planned.clone());
    let streams = match security {
        ClientSecurity::Cleartext => vec![stream(None, planned.collect())],
        ClientSecurity::Tls => by_protocol(planned)
            .into_iter()
            .map(|(offered, requests)| {
                let tls = tls_plan(offered, &deployment.keys.certificates);
                stream(Some(tls), requests)
            })
            .collect(),
    };
    let round = Round::send(streams, deployment).await?;
    let joined = &round.joined;
    if sending == Sending::OneConnection {
        proceedings.findings.extend(judge_connection(joined));
    }
    if security == ClientSecurity::Tls {
        proceedings
            .findings
            .extend(judge_agreement(&requests, joined));
    }
    let outcomes = judge_joined(&requests, joined, |_| None, proceedings);
    let entries = match access_log {
        AccessLogExpectation::Complete => EntriesInBooks::OneEach,
        AccessLogExpectation::Any | AccessLogExpectation::Lossy => EntriesInBooks::Unknown,
    };
    round
        .close_books(&outcomes, entries, deployment, proceedings)
        .await?;
    judge_access_log(access_log, &round, proceedings);
    Ok(())
}

/// Judges requests by what the witnesses saw, and returns their outcomes. A request without a record has none: a driver
/// that leaves one out is lost before this.
pub fn judge_joined(
    requests: &[Expected],
    joined: &[Joined],
    remark: impl Fn(&Joined) -> Option<String>,
    proceedings: &mut Proceedings,
) -> Vec<Outcome> {
    let by_id: BTreeMap<&str, &Joined> = joined
        .iter()
        .map(|joined| (joined.client.id.as_str(), joined))
        .collect();
    let mut outcomes = Vec::new();
    for request in requests {
        let planned = &request.prepared.planned;
        let Some(joined) = by_id.get(planned.id.as_str()).copied() else {
            continue;
        };
        let judgement = decide(joined);
        outcomes.push(judgement.outcome);
        let subject = Subject {
            case: &request.case,
            planned,
            body_sha256: &request.prepared.body_sha256,
            joined,
            judgement: &judgement,
        };
        let mut findings = judge(&subject, &request.expect);
        if let Some(text) = &request.undeliverable {
            let arrived = judge_undeliverable(text, joined).into_iter();
            let id = RequestId::from_witness(&planned.id);
            findings.extend(arrived.map(|finding| finding.about(&request.case, &id)));
        }
        if let Some(cell) = &request.cell {
            let count = proceedings.matrix.entry(cell.clone()).or_default();
            count.requests += 1;
            count.as_expected += u64::from(findings.is_empty());
        }
        proceedings
            .findings
            .extend(findings.into_iter().map(|finding| match remark(joined) {
                Some(remark) => finding.note(remark),
                None => finding,
            }));
        proceedings.requests.push(JudgedRequest::new(
            &request.case,
            planned,
            joined.clone(),
            judgement,
        ));
    }
    outcomes
}

/// Checks that requests which were to share a connection did, by the proxy's numbers.
fn judge_connection(joined: &[Joined]) -> Option<Finding> {
    let connections: BTreeSet<Option<u64>> = joined
        .iter()
        .filter_map(|joined| joined.proxy.first())
        .map(|proxy| proxy.connection)
        .collect();
    (connections.len() > 1).then(|| {
        Finding::new(
            "connection",
            Position::default(),
            "all requests on one connection",
            format!("the proxy saw {} connections", connections.len()),
        )
    })
}

/// Shows that an attack can be delivered, and that the nearest benign request passes, on the pod as it stands.
pub async fn judge_controls(
    attack: &RequestSpec,
    benign: &RequestSpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    let requests = vec![
        expected(
            deployment,
            benign,
            "attack-twin",
            Route::Inspected,
            outcome_only(Outcome::Allowed, benign.target.position),
        )?,
        expected(
            deployment,
            attack,
            "attack-control",
            Route::Control,
            outcome_only(Outcome::NotInspected, attack.target.position),
        )?,
    ];
    judge_requests(requests, deployment, proceedings).await
}

/// Keeps the books and names what does not agree.
pub fn record_books(books: Books, proceedings: &mut Proceedings) {
    for discrepancy in &books.discrepancies {
        proceedings.findings.push(Finding::new(
            "books",
            Position::default(),
            "the witnesses' totals agree",
            discrepancy,
        ));
    }
    proceedings.books.absorb(books);
}
