//! What the kernel lets a process do, by its `/proc/<process>/status`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pod_security::PodSecurity;

/// What the field `Seccomp` has where a filter of system calls is installed.
const FILTERED: &str = "2";

/// What the kernel lets a process do.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProcessPrivileges {
    /// The user as whom it acts.
    pub user: u32,
    /// The capabilities that it has or may take up, as bits.
    pub capabilities: u64,
    /// Whether executing a file may give it more.
    pub can_gain_more: bool,
    /// Whether a seccomp profile filters its system calls.
    pub is_filtered: bool,
}

impl ProcessPrivileges {
    /// Reads the fields of `/proc/<process>/status`; none where one is missing.
    pub fn parse(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let value = status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.map(str::trim)
        };
        let bits = |name| u64::from_str_radix(field(name)?, 16).ok();
        Some(Self {
            // The real user, and the one as whom it acts.
            user: field("Uid")?.split_whitespace().nth(1)?.parse().ok()?,
            capabilities: bits("CapEff")? | bits("CapPrm")?,
            can_gain_more: field("NoNewPrivs")? != "1",
            is_filtered: field("Seccomp")? == FILTERED,
        })
    }

    /// Returns whether the process is kept from what a pod asks to be kept from.
    pub fn are_within(&self, security: PodSecurity) -> bool {
        let unprivileged = self.user != 0 && self.capabilities == 0 && !self.can_gain_more;
        match security {
            PodSecurity::Restricted => unprivileged && self.is_filtered,
            PodSecurity::Unprivileged => unprivileged,
        }
    }
}

impl fmt::Display for ProcessPrivileges {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gain = if self.can_gain_more {
            "can gain more"
        } else {
            "can gain none"
        };
        let filter = if self.is_filtered { "a" } else { "no" };
        write!(
            formatter,
            "user {}, capabilities {:#x}, {gain}, {filter} filter of system calls",
            self.user, self.capabilities
        )
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn parse(user: u32, capabilities: &str, filter: u8) -> ProcessPrivileges {
        let status = format!(
            "Name:\tagent\nUid:\t0\t{user}\t{user}\t{user}\nCapInh:\t0000000000000000\nCapPrm:\t{capabilities}\n\
             CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t{filter}\nSeccomp_filters:\t{filter}\n"
        );
        ProcessPrivileges::parse(&status).expect("a status")
    }

    #[rstest]
    #[case::unprivileged(parse(1000, "0000000000000000", 0), true, false)]
    #[case::restricted(parse(1000, "0000000000000000", 2), true, true)]
    #[case::as_root(parse(0, "0000000000000000", 2), false, false)]
    #[case::with_a_capability_to_take_up(parse(1000, "0000000000000400", 2), false, false)]
    fn a_process_is_kept_from_what_its_pod_asks_for(
        #[case] privileges: ProcessPrivileges,
        #[case] unprivileged: bool,
        #[case] restricted: bool,
    ) {
        assert_eq!(
            privileges.are_within(PodSecurity::Unprivileged),
            unprivileged
        );
        assert_eq!(privileges.are_within(PodSecurity::Restricted), restricted);
    }

    #[test]
    fn a_status_without_one_of_the_fields_says_nothing() {
        assert_eq!(ProcessPrivileges::parse("Uid:\t0\t0\t0\t0\n"), None);
    }
}
