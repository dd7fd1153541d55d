//! What the agent said of a request: by what passed between proxy and agent, by its own log, or by the proxy's word.

use std::time::Duration;

use jiff::SignedDuration;

use super::agent::{AgentRecord, Decision};
use super::join::Joined;
use super::proxy::{DETAILS_DENIED, ProxyRecord};
use super::wire::{AgentLog, LastCheck, WireVerdict, is_tagged, last_check};

/// By how much a decision that the proxy has waited for may be dated after the wait: what the proxy did before it asked is no part of that.
const DATE_SLACK: SignedDuration = SignedDuration::from_millis(20);
/// By how much a proxy's own measure of a wait that it gave up may fall short of the time-out in any case: timers are coarse.
const COARSE_TIMER: Duration = Duration::from_millis(20);

/// What the agent said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct AgentWord {
    /// What that means.
    pub decision: Decision,
    /// The agent response code.
    pub code: i32,
    /// Whether the request goes on with signals.
    pub tags: Tags,
}

/// Whether the agent raised signals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tags {
    Absent,
    Present,
}

/// Returns what the agent said while the proxy waited for it; none where it said nothing. Where the wire and the agent's log have it, they must agree.
pub(super) fn agent_word(
    joined: &Joined,
    proxy: &ProxyRecord,
    reasons: &mut Vec<String>,
    contradictions: &mut Vec<String>,
) -> Option<AgentWord> {
    let logged = joined.agent.first();
    // A check whose answer was not read, though the proxy got one, says nothing.
    let is_read = |check: &LastCheck<'_>| check.record.answer.is_some() || proxy.agent_failed();
    let Some(check) = last_check(&joined.wire).filter(is_read) else {
        return match (logged, joined.agent_log) {
            (Some(agent), _) => timely(agent, proxy, joined.authorization_timeout, reasons),
            (None, AgentLog::Kept) => None,
            (None, AgentLog::Absent) => by_the_proxy(proxy, reasons),
        };
    };
    let answered = on_the_wire(&check, reasons)?;
    match (logged, joined.agent_log) {
        (Some(agent), _) if agent.decision != answered.code => {
            contradictions.push(format!(
                "the agent answered {} and its data log says that it decided {}",
                answered.code, agent.decision
            ));
        }
        (None, AgentLog::Kept) => contradictions.push(format!(
            "the agent answered {}, and its data log has no record of the request",
            answered.code
        )),
        (Some(_), _) | (None, AgentLog::Absent) => {}
    }
    Some(match logged {
        Some(agent) => AgentWord {
            tags: tags_of(agent),
            ..answered
        },
        None => answered,
    })
}

/// Reads an answer. What came when the proxy had given up, or is no decision, is left out and said.
fn on_the_wire(check: &LastCheck<'_>, reasons: &mut Vec<String>) -> Option<AgentWord> {
    let Some(answer) = &check.record.answer else {
        reasons.push("the agent gave no answer".into());
        return None;
    };
    if check.given_up {
        reasons.push("the agent answered after the proxy had given up".into());
        return None;
    }
    let (decision, code) = match &answer.verdict {
        WireVerdict::Allowed => (Decision::Allow, super::agent::DECISION_ALLOW),
        WireVerdict::Denied { status } => (Decision::Block, i32::from(*status)),
        WireVerdict::Failed { code, message } => {
            reasons.push(format!(
                "the agent answered with gRPC status {code}: {message}"
            ));
            return None;
        }
        WireVerdict::Undecodable { reason } => {
            reasons.push(format!(
                "the agent answered something that cannot be read: {reason}"
            ));
            return None;
        }
    };
    Some(AgentWord {
        decision,
        code,
        tags: if is_tagged(answer) {
            Tags::Present
        } else {
            Tags::Absent
        },
    })
}

/// Takes what the proxy says that the agent said, where nothing else records it.
fn by_the_proxy(proxy: &ProxyRecord, reasons: &mut Vec<String>) -> Option<AgentWord> {
    if !proxy.asked() || proxy.agent_failed() {
        return None;
    }
    if proxy.details == DETAILS_DENIED && proxy.asked_another() {
        reasons.push("the agent was asked, and another service too: the proxy does not say which of them denied".into());
        return None;
    }
    reasons.push("what the agent decided is known by the proxy's word alone".into());
    let (decision, code) = if proxy.details == DETAILS_DENIED {
        (Decision::Block, i32::from(proxy.status))
    } else {
        (Decision::Allow, super::agent::DECISION_ALLOW)
    };
    Some(AgentWord {
        decision,
        code,
        tags: Tags::Absent,
    })
}

/// Leaves a logged decision out that the proxy did not wait for.
///
/// The time in the agent's log may be that of the request or that of the decision (the vendor's documentation does not say): a
/// decision is late when it is dated after the proxy's wait, and also when that wait took as long as the proxy waits at all.
fn timely(
    agent: &AgentRecord,
    proxy: &ProxyRecord,
    timeout: Option<Duration>,
    reasons: &mut Vec<String>,
) -> Option<AgentWord> {
    let dated_later = agent
        .timestamp
        .zip(proxy.agent_awaited_until())
        .is_some_and(|(decided, awaited_until)| {
            decided.duration_since(awaited_until) >= DATE_SLACK
        });
    let waited_out = proxy
        .authorization_microseconds
        .map(Duration::from_micros)
        .zip(timeout)
        .is_some_and(|(waited, timeout)| waited_out(waited, timeout));
    if proxy.agent_failed() && (dated_later || waited_out) {
        reasons.push("the agent decided after the proxy had given up".into());
        return None;
    }
    Some(AgentWord {
        decision: agent.decision(),
        code: agent.decision,
        tags: tags_of(agent),
    })
}

/// Returns whether a proxy that gave a check up after this wait did so since its time-out was over. A quarter of it may be missing: an event loop reckons its
/// timers from when it last woke (libevent's cached time), so that what it did before it asked is no part of the wait, and that is much where it was
/// not run for a while.
pub fn waited_out(waited: Duration, timeout: Duration) -> bool {
    waited + COARSE_TIMER.max(timeout / 4) >= timeout
}

const fn tags_of(agent: &AgentRecord) -> Tags {
    if agent.signals.is_empty() {
        Tags::Absent
    } else {
        Tags::Present
    }
}

#[cfg(test)]
#[path = "agent_word_tests.rs"]
mod tests;
