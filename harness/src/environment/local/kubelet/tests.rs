//! The kubelet's rules on the paused clock, with containers that are scripts.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::{self, Instant};

use super::*;
use crate::model::timeline::LifecycleEvent as E;

/// How a fake container behaves.
#[derive(Clone, Debug, Default)]
struct Script {
    /// When it ends by itself, and how.
    ends: Option<(u64, i32)>,
    /// How long it takes to end after TERM; none ignores TERM.
    obeys_term_after: Option<u64>,
    /// Why it does not start.
    start_fault: Option<StartFault>,
    /// From when on, counted from its start, probes of it succeed; and from when on they fail again.
    healthy: Option<(u64, u64)>,
    /// How long its hook runs, and its exit code.
    hook: (u64, i32),
    /// Whether its hook's command does not exist.
    hook_is_missing: bool,
}

#[derive(Clone)]
struct FakeProcess {
    container: usize,
    started_at: Instant,
    script: Script,
    end: Rc<watch::Sender<Option<ExitStatus>>>,
}

impl FakeProcess {
    fn end_after(&self, delay: Duration, status: ExitStatus) {
        let end = Rc::clone(&self.end);
        tokio::task::spawn_local(async move {
            time::sleep(delay).await;
            end.send_if_modified(|current| {
                let first = current.is_none();
                current.get_or_insert(status);
                first
            });
        });
    }

    fn is_healthy(&self) -> bool {
        let age = self.started_at.elapsed();
        self.script.healthy.is_some_and(|(from, to)| {
            age >= Duration::from_secs(from) && age < Duration::from_secs(to)
        })
    }
}

/// Runs scripts; each start takes the container's next one, and the last again and again.
#[derive(Default)]
struct FakeRuntime {
    scripts: RefCell<Vec<VecDeque<Script>>>,
    current: RefCell<Vec<Option<FakeProcess>>>,
    /// What a network question is answered with, whoever asks.
    answer: Cell<Option<DialAnswer>>,
    /// How long a probe's command runs.
    exec_takes: Cell<u64>,
}

impl ContainerRuntime for FakeRuntime {
    type Process = FakeProcess;

    async fn start(&self, container: usize) -> Result<FakeProcess, StartFault> {
        let script = {
            let mut scripts = self.scripts.borrow_mut();
            let scripts = &mut scripts[container];
            if scripts.len() > 1 {
                scripts.pop_front().expect("more than one")
            } else {
                scripts[0].clone()
            }
        };
        if let Some(fault) = script.start_fault {
            return Err(fault);
        }
        let process = FakeProcess {
            container,
            started_at: Instant::now(),
            script,
            end: Rc::new(watch::Sender::new(None)),
        };
        if let Some((after, code)) = process.script.ends {
            process.end_after(Duration::from_secs(after), ExitStatus::Code(code));
        }
        self.current.borrow_mut()[container] = Some(process.clone());
        Ok(process)
    }

    async fn wait(&self, process: &FakeProcess) -> ExitStatus {
        let mut end = process.end.subscribe();
        let status = *end
            .wait_for(Option::is_some)
            .await
            .expect("the process holds the sender");
        status.expect("waited for it")
    }

    fn signal(&self, process: &FakeProcess, signal: StopSignal) {
        match (signal, process.script.obeys_term_after) {
            (StopSignal::Kill, _) => process.end_after(Duration::ZERO, ExitStatus::Signal(9)),
            (StopSignal::Term, Some(seconds)) => {
                process.end_after(Duration::from_secs(seconds), ExitStatus::Code(0));
            }
            (StopSignal::Term, None) => {}
        }
    }

