//! What a mutant does with signals, and how it changes that.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;

use crate::mutant::fault_hooks::FaultHooks;
use crate::mutant::named::Mutant;
use crate::mutant::table;
use crate::rules::PolicyUpdater;
use crate::settings::{Mode, Policy, RulesFileError, Settings};

impl FaultHooks {
    /// Returns the mode that decides about a request.
    pub fn mode(&self, set: Mode) -> Mode {
        match (self.policy_fault(), set) {
            (Some(table::Policy::BlocksInLogMode), Mode::Log) => Mode::Block,
            (Some(_) | None, Mode::Block | Mode::Log | Mode::Off) => set,
        }
    }

    /// Returns whether a reload changes nothing.
    pub fn keeps_old_rules(&self) -> bool {
        self.policy_fault() == Some(table::Policy::IgnoresReloads)
    }

    /// Returns the file that the rules of the start are read from.
    pub fn first_rules(&self, settings: &Settings) -> Option<PathBuf> {
        let cached = cached_rules(&settings.cache_directory);
        if self.policy_fault() == Some(table::Policy::StaleCache) && cached.exists() {
            Some(cached)
        } else {
            settings.rules_file.clone()
        }
    }

    /// Does what comes after an attempt to load new rules.
    pub fn after_reload(
        &self,
        updater: &PolicyUpdater,
        settings: &Settings,
        reloaded: &Result<Policy, RulesFileError>,
    ) {
        match (self.policy_fault(), reloaded, &settings.rules_file) {
            (Some(table::Policy::DropsRulesWithoutSource), Err(_), _) => {
                updater.replace(Policy {
                    mode: Mode::Off,
                    ..settings.policy.clone()
                });
            }
            (Some(table::Policy::ReturnsToFirstRules), Err(_), _) => {
                updater.replace(settings.policy.clone());
            }
            (Some(table::Policy::StaleCache), Ok(_), Some(source)) => {
                // A cache that cannot be written is as good as none.
                let _written = fs::copy(source, cached_rules(&settings.cache_directory));
            }
            (Some(_) | None, Ok(_) | Err(_), Some(_) | None) => {}
        }
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

fn cached_rules(cache_directory: &Path) -> PathBuf {
    cache_directory.join("source.json")
}

const GAP: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::rules::Rules;
    use crate::settings::Arguments;

    /// Reloads once from a source and returns what the next start reads, with the policy that holds.
    fn after_reload(fault_hooks: &FaultHooks, source: &str) -> (Option<PathBuf>, Policy) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("rules.json");
        fs::write(&path, source).expect("writable");
        let arguments = Arguments::try_parse_from([
            "agent-stub",
            "--accesskeyid=id",
            "--envoy-grpc-address=localhost:0",
        ]);
        let defaults = Settings::from_arguments(&arguments.expect("known flags"), Some("key"));
        let settings = Settings {
            cache_directory: directory.path().into(),
            rules_file: Some(path.clone()),
            ..defaults.expect("complete")
        };
        let new = settings.policy.overridden_by(&path);
        let (_loader, updater, rules) = Rules::loading(Policy {
            mode: Mode::Log,
            ..settings.policy.clone()
        });
        fault_hooks.after_reload(&updater, &settings, &new);
        let first = fault_hooks.first_rules(&settings);
        (
            first.map(|path| path.file_name().expect("a name").into()),
            rules.policy().as_ref().clone(),
        )
    }

    #[test]
    fn rules_that_cannot_be_read_change_something_for_two_mutants_only() {
        let mode_after = |fault_hooks: &FaultHooks| after_reload(fault_hooks, "no rules").1.mode;
        let of = |policy| FaultHooks::of(Some(Mutant::Policy(policy)));
        let drops = of(table::Policy::DropsRulesWithoutSource);
        assert_eq!(mode_after(&drops), Mode::Off);
        let returns = of(table::Policy::ReturnsToFirstRules);
        assert_eq!(mode_after(&returns), Mode::Block);
        assert_eq!(mode_after(&FaultHooks::default()), Mode::Log);
    }

    #[test]
    fn the_next_start_reads_the_cache_in_one_mutant_only() {
        let stale = FaultHooks::of(Some(Mutant::Policy(table::Policy::StaleCache)));
        let (first, _) = after_reload(&stale, "{}");
        assert_eq!(first, Some("source.json".into()));
        let (first, _) = after_reload(&FaultHooks::default(), "{}");
        assert_eq!(first, Some("rules.json".into()));
    }

    #[test]
    fn only_the_mode_that_tags_is_turned_into_one_that_blocks() {
        let fault_hooks = FaultHooks::of(Some(Mutant::Policy(table::Policy::BlocksInLogMode)));
        assert_eq!(fault_hooks.mode(Mode::Log), Mode::Block);
        assert_eq!(fault_hooks.mode(Mode::Off), Mode::Off);
        assert_eq!(FaultHooks::default().mode(Mode::Log), Mode::Log);
    }
}
