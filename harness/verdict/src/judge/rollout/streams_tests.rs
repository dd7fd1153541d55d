//! Tests of [`super`]: totals, attribution and what a scenario allows.

use jiff::Timestamp;

use super::*;
use crate::witness::fixture;
use crate::witness::fleet::Holder;
use harness_core::model::located::Located;
use harness_core::model::outcome::Outcome;
use harness_core::model::timeline::LifecycleEvent;
use harness_traffic::record::{
    ClientFailure, ClientResult, FailureCause, RequestPhase, ResponseRecord,
};

const BENIGN: &str = "benign-stream";
const ATTACK: &str = "attack-stream";
const POD: &str = "fleet-a";

fn spec(lost: LossExpectation, leaked: LeakedExpectation) -> StreamExpectation {
    StreamExpectation {
        lost: Located::unwritten(lost),
        leaked: Located::unwritten(leaked),
    }
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).expect("valid")
}

/// A pod that is asked to go in second 2 with this grace, and whose proxy is sent TERM in second 4.
fn timelines(grace_period_seconds: u64) -> Timelines {
    let events = [
        (None, LifecycleEvent::PodCreated),
        (None, LifecycleEvent::PodReady),
        (
            None,
            LifecycleEvent::DeletionRequested {
                grace_period_seconds,
            },
        ),
        (Some("envoy-frontproxy"), LifecycleEvent::PreStopStarted),
        (
            Some("envoy-frontproxy"),
            LifecycleEvent::TermSent {
                not_before: None,
                kill_after_milliseconds: 1000,
            },
        ),
    ];
    let timeline = events
        .into_iter()
        .zip(0..)
        .map(|((container, event), number)| TimelineEvent {
            at: second(number),
            container: container.map(Into::into),
            event,
        });
    Timelines::from([(POD.into(), timeline.collect())])
}

/// A benign request that every witness of the pod has seen.
fn answered(at: i64) -> FleetJoined {
    let mut joined = fixture::joined();
    joined.client.stream = BENIGN.into();
    joined.proxy[0].authorization_microseconds = Some(9);
    joined.client.intended_at = second(at);
    joined.client.finished_at = second(at);
    FleetJoined {
        holder: Holder::Pod(POD.into()),
        joined,
    }
}

fn refused(at: i64) -> FleetJoined {
    let mut request = answered(at);
    request.holder = Holder::None;
    request.joined.proxy.clear();
    request.joined.agent.clear();
    request.joined.upstream.clear();
    request.joined.client.result = ClientResult::Failed(ClientFailure {
        phase: RequestPhase::Connect,
        cause: FailureCause::Refused,
        detail: String::new(),
    });
    request
}

/// An answer of the proxy, which found no application.
fn unavailable(at: i64) -> FleetJoined {
    let mut request = answered(at);
    request.joined.upstream.clear();
    request.joined.proxy[0].upstream = None;
    request.joined.proxy[0].details = "upstream_reset".into();
    request.joined.proxy[0].status = 503;
    request.joined.client.result = ClientResult::Response(ResponseRecord {
        status: 503,
        ..ResponseRecord::default()
    });
    request
}

fn leaked(at: i64) -> FleetJoined {
    let mut request = answered(at);
    request.joined.client.stream = ATTACK.into();
    request
}

fn unaccounted(at: i64) -> FleetJoined {
    let mut request = answered(at);
    request.joined.proxy.clear();
    request
}

fn findings(
    expectation: &StreamExpectation,
    requests: &[FleetJoined],
    timelines: &Timelines,
) -> Vec<Finding> {
    let requests: Vec<StreamRequest<'_>> = requests
        .iter()
        .map(|request| {
            let is_attack = request.joined.client.stream == ATTACK;
            StreamRequest {
                kind: if is_attack {
                    StreamKind::Attack
                } else {
                    StreamKind::Benign
                },
                case: if is_attack { ATTACK } else { BENIGN },
                request,
            }
        })
        .collect();
    judge_streams(expectation, &requests, timelines).0.findings
}

