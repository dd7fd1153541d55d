//! Whatever order witnesses testify in, and whatever they leave out or say twice: no request is counted twice or not at all, and none
//! passes without its witnesses.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::agent::AgentRecord;
use super::collected::CollectedRecords;
use super::fixture;
use super::ids::IdSet;
use super::join::Joined;
use super::log_line::{LogRecord as _, ParsedLine};
use super::outcome::decide;
use super::proxy::{DETAILS_DENIED, DETAILS_ERROR, DETAILS_UPSTREAM, ProxyRecord};
use super::reconciliation::{EarlierHops, Reconciliation, Sources};
use super::upstream::UpstreamRecord;
use harness_core::model::outcome::Outcome;
use harness_traffic::record::{ClientRecord, ClientResult, ResponseRecord};

/// What became of a request, before its witnesses are tampered with.
#[derive(Clone, Copy, Debug)]
enum Story {
    Allowed,
    Blocked,
    FailedClosed,
    FailedOpen,
    NotInspected,
    RejectedUnasked,
    Tagged,
}

/// How often each witness records a request.
#[derive(Clone, Copy, Debug)]
struct RecordCounts {
    proxy: usize,
    agent: usize,
    upstream: usize,
}

impl Story {
    const ALL: [Self; 7] = [
        Self::Allowed,
        Self::Blocked,
        Self::FailedClosed,
        Self::FailedOpen,
        Self::NotInspected,
        Self::RejectedUnasked,
        Self::Tagged,
    ];

    const fn outcome(self) -> Outcome {
        match self {
            Self::Allowed => Outcome::Allowed,
            Self::Blocked => Outcome::BlockedByAgent,
            Self::FailedClosed => Outcome::FailedClosed,
            Self::FailedOpen => Outcome::FailedOpen,
            Self::NotInspected => Outcome::NotInspected,
            Self::RejectedUnasked => Outcome::RejectedByProxy,
            Self::Tagged => Outcome::AllowedAndTagged,
        }
    }

    const fn status(self) -> u16 {
        match self {
            Self::Blocked => 406,
            Self::FailedClosed => 403,
            Self::RejectedUnasked => 413,
            Self::Allowed | Self::FailedOpen | Self::NotInspected | Self::Tagged => 200,
        }
    }

    /// How often each witness has to record it.
    const fn record_counts(self) -> RecordCounts {
        let (agent, upstream) = match self {
            Self::Allowed | Self::Tagged => (1, 1),
            Self::Blocked => (1, 0),
            Self::FailedClosed | Self::RejectedUnasked => (0, 0),
            Self::FailedOpen | Self::NotInspected => (0, 1),
        };
        RecordCounts {
            proxy: 1,
            agent,
            upstream,
        }
    }

    fn client(self, id: &str) -> ClientRecord {
        ClientRecord {
            id: id.into(),
            result: ClientResult::Response(ResponseRecord {
                status: self.status(),
                headers: vec![("server".into(), "envoy".into())],
                ..ResponseRecord::default()
            }),
            ..fixture::client()
        }
    }

    fn proxy(self, id: &str) -> ProxyRecord {
        let asked = match self {
            Self::NotInspected | Self::RejectedUnasked => None,
            Self::Allowed
            | Self::Blocked
            | Self::FailedClosed
            | Self::FailedOpen
            | Self::Tagged => Some(9),
        };
        ProxyRecord {
            id: id.into(),
            status: self.status(),
            details: match self {
                Self::Blocked => DETAILS_DENIED,
                Self::FailedClosed => DETAILS_ERROR,
                Self::RejectedUnasked => "request_payload_too_large",
                Self::Allowed | Self::FailedOpen | Self::NotInspected | Self::Tagged => {
                    DETAILS_UPSTREAM
                }
            }
            .into(),
            upstream: (self.record_counts().upstream > 0).then(|| "127.0.0.1:8080".into()),
            authorization_microseconds: asked,
            failure_mode_allowed: matches!(self, Self::FailedOpen),
            ..fixture::proxy()
        }
    }

