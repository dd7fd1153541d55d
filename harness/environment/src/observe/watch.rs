//! Reports the processes that are started inside containers from outside, as hooks are, and how and when the containers end.
//!
//! Without a netlink socket the kernel does not report which processes come and go, so those of each container are read again and again, out of its
//! control group: there is a watch for each pod, and the processes of a whole node are hundreds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::control_group::ControlGroup;
use super::protocol::{ContainerId, ProcessChange, ProcessReport};
use super::{processes, runtime};

/// Between two readings.
const READ_EVERY: Duration = Duration::from_millis(5);
/// The longest watch: no pod's end is waited for so long.
const LONGEST_WATCH: Duration = Duration::from_mins(15);

/// Reports until the reader of the reports goes away.
pub(super) fn watch(
    containers: &BTreeMap<String, ContainerId>,
    output: &mut impl Write,
) -> io::Result<()> {
    let started = Instant::now();
    let groups: BTreeMap<&String, ControlGroup> = containers
        .iter()
        .map(|(name, id)| (name, ControlGroup::of(id)))
        .collect();
    let mut entered: HashMap<i32, String> = HashMap::new();
    let mut first: HashMap<i32, String> = groups
        .iter()
        .filter_map(|(name, group)| Some((group.first()?, (*name).clone())))
        .collect();
    // What is no hook: it was there before the watch, or a process of the container has started it.
    let mut others: BTreeSet<i32> = groups.values().flat_map(ControlGroup::members).collect();
    // The runtime is asked beside the watch, which must go on; the channel closes with the last question.
    let (ends, reported_ends) = mpsc::channel();
    let mut ends = Some(ends);
    report(output, None, ProcessChange::Begun)?;
    while started.elapsed() < LONGEST_WATCH {
        let mut all: BTreeSet<i32> = BTreeSet::new();
        for (name, group) in &groups {
            let members = group.members();
            for process in &members {
                if entered.contains_key(process) || others.contains(process) {
                    continue;
                }
                let command = processes::command(*process);
                if is_runtime(&command) {
                    continue;
                }
                if processes::parent(*process).is_some_and(|parent| members.contains(&parent)) {
                    others.insert(*process);
                    continue;
                }
                entered.insert(*process, (*name).clone());
                let change = ProcessChange::Entered {
                    process: *process,
                    command,
                };
                report(output, Some((*name).clone()), change)?;
            }
            all.extend(members);
        }
        // The kernel gives the number of a process that is gone to another one.
        others.retain(|process| all.contains(process));
        let gone: Vec<i32> = entered
            .keys()
            .copied()
            .filter(|process| !processes::runs(*process))
            .collect();
        for process in gone {
            let name = entered.remove(&process);
            report(output, name, ProcessChange::Left { process })?;
        }
        let ended: Vec<i32> = first
            .keys()
            .copied()
            .filter(|process| !processes::runs(*process))
            .collect();
        for process in ended {
            let Some(name) = first.remove(&process) else {
                continue;
            };
            report(output, Some(name.clone()), ProcessChange::Ended)?;
            if let (Some(id), Some(ends)) = (containers.get(&name).cloned(), ends.clone()) {
                std::thread::spawn(move || {
                    // Where the runtime does not know, the API may.
                    if let Some(exit_code) = runtime::exit_code(&id) {
                        let _ = ends.send((name, exit_code));
                    }
                });
            }
        }
        if first.is_empty() {
            ends = None;
        }
        loop {
            match reported_ends.try_recv() {
                Ok((name, exit_code)) => {
                    report(output, Some(name), ProcessChange::EndedWith { exit_code })?;
                }
                Err(mpsc::TryRecvError::Empty) => break,
                Err(mpsc::TryRecvError::Disconnected) => return Ok(()),
            }
        }
        std::thread::sleep(READ_EVERY);
    }
    Ok(())
}

/// Returns whether this is still the runtime on its way into the container: `runc init`, `crun init`.
fn is_runtime(command: &[String]) -> bool {
    command.is_empty() || matches!(command, [_, init] if init == "init")
}

fn report(
    output: &mut impl Write,
    container: Option<String>,
    change: ProcessChange,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(&ProcessReport { container, change })?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}
