//! Says which process owns what a run has made, and whether that process is gone.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The process that a run belongs to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::kube) struct Owner {
    host: String,
    boot: String,
    process_namespace: String,
    process: u32,
    /// In clock ticks since the boot: a number that is used again belongs to another process.
    started: u64,
}

impl Owner {
    /// Returns this process.
    pub(in crate::kube) fn this_process() -> Self {
        let process = std::process::id();
        Self {
            host: host(),
            boot: boot(),
            process_namespace: process_namespace(),
            process,
            started: start_of(process).unwrap_or_default(),
        }
    }

    /// Returns whether the owner was a process of this host and is there no more. Of another host's processes nothing is known.
    pub(in crate::kube) fn is_gone(&self) -> bool {
        self.is_gone_from(&host())
    }

    fn is_gone_from(&self, host: &str) -> bool {
        if self.host != host {
            return false;
        }
        if self.boot != boot() {
            // Without an id of the machine, another one of the same name is as likely as an earlier boot of this one.
            return !self.host.ends_with(NO_ID);
        }
        self.process_namespace == process_namespace()
            && start_of(self.process) != Some(self.started)
    }

    /// Returns a process that has been there and is there no more.
    #[cfg(test)]
    pub(in crate::kube) fn of_an_ended_process() -> Self {
        Self {
            started: 1,
            ..Self::this_process()
        }
    }

    /// Reads what [`fmt::Display`] has written.
    pub(in crate::kube) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        formatter.write_str(&text)
    }
}

/// How a machine's name ends that has no id.
const NO_ID: char = '/';

/// Names the machine. Names alone are not unique, and machines that are made from one image may share their id.
fn host() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let id = fs_err::read_to_string("/etc/machine-id").unwrap_or_default();
    name_of(&name.to_string_lossy(), &id)
}

fn name_of(name: &str, id: &str) -> String {
    format!("{name}{NO_ID}{}", id.trim())
}

fn boot() -> String {
    fs_err::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn process_namespace() -> String {
    fs_err::read_link("/proc/self/ns/pid")
        .map(|path| path.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Returns when a living process was started: the 22nd field of its `stat`; its name, in brackets, may hold blanks.
fn start_of(process: u32) -> Option<u64> {
    let stat = fs_err::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_not_gone_and_survives_being_written_down() {
        let owner = Owner::this_process();
        assert!(!owner.is_gone());
        assert_eq!(Owner::parse(&owner.to_string()), Some(owner));
    }

    #[test]
    fn a_process_that_has_ended_is_gone() {
        let mut child = std::process::Command::new("true").spawn().expect("a child");
        let owner = Owner {
            process: child.id(),
            started: start_of(child.id()).unwrap_or(1),
            ..Owner::this_process()
        };
        child.wait().expect("ended");
        assert!(owner.is_gone());
    }

    #[test]
    fn a_process_of_the_same_number_that_started_at_another_time_is_another_one() {
        let owner = Owner {
            started: 1,
            ..Owner::this_process()
        };
        assert!(owner.is_gone());
    }

    #[test]
    fn nothing_is_said_of_another_hosts_processes() {
        let owner = Owner {
            host: "elsewhere/0".into(),
            process: u32::MAX,
            ..Owner::this_process()
        };
        assert!(!owner.is_gone());
    }

    #[test]
    fn an_earlier_boot_is_only_known_of_a_machine_that_has_an_id() {
        let of = |id: &str| Owner {
            host: name_of("node", id),
            boot: "another".into(),
            ..Owner::this_process()
        };
        assert!(of("0a1b\n").is_gone_from("node/0a1b"));
        assert!(!of("").is_gone_from("node/"));
    }
}
