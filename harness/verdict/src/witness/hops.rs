//! The earlier hops of a request whose redirects the proxy followed by itself: each was checked and answered, and no client saw the answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agent::{AgentRecord, Decision};
use super::proxy::{DETAILS_DENIED, DETAILS_REDIRECT, ProxyRecord};
use super::upstream::UpstreamRecord;
use super::wire::AgentLog;

/// One earlier hop of a request.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hop {
    /// The proxy's record.
    pub proxy: ProxyRecord,
    /// The agent's record; none where the hop was not inspected.
    pub agent: Option<AgentRecord>,
    /// The application's record of the request that it answered with the redirect.
    pub upstream: UpstreamRecord,
}

impl Hop {
    /// Names what the witnesses of the hop do not agree on.
    pub fn contradiction(&self) -> Option<String> {
        let agent = self.agent.as_ref()?;
        match agent.decision() {
            Decision::Allow => None,
            Decision::Block | Decision::NotProcessed => Some(format!(
                "the agent decided {} about {}, and the application received it and redirected",
                agent.decision, self.upstream.target
            )),
        }
    }
}

/// Takes the earlier hops out of a request's records. Hops follow each other, so each witness's records are in the order of the hops.
/// Where the numbers do not fit, all is left as it is: the repeated records then make the request ambiguous.
pub(super) fn take_earlier(
    proxy: &mut Vec<ProxyRecord>,
    agent: &mut Vec<AgentRecord>,
    upstream: &mut Vec<UpstreamRecord>,
    agent_log: AgentLog,
) -> Vec<Hop> {
    let is_earlier = |record: &&ProxyRecord| record.details == DETAILS_REDIRECT;
    let count = proxy.iter().filter(is_earlier).count();
    let inspected = proxy
        .iter()
        .filter(is_earlier)
        .filter(|record| record.asked())
        .count();
    let inspected = match agent_log {
        AgentLog::Absent => 0,
        AgentLog::Kept => inspected,
    };
    if count == 0 || agent.len() < inspected || upstream.len() < count {
        return Vec::new();
    }
    agent.sort_by_key(|record| record.timestamp);
    upstream.sort_by_key(|record| record.at);
    let (mut earlier, last): (Vec<ProxyRecord>, Vec<ProxyRecord>) = std::mem::take(proxy)
        .into_iter()
        .partition(|record| record.details == DETAILS_REDIRECT);
    earlier.sort_by_key(|record| record.start);
    *proxy = last;
    if let Some(before) = earlier.last() {
        for record in proxy.iter_mut() {
            forget_inherited_check(record, before);
        }
    }
    let mut decisions = agent.drain(..inspected);
    earlier
        .into_iter()
        .zip(upstream.drain(..count))
        .map(|(proxy, upstream)| Hop {
            agent: proxy.asked().then(|| decisions.next()).flatten(),
            proxy,
            upstream,
        })
        .collect()
}

/// Envoy keeps a request's filter state over a redirect, and with it the time for which the hop before waited for the agent. An agent
/// that was asked again has given the request a new name, or has denied it, or has failed.
fn forget_inherited_check(record: &mut ProxyRecord, before: &ProxyRecord) {
    let is_named_anew =
        record.agent_request_id.is_none() || record.agent_request_id != before.agent_request_id;
    if !is_named_anew {
        forget_check(record);
    }
}

/// Takes the time away for which a hop did not wait itself. One that was denied, or failed, was asked about.
pub(super) fn forget_check(record: &mut ProxyRecord) {
    if record.details != DETAILS_DENIED && !record.agent_failed() {
        record.authorization_microseconds = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(details: &str, asked: Option<u64>) -> ProxyRecord {
        ProxyRecord {
            details: details.into(),
            authorization_microseconds: asked,
            ..crate::witness::fixture::proxy()
        }
    }

    fn agent(second: u8, decision: i32) -> AgentRecord {
        AgentRecord {
            timestamp: format!("2026-11-24T12:00:0{second}Z").parse().ok(),
            decision,
            ..crate::witness::fixture::agent()
        }
    }

    fn upstream(second: u8) -> UpstreamRecord {
        UpstreamRecord {
            at: format!("2026-11-24T12:00:0{second}Z")
                .parse()
                .expect("valid"),
            target: format!("/{second}"),
            ..crate::witness::fixture::upstream()
        }
    }

    #[test]
    fn the_first_records_of_each_witness_are_the_earlier_leg() {
        let mut proxies = vec![
            proxy("via_upstream", Some(1)),
            proxy(DETAILS_REDIRECT, Some(1)),
        ];
        let mut agents = vec![agent(3, 406), agent(1, 200)];
        let mut upstreams = vec![upstream(4), upstream(2)];
        let hops = take_earlier(&mut proxies, &mut agents, &mut upstreams, AgentLog::Kept);
        assert_eq!(hops.len(), 1);
        assert_eq!(hops[0].upstream.target, "/2");
        assert_eq!(
            hops[0].agent.as_ref().map(|agent| agent.decision),
            Some(200)
        );
        assert_eq!(hops[0].contradiction(), None);
        assert_eq!((proxies.len(), agents.len(), upstreams.len()), (1, 1, 1));
    }

    #[test]
    fn a_leg_that_was_blocked_and_yet_redirected_is_a_contradiction() {
        let mut proxies = vec![proxy(DETAILS_REDIRECT, Some(1))];
        let hops = take_earlier(
            &mut proxies,
            &mut vec![agent(1, 406)],
            &mut vec![upstream(2)],
            AgentLog::Kept,
        );
        let contradiction = hops[0].contradiction().expect("it is one");
        assert!(contradiction.contains("406"), "{contradiction}");
    }

    #[test]
    fn numbers_that_do_not_fit_leave_the_records_as_they_are() {
        let mut proxies = vec![
            proxy(DETAILS_REDIRECT, Some(1)),
            proxy("via_upstream", Some(1)),
        ];
        let mut upstreams = vec![upstream(2)];
        let hops = take_earlier(
            &mut proxies,
            &mut Vec::new(),
            &mut upstreams,
            AgentLog::Kept,
        );
        assert_eq!(hops, Vec::new());
        assert_eq!((proxies.len(), upstreams.len()), (2, 1));
    }

    #[test]
    fn a_check_that_is_inherited_from_the_leg_before_does_not_count() {
        for (name, asked) in [("first", None), ("second", Some(1))] {
            let named = |details: &str, name: &str| ProxyRecord {
                agent_request_id: Some(name.into()),
                ..proxy(details, Some(1))
            };
            let mut proxies = vec![
                named(DETAILS_REDIRECT, "first"),
                named("via_upstream", name),
            ];
            take_earlier(
                &mut proxies,
                &mut vec![agent(1, 200)],
                &mut vec![upstream(2), upstream(4)],
                AgentLog::Kept,
            );
            assert_eq!(proxies[0].authorization_microseconds, asked, "{name}");
        }
    }

    #[test]
    fn a_leg_that_was_not_inspected_takes_no_decision() {
        let mut proxies = vec![
            proxy(DETAILS_REDIRECT, None),
            proxy("via_upstream", Some(1)),
        ];
        let mut agents = vec![agent(3, 200)];
        let hops = take_earlier(
            &mut proxies,
            &mut agents,
            &mut vec![upstream(2), upstream(4)],
            AgentLog::Kept,
        );
        assert_eq!(hops[0].agent, None);
        assert_eq!(agents.len(), 1);
    }
}
