//! `conformance.yaml`: what a project of a user's own says once instead of on every command line.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::Deserialize;

use super::scenario::Scenario;
use harness_core::model::agent_egress::AgentEgress;
use harness_core::model::complaints::Complaints;
use harness_core::model::diagnostic::Diagnostic;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_core::model::located::{Located, Position};
use harness_core::model::parse::parse;
use harness_core::model::project::{LoadError, Project, read_bounded};
use harness_core::model::scenario_name::ScenarioName;

/// The file's name, where no other is named.
pub const FILE_NAME: &str = "conformance.yaml";

/// What the file says. Options of the command line come before it; paths are relative to the file's folder.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ConfigurationFile {
    /// Where the pods run: `--environment`.
    pub environment: Option<EnvironmentKind>,
    /// The agent under test.
    #[serde(default)]
    pub agent: AgentChoice,
    /// The application.
    #[serde(default)]
    pub application: ProgramChoice,
    /// The Envoy, a path or a version: `--envoy`.
    pub envoy: Option<String>,
    /// The folder of proxy configurations: `--envoy-configs`.
    #[schemars(with = "Option<String>")]
    pub envoy_configs: Option<Utf8PathBuf>,
    /// Folders of further scenarios: `--scenarios`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub scenarios: Vec<Utf8PathBuf>,
    /// Scenarios that run at the same time, from 1 to 64: `--jobs`.
    pub jobs: Option<Located<u16>>,
    /// By how much every bound is multiplied, from 1 to 100: `--slow-down`.
    pub slow_down: Option<Located<u32>>,
    /// Scenarios that are left out, each for a reason that every report shows.
    #[serde(default)]
    pub exclude: Vec<Exclusion>,
}

/// Which agent is meant.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AgentChoice {
    /// An executable: `--agent-binary`.
    #[schemars(with = "Option<String>")]
    pub binary: Option<Utf8PathBuf>,
    /// An image, for clusters: `--agent-image`.
    pub image: Option<String>,
    /// The way out of its pod in `local`, `none`, `host` or a proxy's address: `--agent-egress`.
    #[schemars(with = "Option<String>")]
    pub egress: Option<Located<String>>,
    /// Environment variables of the agent in every scenario: `--agent-env`. Not for keys.
    #[serde(default)]
    pub env: BTreeMap<String, Located<String>>,
}

/// Which program is meant.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProgramChoice {
    /// An executable.
    #[schemars(with = "Option<String>")]
    pub binary: Option<Utf8PathBuf>,
    /// An image, for clusters.
    pub image: Option<String>,
}

/// A scenario that is left out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exclusion {
    /// The whole id of the scenario.
    pub scenario: Located<String>,
    /// Why it is left out: every report shows it.
    pub reason: Located<String>,
}

/// A configuration with where it was read.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// What the file says, with absolute paths.
    pub content: ConfigurationFile,
    file: Utf8PathBuf,
    text: Arc<str>,
}

/// Reads and checks the file at an absolute path.
///
/// # Errors
///
/// When it cannot be read, or is wrong; each complaint says where.
pub fn load_configuration(path: &Utf8Path) -> Result<Configuration, LoadError> {
    let folder = path.parent().unwrap_or(Utf8Path::new("/"));
    let mut list = Vec::new();
    let text = read_bounded(&Project::at(folder), path, &mut list)?;
    let file = Utf8PathBuf::from(path.file_name().unwrap_or_default());
    let content = if list.is_empty() {
        parse::<ConfigurationFile>(&file, &text, &mut list)
    } else {
        None
    };
    if let Some(content) = &content {
        check(
            content,
            &mut Complaints {
                file: &file,
                text: &text,
                list: &mut list,
            },
        );
    }
    match content {
        Some(content) if list.is_empty() => Ok(Configuration {
            content: absolute(content, folder),
            file,
            text,
        }),
        Some(_) | None => Err(LoadError::Invalid(list)),
    }
}

fn check(content: &ConfigurationFile, complaints: &mut Complaints<'_>) {
    if let Some(jobs) = content.jobs.filter(|jobs| !(1..=64).contains(&jobs.value)) {
        complaints.add(
            jobs.position,
            "`jobs` is out of range",
            "write a number from 1 to 64",
        );
    }
    let slow_down = content.slow_down;
    if let Some(factor) = slow_down.filter(|factor| !(1..=100).contains(&factor.value)) {
        complaints.add(
            factor.position,
            "`slow-down` is out of range",
            "write a number from 1 to 100",
        );
    }
    if let Some(egress) = &content.agent.egress
        && let Err(error) = egress.parse::<AgentEgress>()
    {
        // Without the line itself: it may hold a password.
        let line = egress.position.line;
        complaints.add(
            Position::default(),
            format!("`egress` in line {line}: {error}"),
            "write `none`, `host` or the address of a proxy",
        );
    }
    for (name, value) in &content.agent.env {
        if name.contains("ACCESSKEY") {
            complaints.add(
                value.position,
                "keys do not belong in a file",
                "set CONFORMANCE_ACCESSKEYID and CONFORMANCE_SECRETACCESSKEY",
            );
        }
    }
    for exclusion in &content.exclude {
        if exclusion.reason.trim().is_empty() {
            complaints.add(
                exclusion.reason.position,
                "an exclusion needs a reason",
                "say why the scenario is left out, and until when: every report shows it",
            );
        }
    }
}

