//! What a drain is told: what goes on while the pod is deleted, and how its containers end.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::procedure::drain::PersistentConnections;
use crate::procedure::interface::{
    CheckContext, Procedure, Repetition, Requirement, Weight, assertion_of_case,
};
use harness_core::model::case::Case;
use harness_core::model::complaints::Complaints;
use harness_core::model::container::{AGENT_CONTAINER, APPLICATION_CONTAINER, PROXY_CONTAINER};
use harness_core::model::container_end::ContainerEnd;
use harness_core::model::lint_rule::LintRule;
use harness_core::model::located::Located;
use harness_core::model::outcome::Outcome;
use harness_core::model::request::RequestSpec;
use harness_core::model::validate_requests::{check_cases, check_rate, check_request};
use harness_verdict::judge::drain::CutExpectation;

/// The most clients that keep a connection each.
const MOST_CLIENTS: u32 = 64;

/// `drain`: the pod is deleted while requests go on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DrainSpec {
    /// A benign request and an attack that are sent in turn, from before the deletion until the proxy has its TERM.
    #[serde(default)]
    pub stream: Option<DrainStream>,
    /// Requests that are under way when the deletion is asked for. Each must complete.
    #[serde(default)]
    pub in_flight: Vec<Case>,
    /// Clients of the pod's Service that keep their connections, until the proxy has ended.
    #[serde(default)]
    pub persistent_connections: Option<Located<PersistentConnections>>,
    /// What the timeline must show, per container.
    pub containers: Vec<ContainerEnd>,
    /// What the static check of the deployment must report, and nothing else.
    #[serde(default)]
    pub lint: Vec<Located<LintRule>>,
}

/// The streams of a drain.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DrainStream {
    /// The benign request.
    pub benign: RequestSpec,
    /// The attack.
    pub attack: RequestSpec,
    /// Requests per second of each, open loop.
    pub per_second: Located<f64>,
    /// The outcome of requests that are sent once the agent has ended before the proxy; at least one must be. Not given where the agent
    /// must outlive the proxy.
    #[serde(default)]
    pub without_agent: Option<Located<Outcome>>,
}

impl Procedure for DrainSpec {
    fn check(&self, context: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_cases(&self.in_flight, complaints);
        if self.containers.is_empty() {
            complaints.add(
                context.section,
                "`drain` expects nothing of any container",
                "add to `containers:` how the agent and the proxy must end",
            );
        }
        let known = [PROXY_CONTAINER, APPLICATION_CONTAINER, AGENT_CONTAINER];
        for container in &self.containers {
            let others = [&container.outlives, &container.term_after];
            for name in others.into_iter().flatten().chain([&container.name]) {
                if !known.contains(&name.as_str()) {
                    complaints.add(
                        name.position,
                        format!("the pod has no container `{}`", **name),
                        format!("known: {}", known.join(", ")),
                    );
                }
            }
            if container.exit_codes.is_empty() {
                complaints.add(
                    container.exit_codes.position,
                    "no exit code would ever be right",
                    "name the exit codes that are acceptable, as in `[0, 143]`",
                );
            }
        }
        if let Some(clients) = &self.persistent_connections {
            check_clients(clients, complaints);
        }
        if let Some(stream) = &self.stream {
            check_request(&stream.benign, stream.benign.target.position, complaints);
            check_request(&stream.attack, stream.attack.target.position, complaints);
            check_rate(&stream.per_second, complaints);
        }
    }

    fn assertions(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.in_flight.iter().map(assertion_of_case).collect();
        if self.stream.is_some() {
            lines.push(
                "what is over before the proxy's TERM was answered and inspected, nearly all that was due before it is, and no attack passes at any time"
                    .into(),
            );
        }
        if let Some(clients) = &self.persistent_connections {
            lines.push(match *clients.cut {
                CutExpectation::None => "no request on a persistent connection is cut".into(),
                CutExpectation::Some => {
                    "the proxy's TERM cuts requests on persistent connections, and is seen to"
                        .into()
                }
            });
        }
        lines.extend(
            self.containers
                .iter()
                .map(|end| format!("{} ends with one of {:?}", *end.name, *end.exit_codes)),
        );
        lines
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement::Pod(self)
    }

    fn weight(&self) -> Weight {
        Weight::Longest
    }

    fn repetition(&self) -> Repetition {
        Repetition::MatterOfTime
    }
}

fn check_clients(clients: &Located<PersistentConnections>, complaints: &mut Complaints<'_>) {
    check_request(
        &clients.request,
        clients.request.target.position,
        complaints,
    );
    if clients.http1 + clients.http2 == 0 || clients.http1 + clients.http2 > MOST_CLIENTS {
        complaints.add(
            clients.position,
            "`persistent-connections` has no clients, or too many",
            format!("write `http1:` or `http2:`, together 1 to {MOST_CLIENTS}"),
        );
    }
}
