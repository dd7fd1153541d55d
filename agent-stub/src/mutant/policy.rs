//! What a mutant does with signals, and how it changes that.

use std::time::Duration;

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

    #[test]
    fn only_the_mode_that_tags_is_turned_into_one_that_blocks() {
        let conduct = Conduct::of(Some(Mutant::Policy(table::Policy::BlocksInLogMode)));
        assert_eq!(conduct.mode(Mode::Log), Mode::Block);
        assert_eq!(conduct.mode(Mode::Off), Mode::Off);
        assert_eq!(Conduct::default().mode(Mode::Log), Mode::Log);
    }
}
