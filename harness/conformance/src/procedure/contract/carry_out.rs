//! `contract`: calls to the agent's gRPC services without a proxy, each judged by the client's word and the agent's data log.
//!
//! An attack that must be blocked and a benign request that must be allowed begin and end every scenario, on its own connection: an agent
//! that odd messages have thrown off is found.

use async_trait::async_trait;

use super::calls::ContractCalls;
use super::controls::{self, await_enforcing, controls};
use super::round::Round;
use super::sent::SentCall;
use crate::procedure::ProcedureResults;
use crate::procedure::contract::{CallPacing, ContractCall, ContractSpec};
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::interface::CarryOut;
use crate::procedure::pods::OnePod;
use harness_core::model::call_expectation::CallOutcome;
use harness_core::model::located::Position;
use harness_verdict::judge::enforcement::{LastCanary, not_enforcing};

/// The agent's setting that lets it wait for response data before it writes a line.
const EXPECTS_RESPONSE_DATA: &str = "SIGSCI_ENVOY_EXPECT_RESPONSE_DATA";

#[async_trait]
impl CarryOut<OnePod> for ContractSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        deployment.await_ready().await?;
        let mut all = ContractCalls::default();
        match await_enforcing(self.connection, deployment).await? {
            Ok((call, record)) => {
                all.sent += 1;
                all.records.insert(record.id.clone(), record);
                all.calls
                    .push((call, controls::expect(CallOutcome::Blocked)));
            }
            Err(canaries) => match canaries.last {
                LastCanary::AllowedByAgent => return Err(canaries.into()),
                // What is wrong then shows when the calls are judged.
                LastCanary::Otherwise => results
                    .findings
                    .push(not_enforcing(Position::default(), &canaries)),
            },
        }
        let mut round = Round::default();
        let first = controls("control-first", self.connection, deployment)?;
        all.add_controls(&mut round, first);
        for case in &self.cases {
            let connection = case
                .connection
                .as_ref()
                .map_or(self.connection, |own| own.value);
            match case.call() {
                Some(ContractCall::AccessLog(log)) => {
                    // Its entries carry what the agent has answered: the checks before it are made first.
                    round = all.make(round, deployment).await?;
                    all.add_access_log(&mut round, case, log, connection, deployment);
                }
                Some(ContractCall::Check(check)) => {
                    let calls = (0..case.times())
                        .map(|number| {
                            let id = deployment.ids.next(&case.name, number);
                            SentCall::check(check, &case.name, id, connection)
                        })
                        .collect::<Result<Vec<_>, _>>()?;
                    all.add(&mut round, case, calls, check.pacing);
                }
                Some(ContractCall::Health(health)) => {
                    let id = deployment.ids.next(&case.name, 0);
                    let call = SentCall::health(health, &case.name, id, connection);
                    all.add(&mut round, case, vec![call], CallPacing::OneByOne);
                }
                None => {}
            }
        }
        let last = controls("control-last", self.connection, deployment)?;
        all.add_controls(&mut round, last);
        round = all.make(round, deployment).await?;
        if expects_response_data(deployment) {
            all.report_controls(&mut round, self, deployment);
        }
        all.make(round, deployment).await?;
        super::judging::judge(all, deployment, results).await
    }
}

/// Tells whether the agent holds a line of its data log back until it has the response.
fn expects_response_data(deployment: &Deployment) -> bool {
    deployment
        .stack
        .agent_variable(EXPECTS_RESPONSE_DATA)
        .is_some_and(|value| !matches!(value, "" | "0" | "false"))
}
