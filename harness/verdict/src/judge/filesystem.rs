//! Judges where a container may write as the kernel sees it, what it wrote, and with which privileges.

use std::collections::BTreeSet;

use camino::Utf8Path;
use schemars::JsonSchema;
use serde::Deserialize;

use harness_core::model::datum::{Datum, Quantity};
use harness_core::model::file_kind::FileKind;
use harness_core::model::file_system_view::FileSystemView;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::{Located, Position};
use harness_core::model::pod_security::PodSecurity;

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

/// What must be seen of a container.
#[derive(Clone, Copy, Debug)]
pub struct FilesystemExpectation<'a> {
    /// What the kernel must say of its root.
    pub root: RootExpectation,
    /// Mount points that it may write to.
    pub writable: &'a Located<Vec<String>>,
    /// Files that must be there.
    pub files: &'a [ExpectedFile],
    /// The most bytes that all its files may take.
    pub size_limit: Located<u64>,
    /// What the kernel must keep its first process from.
    pub security: Option<Located<PodSecurity>>,
}

/// Returns how many bytes all its files take.
pub fn total_size(view: &FileSystemView) -> u64 {
    view.files.values().map(|file| file.size).sum()
}

/// Judges what the kernel says of a container.
pub fn judge_view(expectation: &FilesystemExpectation<'_>, view: &FileSystemView) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (is_as_wanted, wanted, otherwise) = match expectation.root {
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
            let mut places = expectation.writable.iter();
            !places.any(|place| Utf8Path::new(path).starts_with(place))
        })
        .collect();
    if !strays.is_empty() {
        findings.push(Finding::new(
            FindingKind::UnexpectedFiles,
            expectation.writable.position,
            format!("files below {} only", expectation.writable.join(", ")),
            Datum::names(strays),
        ));
    }
    let writable: BTreeSet<&str> = view.writable_mounts.keys().map(String::as_str).collect();
    let root = match expectation.root {
        RootExpectation::ReadOnly => None,
        RootExpectation::Writable => Some("/"),
    };
    let wanted: BTreeSet<&str> = expectation
        .writable
        .iter()
        .map(String::as_str)
        .chain(root)
        .collect();
    if writable != wanted {
        findings.push(Finding::new(
            FindingKind::WritableMounts,
            expectation.writable.position,
            Datum::names(wanted),
            Datum::names(writable),
        ));
    }
    for file in expectation.files {
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
    if size > *expectation.size_limit {
        findings.push(Finding::new(
            FindingKind::StorageUsage,
            expectation.size_limit.position,
            Datum::AtMost(Quantity::Bytes(*expectation.size_limit)),
            Quantity::Bytes(size),
        ));
    }
    if let Some(security) = expectation.security
        && !view.privileges.are_within(*security)
    {
        findings.push(Finding::new(
            FindingKind::ContainerPrivileges,
            security.position,
            kept_from(*security),
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
    use harness_core::model::file_system_view::FileEntry;
    use harness_core::model::process_privileges::ProcessPrivileges;

    fn findings(view: &FileSystemView) -> Vec<Finding> {
        let expectation = FilesystemExpectation {
            root: RootExpectation::ReadOnly,
            writable: &Located::unwritten(vec!["/sigsci/tmp".into()]),
            files: &[ExpectedFile {
                path: Located::unwritten("/sigsci/tmp/sigsci.sock".into()),
                kind: Located::unwritten(FileKind::Socket),
            }],
            size_limit: Located::unwritten(10),
            security: Some(Located::unwritten(PodSecurity::Unprivileged)),
        };
        judge_view(&expectation, view)
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
        assert_eq!(findings(&view()), []);
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
        let kinds: Vec<String> = findings(&view)
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
