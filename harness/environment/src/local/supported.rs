//! Refuses every field of a pod template that is set and would not be carried out.
//!
//! The template is walked as JSON, so an unforeseen field is refused as well.

use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use super::pod_terms::not_carried_out;
use crate::EnvironmentFault;

/// The longest value that a refusal shows.
const LONGEST_VALUE: usize = 80;

/// Every field that is carried out, or that asks for nothing on a machine with one pod. `[]` stands
/// for any position, `*` for any key.
const CARRIED_OUT: &[&str] = &[
    "automountServiceAccountToken",
    "containers[].args[]",
    "containers[].command[]",
    "containers[].env[].name",
    "containers[].env[].value",
    "containers[].env[].valueFrom.configMapKeyRef.key",
    "containers[].env[].valueFrom.configMapKeyRef.name",
    "containers[].env[].valueFrom.configMapKeyRef.optional",
    "containers[].env[].valueFrom.fieldRef.apiVersion",
    "containers[].env[].valueFrom.fieldRef.fieldPath",
    "containers[].env[].valueFrom.secretKeyRef.key",
    "containers[].env[].valueFrom.secretKeyRef.name",
    "containers[].env[].valueFrom.secretKeyRef.optional",
    "containers[].image",
    "containers[].imagePullPolicy",
    "containers[].lifecycle.preStop.exec.command[]",
    "containers[].lifecycle.preStop.httpGet.host",
    "containers[].lifecycle.preStop.httpGet.httpHeaders[].name",
    "containers[].lifecycle.preStop.httpGet.httpHeaders[].value",
    "containers[].lifecycle.preStop.httpGet.path",
    "containers[].lifecycle.preStop.httpGet.port",
    "containers[].lifecycle.preStop.httpGet.scheme",
    "containers[].lifecycle.preStop.sleep.seconds",
    "containers[].livenessProbe",
    "containers[].name",
    "containers[].ports[].containerPort",
    "containers[].ports[].name",
    "containers[].ports[].protocol",
    "containers[].readinessProbe",
    "containers[].resources.requests.*",
    "containers[].securityContext.allowPrivilegeEscalation",
    "containers[].securityContext.capabilities.drop[]",
    "containers[].securityContext.privileged",
    "containers[].securityContext.readOnlyRootFilesystem",
    "containers[].securityContext.runAsGroup",
    "containers[].securityContext.runAsNonRoot",
    "containers[].securityContext.runAsUser",
    "containers[].startupProbe",
    "containers[].volumeMounts[].mountPath",
    "containers[].volumeMounts[].name",
    "containers[].volumeMounts[].readOnly",
    "containers[].workingDir",
    "enableServiceLinks",
    "initContainers[].restartPolicy",
    "restartPolicy",
    "securityContext.runAsGroup",
    "securityContext.runAsNonRoot",
    "securityContext.runAsUser",
    "terminationGracePeriodSeconds",
    "volumes[].configMap.defaultMode",
    "volumes[].configMap.items[].key",
    "volumes[].configMap.items[].mode",
    "volumes[].configMap.items[].path",
    "volumes[].configMap.name",
    "volumes[].configMap.optional",
    "volumes[].emptyDir.medium",
    "volumes[].emptyDir.sizeLimit",
    "volumes[].name",
    "volumes[].secret.defaultMode",
    "volumes[].secret.items[].key",
    "volumes[].secret.items[].mode",
    "volumes[].secret.items[].path",
    "volumes[].secret.optional",
    "volumes[].secret.secretName",
];

/// The same for a probe, wherever it is.
const CARRIED_OUT_OF_PROBES: &[&str] = &[
    "exec.command[]",
    "failureThreshold",
    "grpc.port",
    "grpc.service",
    "httpGet.host",
    "httpGet.httpHeaders[].name",
    "httpGet.httpHeaders[].value",
    "httpGet.path",
    "httpGet.port",
    "httpGet.scheme",
    "initialDelaySeconds",
    "periodSeconds",
    "successThreshold",
    "tcpSocket.host",
    "tcpSocket.port",
    "terminationGracePeriodSeconds",
    "timeoutSeconds",
];

/// Fields of which only some values are carried out, by the end of their pattern.
const VALUES: &[(&str, &[&str])] = &[
    ("allowPrivilegeEscalation", &["false"]),
    ("automountServiceAccountToken", &["false"]),
    ("emptyDir.medium", &["", "Memory"]),
    ("enableServiceLinks", &["false"]),
    ("fieldRef.fieldPath", &["status.podIP", "metadata.name"]),
    ("httpGet.scheme", &["HTTP"]),
    ("initContainers[].restartPolicy", &["Always"]),
    ("ports[].protocol", &["TCP"]),
    ("securityContext.privileged", &["false"]),
];

/// Returns a refusal for each field of the template that would not be carried out.
pub(super) fn refusals(pod: &PodSpec) -> Vec<EnvironmentFault> {
    let value = serde_json::to_value(pod).expect("a pod template is JSON");
    let mut refusals = Vec::new();
    Walk {
        path: String::new(),
        pattern: String::new(),
    }
    .check(&value, &mut refusals);
    refusals
}

/// A place in the template: as it is shown, and as it is compared.
struct Walk {
    path: String,
    pattern: String,
}

