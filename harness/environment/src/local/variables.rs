//! A container's environment: what the pod template gives, and nothing of the harness' own.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvVarSource};

use super::expansion::expand;
use super::pod_terms::POD_IP;
use harness_core::stack::Stack;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A container's variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolved {
    host_name: String,
    template: Vec<(String, String)>,
}

impl Resolved {
    /// Returns what the pod template gives for a name; `$(NAME)` refers to these alone.
    pub(super) fn template_value(&self, name: &str) -> Option<&str> {
        self.template
            .iter()
            .find(|(variable, _)| variable == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the process' whole environment.
    pub(super) fn process(self, user: Option<u32>) -> Vec<(String, String)> {
        let home = match user {
            None | Some(0) => "/root",
            Some(_) => "/",
        };
        let mut variables = vec![
            ("PATH".to_owned(), PATH.to_owned()),
            ("HOME".to_owned(), home.to_owned()),
            ("HOSTNAME".to_owned(), self.host_name),
        ];
        for (name, value) in self.template {
            set(&mut variables, name, value);
        }
        variables
    }
}

/// Resolves the container's variables. The error is what the kubelet would say with
/// `CreateContainerConfigError`.
pub(super) fn resolve(
    stack: &Stack,
    container: &Container,
    host_name: &str,
) -> Result<Resolved, String> {
    let mut resolved = Resolved {
        host_name: host_name.to_owned(),
        template: Vec::new(),
    };
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (_, Some(source)) => from_source(stack, source, host_name)?,
            (Some(text), None) => Some(expand(text, |name| resolved.template_value(name))),
            (None, None) => Some(String::new()),
        };
        if let Some(value) = value {
            set(&mut resolved.template, variable.name.clone(), value);
        }
    }
    Ok(resolved)
}

fn from_source(
    stack: &Stack,
    source: &EnvVarSource,
    host_name: &str,
) -> Result<Option<String>, String> {
    if let Some(key) = &source.secret_key_ref {
        let secret = stack.secrets.get(&key.name);
        let value = secret.and_then(|secret| secret.get(&key.key));
        let value = value.map(|value| value.reveal().to_owned());
        return found("secret", &key.name, &key.key, secret, value, key.optional);
    }
    if let Some(key) = &source.config_map_key_ref {
        let map = stack.config_maps.get(&key.name);
        let value = map.and_then(|map| map.get(&key.key)).cloned();
        return found("configmap", &key.name, &key.key, map, value, key.optional);
    }
    let field = source
        .field_ref
        .as_ref()
        .map(|field| field.field_path.as_str());
    match field {
        Some("status.podIP") => Ok(Some(POD_IP.to_owned())),
        Some("metadata.name") => Ok(Some(host_name.to_owned())),
        Some(other) => Err(format!("unsupported fieldPath: {other}")),
        None => Err("invalid variable source".to_owned()),
    }
}

/// Says of a missing value what the kubelet says.
fn found<V>(
    kind: &str,
    name: &str,
    key: &str,
    holder: Option<&BTreeMap<String, V>>,
    value: Option<String>,
    optional: Option<bool>,
) -> Result<Option<String>, String> {
    if value.is_some() || optional == Some(true) {
        return Ok(value);
    }
    Err(match (holder, kind) {
        (None, _) => format!("{kind} \"{name}\" not found"),
        (Some(_), "secret") => format!("couldn't find key {key} in Secret default/{name}"),
        (Some(_), _) => format!("couldn't find key {key} in ConfigMap default/{name}"),
    })
}

fn set(variables: &mut Vec<(String, String)>, name: String, value: String) {
    match variables.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => *known = value,
        None => variables.push((name, value)),
    }
}