    async fn exec(&self, process: &FakeProcess, command: &[String]) -> Result<ExecOutcome, String> {
        let outcome = |code| {
            Ok(ExecOutcome {
                status: ExitStatus::Code(code),
                output: String::new(),
            })
        };
        if command[0] != "hook" {
            time::sleep(Duration::from_secs(self.exec_takes.get())).await;
            return outcome(i32::from(!process.is_healthy()));
        }
        if process.script.hook_is_missing {
            return Err("exec: `hook`: not found in PATH".into());
        }
        let (takes, code) = process.script.hook;
        time::sleep(Duration::from_secs(takes)).await;
        outcome(code)
    }

    async fn dial(&self, dial: &Dial, _: Duration) -> Result<DialAnswer, String> {
        if let Some(answer) = self.answer.get() {
            return Ok(answer);
        }
        // By convention of these tests the port is the container's number.
        let port = match dial {
            Dial::Http { port, .. } | Dial::Tcp { port, .. } | Dial::Grpc { port, .. } => *port,
        };
        let current = self.current.borrow();
        let process = current[usize::from(port)].as_ref();
        if process
            .is_some_and(|process| process.container == usize::from(port) && process.is_healthy())
        {
            Ok(DialAnswer::Status(200))
        } else {
            Ok(DialAnswer::Status(503))
        }
    }
}

/// An event: the millisecond, the container, what happened.
type Happened = (u64, Option<String>, E);

/// One simulated pod.
struct World {
    runtime: Rc<FakeRuntime>,
    state: Rc<PodState<FakeProcess>>,
    rules: PodRules,
    began: Instant,
}

impl World {
    fn new(containers: Vec<(ContainerRules, Vec<Script>)>) -> Self {
        let names: Vec<String> = containers
            .iter()
            .map(|(rules, _)| rules.name.clone())
            .collect();
        let (rules, scripts): (Vec<_>, Vec<_>) = containers.into_iter().unzip();
        let runtime = FakeRuntime {
            current: RefCell::new(vec![None; rules.len()]),
            scripts: RefCell::new(scripts.into_iter().map(VecDeque::from).collect()),
            ..FakeRuntime::default()
        };
        Self {
            runtime: Rc::new(runtime),
            state: Rc::new(PodState::new(names)),
            rules: PodRules {
                containers: rules,
                restart_policy: RestartPolicy::Always,
                grace: Duration::from_secs(30),
            },
            began: Instant::now(),
        }
    }

    fn one(rules: ContainerRules, script: Script) -> Self {
        Self::new(vec![(rules, vec![script])])
    }

    fn policy(mut self, policy: RestartPolicy) -> Self {
        self.rules.restart_policy = policy;
        self
    }

    fn grace(mut self, seconds: u64) -> Self {
        self.rules.grace = Duration::from_secs(seconds);
        self
    }

    /// Runs for a while, asks for deletion at the given second, and returns what happened when.
    async fn run(self, seconds: u64, deletion_at: Option<u64>) -> Vec<Happened> {
        let Self {
            runtime,
            state,
            rules,
            began,
        } = self;
        let log: Rc<RefCell<Vec<Happened>>> = Rc::default();
        let local = LocalSet::new();
        // The timeline carries the wall clock; the tests want the simulated one.
        let (journal, observed) = (Rc::clone(&log), Rc::clone(&state));
        local.spawn_local(async move {
            let mut count = observed.event_count();
            let mut seen = 0;
            loop {
                let events = observed.events_from(seen);
                seen += events.len();
                let now = u64::try_from(began.elapsed().as_millis()).expect("a short test");
                journal.borrow_mut().extend(
                    events
                        .into_iter()
                        .map(|event| (now, event.container, event.event)),
                );
                if count.wait_for(|count| *count > seen).await.is_err() {
                    return;
                }
            }
        });
        let grace = rules.grace;
        local.spawn_local(Kubelet::new(runtime, rules, Rc::clone(&state)).run());
        local
            .run_until(async {
                if let Some(second) = deletion_at {
                    time::sleep(Duration::from_secs(second)).await;
                    state.request_deletion(grace);
                }
                time::sleep_until(began + Duration::from_secs(seconds)).await;
                time::sleep(Duration::from_millis(1)).await;
            })
            .await;
        log.take()
    }
}

