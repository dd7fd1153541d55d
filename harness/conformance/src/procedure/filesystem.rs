//! `filesystem`: where a container may write by the kernel's word, what it wrote, and with which privileges.

use crate::procedure::interface::CarryOut;
use crate::procedure::interface::{CheckContext, Procedure, Requirement, assertion_of_case};
use crate::procedure::pods::OnePod;
use async_trait::async_trait;
use harness_core::model::case::Case;
use harness_core::model::complaints::Complaints;
use harness_core::model::file_kind::FileKind;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::validate_requests::check_some_cases;
use harness_core::stack::{APPLICATION_CONTAINER, PROXY_CONTAINER};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;

use camino::Utf8Path;

use super::ProcedureResults;
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::exchange::judge_working;
use harness_core::model::datum::{Datum, Quantity};
use harness_core::model::finding::Finding;
use harness_core::model::located::{Located, Position};
use harness_core::model::pod_security::PodSecurity;
use harness_core::stack::AGENT_CONTAINER;
use harness_environment::FileSystemView;

/// `filesystem`: what a container writes and where it may, and what else the kernel keeps it from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FilesystemSpec {
    /// Requests that are judged first, so that the agent has worked.
    pub cases: Vec<Case>,
    /// The container; the agent's when not given.
    #[serde(default)]
    pub container: Option<Located<String>>,
    /// What the kernel must say of the container's root.
    #[serde(default)]
    pub root: RootExpectation,
    /// Mount points that the container may write to. No other may exist but a writable root, and no file that it writes may lie elsewhere.
    pub writable: Located<Vec<String>>,
    /// Files that must be there, with their kind.
    pub files: Vec<ExpectedFile>,
    /// The most bytes that all its files may take.
    pub size_limit: Located<u64>,
    /// What the kernel must keep the container's first process from.
    #[serde(default)]
    pub security: Option<Located<PodSecurity>>,
}

/// What the kernel must say of a container's root.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum RootExpectation {
    /// It is mounted read-only.
    #[default]
    ReadOnly,
    /// It is writable: whatever the agent adds to it shows.
    Writable,
}

/// A file that must be there.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExpectedFile {
    /// The path inside the container.
    pub path: Located<String>,
    /// What it is.
    pub kind: Located<FileKind>,
}

impl Procedure for FilesystemSpec {
    fn check(&self, _: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_some_cases(&self.cases, "filesystem", complaints);
        if self.files.is_empty() && !self.writable.is_empty() {
            complaints.add(
                self.writable.position,
                "`filesystem` expects no file",
                "name at least one file that must have been written there",
            );
        }
        if let Some(container) = &self.container
            && ![AGENT_CONTAINER, APPLICATION_CONTAINER, PROXY_CONTAINER]
                .contains(&container.as_str())
        {
            complaints.add(
                container.position,
                format!("there is no container `{}`", **container),
                format!("known: {AGENT_CONTAINER}, {APPLICATION_CONTAINER}, {PROXY_CONTAINER}"),
            );
        }
    }

    fn assertions(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.cases.iter().map(assertion_of_case).collect();
        lines.push(format!(
            "the agent may write to {} and nowhere else",
            self.writable.join(", ")
        ));
        lines
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement::Pod(self)
    }

    fn judges_start(&self) -> bool {
        true
    }
}

#[async_trait]
impl CarryOut<OnePod> for FilesystemSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        let spec = self;
        judge_working(&spec.cases, deployment, results).await?;
        let container = spec
            .container
            .as_ref()
            .map_or(AGENT_CONTAINER, |name| name.as_str());
        let view = deployment.pod().inspect_files(container).await?;
        results.findings.extend(judge_view(spec, &view));
        results.observations.insert(
            format!("bytes that {container} wrote"),
            total_size(&view).to_string(),
        );
        Ok(())
    }
}

fn total_size(view: &FileSystemView) -> u64 {
    view.files.values().map(|file| file.size).sum()
}

