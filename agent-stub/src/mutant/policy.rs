//! What a mutant does with signals, and how it changes that.

use std::path::Path;
use std::time::Duration;

use fs_err as fs;

use crate::mutant::conduct::Conduct;
use crate::mutant::named::Mutant;
use crate::mutant::table;
use crate::rules::PolicyUpdater;
use crate::settings::{Mode, Policy};

impl Conduct {
    /// Returns the mode that decides about a request.
    pub fn mode(&self, set: Mode) -> Mode {
        match (self.policy_fault(), set) {
            (Some(table::Policy::BlocksInLogMode), Mode::Log) => Mode::Block,
            (Some(_) | None, Mode::Block | Mode::Log | Mode::Off) => set,
        }
    }

    /// Tells whether a reload changes nothing.
    pub fn keeps_old_rules(&self) -> bool {
        self.policy_fault() == Some(table::Policy::IgnoresReloads)
    }

    /// Does what comes before new rules.
    pub async fn before_reload(&self, updater: &PolicyUpdater, old: &Policy) {
        if self.policy_fault() == Some(table::Policy::InspectsNothingWhileReloading) {
            updater.replace(Policy {
                mode: Mode::Off,
                ..old.clone()
            });
            tokio::time::sleep(GAP).await;
        }
    }

    /// Returns the policy to start with.
    pub fn first_policy(&self, set: Policy, cache_directory: &Path) -> Policy {
        if self.policy_fault() != Some(table::Policy::ServesFromStaleCache) {
            return set;
        }
        let cached = cache_directory.join("policy.json");
        if let Ok(stale) = set.overridden_by(&cached) {
            return stale;
        }
        let mode = match set.mode {
            Mode::Block => "block",
            Mode::Log => "log",
            Mode::Off => "off",
        };
        let code = set.block_answer.code;
        // Without a cache there is nothing stale to serve from.
        let _written = fs::write(
            cached,
            format!(r#"{{"block_code":{code},"mode":"{mode}"}}"#),
        );
        set
    }

    fn policy_fault(&self) -> Option<table::Policy> {
        if let Some(Mutant::Policy(policy)) = self.mutant() {
            Some(policy)
        } else {
            None
        }
    }
}

const GAP: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::BlockAnswer;

    fn policy(mode: Mode) -> Policy {
        Policy {
            mode,
            block_answer: BlockAnswer::from_texts("406", None, None, None).expect("a code"),
        }
    }

    #[test]
    fn only_the_mode_that_tags_is_turned_into_one_that_blocks() {
        let conduct = Conduct::of(Some(Mutant::Policy(table::Policy::BlocksInLogMode)));
        assert_eq!(conduct.mode(Mode::Log), Mode::Block);
        assert_eq!(conduct.mode(Mode::Off), Mode::Off);
        assert_eq!(Conduct::default().mode(Mode::Log), Mode::Log);
    }

    #[test]
    fn the_rules_of_the_first_run_are_those_of_the_second() {
        let directory = tempfile::tempdir().expect("a directory");
        let conduct = Conduct::of(Some(Mutant::Policy(table::Policy::ServesFromStaleCache)));
        let first = conduct.first_policy(policy(Mode::Log), directory.path());
        assert_eq!(first, policy(Mode::Log));
        let second = conduct.first_policy(policy(Mode::Block), directory.path());
        assert_eq!(second, policy(Mode::Log));
        let honest = Conduct::default().first_policy(policy(Mode::Block), directory.path());
        assert_eq!(honest, policy(Mode::Block));
    }
}
