//! The calls of a contract: what is to be made, what has been, and what came of it.

use std::collections::BTreeMap;

use super::controls;
use super::log_message::{AnsweredCheck, streams};
use super::round::{Round, Step};
use super::sent::SentCall;
use crate::procedure::contract::{
    AccessLogSpec, CallPacing, ContractCase, ContractConnection, ContractSpec, IdentifierPlace,
    LogEntrySpec, UnknownFields,
};
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use harness_core::model::call_expectation::{CallExpectation, CallOutcome};
use harness_core::model::located::{Located, Position};
use harness_traffic::contract::plan::Completion;
use harness_traffic::contract::record::{CallRecord, GroupRecord};
use harness_verdict::witness::call::{CallAnswer, CallKind};

/// What has been called so far.
#[derive(Debug, Default)]
pub(super) struct ContractCalls {
    pub(super) calls: Vec<(SentCall, CallExpectation)>,
    pub(super) records: BTreeMap<String, CallRecord>,
    pub(super) groups: Vec<(GroupRecord, Position)>,
    /// Where each case asks for its calls to be under way at the same time.
    pub(super) simultaneous: BTreeMap<String, Position>,
    pub(super) sent: u64,
}

impl ContractCalls {
    pub(super) fn add_controls(
        &mut self,
        round: &mut Round,
        controls: Vec<(SentCall, CallExpectation)>,
    ) {
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

    pub(super) fn add(
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

    pub(super) fn add_access_log(
        &mut self,
        round: &mut Round,
        case: &ContractCase,
        log: &AccessLogSpec,
        connection: ContractConnection,
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
    pub(super) fn report_controls(
        &mut self,
        round: &mut Round,
        spec: &ContractSpec,
        deployment: &Deployment,
    ) {
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
            identifier: IdentifierPlace::First,
            entries: entries.collect(),
            batch: None,
            streams: None,
            unknown_fields: UnknownFields::Absent,
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

    pub(super) fn answers(&self) -> BTreeMap<String, CallAnswer> {
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
    pub(super) async fn make(
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
}
