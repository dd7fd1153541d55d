//! The totals of a scenario: requests sent equal the sum of outcomes, and each witness's own total agrees.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::collected::CollectedRecords;
use super::counters::Counters;
use super::hops::Hop;
use super::ids::IdSet;
use super::join::Joined;
use super::wire::AgentLog;
use harness_core::model::call_expectation::CallOutcome;
use harness_core::model::outcome::Outcome;

/// The totals of a scenario, each from its own source.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reconciliation {
    /// Requests for which the driver wrote a record.
    pub sent: u64,
    /// How many requests had each outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// How many calls came to what, where the agent was called without a proxy.
    #[serde(default)]
    pub calls: BTreeMap<CallOutcome, u64>,
    /// What Envoy counted meanwhile, by counter.
    pub counted_by_proxy: BTreeMap<String, u64>,
    /// Where totals do not agree, each a line.
    pub discrepancies: Vec<String>,
}

/// What the totals are drawn up from.
#[derive(Debug)]
pub struct Sources<'a> {
    /// Requests for which the driver wrote a record, by its own summary.
    pub sent: u64,
    /// The outcome of each judged request.
    pub outcomes: &'a [Outcome],
    /// How many records without an id the proxy must have: of requests whose heads it cannot read.
    pub nameless: u64,
    /// Every id that the harness has sent to this pod, judged or not.
    pub known_ids: &'a IdSet,
    /// The witnesses' records.
    pub collected: &'a CollectedRecords,
    /// Envoy's counters before the first and after the last judged request; none when the proxy was not there to ask.
    pub counters: Option<(&'a Counters, &'a Counters)>,
    /// How many entries Envoy must have put into its gRPC access log; none when it has no such log.
    pub access_log_entries: Option<u64>,
    /// The earlier hops of requests whose redirects the proxy followed.
    pub earlier_hops: EarlierHops,
}

/// How many hops of requests came before those with an outcome: the proxy checks and logs each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EarlierHops {
    /// All of them.
    pub logged: u64,
    /// Those that the agent allowed.
    pub allowed: u64,
}

impl EarlierHops {
    /// Counts the earlier hops of these requests.
    pub fn of(requests: &[Joined]) -> Self {
        let mut hops = Self::default();
        for joined in requests {
            hops.add(joined);
        }
        hops
    }

    /// Counts the earlier hops of one more request.
    pub fn add(&mut self, joined: &Joined) {
        let is_allowed = |hop: &&Hop| match joined.agent_log {
            AgentLog::Absent => hop.proxy.asked() && !hop.proxy.agent_failed(),
            AgentLog::Kept => hop.agent.is_some(),
        };
        let allowed = joined.earlier.iter().filter(is_allowed);
        self.logged += joined.earlier.len() as u64;
        self.allowed += allowed.count() as u64;
    }
}

/// What the totals of calls to the agent are drawn up from.
#[derive(Debug)]
pub struct CallSources<'a> {
    /// Calls that were planned.
    pub planned: u64,
    /// Calls for which the driver wrote a record, by its own summary.
    pub sent: u64,
    /// What each judged call came to.
    pub outcomes: &'a [CallOutcome],
    /// How many checks had no id that the agent could record.
    pub nameless: u64,
    /// Every id that the harness has sent to this pod.
    pub known_ids: &'a IdSet,
    /// The witnesses' records.
    pub collected: &'a CollectedRecords,
}

impl Reconciliation {
    /// Draws the totals of calls up. The proxy and the application have no part in them.
    pub fn of_calls(sources: &CallSources<'_>) -> Self {
        let mut reconciliation = Self {
            sent: sources.sent,
            ..Self::default()
        };
        for outcome in sources.outcomes {
            *reconciliation.calls.entry(*outcome).or_default() += 1;
        }
        let judged = sources.outcomes.len() as u64;
        if sources.planned != sources.sent || judged != sources.sent {
            reconciliation.discrepancies.push(format!(
                "{} calls were planned, the driver made {} and {judged} have an outcome",
                sources.planned, sources.sent
            ));
        }
        let collected = sources.collected;
        let strangers = collected.strangers(sources.known_ids);
        if let Some(first) = strangers.first() {
            reconciliation.discrepancies.push(format!(
                "witnesses recorded {} requests that were never sent, the first `{first}`",
                strangers.len()
            ));
        }
        let without_id = collected.agent.without_id.len() as u64;
        if without_id > sources.nameless {
            reconciliation.discrepancies.push(format!(
                "the agent recorded {without_id} requests without an id, and {} checks had none",
                sources.nameless
            ));
        }
        let elsewhere = collected.proxy.requests()
            + collected.proxy.without_id.len()
            + collected.upstream.requests()
            + collected.upstream.without_id.len();
        if elsewhere > 0 {
            reconciliation.discrepancies.push(format!(
                "proxy and application recorded {elsewhere} requests, and none was sent to them"
            ));
        }
        reconciliation
    }

