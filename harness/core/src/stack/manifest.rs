//! Reads the pod template out of a Kubernetes manifest, and refuses fields that Kubernetes does not know.

use camino::{Utf8Path, Utf8PathBuf};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("cannot read the manifest {path}")]
    Unreadable {
        /// The file.
        path: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The file is not YAML.
    #[error("the manifest {path} is not valid YAML: {message}")]
    Malformed {
        /// The file.
        path: Utf8PathBuf,
        /// The parser's message, with the place.
        message: String,
    },
    /// There is not exactly one Deployment in the file.
    #[error("the manifest {path} holds {count} Deployments; it must hold one")]
    NotOneDeployment {
        /// The file.
        path: Utf8PathBuf,
        /// How many there are.
        count: usize,
    },
    /// The Deployment does not have the shape that Kubernetes asks for.
    #[error("the Deployment in {path} is not valid")]
    Invalid {
        /// The file.
        path: Utf8PathBuf,
        /// What does not fit.
        #[source]
        source: serde_json::Error,
    },
    /// A field is not one of Kubernetes' (a typing error would be ignored silently).
    #[error("the Deployment in {path} has the unknown field `{field}`")]
    UnknownField {
        /// The file.
        path: Utf8PathBuf,
        /// The field's path.
        field: String,
    },
    /// The Deployment has no pod template.
    #[error("the Deployment in {path} has no pod template")]
    NoTemplate {
        /// The file.
        path: Utf8PathBuf,
    },
}

/// Reads the pod template of the one Deployment in a manifest.
pub fn read_pod_template(path: &Utf8Path) -> Result<PodSpec, ManifestError> {
    let text = fs_err::read_to_string(path).map_err(|source| ManifestError::Unreadable {
        path: path.into(),
        source,
    })?;
    parse_pod_template(path, &text)
}

fn parse_pod_template(path: &Utf8Path, text: &str) -> Result<PodSpec, ManifestError> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|error| ManifestError::Malformed {
            path: path.into(),
            message: error.without_snippet().to_string(),
        })?;
    let mut deployments: Vec<Value> = documents
        .into_iter()
        .filter(|document| document.get("kind").and_then(Value::as_str) == Some("Deployment"))
        .collect();
    let count = deployments.len();
    let Some(written) = deployments.pop().filter(|_| count == 1) else {
        return Err(ManifestError::NotOneDeployment {
            path: path.into(),
            count,
        });
    };
    let invalid = |source| ManifestError::Invalid {
        path: path.into(),
        source,
    };
    let deployment: Deployment = serde_json::from_value(written.clone()).map_err(invalid)?;
    let understood = serde_json::to_value(&deployment).map_err(invalid)?;
    if let Some(field) = first_lost_field("", &written, &understood) {
        return Err(ManifestError::UnknownField {
            path: path.into(),
            field,
        });
    }
    deployment
        .spec
        .template
        .spec
        .ok_or_else(|| ManifestError::NoTemplate { path: path.into() })
}

/// Returns the path of the first field of `written` that did not survive the typed reading.
fn first_lost_field(path: &str, written: &Value, understood: &Value) -> Option<String> {
    match (written, understood) {
        (Value::Object(written), Value::Object(understood)) => {
            written.iter().find_map(|(name, value)| {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                match understood.get(name) {
                    Some(kept) => first_lost_field(&path, value, kept),
                    // Empty lists and nulls are left out on writing; that loses nothing.
                    None if value.is_null() || value == &Value::Array(Vec::new()) => None,
                    None => Some(path),
                }
            })
        }
        (Value::Array(written), Value::Array(understood)) => written
            .iter()
            .zip(understood)
            .enumerate()
            .find_map(|(index, (value, kept))| {
                first_lost_field(&format!("{path}[{index}]"), value, kept)
            }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec:\n  selector: {}\n  template:\n    spec:\n      containers:\n        - name: a\n          volumeMounts: [{name: x, mountPath: /x}]\n";

    #[test]
    fn a_manifest_yields_its_pod_template() {
        let pod = parse_pod_template("x.yaml".into(), MANIFEST).expect("valid");
        assert_eq!(pod.containers[0].name, "a");
    }

    #[test]
    fn a_misspelt_field_is_refused_with_its_path() {
        let misspelt = MANIFEST.replace("volumeMounts", "volumeMount");
        let error = parse_pod_template("x.yaml".into(), &misspelt).expect_err("misspelt");
        assert!(
            error
                .to_string()
                .contains("`spec.template.spec.containers[0].volumeMount`"),
            "{error}"
        );
    }

    #[test]
    fn a_manifest_without_a_deployment_is_refused() {
        let error = parse_pod_template("x.yaml".into(), "kind: Secret\n").expect_err("none");
        assert!(matches!(
            error,
            ManifestError::NotOneDeployment { count: 0, .. }
        ));
    }
}
