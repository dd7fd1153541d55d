//! Asks what there is for clusters on this machine: Docker, the tools, clusters that are kept, and those that dead runs have left. Changes nothing.

use std::time::Duration;

use camino::Utf8Path;
use jiff::Timestamp;

use crate::EnvironmentFault;
use crate::kube::api::connection::{ApiConnection, KubeconfigSource};
use crate::kube::api::ownership::Owner;
use crate::kube::cluster::lease::Lease;
use crate::kube::cluster::lease_folder::LeaseFolder;
use crate::kube::cluster::node_image::node_image_for;
use crate::kube::cluster::owner_record::made_by;
use crate::kube::cluster::tool::{ClusterTool, clusters_of, run_tool};
use crate::kube::command::run_command;

/// How long a program may take to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// How much of an answer is returned, in characters.
const MOST_CHARACTERS: usize = 200;

/// Returns what Docker's client calls itself: `Docker version 28.2.2, build e6534b4`. The daemon is not asked.
///
/// # Errors
///
/// When there is no client, or it does not answer.
pub async fn docker_client_version() -> Result<String, EnvironmentFault> {
    let arguments = ["--version".to_owned()];
    let answer = run_command(
        "docker",
        "show the version",
        &arguments,
        "",
        ANSWERED_WITHIN,
    );
    Ok(first_line(&answer.await?))
}

/// Returns the version of Docker's daemon: `28.2.2`.
///
/// # Errors
///
/// When it does not answer.
pub async fn docker_daemon_version() -> Result<String, EnvironmentFault> {
    let arguments = ["version", "--format", "{{.Server.Version}}"].map(str::to_owned);
    let action = "reach the daemon";
    let answer = run_command("docker", action, &arguments, "", ANSWERED_WITHIN);
    Ok(first_line(&answer.await?))
}

/// Returns what a tool calls itself: `kind v0.27.0 go1.24.4 linux/amd64`. Docker is not asked.
///
/// # Errors
///
/// When there is no such tool, or it does not answer.
pub async fn tool_version(tool: ClusterTool) -> Result<String, EnvironmentFault> {
    let arguments = ["version".to_owned()];
    let answer = run_tool(tool, "show the version", &arguments, ANSWERED_WITHIN);
    Ok(first_line(&answer.await?))
}

/// Returns the names of all clusters that a tool knows, those of other users of it among them.
///
/// # Errors
///
/// When it does not answer.
pub async fn clusters_known_to(tool: ClusterTool) -> Result<Vec<String>, EnvironmentFault> {
    clusters_of(tool).await
}

/// Returns the node image that a run would take where the user names none; none where the tool's own choice would be pulled.
pub async fn node_image_at_hand(tool: ClusterTool) -> Option<String> {
    node_image_for(tool, None).await
}

/// Asks a kept cluster for its version of Kubernetes.
///
/// # Errors
///
/// When it does not answer.
pub async fn reach_kept(lease: &Lease) -> Result<String, EnvironmentFault> {
    let source = KubeconfigSource::File(lease.kubeconfig.clone());
    Ok(ApiConnection::open(&source).await?.version)
}

/// Returns the clusters of a tool that the next sweep removes: those that a dead run has made, by its records, and those whose lease is over.
///
/// # Errors
///
/// When a lease is broken.
pub fn clusters_left(
    records: &Utf8Path,
    leases: &LeaseFolder,
    tool: ClusterTool,
) -> Result<Vec<String>, EnvironmentFault> {
    let mut left = Vec::new();
    let entries = records.read_dir_utf8().into_iter().flatten();
    for entry in entries.filter_map(Result::ok) {
        let owner = || fs_err::read_to_string(entry.path()).unwrap_or_default();
        if let Some((name, made_with)) = made_by(entry.file_name())
            && made_with == tool
            && !leases.has(name)
            && Owner::parse(&owner()).is_some_and(|owner| owner.is_gone())
        {
            left.push(name.to_owned());
        }
    }
    let now = Timestamp::now();
    let over = leases.list()?.into_iter();
    left.extend(
        over.filter(|lease| lease.tool == tool && lease.is_over(now))
            .map(|lease| lease.name),
    );
    left.sort();
    Ok(left)
}

fn first_line(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.unwrap_or("an empty answer")
        .trim()
        .chars()
        .take(MOST_CHARACTERS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::cluster::choice::ClusterNodes;
    use crate::kube::cluster::lease::LeasePurpose;
    use crate::kube::cluster::owner_record::write_record;

    #[test]
    fn only_what_nothing_owns_any_more_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let records = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let leases = LeaseFolder::at(records.join("leases"));
        let kind = ClusterTool::Kind;
        write_record(records, kind, "conformance-lives", &Owner::this_process()).expect("written");
        let gone = Owner::of_an_ended_process();
        write_record(records, kind, "conformance-dead", &gone).expect("written");
        write_record(records, ClusterTool::K3d, "conformance-other", &gone).expect("written");
        for (name, until) in [
            ("conformance-over", Timestamp::UNIX_EPOCH),
            ("conformance-kept", Timestamp::MAX),
        ] {
            let purpose = LeasePurpose::ForRunsUntil(until);
            let kubeconfig = leases.kubeconfig_of(name);
            let lease = Lease::new(name, kind, &ClusterNodes::default(), purpose, kubeconfig);
            leases.write(&lease).expect("written");
        }
        let left = clusters_left(records, &leases, kind).expect("read");
        assert_eq!(left, ["conformance-dead", "conformance-over"]);
    }

    #[test]
    fn an_answer_is_one_short_line() {
        assert_eq!(first_line(b"\n  k3d version v5\nk3s\n"), "k3d version v5");
        assert_eq!(first_line(b""), "an empty answer");
        assert_eq!(first_line(&[b'x'; 900]).len(), MOST_CHARACTERS);
    }
}