impl Walk {
    fn check(&self, value: &Value, refusals: &mut Vec<EnvironmentFault>) {
        match value {
            Value::Object(fields) => {
                if fields.is_empty() && !self.is_known_prefix() {
                    refusals.push(not_carried_out(&self.path, &"{}"));
                }
                for (name, value) in fields {
                    self.field(name).check(value, refusals);
                }
            }
            Value::Array(items) => {
                for (position, item) in items.iter().enumerate() {
                    self.item(position).check(item, refusals);
                }
            }
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                refusals.extend(self.check_leaf(value));
            }
        }
    }

    fn field(&self, name: &str) -> Self {
        let join = |path: &str| {
            if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            }
        };
        Self {
            path: join(&self.path),
            pattern: join(&self.pattern),
        }
    }

    fn item(&self, position: usize) -> Self {
        Self {
            path: format!("{}[{position}]", self.path),
            pattern: format!("{}[]", self.pattern),
        }
    }

    fn check_leaf(&self, value: &Value) -> Option<EnvironmentFault> {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let allowed = VALUES
            .iter()
            .find(|(end, _)| self.pattern.ends_with(end))
            .is_none_or(|(_, values)| values.contains(&text.as_str()));
        if allowed && self.is_known(str::eq) {
            return None;
        }
        let shown: String = text.chars().take(LONGEST_VALUE).collect();
        Some(not_carried_out(&self.path, &shown.escape_debug()))
    }

    /// Returns whether something below this place is carried out.
    fn is_known_prefix(&self) -> bool {
        self.pattern.is_empty()
            || self.is_known(|known, own| {
                known
                    .strip_prefix(own)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            })
    }

    fn is_known(&self, matches: impl Fn(&str, &str) -> bool) -> bool {
        // A native sidecar is carried out as any container is.
        let pattern = match self.pattern.strip_prefix("initContainers[].") {
            Some("restartPolicy") | None => self.pattern.clone(),
            Some(field) => format!("containers[].{field}"),
        };
        CARRIED_OUT.iter().any(|known| {
            let own = match known.strip_suffix(".*") {
                Some(parent) => match pattern.strip_prefix(parent) {
                    Some(key) if key.starts_with('.') => return true,
                    Some(_) | None => &pattern,
                },
                None => &pattern,
            };
            match own.strip_prefix(known) {
                Some(rest) if known.ends_with("Probe") => {
                    let rest = rest.strip_prefix('.').unwrap_or(rest);
                    CARRIED_OUT_OF_PROBES
                        .iter()
                        .any(|field| matches(field, rest))
                }
                Some(_) | None => matches(known, own),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn refusal(pod: Value) -> Option<String> {
        let pod: PodSpec = serde_json::from_value(pod).expect("a pod template");
        refusals(&pod).first().map(ToString::to_string)
    }

    #[test]
    fn the_guides_pod_is_carried_out() {
        let pod = json!({
            "containers": [{
                "name": "sigsci-agent",
                "image": "signalsciences/sigsci-agent:latest",
                "imagePullPolicy": "IfNotPresent",
                "env": [
                    { "name": "SIGSCI_ACCESSKEYID", "valueFrom": { "secretKeyRef": {
                        "name": "sigsci.my-site", "key": "accesskeyid" } } },
                    { "name": "SIGSCI_ENVOY_GRPC_ADDRESS", "value": "localhost:9999" }
                ],
                "ports": [{ "containerPort": 9999 }],
                "resources": { "requests": { "cpu": "100m" } },
                "startupProbe": { "httpGet": { "path": "/startup", "port": 2020,
                    "httpHeaders": [{ "name": "a", "value": "b" }] }, "periodSeconds": 1 },
                "lifecycle": { "preStop": { "exec": { "command": ["sleep", "30"] } } },
                "securityContext": { "readOnlyRootFilesystem": true },
                "volumeMounts": [{ "name": "sigsci-tmp", "mountPath": "/sigsci/tmp" }]
            }],
            "volumes": [{ "name": "sigsci-tmp", "emptyDir": {} }]
        });
        assert_eq!(refusal(pod), None);
    }

    #[rstest]
    #[case(json!({ "containers": [], "hostNetwork": true }), "hostNetwork: true")]
    #[case(
        json!({ "containers": [{ "name": "a", "resources": { "limits": { "cpu": "1" } } }] }),
        "containers[0].resources.limits.cpu: 1"
    )]
    #[case(
        json!({ "containers": [{ "name": "a", "securityContext": { "privileged": true } }] }),
        "containers[0].securityContext.privileged: true"
    )]
    #[case(
        json!({ "containers": [{ "name": "a", "livenessProbe": {
            "httpGet": { "port": 1, "scheme": "HTTPS" } } }] }),
        "containers[0].livenessProbe.httpGet.scheme: HTTPS"
    )]
    #[case(
        json!({ "containers": [{ "name": "a", "volumeMounts": [
            { "name": "b", "mountPath": "/b", "subPath": "c" }] }] }),
        "containers[0].volumeMounts[0].subPath: c"
    )]
    #[case(
        json!({ "containers": [], "initContainers": [{ "name": "first", "restartPolicy": "Never" }] }),
        "initContainers[0].restartPolicy: Never"
    )]
    #[case(
        json!({ "containers": [{ "name": "a", "lifecycle": { "postStart": { "exec": {
            "command": ["true"] } } } }] }),
        "containers[0].lifecycle.postStart.exec.command[0]: true"
    )]
    #[case(
        json!({ "containers": [], "volumes": [{ "name": "a", "hostPath": { "path": "/" } }] }),
        "volumes[0].hostPath.path: /"
    )]
    fn a_field_that_is_not_carried_out_is_refused(#[case] pod: Value, #[case] expected: &str) {
        let refusal = refusal(pod).expect("refused");
        assert!(refusal.contains(&format!("`{expected}`")), "{refusal}");
    }
}