    fn agent(self, id: &str) -> AgentRecord {
        AgentRecord {
            id: id.into(),
            decision: if matches!(self, Self::Blocked) {
                406
            } else {
                200
            },
            signals: match self {
                Self::Tagged => vec!["SQLI".into()],
                Self::Allowed
                | Self::Blocked
                | Self::FailedClosed
                | Self::FailedOpen
                | Self::NotInspected
                | Self::RejectedUnasked => Vec::new(),
            },
            ..fixture::agent()
        }
    }
}

impl RecordCounts {
    const fn lacks_or_repeats(self, right: Self) -> bool {
        self.proxy != right.proxy || self.agent != right.agent || self.upstream != right.upstream
    }
}

/// A run of requests, each recorded as often as said, in an order that the seed decides.
#[derive(Clone, Debug)]
struct Run {
    requests: Vec<(Story, RecordCounts)>,
    order: Vec<usize>,
}

fn runs(
    record_counts: impl Strategy<Value = Option<RecordCounts>> + Clone,
) -> impl Strategy<Value = Run> {
    let request = (proptest::sample::select(&Story::ALL[..]), record_counts).prop_map(
        |(story, record_counts)| {
            (
                story,
                record_counts.unwrap_or_else(|| story.record_counts()),
            )
        },
    );
    proptest::collection::vec(request, 1..12).prop_flat_map(|requests| {
        let order: Vec<usize> = (0..requests.len()).collect();
        (Just(requests), Just(order).prop_shuffle())
            .prop_map(|(requests, order)| Run { requests, order })
    })
}

fn recorded_right() -> impl Strategy<Value = Option<RecordCounts>> + Clone {
    Just(None)
}

fn recorded_anyhow() -> impl Strategy<Value = Option<RecordCounts>> + Clone {
    proptest::option::of((0_usize..3, 0_usize..3, 0_usize..3)).prop_map(|counts| {
        counts.map(|(proxy, agent, upstream)| RecordCounts {
            proxy,
            agent,
            upstream,
        })
    })
}

impl Run {
    fn id(number: usize) -> String {
        format!("s.c.{number}.r")
    }

    fn collected(&self) -> CollectedRecords {
        let mut collected = CollectedRecords::default();
        for &number in &self.order {
            let (story, record_counts) = self.requests[number];
            let id = Self::id(number);
            let hit = UpstreamRecord {
                id: Some(id.clone()),
                ..fixture::upstream()
            };
            let proxy = fixture::proxy_line(&story.proxy(&id));
            let agent = fixture::agent_line(&story.agent(&id));
            let upstream = fixture::upstream_line(&hit);
            collected.add_proxy(&proxy.repeat(record_counts.proxy));
            collected.add_agent(&agent.repeat(record_counts.agent));
            collected.add_upstream(&upstream.repeat(record_counts.upstream));
        }
        collected
    }

    fn outcomes(&self, collected: &CollectedRecords) -> Vec<Outcome> {
        let requests = self.requests.iter().enumerate();
        requests
            .map(|(number, (story, _))| {
                let client = story.client(&Self::id(number));
                decide(&Joined::new(client, collected)).outcome
            })
            .collect()
    }

