//! Checks the cases of a `contract` section.

use std::collections::BTreeMap;

use super::specification::{
    AccessLogSpec, CallPacing, CheckSpec, ContractCall, ContractCase, ContractSpec, HeaderForm,
    LogEntrySpec,
};
use harness_core::model::call_expectation::{CallExpectation, CallOutcome};
use harness_core::model::complaints::Complaints;
use harness_core::model::container::AGENT_ADDRESS_VARIABLE;
use harness_core::model::located::{Located, Position};
use harness_core::model::request::parse_header;
use harness_core::model::stack_settings::StackSettings;
use harness_core::model::validate_requests::check_unique_names;

/// Hosts that stand for every address of the pod.
const EVERY_ADDRESS: [&str; 2] = ["0.0.0.0", "[::]"];
/// The longest path of a check, and the longest message, in bytes.
const LENGTH_LIMIT_BYTES: u64 = 16 * 1024 * 1024;
/// The most calls of one case, and the most entries of one item.
const COUNT_LIMIT: u32 = 10_000;
/// The most streams of one case.
const STREAM_LIMIT: u32 = 2_000;
/// The highest status code of gRPC.
const GRPC_STATUS_LIMIT: u8 = 16;

pub(super) fn check_cases_of_contract(
    contract: &ContractSpec,
    section: Position,
    complaints: &mut Complaints<'_>,
) {
    if contract.cases.is_empty() {
        complaints.add(section, "`contract` calls nothing", "add `cases:`");
    }
    check_unique_names(contract.cases.iter().map(|case| &case.name), complaints);
    let mut checks = BTreeMap::new();
    for case in &contract.cases {
        if case.name.starts_with("control-") {
            complaints.add(
                case.name.position,
                format!("the name `{}` starts with `control-`", *case.name),
                "the suite makes names with this start itself; choose another",
            );
        }
        match case.call() {
            None => complaints.add(
                case.name.position,
                format!("`{}` does not make exactly one call", *case.name),
                "write one of `check:`, `access-log:` and `health:`",
            ),
            Some(ContractCall::Check(check)) => {
                check_check(check, case.name.position, complaints);
                checks.insert(case.name.as_str(), case);
            }
            Some(ContractCall::AccessLog(log)) => check_access_log(
                log,
                case.access_log
                    .as_ref()
                    .map_or(case.name.position, |log| log.position),
                &checks,
                complaints,
            ),
            Some(ContractCall::Health(_)) => {}
        }
        check_expectation(case, complaints);
    }
}

/// Checks that the agent can be reached: the calls come from outside its pod, and the manifest lets it listen on the loopback interface.
pub(super) fn check_agent_address(
    stack: &StackSettings,
    contract: Position,
    complaints: &mut Complaints<'_>,
) {
    let address = stack.agent_env.get(AGENT_ADDRESS_VARIABLE);
    let host = address.and_then(|address| Some(address.rsplit_once(':')?.0));
    if !host.is_some_and(|host| EVERY_ADDRESS.contains(&host)) {
        complaints.add(
            contract,
            "the calls of `contract` come from outside the pod, where the agent does not listen",
            format!("add `{AGENT_ADDRESS_VARIABLE}: 0.0.0.0:9999` to the stack's `agent-env`"),
        );
    }
}