#[test]
fn a_lost_request_of_a_pod_is_placed_in_the_pods_phase() {
    let found = findings(
        &spec(LossExpectation::None, LeakedExpectation::None),
        &[unavailable(3)],
        &timelines(20),
    );
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].kind, FindingKind::LostRequests);
    assert_eq!(found[0].notes, ["lost in: 1 × preStop running"]);
    assert_eq!(
        found[1].observed.to_string(),
        "lost: preStop running (rejected-by-proxy)"
    );
    assert!(found[1].notes.contains(&format!("pod: {POD}")), "{found:?}");
}

#[test]
fn a_refused_request_has_no_pod_and_names_those_that_were_leaving() {
    let found = findings(
        &spec(LossExpectation::None, LeakedExpectation::None),
        &[refused(4), answered(0)],
        &timelines(20),
    );
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(
        found[0].observed.to_string(),
        "1 of 2: below 97.47 % with 95 % confidence"
    );
    assert_eq!(
        found[1].observed.to_string(),
        "lost: no pod, refused while connecting (lost)"
    );
    let named = found[1]
        .notes
        .iter()
        .any(|note| note.starts_with("then fleet-a was 0 ms after: envoy-frontproxy TERM sent"));
    assert!(named, "{found:?}");
}

#[test]
fn losses_that_are_allowed_are_no_finding_and_a_leak_among_them_is() {
    let requests = [refused(4), unavailable(3)];
    let allowed = spec(LossExpectation::Allowed, LeakedExpectation::None);
    assert_eq!(findings(&allowed, &requests, &timelines(20)), []);
    let found = findings(&allowed, &[leaked(1)], &timelines(20));
    assert_eq!(found[0].kind, FindingKind::LeakedAttack);
    assert_eq!(found[1].observed.to_string(), "leaked: ready (allowed)");
}

#[test]
fn a_control_that_sees_nothing_is_a_finding() {
    let requests = [answered(1)];
    let words = |spec: &StreamExpectation| -> Vec<String> {
        let found = findings(spec, &requests, &timelines(20));
        found
            .into_iter()
            .map(|finding| finding.kind.to_string())
            .collect()
    };
    assert_eq!(
        words(&spec(LossExpectation::Some, LeakedExpectation::Some)),
        ["not-exercised", "not-exercised"]
    );
    assert!(words(&spec(LossExpectation::None, LeakedExpectation::None)).is_empty());
}

#[test]
fn what_is_unaccounted_for_is_a_finding_unless_its_pod_was_killed_then() {
    let allowed = spec(LossExpectation::Allowed, LeakedExpectation::None);
    let found = findings(&allowed, &[unaccounted(2)], &timelines(20));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(findings(&allowed, &[unaccounted(2)], &timelines(0)), []);
    assert_eq!(
        findings(&allowed, &[unaccounted(0)], &timelines(0)).len(),
        1
    );
}

#[test]
fn of_many_lost_requests_some_have_a_finding_of_their_own_and_the_total_has_all() {
    let requests: Vec<FleetJoined> = (0..50).map(|_| refused(4)).collect();
    let found = findings(
        &spec(LossExpectation::None, LeakedExpectation::None),
        &requests,
        &timelines(20),
    );
    assert_eq!(found.len(), 1 + MOST_OF_A_FATE);
    assert_eq!(
        found[0].notes,
        ["lost in: 50 × no pod, refused while connecting"]
    );
}

#[test]
fn a_request_of_two_pods_is_not_the_applications_answer() {
    let mut request = answered(1);
    request.holder = Holder::Several(vec![POD.into(), "fleet-b".into()]);
    assert_eq!(request.decide().outcome, Outcome::Ambiguous);
    let found = findings(
        &spec(LossExpectation::Allowed, LeakedExpectation::None),
        &[request],
        &timelines(20),
    );
    assert_eq!(found.len(), 1, "{found:?}");
}
