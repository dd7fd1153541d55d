//! What an agent is described to have, where it is not as the vendor documents its own.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::Deserialize;

use super::complaints::Complaints;
use super::feature::Feature;
use super::located::Located;
use super::parse::parse;
use super::project::{LoadError, Project, read_bounded};

/// The status with which the vendor's agent denies unless it is told another.
///
/// Source: "About agent response codes" of the vendor's documentation.
const DOCUMENTED_BLOCK_STATUS: u16 = 406;

/// How a scenario file writes the status with which the agent under test denies.
pub const BLOCK_STATUS_PLACEHOLDER: &str = "$agent-block-status";

/// How a scenario file writes what a proxy makes of that status for a gRPC client.
const BLOCK_GRPC_STATUS_PLACEHOLDER: &str = "$agent-block-grpc-status";

/// What an agent is described to have.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AgentDescription {
    /// What it is called.
    pub name: String,
    /// What it is, in a sentence.
    pub summary: String,
    /// The status with which it denies: 301, 302 or from 400 to 599.
    #[serde(default = "documented_block_status")]
    pub block_status: Located<u16>,
    /// Features that it lacks: scenarios that need one of them are unsupported. Without `data-log` what it decided is read from the wire.
    #[serde(default)]
    pub lacks: Vec<Located<Feature>>,
    /// The file.
    #[serde(skip)]
    #[schemars(skip)]
    pub file: Option<Utf8PathBuf>,
}

fn documented_block_status() -> Located<u16> {
    Located::unwritten(DOCUMENTED_BLOCK_STATUS)
}

/// An agent as the vendor documents its own.
impl Default for AgentDescription {
    fn default() -> Self {
        Self {
            name: "sigsci-agent".into(),
            summary: "The agent as its vendor documents it.".into(),
            block_status: documented_block_status(),
            lacks: Vec::new(),
            file: None,
        }
    }
}

impl AgentDescription {
    /// Reads a description.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is wrong: each complaint says where.
    pub fn read(path: &Utf8Path) -> Result<Self, LoadError> {
        let folder = path.parent().unwrap_or(Utf8Path::new("/"));
        let mut list = Vec::new();
        let text = read_bounded(&Project::at(folder), path, &mut list)?;
        let file = Utf8Path::new(path.file_name().unwrap_or_default());
        let described = if list.is_empty() {
            parse::<Self>(file, &text, &mut list)
        } else {
            None
        };
        if let Some(described) = &described {
            let mut complaints = Complaints {
                file,
                text: &text,
                list: &mut list,
            };
            described.check(&mut complaints);
        }
        match described {
            Some(described) if list.is_empty() => Ok(Self {
                file: Some(path.into()),
                ..described
            }),
            _ => Err(LoadError::Invalid(list)),
        }
    }

    /// Returns whether it has a feature, as far as the description says.
    pub fn may_have(&self, feature: Feature) -> bool {
        self.lacks.iter().all(|lacked| **lacked != feature)
    }

    /// Puts what the agent has into a scenario file that names it.
    pub fn fill_in(&self, text: &Arc<str>) -> Arc<str> {
        let status = self.block_status.value;
        let values = [
            (BLOCK_STATUS_PLACEHOLDER, status),
            (BLOCK_GRPC_STATUS_PLACEHOLDER, grpc_status_of(status)),
        ];
        let mut filled_in = Arc::clone(text);
        for (placeholder, value) in values {
            if filled_in.contains(placeholder) {
                filled_in = filled_in.replace(placeholder, &value.to_string()).into();
            }
        }
        filled_in
    }

    fn check(&self, complaints: &mut Complaints<'_>) {
        if !matches!(*self.block_status, 301 | 302 | 400..=599) {
            complaints.add(
                self.block_status.position,
                "`block-status` is no status with which an agent denies",
                "write 301, 302 or a status from 400 to 599",
            );
        }
        for (place, feature) in self.lacks.iter().enumerate() {
            if !feature.is_of_the_agent() {
                complaints.add(
                    feature.position,
                    format!("`{}` is no feature of an agent", **feature),
                    "the environment is tried, and not described",
                );
            }
            if self.lacks[..place]
                .iter()
                .any(|earlier| **earlier == **feature)
            {
                complaints.add(
                    feature.position,
                    format!("`{}` is named twice", **feature),
                    "remove one of the two",
                );
            }
        }
    }
}

/// Returns what a proxy makes of a status for a gRPC client.
///
/// Source: "HTTP to gRPC Status Code Mapping" of gRPC's documentation.
const fn grpc_status_of(status: u16) -> u16 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<AgentDescription, LoadError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Utf8Path::from_path(folder.path())
            .expect("UTF-8")
            .join("a.yaml");
        fs_err::write(&path, text).expect("written");
        AgentDescription::read(&path)
    }

    fn complaints(text: &str) -> Vec<String> {
        match read(text) {
            Err(LoadError::Invalid(list)) => list
                .into_iter()
                .map(|complaint| format!("{}:{}", complaint.position.line, complaint.message))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_shipped_description_is_right() {
        let folder = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../agents");
        let files = folder.read_dir_utf8().expect("shipped");
        let names: Vec<String> = files
            .map(|file| AgentDescription::read(file.expect("shipped").path()))
            .map(|described| described.expect("right").name)
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn what_is_not_said_is_as_the_vendor_documents_it() {
        let described = read("name: x\nsummary: X.\nlacks: [data-log]\n").expect("valid");
        assert_eq!(*described.block_status, 406);
        assert!(!described.may_have(Feature::DataLog));
        assert!(described.may_have(Feature::ResponseData));
    }

    #[test]
    fn a_description_that_is_wrong_is_refused_with_the_places() {
        let text = "name: x\nsummary: X.\nblock-status: 200\nlacks:\n  - rollout\n  - data-log\n  - data-log\n";
        assert_eq!(
            complaints(text),
            [
                "3:`block-status` is no status with which an agent denies",
                "5:`rollout` is no feature of an agent",
                "7:`data-log` is named twice",
            ]
        );
        assert!(complaints("name: x\nsummary: X.\nlacks: [flying]\n")[0].starts_with("3:"));
        assert!(complaints("name: x\nsummary: X.\ncolour: red\n")[0].starts_with("3:"));
    }

    #[test]
    fn scenario_files_name_the_status_with_which_the_agent_denies() {
        let described = read("name: x\nsummary: X.\nblock-status: 403\n").expect("valid");
        let filled = described.fill_in(&"status: $agent-block-status # 406".into());
        assert_eq!(&*filled, "status: 403 # 406");
        let filled = described.fill_in(&"grpc-status: $agent-block-grpc-status".into());
        assert_eq!(&*filled, "grpc-status: 7");
    }
}
