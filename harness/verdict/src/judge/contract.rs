//! Holds one call's expectation against what the client and the agent's data log say of it.

use super::agent_record::{data_log_lines, judge_agent};
use super::header_fields::{missing_header, present_header};
use crate::witness::agent::{AgentRecord, Decision};
use crate::witness::call::{CallAnswer, CallKind};
use harness_core::model::call_expectation::{CallExpectation, CallOutcome};
use harness_core::model::datum::Datum;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::{Located, Position};

/// The headers with which the agent marks a request that it lets through, so that it recognises it in the access log: its own id, and its
/// response code.
///
/// Source: the vendor's Envoy examples, which mark both as required in the access log.
pub const CORRELATION_HEADERS: [&str; 2] = ["x-sigsci-request-id", "x-sigsci-waf-response"];

/// Header names that belong to the agent: none may reach a client.
const AGENT_HEADERS: &str = "x-sigsci-*";
/// The agent may cut a path in its data log that is longer than this; what it has must then be the start.
const UNCUT_PATH_BYTES: usize = 1024;

/// One call with everything that its judgement needs.
#[derive(Clone, Copy, Debug)]
pub struct CallSubject<'a> {
    /// The case, as findings name it.
    pub case: &'a str,
    /// The call.
    pub id: &'a RequestId,
    /// The service.
    pub kind: CallKind,
    /// The request that a check describes, where the agent can read its id.
    pub request: Option<CheckedRequest<'a>>,
    /// What the answer says.
    pub answer: &'a CallAnswer,
    /// What the agent recorded under the id.
    pub agent: &'a [AgentRecord],
}

/// The request that a check describes.
#[derive(Clone, Copy, Debug)]
pub struct CheckedRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The path with its query.
    pub path: &'a str,
}

/// Names everything in which a call differs from its expectation. An outcome that differs is named alone: the rest follows from it.
pub fn judge(subject: &CallSubject<'_>, expect: &CallExpectation) -> Vec<Finding> {
    let answer = subject.answer;
    let findings = if expect.outcome.is_met_by(answer.outcome) {
        let mut findings = judge_answer(expect, answer);
        findings.extend(judge_records(subject, expect));
        findings
    } else {
        let finding = Finding::new(
            FindingKind::CallOutcome,
            expect.outcome.position,
            *expect.outcome,
            answer.outcome,
        );
        vec![
            finding
                .note(&*answer.detail)
                .note(agent_line(subject.agent)),
        ]
    };
    findings
        .into_iter()
        .map(|finding| finding.about(subject.case, subject.id))
        .collect()
}

fn judge_answer(expect: &CallExpectation, answer: &CallAnswer) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let (Some(codes), CallOutcome::Failed) = (&expect.grpc_status, answer.outcome)
        && !answer
            .grpc_status
            .is_some_and(|code| codes.iter().any(|right| u32::from(*right) == code))
    {
        findings.push(
            Finding::new(
                FindingKind::GrpcStatus,
                codes.position,
                Datum::any_of(codes.iter().map(|code| Datum::code(*code))),
                answer.grpc_status.map_or(Datum::Nothing, Datum::code),
            )
            .note(&*answer.detail),
        );
    }
    if let Some(status) = &expect.denied_status
        && answer.denied_status != Some(i32::from(**status))
    {
        findings.push(Finding::new(
            FindingKind::DenialStatus,
            status.position,
            Datum::HttpStatus(**status),
            http_status(answer.denied_status),
        ));
    }
    for field in &expect.headers {
        findings.extend(missing_header(
            FindingKind::CheckResponseHeader,
            field,
            &answer.headers,
        ));
    }
    for name in &expect.absent_headers {
        findings.extend(present_header(
            FindingKind::CheckResponseHeader,
            name,
            &answer.headers,
        ));
    }
    if let Some(reason) = &expect.reason
        && !answer.detail.contains(reason.as_str())
    {
        findings.push(Finding::new(
            FindingKind::ConnectionFailureReason,
            reason.position,
            format!("`{}` in the reason", **reason),
            &*answer.detail,
        ));
    }
    findings
}

