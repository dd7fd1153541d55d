//! Reads the pod template out of a Kubernetes manifest, and refuses fields that Kubernetes does not know.

use std::sync::Arc;

use camino::Utf8Path;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use super::file_error::StackFileError;
use super::manifest_fitness;
use crate::model::complaints::Complaints;
use crate::model::diagnostic::Diagnostic;
use crate::model::located::Position;
use crate::model::parse::parse_documents;
use crate::model::yaml_tree::{Content, Node};

/// What errors call the file.
const WHAT: &str = "manifest";
/// Where the pod template stands in a Deployment.
const TEMPLATE: &str = "spec.template.spec";

/// The one Deployment of a manifest.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its pod template.
    pub pod: PodSpec,
    deployment: Node,
}

impl Manifest {
    /// Reads a manifest and checks that a stack can be made of it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or [`Manifest::parse`] or [`Manifest::check`] finds a fault.
    pub fn read(path: &Utf8Path) -> Result<Self, StackFileError> {
        let text = fs_err::read_to_string(path).map_err(|source| StackFileError::Unreadable {
            what: WHAT,
            path: path.into(),
            source,
        })?;
        let text: Arc<str> = text.into();
        let mut faults = Vec::new();
        let manifest = Self::parse(path, &text, &mut faults);
        if let Some(manifest) = &manifest {
            manifest.check(path, &text, &mut faults);
        }
        match manifest {
            Some(manifest) if faults.is_empty() => Ok(manifest),
            Some(_) | None => Err(StackFileError::Unfit {
                what: WHAT,
                path: path.into(),
                faults,
            }),
        }
    }

    /// Reads the manifest that `text` is; complaints say where it has not the shape of one. It is returned with unknown fields, too.
    pub fn parse(
        file: &Utf8Path,
        text: &Arc<str>,
        complaints: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let documents: Vec<Node> = parse_documents(file, text, complaints)?;
        let mut complaints = Complaints {
            file,
            text,
            list: complaints,
        };
        let mut deployments: Vec<Node> = documents
            .into_iter()
            .filter(|document| document.get("kind").and_then(Node::as_str) == Some("Deployment"))
            .collect();
        let count = deployments.len();
        let second = deployments
            .get(1)
            .map_or_else(start_of_file, |second| second.position);
        let Some(deployment) = deployments.pop().filter(|_| count == 1) else {
            complaints.add(
                second,
                format!("the manifest holds {count} Deployments"),
                "write one: its pod template is deployed, and other objects are not",
            );
            return None;
        };
        let read = serde_json::from_value::<Deployment>(deployment.to_json())
            .and_then(|typed| Ok((serde_json::to_value(&typed)?, typed)));
        let (understood, typed) = match read {
            Ok(read) => read,
            Err(error) => {
                complaints.add(
                    deployment.position,
                    format!("the Deployment is not one of Kubernetes': {error}"),
                    "`kubectl apply --dry-run=server -f FILE` says which field it is",
                );
                return None;
            }
        };
        complain_of_lost_fields("", &deployment, &understood, &mut complaints);
        let Some(pod) = typed.spec.template.spec else {
            complaints.add(
                deployment.place_of_path(TEMPLATE),
                "the Deployment has no pod template",
                "write its containers below `spec.template.spec`",
            );
            return None;
        };
        Some(Self { pod, deployment })
    }

    /// Complains of everything that keeps a stack from being made of it.
    pub fn check(&self, file: &Utf8Path, text: &Arc<str>, complaints: &mut Vec<Diagnostic>) {
        let mut complaints = Complaints {
            file,
            text,
            list: complaints,
        };
        manifest_fitness::check(self, &mut complaints);
    }

    /// Returns the place of a field of the pod template, as `containers[0].image`, or the nearest before it that is written.
    pub fn place_of(&self, path: &str) -> Position {
        self.deployment.place_of_path(&format!("{TEMPLATE}.{path}"))
    }
}

fn start_of_file() -> Position {
    Position {
        line: 1,
        column: 1,
        length: 1,
    }
}

/// Complains of each field of `written` that did not survive the typed reading: a typing error would be ignored silently.
fn complain_of_lost_fields(
    path: &str,
    written: &Node,
    understood: &Value,
    complaints: &mut Complaints<'_>,
) {
    match (&written.value, understood) {
        (Content::Fields(fields), Value::Object(understood)) => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name.value.clone()
                } else {
                    format!("{path}.{}", name.value)
                };
                match understood.get(&name.value) {
                    Some(kept) => complain_of_lost_fields(&path, value, kept, complaints),
                    // Empty lists and nulls are left out on writing; that loses nothing.
                    None if is_nothing(value) => {}
                    None => complaints.add(
                        name.position,
                        format!("Kubernetes has no field `{path}`"),
                        "Kubernetes would ignore it silently; correct its name or its indentation",
                    ),
                }
            }
        }
        (Content::List(items), Value::Array(understood)) => {
            for (index, (value, kept)) in items.iter().zip(understood).enumerate() {
                complain_of_lost_fields(&format!("{path}[{index}]"), value, kept, complaints);
            }
        }
        (Content::Scalar(_) | Content::List(_) | Content::Fields(_), _) => {}
    }
}

fn is_nothing(node: &Node) -> bool {
    match &node.value {
        Content::Scalar(value) => value.is_null(),
        Content::List(items) => items.is_empty(),
        Content::Fields(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec:\n  selector: {}\n  template:\n    spec:\n      containers:\n        - name: a\n          volumeMounts: [{name: x, mountPath: /x}]\n";

    fn parsed(text: &str) -> (Option<Manifest>, Vec<Diagnostic>) {
        let mut complaints = Vec::new();
        let manifest = Manifest::parse("x.yaml".into(), &text.into(), &mut complaints);
        (manifest, complaints)
    }

    #[test]
    fn a_manifest_yields_its_pod_template() {
        let (manifest, complaints) = parsed(&format!("kind: Secret\n---\n{MANIFEST}"));
        assert!(complaints.is_empty(), "{complaints:?}");
        let manifest = manifest.expect("valid");
        assert_eq!(manifest.pod.containers[0].name, "a");
        let place = manifest.place_of("containers[0].volumeMounts[0].name");
        assert_eq!((place.line, place.column), (12, 27));
    }

    #[test]
    fn each_misspelt_field_is_refused_in_its_place() {
        let misspelt = MANIFEST
            .replace("volumeMounts", "volumeMount")
            .replace("  selector", "  replica: 1\n  selector");
        let (_, complaints) = parsed(&misspelt);
        let seen: Vec<_> = complaints
            .iter()
            .map(|complaint| (complaint.position.line, complaint.message.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                (5, "Kubernetes has no field `spec.replica`"),
                (
                    11,
                    "Kubernetes has no field `spec.template.spec.containers[0].volumeMount`"
                )
            ]
        );
    }

    #[test]
    fn a_manifest_with_another_number_of_deployments_than_one_is_refused() {
        for (text, count) in [
            ("kind: Secret\n".to_owned(), 0),
            (format!("{MANIFEST}---\n{MANIFEST}"), 2),
        ] {
            let (manifest, complaints) = parsed(&text);
            assert!(manifest.is_none());
            let message = &complaints[0].message;
            assert!(
                message.contains(&format!("{count} Deployments")),
                "{message}"
            );
        }
    }
}