fn container(name: &str) -> ContainerRules {
    ContainerRules {
        name: name.into(),
        ..ContainerRules::default()
    }
}

fn http(port: u16) -> ProbeRules {
    probe(Check::Dial(Dial::Http {
        host: "10.244.0.2".into(),
        port,
        path: "/".into(),
        headers: Vec::new(),
    }))
}

fn exec() -> ProbeRules {
    probe(Check::Exec(vec!["probe".into()]))
}

fn probe(check: Check) -> ProbeRules {
    ProbeRules {
        initial_delay: Duration::ZERO,
        period: Duration::from_secs(10),
        timeout: Duration::from_secs(1),
        failure_threshold: 3,
        success_threshold: 1,
        grace: None,
        check,
    }
}

fn hook() -> Hook {
    Hook::Exec(vec!["hook".into()])
}

fn obedient() -> Script {
    Script {
        obeys_term_after: Some(0),
        healthy: Some((0, u64::MAX)),
        ..Script::default()
    }
}

fn healthy_from(second: u64) -> Script {
    Script {
        healthy: Some((second, u64::MAX)),
        ..obedient()
    }
}

/// Returns the milliseconds at which an event of this kind happened.
fn times(events: &[Happened], matches: impl Fn(&E) -> bool) -> Vec<u64> {
    events
        .iter()
        .filter(|(_, _, event)| matches(event))
        .map(|(at, _, _)| *at)
        .collect()
}

fn probes(events: &[Happened], kind: ProbeKind) -> Vec<(u64, bool)> {
    events
        .iter()
        .filter_map(|(at, _, event)| match event {
            E::Probed { probe, success, .. } if *probe == kind => Some((*at, *success)),
            _ => None,
        })
        .collect()
}