fn judge_view(spec: &FilesystemSpec, view: &FileSystemView) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (is_as_wanted, wanted, otherwise) = match spec.root {
        RootExpectation::ReadOnly => (view.root_is_read_only, "read-only", "it is writable"),
        RootExpectation::Writable => (!view.root_is_read_only, "writable", "it is read-only"),
    };
    if !is_as_wanted {
        findings.push(Finding::new(
            FindingKind::RootFilesystem,
            Position::default(),
            format!("the kernel has the container's root mounted {wanted}"),
            otherwise,
        ));
    }
    let strays: Vec<&str> = view
        .files
        .keys()
        .map(String::as_str)
        .filter(|path| {
            let mut places = spec.writable.iter();
            !places.any(|place| Utf8Path::new(path).starts_with(place))
        })
        .collect();
    if !strays.is_empty() {
        findings.push(Finding::new(
            FindingKind::UnexpectedFiles,
            spec.writable.position,
            format!("files below {} only", spec.writable.join(", ")),
            Datum::names(strays),
        ));
    }
    let writable: BTreeSet<&str> = view.writable_mounts.keys().map(String::as_str).collect();
    let root = match spec.root {
        RootExpectation::ReadOnly => None,
        RootExpectation::Writable => Some("/"),
    };
    let wanted: BTreeSet<&str> = spec
        .writable
        .iter()
        .map(String::as_str)
        .chain(root)
        .collect();
    if writable != wanted {
        findings.push(Finding::new(
            FindingKind::WritableMounts,
            spec.writable.position,
            Datum::names(wanted),
            Datum::names(writable),
        ));
    }
    for file in &spec.files {
        let kind = view.files.get(file.path.as_str()).map(|entry| entry.kind);
        if kind != Some(*file.kind) {
            findings.push(
                Finding::new(
                    FindingKind::ExpectedFile,
                    file.path.position,
                    format!("a {} at {}", *file.kind, *file.path),
                    kind.map_or_else(|| "nothing".into(), |kind| format!("a {kind}")),
                )
                .note(format!("files: {:?}", view.files.keys())),
            );
        }
    }
    let size = total_size(view);
    if size > *spec.size_limit {
        findings.push(Finding::new(
            FindingKind::StorageUsage,
            spec.size_limit.position,
            Datum::AtMost(Quantity::Bytes(*spec.size_limit)),
            Quantity::Bytes(size),
        ));
    }
    if let Some(security) = &spec.security
        && !view.privileges.are_within(**security)
    {
        findings.push(Finding::new(
            FindingKind::ContainerPrivileges,
            security.position,
            kept_from(**security),
            view.privileges.to_string(),
        ));
    }
    findings
}

const fn kept_from(security: PodSecurity) -> &'static str {
    match security {
        PodSecurity::Restricted => {
            "another user than root, no capability and none to gain, and a filter of system calls"
        }
        PodSecurity::Unprivileged => "another user than root, no capability and none to gain",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use harness_core::model::located::Located;
    use harness_environment::{FileEntry, ProcessPrivileges};

    fn spec() -> FilesystemSpec {
        FilesystemSpec {
            cases: Vec::new(),
            container: None,
            root: RootExpectation::ReadOnly,
            writable: Located::unwritten(vec!["/sigsci/tmp".into()]),
            files: vec![ExpectedFile {
                path: Located::unwritten("/sigsci/tmp/sigsci.sock".into()),
                kind: Located::unwritten(FileKind::Socket),
            }],
            size_limit: Located::unwritten(10),
            security: Some(Located::unwritten(PodSecurity::Unprivileged)),
        }
    }

    fn view() -> FileSystemView {
        FileSystemView {
            root_is_read_only: true,
            writable_mounts: BTreeMap::from([("/sigsci/tmp".into(), Some("sigsci-tmp".into()))]),
            files: BTreeMap::from([(
                "/sigsci/tmp/sigsci.sock".into(),
                FileEntry {
                    kind: FileKind::Socket,
                    size: 0,
                    mode: 0o600,
                },
            )]),
            privileges: ProcessPrivileges {
                user: 1000,
                capabilities: 0,
                can_gain_more: false,
                is_filtered: false,
            },
        }
    }

    #[test]
    fn what_the_guide_promises_has_no_finding() {
        assert_eq!(judge_view(&spec(), &view()), []);
    }

    #[test]
    fn a_writable_root_another_mount_a_missing_socket_too_many_bytes_and_root_are_findings() {
        let mut view = view();
        view.root_is_read_only = false;
        view.privileges.user = 0;
        view.writable_mounts.insert("/var".into(), None);
        let socket = view.files.remove("/sigsci/tmp/sigsci.sock").expect("there");
        view.files
            .insert("/var/x".into(), FileEntry { size: 11, ..socket });
        let kinds: Vec<String> = judge_view(&spec(), &view)
            .into_iter()
            .map(|finding| finding.kind.to_string())
            .collect();
        assert_eq!(
            kinds,
            [
                "root-filesystem",
                "unexpected-files",
                "writable-mounts",
                "expected-file",
                "storage-usage",
                "container-privileges"
            ]
        );
    }
}
