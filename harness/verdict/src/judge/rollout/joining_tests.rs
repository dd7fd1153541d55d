//! Tests of [`super`]: what is known of a pod by the attacks that were sent straight to it.

use super::*;
use crate::witness::fixture;
use harness_traffic::record::{ClientFailure, FailureCause, RequestPhase, ResponseRecord};

const POD: &str = "fleet-a";

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).expect("valid")
}

/// A pod that is ready in this second.
fn ready_in(at: i64) -> Vec<TimelineEvent> {
    [
        (0, LifecycleEvent::PodCreated),
        (at, LifecycleEvent::PodReady),
    ]
    .map(|(at, event)| TimelineEvent {
        at: second(at),
        container: None,
        event,
    })
    .into()
}

/// An attack whose connection was refused.
fn refused(at: i64) -> FleetJoined {
    let mut joined = fixture::joined();
    joined.proxy.clear();
    joined.agent.clear();
    joined.upstream.clear();
    joined.client.id = format!("a.b.{at}.r");
    joined.client.intended_at = second(at);
    joined.client.finished_at = second(at);
    joined.client.result = ClientResult::Failed(ClientFailure {
        phase: RequestPhase::Connect,
        cause: FailureCause::Refused,
        detail: "refused".into(),
    });
    FleetJoined {
        holder: Holder::None,
        joined,
    }
}

/// An attack that the agent denied.
fn denied(at: i64) -> FleetJoined {
    let mut request = refused(at);
    let fixture = fixture::joined();
    request.holder = Holder::Pod(POD.into());
    request.joined.proxy = fixture.proxy;
    request.joined.agent = fixture.agent;
    request.joined.proxy[0].status = 406;
    request.joined.proxy[0].details = "ext_authz_denied".into();
    request.joined.proxy[0].upstream = None;
    request.joined.proxy[0].authorization_microseconds = Some(9);
    request.joined.agent[0].decision = 406;
    request.joined.client.sent_at = Some(second(at));
    request.joined.client.result = ClientResult::Response(ResponseRecord {
        status: 406,
        ..ResponseRecord::default()
    });
    request
}

fn judged(joined: &[FleetJoined], timeline: &[TimelineEvent]) -> Option<Finding> {
    Joining::of(joined, timeline).judge(POD, Position::default(), timeline)
}

#[test]
fn a_pod_that_denied_before_it_was_ready_enforces_first() {
    let joined = [refused(1), denied(2), denied(5)];
    let timeline = ready_in(4);
    assert_eq!(judged(&joined, &timeline), None);
    let enforcement = Joining::of(&joined, &timeline);
    assert!(enforcement.met_too_late().is_none());
    assert!(enforcement.describe().contains("2000 ms before"));
}

#[test]
fn a_pod_that_denied_nothing_is_found_with_what_became_of_the_attacks() {
    let joined = [refused(1), refused(3), refused(2)];
    let timeline = ready_in(2);
    let finding = judged(&joined, &timeline).expect("it denied nothing");
    assert_eq!(finding.observed.to_string(), "no attack was denied");
    let last = finding.request.expect("its last attack");
    assert_eq!(last.as_str(), "a.b.3.r");
    assert_eq!(
        fates(&joined, &timeline),
        "3 × turned away, no pod, refused while connecting"
    );
    assert_eq!(fates(&[], &timeline), "none was sent");
}

#[test]
fn a_pod_that_was_met_when_it_was_ready_proves_nothing() {
    let joined = [denied(5)];
    let enforcement = Joining::of(&joined, &ready_in(4));
    assert_eq!(enforcement.met_too_late(), Some(Duration::from_secs(1)));
}

#[test]
fn what_got_through_a_pod_that_was_met_late_got_through() {
    let mut leaked = denied(5);
    leaked.joined = fixture::joined();
    leaked.joined.client.sent_at = Some(second(5));
    let finding = judged(&[leaked], &ready_in(4)).expect("it leaked");
    assert!(
        finding.observed.to_string().contains("1 attacks"),
        "{finding:?}"
    );
}

#[test]
fn an_attack_that_ends_after_readiness_was_sent_before_it() {
    let mut cut = refused(5);
    cut.joined.client.sent_at = Some(second(3));
    let joined = [cut, denied(6)];
    assert!(Joining::of(&joined, &ready_in(4)).met_too_late().is_none());
}