fn names(events: &[Happened]) -> Vec<E> {
    events.iter().map(|(_, _, event)| event.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_container_without_probes_is_ready_once_it_runs() {
    let events = World::one(container("app"), obedient()).run(1, None).await;
    assert_eq!(
        names(&events),
        [
            E::PodCreated,
            E::Started { restart_count: 0 },
            E::StartupComplete,
            E::ContainerReady,
            E::PodReady,
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn containers_start_in_the_order_of_the_list() {
    let world = World::new(vec![
        (container("proxy"), vec![obedient()]),
        (container("app"), vec![obedient()]),
        (container("agent"), vec![obedient()]),
    ]);
    let events = world.run(1, None).await;
    let started: Vec<_> = events
        .iter()
        .filter(|(_, _, event)| matches!(event, E::Started { .. }))
        .map(|(_, name, _)| name.clone().expect("a container"))
        .collect();
    assert_eq!(started, ["proxy", "app", "agent"]);
}

#[tokio::test(start_paused = true)]
async fn the_startup_probe_holds_back_the_other_probes_and_readiness() {
    let rules = ContainerRules {
        startup: Some(http(0)),
        readiness: Some(http(0)),
        liveness: Some(http(0)),
        ..container("app")
    };
    let events = World::one(rules, healthy_from(15)).run(41, None).await;
    assert_eq!(
        probes(&events, ProbeKind::Startup),
        [(0, false), (10_000, false), (20_000, true)]
    );
    assert_eq!(
        times(&events, |event| *event == E::StartupComplete),
        [20_000]
    );
    assert_eq!(probes(&events, ProbeKind::Readiness)[0], (20_000, true));
    assert!(probes(&events, ProbeKind::Liveness)[0].0 >= 20_000);
    assert_eq!(times(&events, |event| *event == E::PodReady), [20_000]);
}

#[tokio::test(start_paused = true)]
async fn a_startup_probe_that_keeps_failing_restarts_the_container_which_never_gets_ready() {
    let rules = ContainerRules {
        startup: Some(http(0)),
        ..container("app")
    };
    let events = World::one(rules, healthy_from(1000)).run(40, None).await;
    assert_eq!(
        probes(&events, ProbeKind::Startup)[..3],
        [(0, false), (10_000, false), (20_000, false)]
    );
    assert!(names(&events).contains(&E::TermSent {
        not_before: None,
        kill_after_milliseconds: 30_000
    }));
    let reason = names(&events)
        .into_iter()
        .find_map(|event| match event {
            E::Restarting { reason } => Some(reason),
            _ => None,
        })
        .expect("a restart");
    assert_eq!(reason, "the startup probe failed: status 503");
    assert_eq!(
        times(&events, |event| matches!(
            event,
            E::Started { restart_count: 1 }
        )),
        [20_000],
        "the first restart comes at once"
    );
    assert!(times(&events, |event| *event == E::ContainerReady).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_initial_delay_is_over_at_the_first_beat_after_it() {
    let mut readiness = http(0);
    readiness.initial_delay = Duration::from_secs(5);
    let rules = ContainerRules {
        readiness: Some(readiness),
        ..container("app")
    };
    let events = World::one(rules, obedient()).run(11, None).await;
    assert_eq!(probes(&events, ProbeKind::Readiness), [(10_000, true)]);
}

#[tokio::test(start_paused = true)]
async fn readiness_comes_and_goes_with_its_thresholds() {
    let mut readiness = http(0);
    readiness.period = Duration::from_secs(1);
    readiness.success_threshold = 2;
    readiness.failure_threshold = 3;
    let rules = ContainerRules {
        readiness: Some(readiness),
        ..container("app")
    };
    let script = Script {
        healthy: Some((5, 10)),
        ..obedient()
    };
    let events = World::one(rules, script).run(20, None).await;
    assert_eq!(times(&events, |event| *event == E::PodReady), [6000]);
    assert_eq!(times(&events, |event| *event == E::PodNotReady), [12_000]);
    assert!(times(&events, |event| matches!(event, E::Restarting { .. })).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_pod_is_ready_when_its_last_container_is() {
    let rules = |name, port| ContainerRules {
        readiness: Some(http(port)),
        ..container(name)
    };
    let world = World::new(vec![
        (rules("proxy", 0), vec![obedient()]),
        (rules("agent", 1), vec![healthy_from(25)]),
    ]);
    let events = world.run(40, None).await;
    assert_eq!(
        times(&events, |event| *event == E::ContainerReady),
        [0, 30_000]
    );
    assert_eq!(times(&events, |event| *event == E::PodReady), [30_000]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_liveness_probe_ends_the_container_with_the_probes_own_grace() {
    let mut liveness = exec();
    liveness.grace = Some(Duration::from_secs(4));
    let rules = ContainerRules {
        liveness: Some(liveness),
        pre_stop: Some(hook()),
        ..container("app")
    };
    let script = Script {
        healthy: Some((0, 5)),
        obeys_term_after: None,
        ..obedient()
    };
    let events = World::one(rules, script).run(35, None).await;
    assert_eq!(
        probes(&events, ProbeKind::Liveness)[..4],
        [(0, true), (10_000, false), (20_000, false), (30_000, false)]
    );
    let names = names(&events);
    assert!(
        names.contains(&E::PreStopFinished { exit_code: Some(0) }),
        "{names:?}"
    );
    assert!(
        names.contains(&E::TermSent {
            not_before: None,
            kill_after_milliseconds: 4000
        }),
        "{names:?}"
    );
    assert_eq!(times(&events, |event| *event == E::KillSent), [34_000]);
    assert_eq!(
        times(&events, |event| matches!(
            event,
            E::Started { restart_count: 1 }
        )),
        [34_000]
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_that_takes_too_long_is_a_failure() {
    let mut readiness = exec();
    readiness.timeout = Duration::from_secs(2);
    let rules = ContainerRules {
        readiness: Some(readiness),
        ..container("app")
    };
    let world = World::one(rules, obedient());
    world.runtime.exec_takes.set(3);
    let events = world.run(5, None).await;
    assert_eq!(probes(&events, ProbeKind::Readiness), [(2000, false)]);
}

#[tokio::test(start_paused = true)]
async fn statuses_from_200_to_399_and_serving_are_success() {
    for (answer, expected) in [
        (DialAnswer::Status(199), false),
        (DialAnswer::Status(200), true),
        (DialAnswer::Status(399), true),
        (DialAnswer::Status(400), false),
        (DialAnswer::Health(1), true),
        (DialAnswer::Health(2), false),
        (DialAnswer::Connected, true),
    ] {
        let rules = ContainerRules {
            readiness: Some(http(0)),
            ..container("app")
        };
        let world = World::one(rules, obedient());
        world.runtime.answer.set(Some(answer));
        let events = world.run(1, None).await;
        assert_eq!(
            probes(&events, ProbeKind::Readiness),
            [(0, expected)],
            "{answer:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn restarts_back_off_and_say_so() {
    let script = Script {
        ends: Some((1, 1)),
        ..obedient()
    };
    let events = World::one(container("app"), script).run(40, None).await;
    assert_eq!(
        times(&events, |event| matches!(event, E::Started { .. })),
        // Ends at 1, 2, 13 and 34 seconds; waits 0, 10 and 20 seconds.
        [0, 1000, 12_000, 33_000]
    );
    let reasons: Vec<String> = names(&events)
        .into_iter()
        .filter_map(|event| match event {
            E::Restarting { reason } => Some(reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons[0], "the container ended with exit code 1");
    assert_eq!(
        reasons[1],
        "CrashLoopBackOff: back-off 10s: the container ended with exit code 1"
    );
}

#[tokio::test(start_paused = true)]
async fn the_restart_policy_decides() {
    for (policy, code, restarts) in [
        (RestartPolicy::Always, 0, true),
        (RestartPolicy::OnFailure, 0, false),
        (RestartPolicy::OnFailure, 1, true),
        (RestartPolicy::Never, 1, false),
    ] {
        let script = Script {
            ends: Some((1, code)),
            ..obedient()
        };
        let world = World::one(container("app"), script).policy(policy);
        let events = world.run(5, None).await;
        let restarted = names(&events).contains(&E::Started { restart_count: 1 });
        assert_eq!(restarted, restarts, "{policy:?} {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_probe_restarts_under_on_failure_even_after_a_clean_exit() {
    let rules = ContainerRules {
        liveness: Some(exec()),
        ..container("app")
    };
    let world = World::one(rules, healthy_from(1000)).policy(RestartPolicy::OnFailure);
    let events = world.run(25, None).await;
    assert!(names(&events).contains(&E::Exited(ExitStatus::Code(0))));
    assert!(names(&events).contains(&E::Started { restart_count: 1 }));
}

#[tokio::test(start_paused = true)]
async fn a_failed_liveness_probe_ends_the_container_for_good_under_never() {
    let rules = ContainerRules {
        liveness: Some(exec()),
        ..container("app")
    };
    let world = World::one(rules, healthy_from(1000)).policy(RestartPolicy::Never);
    let events = world.run(60, None).await;
    assert!(names(&events).contains(&E::Exited(ExitStatus::Code(0))));
    assert!(
        !names(&events)
            .iter()
            .any(|event| matches!(event, E::Restarting { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_secret_is_a_configuration_error_and_leaves_the_others_alone() {
    let script = Script {
        start_fault: Some(StartFault::Configuration {
            reason: "secret \"x\" not found".into(),
        }),
        ..obedient()
    };
    let world = World::new(vec![
        (container("agent"), vec![script]),
        (container("app"), vec![obedient()]),
    ]);
    let events = world.run(5, Some(3)).await;
    assert!(names(&events).contains(&E::Restarting {
        reason: "CreateContainerConfigError: secret \"x\" not found".into()
    }));
    assert_eq!(times(&events, |event| *event == E::ContainerReady).len(), 1);
    assert!(!names(&events).contains(&E::PodReady));
    assert_eq!(names(&events).last(), Some(&E::PodGone));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_cannot_be_made_counts_as_exit_code_128_and_backs_off() {
    let script = Script {
        start_fault: Some(StartFault::Process {
            reason: "exec: `x`: not found in PATH".into(),
        }),
        ..obedient()
    };
    let events = World::one(container("app"), script).run(11, None).await;
    assert_eq!(
        times(&events, |event| *event == E::Exited(ExitStatus::Code(128))),
        [0, 0, 10_000]
    );
}

#[tokio::test(start_paused = true)]
async fn readiness_goes_first_and_hooks_start_together() {
    let rules = |name| ContainerRules {
        pre_stop: Some(hook()),
        ..container(name)
    };
    let script = |seconds| Script {
        hook: (seconds, 0),
        ..obedient()
    };
    let world = World::new(vec![
        (rules("proxy"), vec![script(5)]),
        (rules("agent"), vec![script(8)]),
    ]);
    let events = world.run(60, Some(10)).await;
    let deletion = events
        .iter()
        .position(|(_, _, event)| matches!(event, E::DeletionRequested { .. }))
        .expect("requested");
    assert_eq!(
        names(&events)[deletion..deletion + 4],
        [
            E::DeletionRequested {
                grace_period_seconds: 30
            },
            E::PodNotReady,
            E::PreStopStarted,
            E::PreStopStarted,
        ]
    );
    assert_eq!(
        times(&events, |event| *event == E::PreStopStarted),
        [10_000, 10_000]
    );
    let terms: Vec<_> = events
        .iter()
        .filter_map(|(at, name, event)| match event {
            E::TermSent {
                not_before: None,
                kill_after_milliseconds,
            } => Some((
                *at,
                name.as_deref().expect("a container"),
                *kill_after_milliseconds,
            )),
            _ => None,
        })
        .collect();
    assert_eq!(
        terms,
        [(15_000, "proxy", 25_000), (18_000, "agent", 22_000)]
    );
    assert_eq!(times(&events, |event| *event == E::PodGone), [18_000]);
}

#[tokio::test(start_paused = true)]
async fn the_hooks_time_counts_towards_the_grace_period() {
    let rules = ContainerRules {
        pre_stop: Some(hook()),
        ..container("app")
    };
    let script = Script {
        hook: (20, 0),
        obeys_term_after: None,
        ..obedient()
    };
    let events = World::one(rules, script).run(60, Some(1)).await;
    assert!(names(&events).contains(&E::TermSent {
        not_before: None,
        kill_after_milliseconds: 10_000
    }));
    assert_eq!(times(&events, |event| *event == E::KillSent), [31_000]);
    assert!(names(&events).contains(&E::Exited(ExitStatus::Signal(9))));
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_overruns_leaves_two_seconds_once() {
    let rules = ContainerRules {
        pre_stop: Some(hook()),
        ..container("app")
    };
    let script = Script {
        hook: (100, 0),
        obeys_term_after: None,
        ..obedient()
    };
    let events = World::one(rules, script).grace(10).run(60, Some(1)).await;
    assert_eq!(
        times(&events, |event| *event == E::PreStopOverran),
        [11_000]
    );
    assert!(names(&events).contains(&E::TermSent {
        not_before: None,
        kill_after_milliseconds: 2000
    }));
    assert_eq!(times(&events, |event| *event == E::KillSent), [13_000]);
}

#[tokio::test(start_paused = true)]
async fn a_missing_or_failing_hook_is_reported_and_term_follows_at_once() {
    for (script, reason) in [
        (
            Script {
                hook_is_missing: true,
                ..obedient()
            },
            "exec: `hook`: not found in PATH",
        ),
        (
            Script {
                hook: (0, 7),
                ..obedient()
            },
            "`hook` exited with 7",
        ),
    ] {
        let rules = ContainerRules {
            pre_stop: Some(hook()),
            ..container("app")
        };
        let events = World::one(rules, script).run(5, Some(1)).await;
        let failed = E::PreStopFailed {
            reason: reason.into(),
        };
        assert_eq!(times(&events, |event| *event == failed), [1000]);
        assert_eq!(
            times(&events, |event| matches!(event, E::TermSent { .. })),
            [1000]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_sleep_hook_and_an_http_hook_finish_without_an_exit_code() {
    let sleep = Hook::Sleep(Duration::from_secs(3));
    let Check::Dial(dial) = http(0).check else {
        unreachable!("an HTTP probe dials");
    };
    for (pre_stop, at) in [(sleep, 4000), (Hook::Dial(dial), 1000)] {
        let rules = ContainerRules {
            pre_stop: Some(pre_stop),
            ..container("app")
        };
        // The answer is 503: the status of an HTTP hook does not matter.
        let events = World::one(rules, healthy_from(1000)).run(5, Some(1)).await;
        let finished = E::PreStopFinished { exit_code: None };
        assert_eq!(times(&events, |event| *event == finished), [at]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ends_during_its_hook_gets_no_term() {
    let rules = ContainerRules {
        pre_stop: Some(hook()),
        ..container("app")
    };
    let script = Script {
        hook: (20, 0),
        ends: Some((5, 0)),
        ..obedient()
    };
    let events = World::one(rules, script).run(60, Some(1)).await;
    assert!(times(&events, |event| matches!(event, E::TermSent { .. })).is_empty());
    assert_eq!(times(&events, |event| *event == E::PodGone), [5000]);
}

#[tokio::test(start_paused = true)]
async fn no_grace_means_kill_without_hook_or_term() {
    let rules = ContainerRules {
        pre_stop: Some(hook()),
        ..container("app")
    };
    let events = World::one(rules, obedient()).grace(0).run(5, Some(1)).await;
    assert_eq!(times(&events, |event| *event == E::KillSent), [1000]);
    assert!(
        times(&events, |event| matches!(
            event,
            E::TermSent { .. } | E::PreStopStarted
        ))
        .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_probed_or_restarted_during_deletion() {
    let rules = ContainerRules {
        readiness: Some(http(0)),
        liveness: Some(http(0)),
        pre_stop: Some(hook()),
        ..container("app")
    };
    let script = Script {
        hook: (25, 0),
        healthy: Some((0, 12)),
        ..obedient()
    };
    let events = World::one(rules, script).run(120, Some(11)).await;
    let last_probe = times(&events, |event| matches!(event, E::Probed { .. }));
    assert!(last_probe.iter().all(|at| *at <= 11_000), "{last_probe:?}");
    assert!(
        !names(&events)
            .iter()
            .any(|event| matches!(event, E::Restarting { .. }))
    );
    assert_eq!(times(&events, |event| *event == E::PodGone), [36_000]);
}

#[tokio::test(start_paused = true)]
async fn a_container_in_back_off_is_gone_at_once_when_the_pod_is_deleted() {
    let script = Script {
        ends: Some((1, 1)),
        ..obedient()
    };
    let events = World::one(container("app"), script).run(30, Some(5)).await;
    assert_eq!(times(&events, |event| *event == E::PodGone), [5000]);
    assert_eq!(
        times(&events, |event| matches!(event, E::Started { .. })).len(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn asking_for_deletion_twice_changes_nothing() {
    let world = World::one(container("app"), obedient());
    let state = Rc::clone(&world.state);
    state.request_deletion(Duration::from_secs(30));
    let events = world.run(5, Some(1)).await;
    let requests = times(&events, |event| {
        matches!(event, E::DeletionRequested { .. })
    });
    assert_eq!(requests.len(), 1);
    assert_eq!(names(&events).last(), Some(&E::PodGone));
}
