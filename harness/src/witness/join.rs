//! Joins what the four witnesses say of one request.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agent::AgentRecord;
use super::proxy::{DETAILS_DENIED, DETAILS_UPSTREAM, ProxyRecord};
use super::testimony::Testimony;
use super::upstream::UpstreamRecord;
use crate::traffic::record::{ClientRecord, ClientResult};

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
    /// The application's records; at most one is right.
    pub upstream: Vec<UpstreamRecord>,
    /// How long the proxy waits for the agent, by its configuration.
    #[serde(skip)]
    pub authorization_timeout: Option<Duration>,
}

impl Joined {
    /// Puts a client's record and the others' testimony together.
    pub fn new(client: ClientRecord, testimony: &Testimony) -> Self {
        Self {
            proxy: testimony.proxy.of(&client.id).to_vec(),
            agent: testimony.agent.of(&client.id).to_vec(),
            upstream: testimony.upstream.of(&client.id).to_vec(),
            authorization_timeout: None,
            client,
        }
    }

    /// Names the witnesses that still owe a record, judged by what the others said.
    ///
    /// A request without an answer is owed nothing: its records may never come.
    pub fn awaited(&self) -> Vec<&'static str> {
        let mut awaited = Vec::new();
        if !matches!(self.client.result, ClientResult::Response(_)) {
            return awaited;
        }
        let Some(proxy) = self.proxy.first() else {
            return vec!["the proxy"];
        };
        if proxy.details == DETAILS_UPSTREAM && self.upstream.is_empty() {
            awaited.push("the application");
        }
        let decided = proxy.asked() && !proxy.agent_failed();
        if (decided || proxy.details == DETAILS_DENIED) && self.agent.is_empty() {
            awaited.push("the agent");
        }
        awaited
    }
}