    /// Draws the totals up.
    pub fn reconcile(sources: &Sources<'_>) -> Self {
        let mut reconciliation = Self {
            sent: sources.sent,
            ..Self::default()
        };
        for outcome in sources.outcomes {
            *reconciliation.outcomes.entry(*outcome).or_default() += 1;
        }
        let sum: u64 = reconciliation.outcomes.values().sum();
        if sum != sources.sent {
            reconciliation.discrepancies.push(format!(
                "the driver sent {} requests and {sum} have an outcome",
                sources.sent
            ));
        }
        let strangers = sources.collected.strangers(sources.known_ids);
        if let Some(first) = strangers.first() {
            reconciliation.discrepancies.push(format!(
                "witnesses recorded {} requests that were never sent, the first `{first}`",
                strangers.len()
            ));
        }
        let collected = sources.collected;
        for (witness, without_id, expected) in [
            (
                "the proxy",
                collected.proxy.without_id.len(),
                sources.nameless,
            ),
            ("the agent", collected.agent.without_id.len(), 0),
            ("the application", collected.upstream.without_id.len(), 0),
        ] {
            if without_id as u64 != expected {
                reconciliation.discrepancies.push(format!(
                    "{witness} recorded {without_id} requests without an id, and {expected} had none that it could read"
                ));
            }
        }
        if let Some((before, after)) = sources.counters {
            reconciliation.counted_by_proxy = after.since(before);
            reconciliation.compare_counters(before, after, sources.earlier_hops);
            if let Some(expected) = sources.access_log_entries {
                let expected = expected + sources.earlier_hops.logged;
                reconciliation.compare_access_log(before, after, expected);
            }
        }
        reconciliation
    }

    /// Adds the totals of another part of the same scenario.
    pub fn absorb(&mut self, other: Self) {
        self.sent += other.sent;
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        for (outcome, count) in other.calls {
            *self.calls.entry(outcome).or_default() += count;
        }
        for (counter, count) in other.counted_by_proxy {
            *self.counted_by_proxy.entry(counter).or_default() += count;
        }
        self.discrepancies.extend(other.discrepancies);
    }

    fn count(&self, outcomes: &[Outcome]) -> u64 {
        outcomes
            .iter()
            .filter_map(|outcome| self.outcomes.get(outcome))
            .sum()
    }

    /// Compares Envoy's own account of its gRPC access log with the number of answered requests.
    fn compare_access_log(&mut self, before: &Counters, after: &Counters, expected: u64) {
        let difference = |ending: &str| {
            after
                .sum_ending(ending)
                .saturating_sub(before.sum_ending(ending))
        };
        let written = difference("grpc_access_log.logs_written");
        let dropped = difference("grpc_access_log.logs_dropped");
        if written != expected || dropped > 0 {
            self.discrepancies.push(format!(
                "{expected} requests were answered and Envoy accounts for {written} access-log entries written and {dropped} dropped"
            ));
        }
    }

    /// Compares Envoy's counters with the outcomes. Requests without a clear outcome may have been counted as anything, and one that
    /// was let through may have failed behind the agent.
    fn compare_counters(&mut self, before: &Counters, after: &Counters, earlier: EarlierHops) {
        let unclear = self.count(&[Outcome::Lost, Outcome::Ambiguous]);
        let rejected = self.count(&[Outcome::RejectedByProxy]);
        let accounts: [(&str, &[Outcome], u64, u64); 4] = [
            (
                "ok",
                &[Outcome::Allowed, Outcome::AllowedAndTagged],
                earlier.allowed,
                rejected,
            ),
            ("denied", &[Outcome::BlockedByAgent], 0, 0),
            ("error", &[Outcome::FailedOpen, Outcome::FailedClosed], 0, 0),
            ("failure_mode_allowed", &[Outcome::FailedOpen], 0, 0),
        ];
        for (counter, outcomes, earlier_hops, allowance) in accounts {
            let unclear = unclear + allowance;
            let expected = self.count(outcomes) + earlier_hops;
            let counted = after
                .authorization(counter)
                .unwrap_or_default()
                .saturating_sub(before.authorization(counter).unwrap_or_default());
            if counted < expected || counted > expected + unclear {
                self.discrepancies.push(format!(
                    "Envoy counted ext_authz `{counter}` {counted} times and {expected} requests had that outcome"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(ok: u64, denied: u64) -> Counters {
        Counters::parse(&format!(
            "http.ingress.ext_authz.waf.ok: {ok}\nhttp.ingress.ext_authz.waf.denied: {denied}\n"
        ))
    }

    fn reconcile(sent: u64, outcomes: &[Outcome], after: &Counters) -> Reconciliation {
        Reconciliation::reconcile(&Sources {
            sent,
            outcomes,
            nameless: 0,
            known_ids: &IdSet::default(),
            collected: &CollectedRecords::default(),
            counters: Some((&counters(5, 5), after)),
            access_log_entries: None,
            earlier_hops: EarlierHops::default(),
        })
    }

    #[test]
    fn totals_that_agree_have_no_discrepancy() {
        let reconciliation = reconcile(
            2,
            &[Outcome::Allowed, Outcome::BlockedByAgent],
            &counters(6, 6),
        );
        assert_eq!(reconciliation.discrepancies, Vec::<String>::new());
    }

    #[test]
    fn a_request_without_an_outcome_shows() {
        let reconciliation = reconcile(2, &[Outcome::Allowed], &counters(6, 5));
        assert_eq!(
            reconciliation.discrepancies,
            ["the driver sent 2 requests and 1 have an outcome"]
        );
    }

    #[test]
    fn a_second_check_of_one_request_shows() {
        let reconciliation = reconcile(1, &[Outcome::Allowed], &counters(7, 5));
        assert!(
            reconciliation.discrepancies[0].contains("`ok` 2 times and 1"),
            "{reconciliation:?}"
        );
    }

    #[test]
    fn a_lost_request_may_have_been_counted_as_anything() {
        let reconciliation = reconcile(1, &[Outcome::Lost], &counters(6, 5));
        assert_eq!(reconciliation.discrepancies, Vec::<String>::new());
    }
}
