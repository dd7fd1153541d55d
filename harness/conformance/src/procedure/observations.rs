//! What an exchange reports of its cases beside their judgement: marks, ladders, and what the agent never saw.

use std::collections::BTreeMap;

use super::{JudgedRequest, ProcedureResults};
use harness_core::model::case::{Case, Intent};
use harness_verdict::judge::judged_requests::JudgedRequests;
use harness_verdict::judge::redirect_chain::judge_undeliverable;
use harness_verdict::witness::join::Joined;

/// Adds to the observations what the cases' requests show together.
pub(super) fn observe_cases(cases: &[Case], results: &mut ProcedureResults) {
    let mut observed = ladders(cases, &results.requests);
    let requests = results.requests.whole();
    observed.extend(undeliverable(cases, requests));
    observed.extend(never_shown(cases, requests));
    observed.extend(uninspected_hops(cases, requests));
    results.observations.extend(observed);
}

/// Tells whether the observations look at more of a request than its outcome: whatever comes out as expected is not kept otherwise.
pub(super) fn is_observed(case_undeliverable: Option<&str>, joined: &Joined) -> bool {
    let last = joined.proxy.first();
    case_undeliverable.is_some()
        || last.is_some_and(|proxy| !proxy.asked())
        || !joined.earlier.is_empty()
}

/// One line for each ladder: every step with its outcome, in the order of the file, so that two reports can be compared by eye.
fn ladders(cases: &[Case], requests: &JudgedRequests) -> BTreeMap<String, String> {
    let mut steps: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for case in cases {
        let Some(rung) = &case.rung else { continue };
        for request in requests
            .iter()
            .filter(|request| request.case() == case.name.value)
        {
            steps
                .entry(format!("ladder {}", *rung.ladder))
                .or_default()
                .push(format!("{} {}", *rung.step, request.outcome()));
        }
    }
    steps
        .into_iter()
        .map(|(ladder, steps)| (ladder, steps.join(", ")))
        .collect()
}

fn undeliverable(cases: &[Case], requests: &[JudgedRequest]) -> Vec<(String, String)> {
    let mut marks = Vec::new();
    for case in cases {
        let Some(text) = &case.undeliverable else {
            continue;
        };
        let arrived = requests_of(case, requests)
            .any(|request| !judge_undeliverable(text, &request.joined).is_empty());
        let verdict = if arrived {
            "it is delivered all the same"
        } else {
            "the proxy edits it out, with and without the agent: no miss of the agent"
        };
        marks.push((format!("undeliverable {}", *case.name), verdict.to_owned()));
    }
    marks
}

/// Names the attacks that something else answered before the agent was asked, or that passed it by.
fn never_shown(cases: &[Case], requests: &[JudgedRequest]) -> Option<(String, String)> {
    let names: Vec<&str> = cases
        .iter()
        .filter(|case| *case.intent == Intent::Attack)
        .filter(|case| {
            requests_of(case, requests).any(|request| {
                let last = request.joined.proxy.first();
                last.is_some_and(|proxy| !proxy.asked())
            })
        })
        .map(|case| case.name.as_str())
        .collect();
    (!names.is_empty()).then(|| {
        (
            "attacks that the agent was never shown".into(),
            names.join(", "),
        )
    })
}

fn uninspected_hops(cases: &[Case], requests: &[JudgedRequest]) -> Option<(String, String)> {
    let targets: Vec<&str> = cases
        .iter()
        .flat_map(|case| requests_of(case, requests))
        .flat_map(|request| &request.joined.earlier)
        .filter(|hop| !hop.proxy.asked())
        .map(|hop| hop.upstream.target.as_str())
        .collect();
    (!targets.is_empty()).then(|| {
        (
            "redirecting requests that the agent was not asked about".into(),
            targets.join(", "),
        )
    })
}

fn requests_of<'a>(
    case: &'a Case,
    requests: &'a [JudgedRequest],
) -> impl Iterator<Item = &'a JudgedRequest> {
    requests
        .iter()
        .filter(|request| request.case == *case.name.value)
}
