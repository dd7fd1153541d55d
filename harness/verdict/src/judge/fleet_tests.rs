//! Tests of [`super`]: fates by outcome, phases by moment.

use rstest::rstest;

use super::*;
use crate::witness::fixture;
use harness_core::model::timeline::ExitStatus;
use harness_traffic::record::ResponseRecord;

const AGENT: &str = "sigsci-agent";

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).expect("valid")
}

/// One event a second, from second 0 on.
fn timeline(events: &[(&str, LifecycleEvent)]) -> Vec<TimelineEvent> {
    events
        .iter()
        .zip(0..)
        .map(|((container, event), number)| TimelineEvent {
            at: second(number),
            container: (!container.is_empty()).then(|| (*container).to_owned()),
            event: event.clone(),
        })
        .collect()
}

const fn term() -> LifecycleEvent {
    LifecycleEvent::TermSent {
        not_before: None,
        kill_after_milliseconds: 1000,
    }
}

fn orderly() -> Vec<TimelineEvent> {
    timeline(&[
        ("", LifecycleEvent::PodCreated),
        ("", LifecycleEvent::PodReady),
        (
            "",
            LifecycleEvent::DeletionRequested {
                grace_period_seconds: 20,
            },
        ),
        ("", LifecycleEvent::PodNotReady),
        (PROXY_CONTAINER, LifecycleEvent::PreStopStarted),
        (PROXY_CONTAINER, term()),
        (PROXY_CONTAINER, LifecycleEvent::Exited(ExitStatus::Code(0))),
        (AGENT, term()),
        (AGENT, LifecycleEvent::Exited(ExitStatus::Code(0))),
        ("", LifecycleEvent::PodGone),
    ])
}

#[rstest]
#[case(-1, "starting")]
#[case(0, "starting")]
#[case(1, "ready")]
#[case(2, "endpoint removed")]
#[case(3, "endpoint removed")]
#[case(4, "preStop running")]
#[case(5, "TERM sent to envoy-frontproxy")]
#[case(6, "envoy-frontproxy exited")]
#[case(8, "envoy-frontproxy exited")]
#[case(9, "gone")]
fn a_moment_lies_in_the_phase_that_the_last_event_began(#[case] at: i64, #[case] phase: &str) {
    assert_eq!(PodPhase::at(&orderly(), second(at)).to_string(), phase);
}

#[test]
fn an_agent_that_ends_before_the_proxy_gives_the_phase_its_name() {
    let mut events = orderly();
    events[5].container = Some(AGENT.into());
    assert_eq!(
        PodPhase::at(&events, second(5)),
        PodPhase::TermSent(AGENT.into())
    );
}

#[test]
fn a_container_that_is_killed_and_restarted_is_no_deletion() {
    let events = timeline(&[
        ("", LifecycleEvent::PodReady),
        (AGENT, LifecycleEvent::Exited(ExitStatus::Signal(9))),
        ("", LifecycleEvent::PodNotReady),
        (AGENT, LifecycleEvent::Started { restart_count: 1 }),
        ("", LifecycleEvent::PodReady),
    ]);
    let at = |moment| PodPhase::at(&events, second(moment));
    assert_eq!(at(1), PodPhase::Without(AGENT.into()));
    assert_eq!(at(2), PodPhase::Without(AGENT.into()));
    assert_eq!(at(3), PodPhase::NotReady);
    assert_eq!(at(4), PodPhase::Ready);
    assert!(!at(1).is_leaving());
}

#[rstest]
#[case(StreamKind::Benign, Outcome::Allowed, Fate::AsUsual)]
#[case(StreamKind::Benign, Outcome::AllowedAndTagged, Fate::Misjudged)]
#[case(StreamKind::Benign, Outcome::BlockedByAgent, Fate::Misjudged)]
#[case(StreamKind::Benign, Outcome::FailedOpen, Fate::Uninspected)]
#[case(StreamKind::Benign, Outcome::NotInspected, Fate::Uninspected)]
#[case(StreamKind::Benign, Outcome::FailedClosed, Fate::Lost)]
#[case(StreamKind::Benign, Outcome::RejectedByProxy, Fate::Lost)]
#[case(StreamKind::Benign, Outcome::Lost, Fate::Lost)]
#[case(StreamKind::Benign, Outcome::Ambiguous, Fate::Unaccounted)]
#[case(StreamKind::Attack, Outcome::BlockedByAgent, Fate::AsUsual)]
#[case(StreamKind::Attack, Outcome::Lost, Fate::TurnedAway)]
#[case(StreamKind::Attack, Outcome::FailedClosed, Fate::TurnedAway)]
#[case(StreamKind::Attack, Outcome::FailedOpen, Fate::Leaked)]
#[case(StreamKind::Attack, Outcome::Ambiguous, Fate::Unaccounted)]
fn a_fate_follows_from_the_outcome(
    #[case] kind: StreamKind,
    #[case] outcome: Outcome,
    #[case] fate: Fate,
) {
    let mut joined = fixture::joined();
    joined.upstream.clear();
    joined.client.result = ClientResult::Response(ResponseRecord {
        status: 406,
        ..ResponseRecord::default()
    });
    assert_eq!(Fate::of(kind, &joined, outcome), fate);
}

#[test]
fn an_attack_that_the_application_has_is_leaked_whatever_the_others_say() {
    let mut joined = fixture::joined();
    joined.client.result = ClientResult::Response(ResponseRecord {
        status: 406,
        ..ResponseRecord::default()
    });
    for outcome in [Outcome::Lost, Outcome::Ambiguous, Outcome::BlockedByAgent] {
        assert_eq!(Fate::of(StreamKind::Attack, &joined, outcome), Fate::Leaked);
    }
}

#[test]
fn an_attack_that_is_answered_without_a_denial_is_leaked_though_nobody_recorded_it() {
    let mut joined = fixture::joined();
    joined.upstream.clear();
    assert_eq!(
        Fate::of(StreamKind::Attack, &joined, Outcome::Ambiguous),
        Fate::Leaked
    );
}

#[test]
fn an_attack_that_somebody_outside_the_fleet_answers_has_leaked_to_nobody() {
    let mut joined = fixture::joined();
    joined.proxy.clear();
    joined.agent.clear();
    joined.upstream.clear();
    joined.client.result = ClientResult::Response(ResponseRecord {
        status: 200,
        headers: vec![("server".into(), "somebody".into())],
        ..ResponseRecord::default()
    });
    assert_eq!(
        Fate::of(StreamKind::Attack, &joined, Outcome::Lost),
        Fate::TurnedAway
    );
    assert_eq!(
        end_without_pod(&joined.client),
        "no pod, answered 200 by a server that calls itself `somebody`"
    );
}

#[test]
fn a_refused_connection_is_lost_without_a_pod_at_the_moment_of_the_refusal() {
    let mut client = fixture::client();
    client.finished_at = second(7);
    client.result = ClientResult::Failed(ClientFailure {
        phase: RequestPhase::Connect,
        cause: FailureCause::Refused,
        detail: String::new(),
    });
    assert_eq!(end_without_pod(&client), "no pod, refused while connecting");
    assert_eq!(moment_of(&client), second(7));
}

#[test]
fn only_a_killed_pod_may_lack_records_and_only_about_then() {
    let mut events = orderly();
    assert!(!may_lack_records(&events, second(2)));
    events[2].event = LifecycleEvent::DeletionRequested {
        grace_period_seconds: 0,
    };
    assert!(may_lack_records(&events, second(2)));
    assert!(may_lack_records(&events, second(1)));
    assert!(!may_lack_records(&events, second(9)));
}
