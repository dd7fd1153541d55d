//! Joins what the witnesses say of one request.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agent::AgentRecord;
use super::collected::CollectedRecords;
use super::hops::{Hop, forget_check, take_earlier};
use super::proxy::{DETAILS_DENIED, DETAILS_REDIRECT, DETAILS_UPSTREAM, ProxyRecord};
use super::upstream::UpstreamRecord;
use super::wire::{AgentLog, WireReading, WireRecord, of_last_hop};
use harness_traffic::record::{ClientRecord, ClientResult};

/// What the proxy puts into every answer's `server`, whoever has made the answer (Envoy's default, `OVERWRITE`).
const PROXY_SERVER: &str = "envoy";

/// Everything that is known of one request.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Joined {
    /// The client's record.
    pub client: ClientRecord,
    /// The proxy's records; one is right.
    pub proxy: Vec<ProxyRecord>,
    /// The agent's records; at most one is right.
    pub agent: Vec<AgentRecord>,
    /// The application's records; as many are right as the proxy made attempts.
    pub upstream: Vec<UpstreamRecord>,
    /// What passed between proxy and agent.
    #[serde(default)]
    pub wire: Vec<WireRecord>,
    /// Whether the agent keeps a log.
    #[serde(skip)]
    pub agent_log: AgentLog,
    /// How long the proxy waits for the agent, by its configuration.
    #[serde(skip)]
    pub authorization_timeout: Option<Duration>,
    /// The earlier hops of a request whose redirects the proxy followed by itself; the records above are those of the last hop.
    #[serde(default)]
    pub earlier: Vec<Hop>,
    /// The application's records of copies that the proxy mirrored.
    #[serde(default)]
    pub mirrored: Vec<UpstreamRecord>,
}

impl Joined {
    /// Puts a client's record and the others' collected records together.
    pub fn new(client: ClientRecord, collected: &CollectedRecords) -> Self {
        let mut proxy = collected.proxy.of(&client.id);
        let mut agent = collected.agent.of(&client.id);
        let mut upstream = collected.upstream.of(&client.id);
        let mut mirrored = Vec::new();
        if collected.mirrored() > 0 {
            (mirrored, upstream) = upstream.into_iter().partition(UpstreamRecord::is_mirrored);
        }
        let earlier = take_earlier(&mut proxy, &mut agent, &mut upstream, collected.agent_log);
        let checks = collected.wire.of(&client.id);
        let was_checked = !checks.is_empty();
        let wire = of_last_hop(checks, &earlier);
        // Where the agent names no request, only the wire tells whether the last hop was asked about; of what was missed it tells nothing.
        if was_checked && wire.is_empty() && collected.wire_reading == WireReading::Whole {
            let nameless = proxy
                .iter_mut()
                .filter(|record| record.agent_request_id.is_none());
            nameless.for_each(forget_check);
        }
        Self {
            authorization_timeout: None,
            wire,
            agent_log: collected.agent_log,
            client,
            proxy,
            agent,
            upstream,
            earlier,
            mirrored,
        }
    }

    /// Returns how many records the proxy, the agent and the application have, earlier hops and mirrored copies among them.
    pub fn record_counts(&self) -> [(&'static str, usize); 3] {
        let earlier = self.earlier.len();
        let inspected = self.earlier.iter().filter(|hop| hop.agent.is_some());
        [
            ("the proxy", self.proxy.len() + earlier),
            ("the agent", self.agent.len() + inspected.count()),
            (
                "the application",
                self.upstream.len() + earlier + self.mirrored.len(),
            ),
        ]
    }

    /// Returns the name under which something other than the pod has answered: no witness of the pod knows the request, and the answer
    /// calls its server by another name than the proxy does. Where a Service's endpoints change, the rules that lead to them may be
    /// missing for a moment; its address may then lead anywhere.
    pub fn answered_from_outside(&self) -> Option<&str> {
        let ClientResult::Response(response) = &self.client.result else {
            return None;
        };
        let unseen = self
            .record_counts()
            .into_iter()
            .all(|(_, records)| records == 0);
        let server = response.header_values("server").next()?;
        (unseen && server != PROXY_SERVER).then_some(server)
    }

    /// Names the witnesses that still owe a record, judged by what the others said.
    ///
    /// A request without an answer is owed nothing: its records may never come.
    pub fn awaited(&self) -> Vec<&'static str> {
        if !matches!(self.client.result, ClientResult::Response(_))
            || self.answered_from_outside().is_some()
        {
            return Vec::new();
        }
        awaited(
            &self.proxy,
            self.agent_log,
            self.agent.len(),
            self.upstream.len(),
        )
    }
}

/// Names the witnesses that still owe a record of an answered request, by the proxy's records and the numbers of the others'.
pub(super) fn awaited(
    proxy: &[ProxyRecord],
    agent_log: AgentLog,
    agent: usize,
    upstream: usize,
) -> Vec<&'static str> {
    let mut awaited = Vec::new();
    // A hop whose witnesses have not all recorded it yet still stands among the records of the last one.
    let Some(last) = proxy
        .iter()
        .find(|record| record.details != DETAILS_REDIRECT)
    else {
        return vec!["the proxy"];
    };
    let earlier = || {
        proxy
            .iter()
            .filter(|record| record.details == DETAILS_REDIRECT)
    };
    let hits = if last.details == DETAILS_UPSTREAM {
        last.attempts.map_or(1, |attempts| attempts as usize)
    } else {
        0
    };
    if upstream < earlier().count() + hits {
        awaited.push("the application");
    }
    let decided = last.asked() && !last.agent_failed()
        || last.details == DETAILS_DENIED && !last.was_denied_unasked();
    let decisions = earlier().filter(|record| record.asked()).count() + usize::from(decided);
    if agent_log == AgentLog::Kept && agent < decisions {
        awaited.push("the agent");
    }
    awaited
}
