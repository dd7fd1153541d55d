//! What an exchange is told: requests that are sent to a pod that stands.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::procedure::interface::{CheckContext, Procedure, Requirement, assertion_of_case};
use harness_core::model::case::{Case, PayloadUse};
use harness_core::model::complaints::Complaints;
use harness_core::model::corpora::Corpora;
use harness_core::model::expectation::Expectation;
use harness_core::model::lint_rule::LintRule;
use harness_core::model::located::Located;
use harness_core::model::request::RequestSpec;
use harness_core::model::validate_requests::{check_cases, check_expectation, check_request};
use harness_verdict::judge::access_log::AccessLogExpectation;

/// `exchange`: requests are sent to a pod that stands, and each is judged.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExchangeSpec {
    /// What must hold before the first request.
    #[serde(default)]
    pub after: Precondition,
    /// The attack by which it is seen that the agent's rules apply, where the usual one would not be inspected or counts for something here.
    #[serde(default)]
    pub canary: Option<RequestSpec>,
    /// How connections are used.
    #[serde(default)]
    pub connection: ConnectionChoice,
    /// What connections to the proxy are secured with; nothing when not given.
    #[serde(default)]
    pub security: Option<Located<ClientSecurity>>,
    /// Requests of the file's own.
    #[serde(default)]
    pub cases: Vec<Case>,
    /// Requests of a payload file.
    #[serde(default)]
    pub payloads: Option<PayloadUse>,
    /// Requests that are expanded from seeds.
    #[serde(default)]
    pub corpus: Option<CorpusUse>,
    /// What the static check of the deployment must report, and nothing else.
    #[serde(default)]
    pub lint: Vec<Located<LintRule>>,
    /// Texts that the agent's log must contain, every one.
    #[serde(default)]
    pub says: Vec<Located<String>>,
    /// What must become of the response data that the proxy sends to the agent.
    #[serde(default)]
    pub access_log: AccessLogExpectation,
}

/// What connections to the proxy are secured with.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ClientSecurity {
    /// Nothing.
    Cleartext,
    /// TLS with the certificate of `stack.certificates-at`. The request's protocol is the only one offered (ALPN), and must be agreed on.
    Tls,
}

/// Requests that are expanded from seeds: every value at every position and in every encoding at which it applies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CorpusUse {
    /// The file: `fixtures/payloads/seeds/<name>.yaml`.
    pub seeds: Located<String>,
    /// The number from which paths, names and neighbours are chosen; 1 when not given. The same number gives the same requests.
    #[serde(default)]
    pub number: Option<u64>,
    /// The most requests, twins among them: an even sample over positions. All when not given.
    #[serde(default)]
    pub limit: Option<usize>,
    /// What must be seen of each seed; its twin must be allowed without a signal.
    pub expect: Expectation,
}

/// What must hold before traffic is judged.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Precondition {
    /// The pod is ready, the proxy is live and three attacks in a row have been denied.
    #[default]
    Enforcing,
    /// The pod is ready, the proxy is live and the agent has raised signals for three attacks in a row, whatever it decided.
    Tagging,
    /// The pod is ready and the proxy is live: for what is judged before the rules apply, or without an agent that is asked.
    Ready,
}

/// How the requests of an exchange use connections.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionChoice {
    /// One connection for each request, several requests at a time.
    #[default]
    Separate,
    /// All requests one after the other on one connection.
    Shared,
}

impl Procedure for ExchangeSpec {
    fn check(&self, context: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_cases(&self.cases, complaints);
        if let Some(canary) = &self.canary {
            check_request(canary, canary.target.position, complaints);
            if self.after == Precondition::Ready {
                complaints.add(
                    canary.target.position,
                    "`canary` is not sent `after: ready`",
                    "remove it, or wait for `enforcing` or `tagging`",
                );
            }
        }
        if let Some(used) = &self.corpus {
            check_expectation(&used.expect, complaints);
            if !context.corpora.seeds.contains_key(used.seeds.as_str()) {
                let known: Vec<&str> = context.corpora.seeds.keys().map(String::as_str).collect();
                complaints.add(
                    used.seeds.position,
                    format!("there is no seed file `{}`", *used.seeds),
                    format!("known: {}", known.join(", ")),
                );
            }
        }
        if self.cases.is_empty() && self.payloads.is_none() && self.corpus.is_none() {
            complaints.add(
                context.section,
                "`exchange` sends nothing",
                "add `cases:`, `payloads:` or `corpus:`",
            );
        }
        if let Some(used) = &self.payloads {
            check_expectation(&used.expect, complaints);
            let names = context.corpora.payloads.get(used.file.as_str()).into_iter();
            for payload in names.flat_map(|loaded| &loaded.content.payloads) {
                if let Some(case) = self.cases.iter().find(|case| *case.name == *payload.name) {
                    complaints.add(
                        case.name.position,
                        format!("`{}` is a payload of `{}` too", *case.name, *used.file),
                        "request ids are made from it; choose another",
                    );
                }
            }
            if !context.corpora.payloads.contains_key(used.file.as_str()) {
                complaints.add(
                    used.file.position,
                    format!("there is no payload file `{}`", *used.file),
                    format!(
                        "known: {}",
                        context
                            .corpora
                            .payloads
                            .keys()
                            .cloned()
                            .collect::<Vec<_>>()
                            .join(", ")
                    ),
                );
            }
        }
        if let Some(security) = &self.security
            && **security == ClientSecurity::Tls
            && context.stack.certificates_at.is_none()
        {
            complaints.add(
            security.position,
            "the proxy has no certificate",
            "add `certificates-at:` to the stack, and name a proxy configuration that takes TLS",
        );
        }
    }

    fn assertions(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.cases.iter().map(assertion_of_case).collect();
        if let Some(used) = &self.payloads {
            lines.push(format!(
                "each payload of {} is {}, its twin allowed",
                *used.file, *used.expect.outcome
            ));
        }
        if let Some(used) = &self.corpus {
            lines.push(format!(
                "the seeds of {} at every position and encoding are {}, their twins allowed",
                *used.seeds, *used.expect.outcome
            ));
        }
        lines
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement::Pod(self)
    }

    fn draws_from<'c>(&self, corpora: &'c Corpora) -> Vec<&'c str> {
        let payloads = self
            .payloads
            .as_ref()
            .and_then(|used| corpora.payloads.get(used.file.as_str()))
            .map(|loaded| &*loaded.text);
        let seeds = self
            .corpus
            .as_ref()
            .and_then(|used| corpora.seeds.get(used.seeds.as_str()))
            .map(|loaded| &*loaded.text);
        payloads.into_iter().chain(seeds).collect()
    }
}
