//! Judges the clients that keep their connections through a drain.

use schemars::JsonSchema;
use serde::Deserialize;

use super::client_account::{Account, Fate, Phase};
use crate::judge::judged::Judged;
use crate::judge::lifecycle::place_in_time;
use crate::witness::join::Joined;
use crate::witness::outcome::{Judgement, decide};
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::Located;
use harness_core::model::timeline::TimelineEvent;

/// Whether requests may be cut.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum CutExpectation {
    /// None may be.
    None,
    /// At least one must be, by the proxy's TERM and not before it: the control that shows that cuts are seen.
    Some,
}

/// Whether the proxy asks clients to leave before it has its TERM.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseExpectation {
    /// Every client must have left, by `connection: close` or `GOAWAY`.
    All,
    /// No client may have been asked: the control that shows that leaving is seen.
    None,
}

/// Whether each answered request must have its response data at the agent.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ResponseDataExpectation {
    /// Every one must.
    Complete,
    /// Every one must lack it: the control that shows that a loss is seen.
    Lost,
}

/// What must become of the clients.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionExpectation {
    /// Whether requests may be cut.
    pub cut: Located<CutExpectation>,
    /// Whether the proxy asks clients to leave before it has its TERM.
    pub released: Located<ReleaseExpectation>,
    /// Whether each answered request must have its response data at the agent.
    pub response_data: Option<Located<ResponseDataExpectation>>,
    /// How many clients there are.
    pub clients: usize,
}

/// A request of one of the clients.
#[derive(Clone, Copy, Debug)]
pub struct ClientRequest<'a> {
    /// The client's name.
    pub client: &'a str,
    /// What the witnesses saw of it.
    pub joined: &'a Joined,
}

/// Judges every request of the clients, and what became of them all together. The judgements are in the order of the requests.
pub fn judge_clients(
    expectation: &ConnectionExpectation,
    requests: &[ClientRequest<'_>],
    timeline: &[TimelineEvent],
) -> (Judged, Vec<Judgement>) {
    let mut judged = Judged::default();
    let mut account = Account::new(timeline);
    let mut judgements = Vec::new();
    for ClientRequest { client, joined } in requests {
        let judgement = decide(joined);
        let fate = account.enter(joined, judgement.outcome);
        if let Some(expected) = wrong(fate, expectation) {
            let finding = Finding::new(
                FindingKind::PersistentConnection,
                expectation.cut.position,
                expected,
                format!("{} {}", fate.describe(), judgement.outcome),
            )
            .about(client, &RequestId::from_witness(&joined.client.id));
            judged
                .findings
                .push(place_in_time(finding, joined, &judgement, timeline));
        }
        judgements.push(judgement);
    }
    judge_totals(&account, expectation, &mut judged);
    (judged, judgements)
}

/// Says what had to become of a request, if not this.
fn wrong(fate: Fate, expectation: &ConnectionExpectation) -> Option<&'static str> {
    match fate {
        Fate::Answered | Fate::TurnedAway(Phase::Draining | Phase::AfterTerm) => None,
        Fate::TurnedAway(Phase::BeforeDeletion) => {
            Some("no client is turned away before the deletion")
        }
        // An answer may overtake the proxy's end, and its records may not.
        Fate::Cut(Phase::AfterTerm) | Fate::Odd(Phase::AfterTerm)
            if *expectation.cut == CutExpectation::Some =>
        {
            None
        }
        Fate::Cut(_) => Some("every request that was sent is answered"),
        Fate::Odd(_) => Some("every request that was sent is inspected and answered"),
    }
}

/// Holds the totals against what had to be seen, and reports them.
fn judge_totals(account: &Account, expectation: &ConnectionExpectation, judged: &mut Judged) {
    let clients = expectation.clients;
    let [before, draining, after] = account.cut;
    for (name, figure) in [
        ("kept connections: answered", account.answered),
        ("kept connections: cut before the deletion", before),
        ("kept connections: cut while draining", draining),
        ("kept connections: cut by the proxy's TERM", after),
        (
            "kept connections: turned away afterwards",
            account.turned_away,
        ),
        ("kept connections: told to close", account.told_by_header),
        (
            "kept connections: clients gone before TERM",
            account.left_before_term.len(),
        ),
        (
            "kept connections: answers without response data",
            account.without_response_data,
        ),
    ] {
        judged.observe(name, figure.to_string());
    }
    let mut find = |kind, position, expected: &str, observed: String| {
        judged
            .findings
            .push(Finding::new(kind, position, expected, observed));
    };
    if *expectation.cut == CutExpectation::Some && after == 0 {
        find(
            FindingKind::NotExercised,
            expectation.cut.position,
            "the proxy's TERM cuts requests",
            "it cut none, so the scenario cannot show a cut".into(),
        );
    }
    let gone = account.left_before_term.len();
    match *expectation.released {
        ReleaseExpectation::All if gone < clients => find(
            FindingKind::PersistentConnection,
            expectation.released.position,
            "every client is asked to leave before the proxy's TERM",
            format!("{gone} of {clients} left"),
        ),
        ReleaseExpectation::None if gone > 0 || account.told_by_header > 0 => find(
            FindingKind::PersistentConnection,
            expectation.released.position,
            "no client is asked to leave before the proxy's TERM",
            format!(
                "{gone} of {clients} left, and {} answers said so",
                account.told_by_header
            ),
        ),
        ReleaseExpectation::All | ReleaseExpectation::None => {}
    }
    let Some(wanted) = &expectation.response_data else {
        return;
    };
    let lacking = account.without_response_data;
    match **wanted {
        ResponseDataExpectation::Complete if lacking > 0 => find(
            FindingKind::ResponseData,
            wanted.position,
            "each answered request has its response data at the agent",
            format!("{lacking} of {} have none", account.answered),
        ),
        ResponseDataExpectation::Lost if lacking == 0 || lacking < account.answered => find(
            FindingKind::ResponseData,
            wanted.position,
            "the response data of every answered request is lost at the proxy's end",
            format!("{lacking} of {} have none", account.answered),
        ),
        ResponseDataExpectation::Complete | ResponseDataExpectation::Lost => {}
    }
}
