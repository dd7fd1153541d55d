//! Puts Envoy's tap around the sockets to the agent, so that what passes there can be read from the admin endpoint.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::proxy_fitness::AUTHORIZATION_FILTER;
use crate::model::parse::parse;
use crate::model::yaml_tree::Node;

/// The name by which the admin endpoint knows the tap.
pub const TAP_ID: &str = "conformance-agent";

/// The field of a cluster that names its transport socket.
const SOCKET_FIELD: &str = "transport_socket";
/// By how many columns a socket moves that the tap is put around.
const NESTING: usize = 4;

/// Returns a configuration with a tap on every cluster over which an agent is asked; none where it is written in a way into which a tap cannot
/// be put, or asks no agent. Apart from the tap it is the same: the new text is read again and compared.
pub(super) fn tapped(text: &str, tree: &Node) -> Option<String> {
    let names = agent_clusters(tree);
    let clusters: Vec<&Node> = tree
        .at(&["static_resources", "clusters"])?
        .items()
        .iter()
        .filter(|cluster| name_of(cluster).is_some_and(|name| names.contains(name)))
        .collect();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut expected = tree.to_json();
    // From the end, so that the places of the clusters before stay right.
    let mut by_line = clusters;
    by_line.sort_by_key(|cluster| std::cmp::Reverse(cluster.position.line));
    for cluster in &by_line {
        tap_cluster(&mut lines, cluster)?;
    }
    for cluster in expected
        .pointer_mut("/static_resources/clusters")?
        .as_array_mut()?
    {
        let is_tapped = cluster["name"]
            .as_str()
            .is_some_and(|name| names.contains(name));
        if is_tapped {
            let inner = cluster.get(SOCKET_FIELD).cloned();
            cluster[SOCKET_FIELD] = tap_around(&inner.unwrap_or_else(plain_socket));
        }
    }
    let mut tapped = lines.join("\n");
    tapped.push('\n');
    let written: Arc<str> = tapped.as_str().into();
    let read: Node = parse("tapped".into(), &written, &mut Vec::new())?;
    (!by_line.is_empty() && read.to_json() == expected).then_some(tapped)
}

/// Returns the clusters over which agents are asked. A service that is asked over HTTP is no agent.
fn agent_clusters(tree: &Node) -> BTreeSet<&str> {
    let filters = tree.of_type(AUTHORIZATION_FILTER);
    let cluster = ["grpc_service", "envoy_grpc", "cluster_name"];
    let clusters = filters.into_iter().filter_map(|filter| filter.at(&cluster));
    clusters.filter_map(Node::as_str).collect()
}

fn name_of(cluster: &Node) -> Option<&str> {
    cluster.get("name").and_then(Node::as_str)
}

/// Writes the tap into a cluster that is written as a block.
fn tap_cluster(lines: &mut Vec<String>, cluster: &Node) -> Option<()> {
    let column = indentation_of(cluster)?;
    let margin = " ".repeat(column);
    let mut tap: Vec<String> = [
        "transport_socket:",
        "  name: envoy.transport_sockets.tap",
        "  typed_config:",
        "    \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tap.v3.Tap",
    ]
    .iter()
    .map(|line| format!("{margin}{line}"))
    .collect();
    tap.push(format!(
        "{margin}    common_config: {{ admin_config: {{ config_id: {TAP_ID} }} }}"
    ));
    let Some((key, _)) = cluster.field(SOCKET_FIELD) else {
        tap.push(format!(
            "{margin}    transport_socket: {{ name: envoy.transport_sockets.raw_buffer, typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer }} }}"
        ));
        let (second, _) = cluster.fields().get(1)?;
        let at = line_of_key(lines, second.position.line, column)?;
        lines.splice(at..at, tap);
        return Some(());
    };
    let at = line_of_key(lines, key.position.line, column)?;
    let rest = &lines[at + 1..];
    let end = rest
        .iter()
        .position(|line| !is_blank(line) && indentation(line) <= column);
    let end = end.map_or(lines.len(), |length| at + 1 + length);
    for line in &lines[at..end] {
        tap.push(format!("{}{line}", " ".repeat(NESTING)));
    }
    lines.splice(at..end, tap);
    Some(())
}

/// Returns by how much the fields of a block are indented, all but the first of which begin a line.
fn indentation_of(cluster: &Node) -> Option<usize> {
    let (first, _) = cluster.fields().first()?;
    usize::try_from(first.position.column).ok()?.checked_sub(1)
}

/// Returns the line of a key, counted from 0, where nothing but this indentation stands before it.
fn line_of_key(lines: &[String], line: u64, column: usize) -> Option<usize> {
    let at = usize::try_from(line).ok()?.checked_sub(1)?;
    (indentation(lines.get(at)?) == column).then_some(at)
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn is_blank(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

fn tap_around(socket: &Value) -> Value {
    json!({
        "name": "envoy.transport_sockets.tap",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tap.v3.Tap",
            "common_config": { "admin_config": { "config_id": TAP_ID } },
            "transport_socket": socket,
        },
    })
}

fn plain_socket() -> Value {
    json!({
        "name": "envoy.transport_sockets.raw_buffer",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tapped_text(text: &str) -> Option<String> {
        let tree: Node = parse("test".into(), &text.into(), &mut Vec::new()).expect("YAML");
        tapped(text, &tree)
    }

    fn with_cluster(cluster: &str) -> String {
        format!(
            r#"
filter:
  "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
  grpc_service: {{ envoy_grpc: {{ cluster_name: agent }} }}
static_resources:
  clusters:
    - name: application
      type: STATIC
{cluster}
    - name: last
      type: STATIC
"#
        )
    }

    #[test]
    fn every_shipped_configuration_can_be_tapped() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../envoy-configs");
        let mut count = 0;
        for file in fs_err::read_dir(folder).expect("shipped") {
            let path = file.expect("shipped").path();
            let text = fs_err::read_to_string(&path).expect("shipped");
            let tapped = tapped_text(&text).unwrap_or_else(|| panic!("{}", path.display()));
            assert_eq!(tapped.matches(TAP_ID).count(), 1, "{}", path.display());
            count += 1;
        }
        assert!(count > 20, "{count}");
    }

    #[test]
    fn a_socket_that_is_there_moves_into_the_tap_with_its_comments() {
        let text = with_cluster(
            r"    - name: agent
      transport_socket:
        name: envoy.transport_sockets.tls
  # Less indented than what it stands in.
        typed_config: { sni: agent }
      # The last field.
      type: STATIC",
        );
        let tapped = tapped_text(&text).expect("it can be tapped");
        assert!(
            tapped.contains("            name: envoy.transport_sockets.tls"),
            "{tapped}"
        );
    }

    #[test]
    fn what_is_not_written_as_a_block_is_left_alone() {
        let text = with_cluster("    - { name: agent, type: STATIC }");
        assert_eq!(tapped_text(&text), None);
        let text = with_cluster("    - transport_socket: { name: other }\n      name: agent");
        assert_eq!(tapped_text(&text), None);
    }

    #[test]
    fn a_configuration_without_the_agents_cluster_has_no_tap() {
        assert_eq!(tapped_text(&with_cluster("")), None);
    }
}
