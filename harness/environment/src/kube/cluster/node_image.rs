//! Chooses the image of a made cluster's nodes where the user names none: one that Docker already has, so that nothing needs to be pulled.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::kube::cluster::tool::ClusterTool;

/// How long Docker may take to list its images.
const LISTED_WITHIN: Duration = Duration::from_secs(20);

/// Returns the newest release among the node images that Docker has; none where it has none or does not answer, and the tool's own choice applies.
async fn newest_at_hand(tool: ClusterTool) -> Option<String> {
    let repository = repository(tool);
    let listed = Command::new("docker")
        .args([
            "image",
            "ls",
            "--format",
            "{{.Repository}}:{{.Tag}}",
            repository,
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .output();
    let output = timeout(LISTED_WITHIN, listed).await.ok()?.ok()?;
    newest(&String::from_utf8_lossy(&output.stdout), repository)
}

const fn repository(tool: ClusterTool) -> &'static str {
    match tool {
        ClusterTool::K3d => "rancher/k3s",
        ClusterTool::Kind => "kindest/node",
    }
}

fn newest(list: &str, repository: &str) -> Option<String> {
    list.lines()
        .filter_map(|line| {
            let tag = line.trim().strip_prefix(repository)?.strip_prefix(':')?;
            Some((release(tag)?, line.trim().to_owned()))
        })
        .max()
        .map(|(_, image)| image)
}

/// Reads a tag that begins with a release of Kubernetes: `v1.32.2`, `v1.32.2-k3s1`.
fn release(tag: &str) -> Option<(u32, u32, u32)> {
    let numbers = tag.strip_prefix('v')?;
    let numbers = numbers.split(['-', '+']).next()?;
    let mut parts = numbers.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

/// Returns the image of the nodes: the one that the user names, else one that is at hand; none where the tool's own choice applies.
pub(super) async fn node_image_for(tool: ClusterTool, named: Option<String>) -> Option<String> {
    match named {
        Some(named) => Some(named),
        None => newest_at_hand(tool).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_release_is_chosen_by_number() {
        let list =
            "kindest/node:v1.9.9\nkindest/node:v1.32.2\nkindest/node:v1.4.0\nkindest/node:<none>\n";
        assert_eq!(
            newest(list, "kindest/node").as_deref(),
            Some("kindest/node:v1.32.2")
        );
    }

    #[test]
    fn tags_that_are_no_release_and_other_images_are_left_alone() {
        let list = "kindest/node:latest\nkindest/node-extra:v1.99.0\nother:v1.1.1\n";
        assert_eq!(newest(list, "kindest/node"), None);
        assert_eq!(
            newest("rancher/k3s:v1.33.1-k3s1", "rancher/k3s").as_deref(),
            Some("rancher/k3s:v1.33.1-k3s1")
        );
    }
}