fn check_check(check: &CheckSpec, fallback: Position, complaints: &mut Complaints<'_>) {
    if let Some(missing) = &check.missing
        && has_request(check)
    {
        complaints.add(
            missing.position,
            "a check that ends early describes no request",
            "leave method, path, headers and body away, or leave `missing` away",
        );
    }
    if check.header_form == HeaderForm::Neither
        && let Some(first) = check.headers.first()
    {
        complaints.add(
            first.position,
            "`header-form: neither` sends no headers",
            "leave the headers away, or name another form",
        );
    }
    if let (Some(path), Some(_)) = (&check.path, &check.path_filled) {
        complaints.add(
            path.position,
            "`path` stands beside `path-filled`",
            "keep one of the two",
        );
    }
    if let Some(filled) = &check.path_filled
        && let Err(error) = filled.check()
    {
        complaints.add(
            filled.position,
            error.to_string(),
            "give `before`, `fill`, `after` and a `length` that has room for them",
        );
    }
    if let Some(filled) = &check.path_filled
        && filled.length > LENGTH_LIMIT_BYTES
    {
        complaints.add(
            filled.position,
            format!("a path of {} bytes cannot be sent", filled.length),
            format!("the bound is {LENGTH_LIMIT_BYTES}"),
        );
    }
    if let Some(length) = &check.message_length
        && !(1024..=LENGTH_LIMIT_BYTES).contains(&u64::from(**length))
    {
        complaints.add(
            length.position,
            format!("a message cannot be filled up to {} bytes", **length),
            format!("write a number from 1024 to {LENGTH_LIMIT_BYTES}"),
        );
    }
    for field in &check.headers {
        check_header(field, complaints);
    }
    if let Some(body) = &check.body
        && let Err(error) = body.check()
    {
        complaints.add(
            body.position,
            error.to_string(),
            "write one of {text: …}, {base64: …} and {filled: …}",
        );
    }
    if let Some(deadline) = &check.deadline
        && deadline.as_duration().as_millis() == 0
    {
        complaints.add(
            deadline.position,
            "a call with no time is never made",
            "write at least `1ms`",
        );
    }
    bounded(
        check.numbered_headers.as_ref(),
        COUNT_LIMIT,
        "headers",
        complaints,
    );
    bounded(check.repeat.as_ref(), COUNT_LIMIT, "calls", complaints);
    if check.pacing == CallPacing::AtOnce && check.repeat.is_none() {
        complaints.add(
            fallback,
            "one call cannot be made at once with others",
            "add `repeat:`, or leave `pacing` away",
        );
    }
}

fn has_request(check: &CheckSpec) -> bool {
    check.method.is_some()
        || check.path.is_some()
        || check.path_filled.is_some()
        || !check.headers.is_empty()
        || check.numbered_headers.is_some()
        || check.body.is_some()
        || check.body_extent.is_some()
        || check.size.is_some()
        || check.message_length.is_some()
}

fn check_access_log(
    log: &AccessLogSpec,
    position: Position,
    checks: &BTreeMap<&str, &ContractCase>,
    complaints: &mut Complaints<'_>,
) {
    if log.entries.is_empty() {
        complaints.add(
            position,
            "`access-log` sends no entries",
            "add to `entries:` at least one of {check: …}, {unknown: …} and {tcp: …}",
        );
    }
    bounded(
        log.batch.as_ref(),
        COUNT_LIMIT,
        "entries a message",
        complaints,
    );
    bounded(log.streams.as_ref(), STREAM_LIMIT, "streams", complaints);
    for entry in &log.entries {
        check_entry(entry, checks, complaints);
    }
}

fn check_entry(
    entry: &Located<LogEntrySpec>,
    checks: &BTreeMap<&str, &ContractCase>,
    complaints: &mut Complaints<'_>,
) {
    let kinds = [
        entry.check.is_some(),
        entry.unknown.is_some(),
        entry.tcp.is_some(),
    ];
    if kinds.into_iter().filter(|given| *given).count() != 1 {
        complaints.add(
            entry.position,
            "an entry is exactly one of `check`, `unknown` and `tcp`",
            "make several entries of it",
        );
    }
    if let Some(name) = &entry.check
        && !checks.contains_key(name.as_str())
    {
        let known: Vec<&str> = checks.keys().copied().collect();
        complaints.add(
            name.position,
            format!("no check further up is called `{}`", **name),
            if known.is_empty() {
                "the check comes first, its access-log entry after it".to_owned()
            } else {
                format!("known here: {}", known.join(", "))
            },
        );
    }
    bounded(entry.unknown.as_ref(), COUNT_LIMIT, "entries", complaints);
    bounded(entry.tcp.as_ref(), COUNT_LIMIT, "entries", complaints);
    if let Some(code) = &entry.response_code
        && !(100..=599).contains(&**code)
    {
        complaints.add(
            code.position,
            format!("{} is no status of HTTP", **code),
            "write a number from 100 to 599",
        );
    }
}

