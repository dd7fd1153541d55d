//! The two checks that begin and end every contract: an attack that must be blocked, and its twin that must be allowed.

use super::round::{Round, Step};
use super::sent::SentCall;
use crate::procedure::contract::{CheckSpec, ContractConnection};
use crate::procedure::deployment::{Deployment, POLL_INTERVAL};
use crate::procedure::error::ProcedureError;
use harness_core::model::call_expectation::{CallExpectation, CallOutcome};
use harness_core::model::located::Located;
use harness_core::model::phase::Phase;
use harness_environment::polling::Polling;
use harness_traffic::contract::plan::Completion;
use harness_traffic::contract::record::CallRecord;
use harness_verdict::judge::enforcement::{Canaries, LastCanary, SignOfRules};
use harness_verdict::witness::call::CallAnswer;

/// A path that every agent with loaded rules blocks.
const ATTACK_PATH: &str = "/items?id=1%27%20UNION%20SELECT%20name%20FROM%20accounts--";
/// Names the attack that is sent until it is blocked.
const CANARY: &str = "control-canary";
/// The nearest path that it lets through.
const BENIGN_PATH: &str = "/items?id=1";

/// Plans the pair. The names are the suite's own: no case has one that starts so.
pub(super) fn controls(
    name: &str,
    connection: ContractConnection,
    deployment: &Deployment,
) -> Result<Vec<(SentCall, CallExpectation)>, ProcedureError> {
    [
        ("benign", BENIGN_PATH, CallOutcome::Allowed),
        ("attack", ATTACK_PATH, CallOutcome::Blocked),
    ]
    .into_iter()
    .map(|(kind, path, outcome)| {
        let name = format!("{name}-{kind}");
        let call = control(&name, path, 0, connection, deployment)?;
        Ok((call, expect(outcome)))
    })
    .collect()
}

/// Sends the attack until it is blocked, and returns the one that was, with its record. Where none was within the time for it, what became of
/// them is returned.
pub(super) async fn await_enforcing(
    connection: ContractConnection,
    deployment: &Deployment,
) -> Result<Result<(SentCall, CallRecord), Canaries>, ProcedureError> {
    let _phase = deployment.clock.enter(Phase::Enforcing);
    let within = deployment.timeouts.enforcing;
    let mut polling = Polling::within(within.as_duration(), POLL_INTERVAL);
    let mut number = 0;
    let mut last = None;
    while polling.next().await {
        let call = control(CANARY, ATTACK_PATH, number, connection, deployment)?;
        let round = Round {
            steps: vec![Step {
                name: call.case.clone(),
                connection,
                completion: Completion::AtOnce,
                calls: vec![call.planned.clone()],
            }],
        };
        let report = deployment.make_calls(round.plan(deployment)).await?;
        for record in report.records {
            let answer = CallAnswer::read(call.kind, &record);
            if answer.outcome == CallOutcome::Blocked {
                return Ok(Ok((call, record)));
            }
            last = Some(answer);
        }
        number += 1;
    }
    let allowed = |answer: &CallAnswer| answer.outcome == CallOutcome::Allowed;
    Ok(Err(Canaries {
        sent: number as usize,
        sign: SignOfRules::Denied,
        showed_it: 0,
        last: match last.as_ref().filter(|answer| allowed(answer)) {
            Some(_) => LastCanary::AllowedByAgent,
            None => LastCanary::Otherwise,
        },
        last_answer: last.map_or_else(
            || "none was answered".into(),
            |answer| format!("the last one: {} {}", answer.outcome, answer.detail),
        ),
        within,
    }))
}

/// Expects an outcome and nothing else.
pub(super) fn expect(outcome: CallOutcome) -> CallExpectation {
    CallExpectation {
        outcome: Located::unwritten(outcome),
        grpc_status: None,
        denied_status: None,
        headers: Vec::new(),
        absent_headers: Vec::new(),
        reason: None,
        agent: None,
    }
}

fn control(
    name: &str,
    path: &str,
    number: u32,
    connection: ContractConnection,
    deployment: &Deployment,
) -> Result<SentCall, ProcedureError> {
    let spec = CheckSpec {
        path: Some(Located::unwritten(path.into())),
        ..CheckSpec::default()
    };
    let id = deployment.ids.next(name, number);
    Ok(SentCall::check(&spec, name, id, connection)?)
}
