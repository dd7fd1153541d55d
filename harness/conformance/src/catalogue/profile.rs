//! Profiles: named selections of scenarios, one file each below `scenarios/profiles/`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use camino::Utf8Path;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::catalogue::scenario::Scenario;
use harness_core::model::complaints::Complaints;
use harness_core::model::diagnostic::Diagnostic;
use harness_core::model::located::{Located, Position};
use harness_core::model::parse::parse;
use harness_core::model::project::{LoadError, Project, read_bounded, yaml_files};

/// One file below `scenarios/profiles/`; its stem is the profile's name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProfileFile {
    /// What a green run of the profile says, in one sentence.
    pub summary: String,
    /// The ids of the scenarios.
    pub scenarios: Vec<Located<String>>,
}

/// A checked profile.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Profile {
    /// What a green run of the profile says, in one sentence.
    pub summary: String,
    /// The ids of the scenarios; each exists, and none twice.
    pub ids: BTreeSet<String>,
}

/// Reads and checks the profiles; a project need not have any.
pub(super) fn load_profiles(
    project: &Project,
    scenarios: &[Scenario],
    complaints: &mut Vec<Diagnostic>,
) -> Result<BTreeMap<String, Profile>, LoadError> {
    let mut profiles = BTreeMap::new();
    if !project.profiles.is_dir() {
        return Ok(profiles);
    }
    let known: BTreeSet<&str> = scenarios
        .iter()
        .map(|scenario| scenario.spec.id.as_str())
        .collect();
    for path in yaml_files(project, &project.profiles, &[], complaints)? {
        let text = read_bounded(project, &path, complaints)?;
        let file = project.shown(&path);
        if let Some(content) = parse::<ProfileFile>(&file, &text, complaints) {
            let profile = check(&file, &text, content, &known, complaints);
            profiles.insert(path.file_stem().unwrap_or_default().to_owned(), profile);
        }
    }
    Ok(profiles)
}

fn check(
    file: &Utf8Path,
    text: &Arc<str>,
    content: ProfileFile,
    known: &BTreeSet<&str>,
    complaints: &mut Vec<Diagnostic>,
) -> Profile {
    let mut complaints = Complaints {
        file,
        text,
        list: complaints,
    };
    if content.scenarios.is_empty() {
        complaints.add(
            Position {
                line: 1,
                column: 1,
                length: 1,
            },
            "the profile has no scenario",
            "a run of nothing proves nothing; list ids as `conformance list` shows them",
        );
    }
    let mut ids = BTreeSet::new();
    for id in content.scenarios {
        if !known.contains(id.as_str()) {
            complaints.add(
                id.position,
                format!("no scenario has the id `{}`", id.value),
                "`conformance list` shows the ids; a profile names them whole",
            );
        } else if ids.contains(&id.value) {
            complaints.add(
                id.position,
                format!("`{}` stands here twice", id.value),
                "remove one of the two",
            );
        }
        ids.insert(id.value);
    }
    Profile {
        summary: content.summary,
        ids,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn checked(text: &str) -> (Profile, Vec<Diagnostic>) {
        let text: Arc<str> = text.into();
        let file = Utf8Path::new("scenarios/profiles/quick.yaml");
        let mut complaints = Vec::new();
        let content = parse::<ProfileFile>(file, &text, &mut complaints).expect("a profile");
        let known = BTreeSet::from(["A01", "A02-sqli"]);
        let profile = check(file, &text, content, &known, &mut complaints);
        (profile, complaints)
    }

    #[test]
    fn a_profile_of_known_ids_is_those_ids() {
        let (profile, complaints) = checked("summary: s\nscenarios:\n  - A01\n  - A02-sqli\n");
        assert!(complaints.is_empty(), "{complaints:?}");
        assert_eq!(
            profile.ids,
            BTreeSet::from(["A01".into(), "A02-sqli".into()])
        );
    }

    #[rstest]
    #[case::unknown(
        "summary: s\nscenarios:\n  - A01\n  - A02\n",
        4,
        "no scenario has the id `A02`"
    )]
    #[case::twice("summary: s\nscenarios:\n  - A01\n  - A01\n", 4, "stands here twice")]
    #[case::empty("summary: s\nscenarios: []\n", 1, "has no scenario")]
    fn what_a_profile_may_not_say_is_reported_at_its_line(
        #[case] text: &str,
        #[case] line: u64,
        #[case] message: &str,
    ) {
        let (_, complaints) = checked(text);
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert_eq!(complaints[0].position.line, line);
        assert!(
            complaints[0].message.contains(message),
            "{}",
            complaints[0].message
        );
    }
}
