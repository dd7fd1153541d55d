//! `contract`: calls to the agent's gRPC services without a proxy, each judged by the client's word and the agent's data log.
//!
//! An attack that must be blocked and a benign request that must be allowed begin and end every scenario, on its own connection: an agent
//! that odd messages have thrown off is found.

mod check_message;
mod controls;
mod log_message;
mod round;
mod sent;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use tokio::time::{Instant, sleep};

use self::check_message::Identification;
use self::controls::{await_enforcing, controls};
use self::log_message::{AnsweredCheck, streams};
use self::round::{Round, Step};
use self::sent::SentCall;
use super::deployment::{Deployment, POLL_INTERVAL};
use super::error::ProcedureError;
use super::exchange::record_books;
use super::{JudgedCall, Proceedings};
use crate::judge::contract::{CORRELATION_HEADERS, CallSubject, CheckedRequest, judge};
use crate::judge::lifecycle::{exit_after, render};
use crate::model::contract::{
    AccessLogSpec, CallExpectation, CallOutcome, CallPacing, ContractCall, ContractCase,
    ContractSpec, LogEntrySpec,
};
use crate::model::finding::Finding;
use crate::model::identity::RequestId;
use crate::model::located::{Located, Position};
use crate::stack::AGENT_CONTAINER;
use crate::traffic::contract::plan::Completion;
use crate::traffic::contract::record::{CallRecord, GroupRecord};
use crate::witness::books::{Books, CallSources};
use crate::witness::call::{CallAnswer, CallKind};

/// The agent's setting that lets it wait for response data before it writes a line.
const EXPECTS_RESPONSE_DATA: &str = "SIGSCI_ENVOY_EXPECT_RESPONSE_DATA";