fn absolute(content: ConfigurationFile, folder: &Utf8Path) -> ConfigurationFile {
    let join = |path: Option<Utf8PathBuf>| path.map(|path| folder.join(path));
    // A version has no slash in it, and a path has.
    let envoy = content.envoy.map(|envoy| {
        if envoy.contains('/') {
            folder.join(envoy).into_string()
        } else {
            envoy
        }
    });
    ConfigurationFile {
        agent: AgentChoice {
            binary: join(content.agent.binary),
            ..content.agent
        },
        application: ProgramChoice {
            binary: join(content.application.binary),
            ..content.application
        },
        envoy,
        envoy_configs: join(content.envoy_configs),
        scenarios: content
            .scenarios
            .iter()
            .map(|path| folder.join(path))
            .collect(),
        ..content
    }
}

impl ConfigurationFile {
    /// Returns the agent's way out of its pod, where it is named; what the check has let through is valid.
    pub fn agent_egress(&self) -> Option<AgentEgress> {
        self.agent.egress.as_ref()?.parse().ok()
    }
}

impl Configuration {
    /// Returns the scenarios that are left out, each with its reason.
    ///
    /// # Errors
    ///
    /// When there is no scenario of an id: a name that was mistyped would leave nothing out in silence.
    pub fn exclusions(
        &self,
        scenarios: &[Scenario],
    ) -> Result<BTreeMap<ScenarioName, String>, LoadError> {
        let mut list: Vec<Diagnostic> = Vec::new();
        let mut found = BTreeMap::new();
        for exclusion in &self.content.exclude {
            let id = exclusion.scenario.as_str();
            match scenarios
                .iter()
                .find(|scenario| scenario.spec.id.as_str() == id)
            {
                Some(scenario) => {
                    found.insert(scenario.name.clone(), exclusion.reason.value.clone());
                }
                None => Complaints {
                    file: &self.file,
                    text: &self.text,
                    list: &mut list,
                }
                .add(
                    exclusion.scenario.position,
                    format!("no scenario has the id `{id}`"),
                    "`conformance list` shows the ids; an exclusion names one whole",
                ),
            }
        }
        if list.is_empty() {
            Ok(found)
        } else {
            Err(LoadError::Invalid(list))
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use harness_core::model::diagnostic::Colour;

    fn load(text: &str) -> Result<Configuration, LoadError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Utf8Path::from_path(folder.path())
            .expect("UTF-8")
            .join(FILE_NAME);
        fs_err::write(&path, text).expect("writable");
        load_configuration(&path)
    }

    #[test]
    fn paths_are_relative_to_the_file_and_versions_are_none() {
        let read = load("agent: {binary: bin/agent}\nenvoy: 1.36.4\nscenarios: [mine]\n");
        let content = read.expect("valid").content;
        assert!(content.agent.binary.expect("a path").is_absolute());
        assert!(content.scenarios[0].is_absolute());
        assert_eq!(content.envoy.as_deref(), Some("1.36.4"));
    }

    #[test]
    fn a_proxys_password_is_refused_and_not_repeated() {
        let read = load("agent:\n  egress: http://user:hunter2@proxy:3128\n");
        let Err(LoadError::Invalid(complaints)) = read else {
            panic!("it has a password");
        };
        let shown = complaints[0].render(Colour::Plain);
        assert!(shown.contains("`egress` in line 2: credentials"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[rstest]
    #[case::unknown("agnet: {}\n", 1, "agnet")]
    #[case::jobs("environment: local\njobs: 65\n", 2, "out of range")]
    #[case::factor("slow-down: 0\n", 1, "out of range")]
    #[case::key(
        "agent:\n  env:\n    SIGSCI_SECRETACCESSKEY: x\n",
        3,
        "keys do not belong"
    )]
    #[case::reason("exclude:\n  - scenario: A01\n    reason: ' '\n", 3, "needs a reason")]
    #[case::environment("environment: moon\n", 1, "moon")]
    #[case::egress(
        "agent: { egress: everywhere }\n",
        0,
        "`egress` in line 1: `everywhere` is neither"
    )]
    fn what_it_may_not_say_is_reported_at_its_line(
        #[case] text: &str,
        #[case] line: u64,
        #[case] message: &str,
    ) {
        let Err(LoadError::Invalid(complaints)) = load(text) else {
            panic!("it is wrong");
        };
        assert_eq!(complaints[0].position.line, line, "{complaints:?}");
        assert!(complaints[0].message.contains(message), "{complaints:?}");
    }
}
