//! Tests of a pod's timeline: it depends on what was said and not on the order in which it was collected, and nothing of it is taken back.

use proptest::prelude::*;

use super::*;
use crate::kube::timeline::fold::fold;
use crate::pod_timeline::PodTimeline;

/// One thing that a source can say.
#[derive(Clone, Debug)]
enum Step {
    DeletionAsked,
    Kubelet(&'static str, &'static str, i32),
    Process(ProcessChange),
    Status(Box<Pod>),
    TermReceived,
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    let first = json!({ "exitCode": 137, "containerID": "containerd://x",
        "finishedAt": at(10_000).to_string() });
    let statuses = vec![
        running(false),
        running(true),
        deleted(),
        ended(0),
        ended(137),
        restarted(&first),
        restarted(&Value::Null),
    ];
    let changes = [
        ProcessChange::Entered {
            process: 7,
            command: vec!["sleep".into(), "1".into()],
        },
        ProcessChange::Entered {
            process: 8,
            command: vec!["probe".into()],
        },
        ProcessChange::Left { process: 7 },
        ProcessChange::Ended,
        ProcessChange::EndedWith { exit_code: 143 },
    ];
    let signals = [
        ("Unhealthy", "Startup probe failed: no"),
        ("Killing", "Stopping container a"),
        ("Killing", "Container a failed liveness probe"),
        ("FailedPreStopHook", "no such file"),
    ];
    let signal = (prop::sample::select(signals.to_vec()), 1..4_i32);
    prop_oneof![
        1 => Just(Step::DeletionAsked),
        3 => signal.prop_map(|((reason, message), count)| Step::Kubelet(reason, message, count)),
        4 => prop::sample::select(changes.to_vec()).prop_map(Step::Process),
        4 => prop::sample::select(statuses).prop_map(|pod| Step::Status(Box::new(pod))),
        1 => Just(Step::TermReceived),
        3 => Just(Step::Tick),
    ]
}

/// The kinds of containers whose rules differ.
fn beginnings() -> impl Strategy<Value = PodState> {
    let exec = json!({ "exec": { "command": ["sleep", "1"] } });
    let http = json!({ "httpGet": { "port": 80 } });
    let sleep = json!({ "sleep": { "seconds": 2 } });
    let hooks = [None, Some(exec), Some(http), Some(sleep)];
    let all = hooks.into_iter().flat_map(|hook| {
        let container = beginning(hook.clone());
        [container, proxys_beginning(hook)]
    });
    prop::sample::select(all.collect::<Vec<_>>())
}

/// Says one thing at that moment; returns what it adds.
fn say(recorder: &mut PodRecorder, now: Timestamp, step: &Step) -> Vec<TimelineEvent> {
    match step {
        Step::DeletionAsked => recorder.ask_deletion(now),
        Step::Kubelet(reason, message, count) => {
            recorder.kubelet_event(now, &kubelet(reason, message, *count))
        }
        Step::Process(change) => recorder.process(now, &process(change.clone())),
        Step::Status(pod) => recorder.status(now, pod),
        Step::TermReceived => recorder.term_received(now, "a", now),
        Step::Tick => recorder.tick(now),
    }
}

proptest! {
    #[test]
    fn facts_that_are_collected_in_another_order_give_the_same_timeline(
        beginning in beginnings(),
        steps in prop::collection::vec((0..1500_i64, step()), 0..25),
        seed in any::<u64>(),
    ) {
        let mut recorder = PodRecorder::beginning_with(beginning.clone());
        let mut now = 8000;
        let mut delivered = Vec::new();
        for (later, step) in &steps {
            now += later;
            delivered.extend(say(&mut recorder, at(now), step));
            // What was delivered stands: the timeline of what is known now begins with it.
            let known = fold(&beginning, &recorder.facts).events;
            prop_assert_eq!(&known, &delivered);
        }
        delivered.extend(recorder.conclude());
        let mut shuffled = recorder.facts.clone();
        shuffle(&mut shuffled, seed);
        prop_assert_eq!(fold(&beginning, &shuffled).events, delivered);
    }

    #[test]
    fn a_stop_is_the_same_however_late_its_sources_are(
        status_late in 1..400_i64,
        kubelet_late in 1..3000_i64,
        end_late in 1..3000_i64,
    ) {
        let command = vec!["sleep".to_owned(), "1".to_owned()];
        let entered = ProcessChange::Entered { process: 7, command };
        let mut steps = vec![
            (9000, Step::DeletionAsked),
            (9000 + status_late, Step::Status(Box::new(deleted()))),
            (9005 + kubelet_late, Step::Kubelet("Killing", "Stopping container a", 1)),
            (9006, Step::Process(entered)),
            (10_020, Step::Process(ProcessChange::Left { process: 7 })),
            (10_500, Step::Process(ProcessChange::Ended)),
            (10_510, Step::Process(ProcessChange::EndedWith { exit_code: 0 })),
            (10_510 + end_late, Step::Status(Box::new(ended(0)))),
        ];
        steps.sort_by_key(|(millisecond, _)| *millisecond);
        let hook = json!({ "exec": { "command": ["sleep", "1"] } });
        let mut recorder = recorder(Some(hook));
        recorder.status(at(0), &running(true));
        let timeline = PodTimeline::new();
        for (millisecond, step) in &steps {
            for event in say(&mut recorder, at(*millisecond), step) {
                timeline.place(event);
            }
        }
        let events = timeline.events();
        prop_assert_eq!(
            names(&events),
            [
                "DeletionRequested",
                "PodNotReady",
                "PreStopStarted",
                "PreStopFinished",
                "TermSent",
                "Exited",
                "ContainerNotReady",
            ]
        );
        prop_assert_eq!(term_of(&events), (at(10_020), at(10_020)));
    }
}

/// Puts facts into an order that the seed decides.
fn shuffle(facts: &mut [Fact], seed: u64) {
    let mut state = seed | 1;
    for position in (1..facts.len()).rev() {
        // A linear congruential generator is good enough here.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let range = u64::try_from(position + 1).expect("it fits");
        let other = usize::try_from((state >> 33) % range).expect("it fits");
        facts.swap(position, other);
    }
}