    fn reconciliation(&self, collected: &CollectedRecords, outcomes: &[Outcome]) -> Reconciliation {
        let ids: Vec<String> = (0..self.requests.len()).map(Self::id).collect();
        let known_ids: IdSet = ids.iter().map(String::as_str).collect();
        Reconciliation::reconcile(&Sources {
            sent: self.requests.len() as u64,
            outcomes,
            nameless: 0,
            known_ids: &known_ids,
            collected,
            counters: None,
            access_log_entries: None,
            earlier_hops: EarlierHops::default(),
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn records_in_any_order_add_up_to_what_happened(run in runs(recorded_right())) {
        let collected = run.collected();
        let outcomes = run.outcomes(&collected);
        let expected: Vec<Outcome> = run.requests.iter().map(|(story, _)| story.outcome()).collect();
        prop_assert_eq!(&outcomes, &expected);
        let reconciliation = run.reconciliation(&collected, &outcomes);
        prop_assert_eq!(&reconciliation.discrepancies, &Vec::<String>::new());
        let mut counted = BTreeMap::new();
        for outcome in expected {
            *counted.entry(outcome).or_insert(0_u64) += 1;
        }
        prop_assert_eq!(reconciliation.outcomes, counted);
    }

    #[test]
    fn a_record_that_is_missing_or_there_twice_never_passes_and_always_counts(run in runs(recorded_anyhow())) {
        let collected = run.collected();
        let outcomes = run.outcomes(&collected);
        for ((story, record_counts), outcome) in run.requests.iter().zip(&outcomes) {
            if record_counts.lacks_or_repeats(story.record_counts()) {
                // The one thing that another number of records can mean is that the application was reached, or not, behind the proxy's back.
                prop_assert_eq!(*outcome, Outcome::Ambiguous, "{:?} recorded {:?}", story, record_counts);
            } else {
                prop_assert_eq!(*outcome, story.outcome());
            }
        }
        let reconciliation = run.reconciliation(&collected, &outcomes);
        prop_assert_eq!(reconciliation.outcomes.values().sum::<u64>(), run.requests.len() as u64);
        prop_assert_eq!(&reconciliation.discrepancies, &Vec::<String>::new());
    }

    #[test]
    fn a_request_that_was_never_sent_never_balances(run in runs(recorded_right()), strangers in 1_usize..4) {
        let mut collected = run.collected();
        for number in 0..strangers {
            let forged = UpstreamRecord { id: Some(format!("forged.{number}")), ..fixture::upstream() };
            collected.add_upstream(&fixture::upstream_line(&forged));
        }
        let outcomes = run.outcomes(&collected);
        let reconciliation = run.reconciliation(&collected, &outcomes);
        prop_assert_eq!(reconciliation.discrepancies.len(), 1);
        let complaint = format!("{strangers} requests that were never sent");
        prop_assert!(reconciliation.discrepancies[0].contains(&complaint));
    }

    #[test]
    fn an_outcome_that_is_missing_never_balances(run in runs(recorded_right()), missing in 1_usize..4) {
        let collected = run.collected();
        let outcomes = run.outcomes(&collected);
        let kept = outcomes.len().saturating_sub(missing);
        let reconciliation = run.reconciliation(&collected, &outcomes[..kept]);
        prop_assert_eq!(reconciliation.discrepancies.len(), 1);
    }

    #[test]
    fn an_id_is_believed_only_where_the_agent_has_it_from_the_request(
        forged in "[a-z.0-9]{1,12}",
        field in proptest::sample::select(&["Path", "Method", "RequestIDStr", "RemoteAddr", "x-conformance-id", "X-Conformance-Id"][..]),
        header in proptest::sample::select(&["x-conformance-id2", "x-sigsci-tags", "x-conformance_id", " x-conformance-id"][..]),
    ) {
        let line = serde_json::json!({
            "RequestIDStr": "r",
            "WAFResponse": 200,
            "RequestHeaders": [{ "Name": header, "Value": forged }, { "Name": "X-Conformance-Id", "Value": "true.0" }],
            "ResponseHeaders": [{ "Name": "x-conformance-id", "Value": forged }],
            "Signals": [{ "Type": "SQLI", "Value": forged }],
        });
        let mut line = line;
        line[field] = forged.into();
        match AgentRecord::parse(&line.to_string()) {
            ParsedLine::Record(record) => prop_assert_eq!(record.id, "true.0"),
            ParsedLine::WithoutId(_) | ParsedLine::Other => prop_assert!(false, "the line is one of the agent's"),
        }
    }

    #[test]
    fn no_line_of_any_witness_is_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}\":,a-z0-9\\\\]{0,80}") {
        let lines = format!("{}\n{text}\n", String::from_utf8_lossy(&bytes));
        let mut collected = CollectedRecords::default();
        collected.add_agent(&lines);
        collected.add_proxy(&lines);
        collected.add_upstream(&lines);
        prop_assert_eq!(collected.strangers(&IdSet::default()).len(), 0);
    }
}