/// Compares the answer with what the agent recorded.
fn judge_records(subject: &CallSubject<'_>, expect: &CallExpectation) -> Vec<Finding> {
    let answer = subject.answer;
    let implied = expect.outcome.position;
    let Some(request) = subject.request else {
        return Vec::new();
    };
    let decided = match answer.outcome {
        CallOutcome::Allowed => Some(Decision::Allow),
        CallOutcome::Blocked => Some(Decision::Block),
        CallOutcome::Accepted
        | CallOutcome::Answered
        | CallOutcome::Failed
        | CallOutcome::Lost
        | CallOutcome::Malformed
        | CallOutcome::NoConnection
        | CallOutcome::NotServing
        | CallOutcome::Serving => None,
    };
    let record = match (subject.agent, decided) {
        ([record], _) if answer.outcome != CallOutcome::NoConnection => record,
        ([], None) => return expected_record(expect, implied),
        (records, _) => {
            let least = usize::from(decided.is_some());
            let expected = Datum::any_of((least..=1).map(data_log_lines));
            let observed = data_log_lines(records.len());
            let finding = Finding::new(FindingKind::AgentRecord, implied, expected, observed);
            return vec![finding.note(agent_line(records))];
        }
    };
    let mut findings = Vec::new();
    if let Some(decided) = decided
        && decided != record.decision()
    {
        findings.push(
            Finding::new(
                FindingKind::AgentDecision,
                implied,
                format!(
                    "a line in the data log with the answer's decision, `{}`",
                    answer.outcome
                ),
                Datum::code(record.decision),
            )
            .note(agent_line(subject.agent)),
        );
    }
    findings.extend(judge_what_the_agent_saw(request, record));
    match answer.outcome {
        CallOutcome::Allowed => findings.extend(judge_correlation(answer, record, implied)),
        CallOutcome::Blocked => findings.extend(judge_denial(answer, record, implied)),
        CallOutcome::Accepted
        | CallOutcome::Answered
        | CallOutcome::Failed
        | CallOutcome::Lost
        | CallOutcome::Malformed
        | CallOutcome::NoConnection
        | CallOutcome::NotServing
        | CallOutcome::Serving => {}
    }
    if let Some(agent) = &expect.agent {
        findings.extend(judge_agent(agent, Some(record), None, implied));
    }
    findings
}

fn expected_record(expect: &CallExpectation, implied: Position) -> Vec<Finding> {
    expect
        .agent
        .as_ref()
        .map(|agent| judge_agent(agent, None, None, implied))
        .unwrap_or_default()
}

/// Checks that the agent decided about the request that was described.
fn judge_what_the_agent_saw(request: CheckedRequest<'_>, record: &AgentRecord) -> Vec<Finding> {
    let mut findings = Vec::new();
    if record.method != request.method {
        findings.push(Finding::new(
            FindingKind::AgentMethod,
            Position::default(),
            request.method,
            &*record.method,
        ));
    }
    let path = request.path.split('?').next().unwrap_or_default();
    let is_cut = record.path.len() >= UNCUT_PATH_BYTES && path.starts_with(&record.path);
    if record.path != path && !is_cut {
        findings.push(Finding::new(
            FindingKind::AgentPath,
            Position::default(),
            shortened(path),
            shortened(&record.path),
        ));
    }
    findings
}

/// Checks that a request that goes on carries the agent's own id and response code, each once.
fn judge_correlation(
    answer: &CallAnswer,
    record: &AgentRecord,
    position: Position,
) -> Vec<Finding> {
    let code = record.decision.to_string();
    CORRELATION_HEADERS
        .into_iter()
        .zip([record.request_id.as_str(), code.as_str()])
        .filter_map(|(name, value)| {
            let field = Located {
                value: format!("{name}: {value}"),
                position,
            };
            missing_header(FindingKind::CorrelationHeader, &field, &answer.headers)
        })
        .collect()
}

/// Checks that a denial gives the client the status that the agent recorded, and nothing of the agent's own.
fn judge_denial(answer: &CallAnswer, record: &AgentRecord, position: Position) -> Vec<Finding> {
    let absent = Located {
        value: AGENT_HEADERS.to_owned(),
        position,
    };
    let mut findings: Vec<Finding> =
        present_header(FindingKind::CheckResponseHeader, &absent, &answer.headers)
            .into_iter()
            .collect();
    if answer.denied_status != Some(record.decision) {
        findings.push(Finding::new(
            FindingKind::AgentDecision,
            position,
            http_status(answer.denied_status),
            Datum::code(record.decision),
        ));
    }
    findings
}

/// Returns the status that a denial gives the client; what is no status of HTTP is a code.
fn http_status(status: Option<i32>) -> Datum {
    status.map_or(Datum::Nothing, |status| {
        u16::try_from(status).map_or(Datum::code(status), Datum::HttpStatus)
    })
}

fn agent_line(records: &[AgentRecord]) -> String {
    match records.first() {
        None => "agent: no record".into(),
        Some(record) => format!(
            "agent: decided {} with signals [{}]",
            record.decision,
            record.signals.join(", ")
        ),
    }
}

fn shortened(text: &str) -> String {
    const LIMIT: usize = 120;
    let start: String = text.chars().take(LIMIT).collect();
    if start.len() == text.len() {
        return start;
    }
    format!("{start}… ({} bytes)", text.len())
}

#[cfg(test)]
#[path = "contract_tests.rs"]
mod tests;