/// Carries a contract out.
pub async fn carry_out(
    spec: &ContractSpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    deployment.await_ready().await?;
    let mut course = Course::default();
    if let Some((call, record)) = await_enforcing(spec.connection, deployment).await? {
        course.sent += 1;
        course.records.insert(record.id.clone(), record);
        course
            .calls
            .push((call, controls::expect(CallOutcome::Blocked)));
    }
    let mut round = Round::default();
    let first = controls("control-first", spec.connection, deployment)?;
    course.add_controls(&mut round, first);
    for case in &spec.cases {
        let connection = case
            .connection
            .as_ref()
            .map_or(spec.connection, |own| own.value);
        match case.call() {
            Some(ContractCall::AccessLog(log)) => {
                // Its entries carry what the agent has answered: the checks before it are made first.
                round = course.make(round, deployment).await?;
                course.add_access_log(&mut round, case, log, connection, deployment);
            }
            Some(ContractCall::Check(check)) => {
                let calls = (0..case.times())
                    .map(|number| {
                        let id = deployment.ids.next(&case.name, number);
                        SentCall::check(check, &case.name, id, connection)
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                course.add(&mut round, case, calls, check.pacing);
            }
            Some(ContractCall::Health(health)) => {
                let id = deployment.ids.next(&case.name, 0);
                let call = SentCall::health(health, &case.name, id, connection);
                course.add(&mut round, case, vec![call], CallPacing::OneByOne);
            }
            None => {}
        }
    }
    let last = controls("control-last", spec.connection, deployment)?;
    course.add_controls(&mut round, last);
    round = course.make(round, deployment).await?;
    if expects_response_data(deployment) {
        course.report_controls(&mut round, spec, deployment);
    }
    course.make(round, deployment).await?;
    course.judge(deployment, proceedings).await
}

/// Tells whether the agent holds a line of its data log back until it has the response.
fn expects_response_data(deployment: &Deployment) -> bool {
    deployment
        .stack
        .agent_variable(EXPECTS_RESPONSE_DATA)
        .is_some_and(|value| !matches!(value, "" | "0" | "false"))
}

/// What has been called so far.
#[derive(Debug, Default)]
struct Course {
    calls: Vec<(SentCall, CallExpectation)>,
    records: BTreeMap<String, CallRecord>,
    groups: Vec<(GroupRecord, Position)>,
    /// Where each case asks for its calls to be under way at the same time.
    simultaneous: BTreeMap<String, Position>,
    sent: u64,
}

impl Course {
    fn add_controls(&mut self, round: &mut Round, controls: Vec<(SentCall, CallExpectation)>) {
        for (call, expect) in controls {
            round.steps.push(Step {
                name: call.case.clone(),
                connection: call.connection,
                completion: Completion::AtOnce,
                calls: vec![call.planned.clone()],
            });
            self.calls.push((call, expect));
        }
    }

    fn add(
        &mut self,
        round: &mut Round,
        case: &ContractCase,
        calls: Vec<SentCall>,
        pacing: CallPacing,
    ) {
        let step = |calls: &[SentCall], completion| Step {
            name: case.name.value.clone(),
            connection: calls
                .first()
                .map_or_else(Default::default, |call| call.connection),
            completion,
            calls: calls.iter().map(|call| call.planned.clone()).collect(),
        };
        match pacing {
            CallPacing::AtOnce => {
                // Calls with a deadline may end while others are opened: how many are open together is a matter of time.
                if calls
                    .iter()
                    .all(|call| call.planned.deadline_milliseconds.is_none())
                {
                    self.simultaneous
                        .insert(case.name.value.clone(), case.name.position);
                }
                round.steps.push(step(&calls, Completion::OnceAllAreOpen));
            }
            CallPacing::OneByOne => round
                .steps
                .extend(calls.chunks(1).map(|call| step(call, Completion::AtOnce))),
        }
        self.calls
            .extend(calls.into_iter().map(|call| (call, case.expect.clone())));
    }

    fn add_access_log(
        &mut self,
        round: &mut Round,
        case: &ContractCase,
        log: &AccessLogSpec,
        connection: crate::model::contract::ContractConnection,
        deployment: &Deployment,
    ) {
        let answers = self.answers();
        let calls: Vec<SentCall> = streams(log, |name| self.checks_of(name, &answers))
            .iter()
            .zip(0..)
            .map(|(messages, number)| {
                let id = deployment.ids.next(&case.name, number);
                SentCall::access_log(messages, &case.name, id, connection)
            })
            .collect();
        let pacing = if calls.len() > 1 {
            CallPacing::AtOnce
        } else {
            CallPacing::OneByOne
        };
        self.add(round, case, calls, pacing);
    }

    /// Tells the agent what became of the controls, as the proxy would.
    fn report_controls(&mut self, round: &mut Round, spec: &ContractSpec, deployment: &Deployment) {
        let mut names: Vec<&str> = self
            .calls
            .iter()
            .map(|(call, _)| call.case.as_str())
            .filter(|case| case.starts_with("control-"))
            .collect();
        names.dedup();
        let entries = names.into_iter().map(|name| {
            Located::unwritten(LogEntrySpec {
                check: Some(Located::unwritten(name.into())),
                unknown: None,
                tcp: None,
                response_code: None,
            })
        });
        let log = AccessLogSpec {
            identifier: crate::model::contract::IdentifierPlace::First,
            entries: entries.collect(),
            batch: None,
            streams: None,
            unknown_fields: crate::model::contract::UnknownFields::Absent,
        };
        let case = ContractCase {
            name: Located::unwritten("control-access-log".into()),
            check: None,
            access_log: None,
            health: None,
            connection: None,
            expect: controls::expect(CallOutcome::Accepted),
        };
        self.add_access_log(round, &case, &log, spec.connection, deployment);
    }

    fn answers(&self) -> BTreeMap<String, CallAnswer> {
        self.calls
            .iter()
            .filter_map(|(call, _)| {
                let record = self.records.get(call.id.as_str())?;
                Some((record.id.clone(), CallAnswer::read(call.kind, record)))
            })
            .collect()
    }

    fn checks_of<'a>(
        &'a self,
        case: &str,
        answers: &'a BTreeMap<String, CallAnswer>,
    ) -> Vec<AnsweredCheck<'a>> {
        self.calls
            .iter()
            .filter(|(call, _)| call.case == case && call.kind == CallKind::Check)
            .filter_map(|(sent, _)| {
                let answer = answers.get(sent.id.as_str())?;
                Some(AnsweredCheck { sent, answer })
            })
            .collect()
    }

    /// Makes the calls of a round, and begins the next.
    async fn make(
        &mut self,
        round: Round,
        deployment: &Deployment,
    ) -> Result<Round, ProcedureError> {
        if round.steps.is_empty() {
            return Ok(round);
        }
        let report = deployment.make_calls(round.plan(deployment)).await?;
        self.sent += report.summary.sent;
        for record in report.records {
            self.records.insert(record.id.clone(), record);
        }
        for group in report.groups {
            if let Some(position) = self.simultaneous.get(&group.group) {
                self.groups.push((group, *position));
            }
        }
        Ok(Round::default())
    }

    /// Judges every call, and draws the books up.
    async fn judge(
        self,
        deployment: &Deployment,
        proceedings: &mut Proceedings,
    ) -> Result<(), ProcedureError> {
        let answers = self.answers();
        self.settle(&answers, deployment).await?;
        let recorded = deployment
            .testimony(|testimony| testimony.agent.by_id.clone())
            .await?;
        let mut outcomes = Vec::new();
        let mut nameless = 0;
        for (call, expect) in &self.calls {
            let (Some(record), Some(answer)) = (
                self.records.get(call.id.as_str()),
                answers.get(call.id.as_str()),
            ) else {
                continue;
            };
            outcomes.push(answer.outcome);
            let request = match (call.kind, call.identification) {
                (CallKind::Check, Identification::Identified) => Some(CheckedRequest {
                    method: &call.method,
                    path: &call.path,
                }),
                (CallKind::Check, Identification::Nameless) => {
                    nameless += 1;
                    None
                }
                (CallKind::AccessLog | CallKind::Health, _) => None,
            };
            let agent = recorded.get(call.id.as_str()).cloned().unwrap_or_default();
            let subject = CallSubject {
                case: &call.case,
                id: &call.id,
                kind: call.kind,
                request,
                answer,
                agent: &agent,
            };
            proceedings.findings.extend(judge(&subject, expect));
            proceedings.calls.push(JudgedCall {
                case: call.case.clone(),
                kind: call.kind,
                record: record.clone(),
                answer: answer.clone(),
                agent,
            });
        }
        proceedings
            .findings
            .extend(repeated_ids(&proceedings.calls));
        self.judge_groups(proceedings);
        proceedings.findings.extend(judge_container(deployment));
        let known_ids = deployment.ids.sent();
        let planned = self.calls.len() as u64;
        let seen_without_id = deployment
            .testimony(|testimony| testimony.agent.without_id.len() as u64)
            .await?;
        deployment
            .nameless
            .fetch_add(seen_without_id.min(nameless), Ordering::Relaxed);
        let books = deployment
            .testimony(|testimony| {
                Books::of_calls(&CallSources {
                    planned,
                    sent: self.sent,
                    outcomes: &outcomes,
                    nameless,
                    known_ids: &known_ids,
                    testimony,
                })
            })
            .await?;
        record_books(books, proceedings);
        Ok(())
    }

    /// Waits until the agent's data log has a line for every check that it owes one.
    async fn settle(
        &self,
        answers: &BTreeMap<String, CallAnswer>,
        deployment: &Deployment,
    ) -> Result<(), ProcedureError> {
        let owed: Vec<&str> = self
            .calls
            .iter()
            .filter(|(call, _)| {
                call.kind == CallKind::Check && call.identification == Identification::Identified
            })
            .filter(|(call, _)| {
                answers.get(call.id.as_str()).is_some_and(|answer| {
                    matches!(answer.outcome, CallOutcome::Allowed | CallOutcome::Blocked)
                })
            })
            .map(|(call, _)| call.id.as_str())
            .collect();
        let deadline = Instant::now() + deployment.timeouts.witnesses_settled.as_duration();
        loop {
            let is_settled = deployment
                .testimony(|testimony| owed.iter().all(|id| !testimony.agent.of(id).is_empty()))
                .await?;
            if is_settled || Instant::now() >= deadline {
                return Ok(());
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    fn judge_groups(&self, proceedings: &mut Proceedings) {
        for (group, position) in &self.groups {
            let limit = group
                .stream_limit
                .map_or_else(|| "none".into(), |limit| limit.to_string());
            let seen = format!(
                "{} of {} calls open at the same time; the agent's limit of streams: {limit}",
                group.most_open, group.calls
            );
            if group.most_open < group.calls {
                proceedings.findings.push(Finding {
                    case: Some(group.group.clone()),
                    ..Finding::new(
                        "calls-at-once",
                        *position,
                        format!(
                            "{} calls open at the same time on one connection",
                            group.calls
                        ),
                        &*seen,
                    )
                });
            }
            proceedings.observations.insert(group.group.clone(), seen);
        }
    }
}

/// Checks that no two requests were given the same id by the agent: it would give one the response of the other.
fn repeated_ids(calls: &[JudgedCall]) -> Vec<Finding> {
    let mut seen: BTreeMap<&str, &JudgedCall> = BTreeMap::new();
    let mut findings = Vec::new();
    for call in calls {
        for value in call.answer.header_values(CORRELATION_HEADERS[0]) {
            if let Some(first) = seen.insert(value, call) {
                let finding = Finding::new(
                    "correlation-header",
                    Position::default(),
                    format!("another {} for each request", CORRELATION_HEADERS[0]),
                    format!("`{value}` was given to {} too", first.record.id),
                );
                findings.push(finding.about(
                    &call.case,
                    &RequestId::from_witness(call.record.id.as_str()),
                ));
            }
        }
    }
    findings
}

/// Checks that the agent's container has run through.
fn judge_container(deployment: &Deployment) -> Option<Finding> {
    let timeline = deployment.pod.timeline();
    let status = exit_after(&timeline, AGENT_CONTAINER)?;
    Some(
        Finding::new(
            "agent-container",
            Position::default(),
            "the agent runs from the first call to the last",
            format!(
                "it ended with exit code {}",
                status.as_container_exit_code()
            ),
        )
        .note(render(&timeline, Some(AGENT_CONTAINER))),
    )
}
