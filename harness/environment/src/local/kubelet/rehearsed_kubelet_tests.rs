//! The kubelet's rules on the paused clock, with containers that are scripts.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::{self, Instant};

use super::*;
use crate::local::kubelet::{
    ContainerRules, Dial, DialAnswer, ExecOutcome, PreStopHook, ProbeCheck, ProbeRules, StopSignal,
};
use harness_core::model::timeline::LifecycleEvent as E;

#[path = "deletion_tests.rs"]
mod deletion;
#[path = "probes_tests.rs"]
mod probes;
#[path = "restarts_tests.rs"]
mod restarts;

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
    type StartedContainer = FakeProcess;

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
        local.spawn_local(RehearsedKubelet::new(runtime, rules, Rc::clone(&state)).run());
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
    probe(ProbeCheck::Dial(Dial::Http {
        host: "10.244.0.2".into(),
        port,
        path: "/".into(),
        headers: Vec::new(),
    }))
}

fn exec() -> ProbeRules {
    probe(ProbeCheck::Exec(vec!["probe".into()]))
}

fn probe(check: ProbeCheck) -> ProbeRules {
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

fn hook() -> PreStopHook {
    PreStopHook::Exec(vec!["hook".into()])
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
