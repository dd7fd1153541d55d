//! `filesystem`: where a container may write by the kernel's word, what it wrote, and with which privileges.

use harness_core::model::finding_kind::FindingKind;
use std::collections::BTreeSet;

use camino::Utf8Path;

use super::ProcedureResults;
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::exchange::judge_working;
use harness_core::model::admission::PodSecurity;
use harness_core::model::finding::Finding;
use harness_core::model::located::Position;
use harness_core::model::procedure::{FilesystemSpec, RootExpectation};
use harness_core::stack::AGENT_CONTAINER;
use harness_environment::FileSystemView;

/// Carries a file system check out.
pub async fn carry_out(
    spec: &FilesystemSpec,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    judge_working(&spec.cases, deployment, results).await?;
    let container = spec
        .container
        .as_ref()
        .map_or(AGENT_CONTAINER, |name| name.as_str());
    let view = deployment.pod.inspect_files(container).await?;
    results.findings.extend(judge_view(spec, &view));
    results.observations.insert(
        format!("bytes that {container} wrote"),
        total_size(&view).to_string(),
    );
    Ok(())
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
            strays.join(", "),
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
            format!("{wanted:?}"),
            format!("{writable:?}"),
        ));
    }
    for file in &spec.files {
        let kind = view.files.get(file.path.as_str()).map(|entry| &*entry.kind);
        if kind != Some(file.kind.as_str()) {
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
            format!("at most {} bytes", *spec.size_limit),
            format!("{size} bytes"),
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
    use harness_core::model::procedure::ExpectedFile;
    use harness_environment::{FileEntry, ProcessPrivileges};

    fn spec() -> FilesystemSpec {
        FilesystemSpec {
            cases: Vec::new(),
            container: None,
            root: RootExpectation::ReadOnly,
            writable: Located::unwritten(vec!["/sigsci/tmp".into()]),
            files: vec![ExpectedFile {
                path: Located::unwritten("/sigsci/tmp/sigsci.sock".into()),
                kind: Located::unwritten("socket".into()),
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
                    kind: "socket".into(),
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
                "read-only-root",
                "stray-files",
                "writable-mounts",
                "file",
                "file-size",
                "security"
            ]
        );
    }
}