fn check_expectation(case: &ContractCase, complaints: &mut Complaints<'_>) {
    let expect = &case.expect;
    let outcome = *expect.outcome;
    let possible: &[CallOutcome] = match case.call() {
        Some(ContractCall::Check(_)) => &[
            CallOutcome::Allowed,
            CallOutcome::Blocked,
            CallOutcome::Answered,
            CallOutcome::Failed,
            CallOutcome::NoConnection,
        ],
        Some(ContractCall::AccessLog(_)) => &[
            CallOutcome::Accepted,
            CallOutcome::Failed,
            CallOutcome::NoConnection,
        ],
        Some(ContractCall::Health(_)) => &[
            CallOutcome::Serving,
            CallOutcome::NotServing,
            CallOutcome::Failed,
            CallOutcome::NoConnection,
        ],
        None => return,
    };
    if !possible.contains(&outcome) {
        let words: Vec<&str> = possible.iter().map(|outcome| outcome.as_str()).collect();
        complaints.add(
            expect.outcome.position,
            format!("`{outcome}` cannot be expected of this call"),
            format!("write one of {}", words.join(", ")),
        );
    }
    check_sharpened(expect, outcome, complaints);
    if let (Some(agent), true) = (&expect.agent, case.check.is_none()) {
        let position = agent
            .response_code
            .as_ref()
            .map_or(expect.outcome.position, |code| code.position);
        complaints.add(
            position,
            "the agent's data log has lines for checks only",
            "expect it of the check",
        );
    }
    for field in &expect.headers {
        check_header(field, complaints);
    }
}

fn check_sharpened(
    expect: &CallExpectation,
    outcome: CallOutcome,
    complaints: &mut Complaints<'_>,
) {
    let sharpens = [
        (
            expect.grpc_status.as_ref().map(|status| status.position),
            matches!(outcome, CallOutcome::Failed | CallOutcome::Answered),
            "grpc-status",
            "failed",
        ),
        (
            expect.denied_status.as_ref().map(|status| status.position),
            outcome == CallOutcome::Blocked,
            "denied-status",
            "blocked",
        ),
        (
            expect.reason.as_ref().map(|reason| reason.position),
            outcome == CallOutcome::NoConnection,
            "reason",
            "no-connection",
        ),
        (
            expect.headers.first().map(|field| field.position),
            matches!(outcome, CallOutcome::Allowed | CallOutcome::Blocked),
            "headers",
            "allowed` or `blocked",
        ),
    ];
    for (position, fits, name, outcomes) in sharpens {
        if let Some(position) = position
            && !fits
        {
            complaints.add(
                position,
                format!("`{name}` says nothing of a call that is `{outcome}`"),
                format!("it goes with `{outcomes}`"),
            );
        }
    }
    match &expect.grpc_status {
        None if outcome == CallOutcome::Failed => complaints.add(
            expect.outcome.position,
            "a call can fail in many ways",
            "add to `grpc-status:` the codes that are right, as in `[4]`",
        ),
        Some(codes)
            if codes.is_empty()
                || codes
                    .iter()
                    .any(|code| !(1..=GRPC_STATUS_LIMIT).contains(code)) =>
        {
            complaints.add(
                codes.position,
                "no list of codes with which a call fails",
                format!("write numbers from 1 to {GRPC_STATUS_LIMIT}"),
            );
        }
        None | Some(_) => {}
    }
}

fn check_header(field: &Located<String>, complaints: &mut Complaints<'_>) {
    if parse_header(field).is_err() {
        complaints.add(
            field.position,
            format!("`{}` is not a header field", **field),
            "write `name: value`",
        );
    }
}

fn bounded(number: Option<&Located<u32>>, limit: u32, what: &str, complaints: &mut Complaints<'_>) {
    if let Some(number) = number
        && !(1..=limit).contains(&**number)
    {
        complaints.add(
            number.position,
            format!("{} is no number of {what}", **number),
            format!("write a number from 1 to {limit}"),
        );
    }
}
