//! What follows from the checks: in which environments a run could start, the exit code, and how all of it is shown.

use std::fmt::Write as _;

use owo_colors::{OwoColorize as _, Style};
use serde::Serialize;

use super::IN_ORDER;
use super::check::{Section, SectionName, State};
use crate::run::exit_code;
use harness_core::model::diagnostic::Colour;
use harness_core::model::environment_kind::EnvironmentKind;

/// Everything that `doctor` says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Diagnosis {
    /// The environment that the exit code speaks of.
    environment: EnvironmentKind,
    /// The exit code of the command.
    pub(super) exit_code: u8,
    /// Where a run could start now, of the environments that were checked.
    run_can_start_in: Vec<EnvironmentKind>,
    /// Where it could not, and why.
    run_cannot_start_in: Vec<Hindrance>,
    sections: Vec<Section>,
}

/// Why a run could not start in an environment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Hindrance {
    environment: EnvironmentKind,
    /// Checks as `section/check`.
    because_of: Vec<String>,
}

impl Diagnosis {
    /// Judges what was found, of one environment or of all. `usual` is the one that `run` takes where none is named.
    pub(super) fn of(
        only: Option<EnvironmentKind>,
        usual: EnvironmentKind,
        sections: Vec<Section>,
    ) -> Self {
        let mut run_can_start_in = Vec::new();
        let mut run_cannot_start_in = Vec::new();
        for environment in IN_ORDER {
            if only.is_some_and(|only| only != environment) {
                continue;
            }
            let because_of = hindrances(environment, &sections);
            if because_of.is_empty() {
                run_can_start_in.push(environment);
            } else {
                run_cannot_start_in.push(Hindrance {
                    environment,
                    because_of,
                });
            }
        }
        let environment = only.unwrap_or(usual);
        Self {
            exit_code: if run_can_start_in.contains(&environment) {
                exit_code::PASSED
            } else {
                exit_code::ERRORED
            },
            environment,
            run_can_start_in,
            run_cannot_start_in,
            sections,
        }
    }

    /// Renders it for a terminal.
    pub(super) fn render(&self, colour: Colour) -> String {
        let mut text = String::new();
        for section in &self.sections {
            text.push_str(section.name.as_str());
            text.push('\n');
            for check in &section.checks {
                let (word, style) = match check.state {
                    State::Ok => ("ok", Style::new().green()),
                    State::Missing => ("missing", Style::new().red().bold()),
                    State::Unknown => ("unknown", Style::new().yellow()),
                };
                let word = match colour {
                    Colour::Ansi => format!("{word:<7}").style(style).to_string(),
                    Colour::Plain => format!("{word:<7}"),
                };
                let _ = writeln!(text, "  {word}  {}: {}", check.name, check.found);
                for fix in &check.fixes {
                    let _ = writeln!(text, "           fix: {fix}");
                }
            }
            text.push('\n');
        }
        for hindrance in &self.run_cannot_start_in {
            let _ = writeln!(
                text,
                "run cannot start in {}: {}",
                hindrance.environment,
                hindrance.because_of.join(", ")
            );
        }
        let names: Vec<&str> = self
            .run_can_start_in
            .iter()
            .map(|environment| environment.as_str())
            .collect();
        let names = if names.is_empty() {
            "none of these".to_owned()
        } else {
            names.join(", ")
        };
        let _ = write!(text, "run can start in: {names}");
        text
    }
}

/// Returns the checks that prevent a run in an environment. A section that was not examined prevents it too: nothing is known of it.
fn hindrances(environment: EnvironmentKind, sections: &[Section]) -> Vec<String> {
    let mut because_of = Vec::new();
    for needed in needed_by(environment) {
        let name = needed.as_str();
        match sections.iter().find(|section| section.name == *needed) {
            Some(section) => {
                because_of.extend(
                    section
                        .preventing()
                        .map(|check| format!("{name}/{}", check.name)),
                );
            }
            None => because_of.push(name.to_owned()),
        }
    }
    because_of.dedup();
    because_of
}

const fn needed_by(environment: EnvironmentKind) -> &'static [SectionName] {
    match environment {
        EnvironmentKind::Existing => &[SectionName::Project, SectionName::Existing],
        EnvironmentKind::K3d => &[SectionName::Project, SectionName::Docker, SectionName::K3d],
        EnvironmentKind::Kind => &[SectionName::Project, SectionName::Docker, SectionName::Kind],
        EnvironmentKind::Local => &[SectionName::Project, SectionName::Local],
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::cli::doctor::check::Check;

    fn sections(bad: SectionName, check: &Check) -> Vec<Section> {
        [
            SectionName::Project,
            SectionName::Local,
            SectionName::Docker,
            SectionName::Kind,
            SectionName::K3d,
            SectionName::Existing,
        ]
        .map(|name| {
            let check = if name == bad {
                check.clone()
            } else {
                Check::ok("command", "there")
            };
            Section::new(name, vec![check])
        })
        .into()
    }

    #[rstest]
    #[case(SectionName::Project, "none of these", 3)]
    #[case(SectionName::Local, "kind, k3d, existing", 3)]
    #[case(SectionName::Docker, "local, existing", 0)]
    #[case(SectionName::Kind, "local, k3d, existing", 0)]
    #[case(SectionName::Existing, "local, kind, k3d", 0)]
    fn what_is_missing_concerns_the_environments_that_need_it(
        #[case] bad: SectionName,
        #[case] can: &str,
        #[case] code: u8,
    ) {
        let missing = Check::missing("command", "not there", ["get it"]);
        let diagnosis = Diagnosis::of(None, EnvironmentKind::Local, sections(bad, &missing));
        assert_eq!(diagnosis.exit_code, code);
        let text = diagnosis.render(Colour::Plain);
        assert!(
            text.ends_with(&format!("run can start in: {can}")),
            "{text}"
        );
        assert!(
            text.contains("  missing  command: not there\n           fix: get it\n"),
            "{text}"
        );
    }

    #[test]
    fn what_only_a_run_shows_prevents_none() {
        let unknown = Check::shown_by_a_run("node-image", "none yet", ["pull one"]);
        let sections = sections(SectionName::Kind, &unknown);
        let diagnosis = Diagnosis::of(
            Some(EnvironmentKind::Kind),
            EnvironmentKind::Local,
            sections,
        );
        assert_eq!(diagnosis.exit_code, 0);
        assert_eq!(diagnosis.run_can_start_in, [EnvironmentKind::Kind]);
    }

    #[test]
    fn what_was_not_examined_is_not_taken_for_granted() {
        let diagnosis = Diagnosis::of(
            Some(EnvironmentKind::K3d),
            EnvironmentKind::Local,
            Vec::new(),
        );
        assert_eq!(diagnosis.exit_code, 3);
        assert_eq!(
            diagnosis.run_cannot_start_in[0].because_of,
            ["project", "docker", "k3d"]
        );
    }
}
