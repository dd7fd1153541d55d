//! One thing that was checked: what was found, whether a run can start without it, and how it is mended.

use std::fmt::Display;

use serde::Serialize;

use crate::procedure::error::fault_hints;
use crate::report::untrusted::harmless;
use harness_artifacts::executable::ExecutableError;
use harness_core::model::causes::chain;
use harness_environment::EnvironmentFault;

/// How much of what was found is shown, in characters. Some of it is what a program or a server said.
const MOST_CHARACTERS: usize = 500;

/// One thing that was checked.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Check {
    /// Its name, one word or several with hyphens; stable, and unique in its section but for `rights`.
    #[serde(rename = "check")]
    pub(super) name: &'static str,
    pub(super) state: State,
    /// What it means for a run.
    pub(super) effect: Effect,
    /// One line.
    pub(super) found: String,
    /// What mends it, one line each; never empty where something is missing.
    pub(super) fixes: Vec<String>,
}

/// What was found out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// It is there.
    Ok,
    /// It is not there, or does not work.
    Missing,
    /// It did not answer in its time, or only a run shows it.
    Unknown,
}

/// What a check means for a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Effect {
    /// A run starts.
    None,
    /// A run does not start.
    PreventsRun,
}

impl Check {
    /// It is there.
    pub(super) fn ok(name: &'static str, found: impl Display) -> Self {
        Self::new(name, State::Ok, Effect::None, found, &[])
    }

    /// No run starts without it.
    pub(super) fn missing<T: Into<String>>(
        name: &'static str,
        found: impl Display,
        fixes: impl IntoIterator<Item = T>,
    ) -> Self {
        let fixes: Vec<String> = fixes.into_iter().map(Into::into).collect();
        Self::new(name, State::Missing, Effect::PreventsRun, found, &fixes)
    }

    /// A run starts without it, and cannot judge everything.
    pub(super) fn missing_in_part<T: Into<String>>(
        name: &'static str,
        found: impl Display,
        fixes: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            effect: Effect::None,
            ..Self::missing(name, found, fixes)
        }
    }

    /// It did not answer, and a run needs the answer.
    pub(super) fn unanswered<T: Into<String>>(
        name: &'static str,
        found: impl Display,
        fixes: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            state: State::Unknown,
            ..Self::missing(name, found, fixes)
        }
    }

    /// Only a run shows it.
    pub(super) fn shown_by_a_run<T: Into<String>>(
        name: &'static str,
        found: impl Display,
        fixes: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            effect: Effect::None,
            ..Self::unanswered(name, found, fixes)
        }
    }

    /// The environment's fault stands in the way; what was waited for in vain is unknown. Where the fault has no hint, this is the fix.
    pub(super) fn of_fault(name: &'static str, fault: &EnvironmentFault, fix: &str) -> Self {
        let mut fixes = fault_hints(fault);
        if fixes.is_empty() {
            fixes.push(fix.into());
        }
        let found = chain(fault).join(": ");
        match fault {
            EnvironmentFault::TimedOut(_) => Self::unanswered(name, found, fixes),
            EnvironmentFault::Unsuitable { .. }
            | EnvironmentFault::ImageMissing { .. }
            | EnvironmentFault::NotCarriedOut { .. }
            | EnvironmentFault::Cluster { .. }
            | EnvironmentFault::NotAdmitted { .. }
            | EnvironmentFault::ContainerState { .. }
            | EnvironmentFault::PodLost { .. }
            | EnvironmentFault::Io { .. } => Self::missing(name, found, fixes),
        }
    }

    /// An executable is not to be had; a program that had to say so and did not end leaves it unknown. Where the error has no hint, this is the fix.
    pub(super) fn of_executable(name: &'static str, error: &ExecutableError, fix: &str) -> Self {
        let fix = error.hint().unwrap_or_else(|| fix.into());
        let found = chain(error).join(": ");
        match error {
            ExecutableError::ProgramTimedOut { .. } => Self::unanswered(name, found, [fix]),
            _ => Self::missing(name, found, [fix]),
        }
    }

    /// Has this fix in place of others.
    pub(super) fn with_fix(self, fix: &str) -> Self {
        Self {
            fixes: vec![one_line(fix)],
            ..self
        }
    }

    /// Says something before what was found.
    pub(super) fn with_beginning(self, words: &str) -> Self {
        Self {
            found: format!("{words}: {}", self.found),
            ..self
        }
    }

    fn new(
        name: &'static str,
        state: State,
        effect: Effect,
        found: impl Display,
        fixes: &[String],
    ) -> Self {
        Self {
            name,
            state,
            effect,
            found: one_line(&found.to_string()),
            fixes: fixes.iter().map(|fix| one_line(fix)).collect(),
        }
    }
}

/// Makes one harmless line of a bounded length.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let mut line: String = lines.join("; ").chars().take(MOST_CHARACTERS + 1).collect();
    if line.chars().count() > MOST_CHARACTERS {
        line.pop();
        line.push('…');
    }
    harmless(&line)
}

/// What was checked together.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Section {
    #[serde(rename = "section")]
    pub(super) name: SectionName,
    pub(super) checks: Vec<Check>,
}

impl Section {
    pub(super) const fn new(name: SectionName, checks: Vec<Check>) -> Self {
        Self { name, checks }
    }

    /// Returns what in it prevents a run.
    pub(super) fn preventing(&self) -> impl Iterator<Item = &Check> {
        let checks = self.checks.iter();
        checks.filter(|check| check.effect == Effect::PreventsRun)
    }
}

/// The names of sections.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SectionName {
    /// What kind and k3d make their nodes with.
    Docker,
    /// A cluster of the user's.
    Existing,
    /// The tool k3d.
    K3d,
    /// The tool kind.
    Kind,
    /// Namespaces of this machine.
    Local,
    /// What every run needs.
    Project,
}

impl SectionName {
    /// Returns the name, as in JSON.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Existing => "existing",
            Self::K3d => "k3d",
            Self::Kind => "kind",
            Self::Local => "local",
            Self::Project => "project",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use harness_core::model::timeouts::TimedOut;

    #[test]
    fn what_a_program_says_is_one_short_harmless_line() {
        let said = format!("one\n\n  two\u{1b}[2J{}", "x".repeat(4000));
        let check = Check::ok("command", said);
        assert!(
            check.found.starts_with("one; two\\u{1b}[2Jxxx"),
            "{}",
            check.found
        );
        assert!(check.found.ends_with('…') && check.found.len() < 600);
    }

    #[test]
    fn what_did_not_answer_is_unknown_and_still_prevents_a_run() {
        let fault = EnvironmentFault::TimedOut(TimedOut {
            waited_for: "docker to answer".into(),
            budget: Duration::from_secs(10).into(),
            last_seen: "nothing".into(),
        });
        let check = Check::of_fault("daemon", &fault, "start it");
        assert_eq!(check.state, State::Unknown);
        assert_eq!(check.effect, Effect::PreventsRun);
        assert_eq!(check.fixes, ["start it"]);
        assert!(check.found.contains("docker to answer"), "{}", check.found);
    }
}
