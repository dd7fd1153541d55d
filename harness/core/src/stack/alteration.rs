//! Changes a stack that runs already: another agent, other keys.

use k8s_openapi::api::core::v1::{Container, EnvVar, EnvVarSource, SecretKeySelector};

use super::assemble::{ACCESS_KEY, SECRET_KEY};
use super::keys::KeyPair;
use super::{AGENT_CONTAINER, Stack};
use crate::model::candidate::Candidate;

/// The key of a secret that holds the access key which is accepted no more.
const REVOKED_ACCESS_KEY: &str = "revoked-accesskeyid";

impl Stack {
    /// Returns the stack with another agent.
    #[must_use]
    pub fn with_agent(&self, candidate: &Candidate) -> Self {
        let mut stack = self.clone();
        if let Some(agent) = stack.agent() {
            for (name, value) in &candidate.agent_env {
                set(agent, name, Some(value.clone()), None);
            }
            if let Some(image) = &candidate.image {
                agent.image = Some(image.clone());
            }
        }
        stack
    }

    /// Returns the stack with other keys of the agent. Where `revoked_by` names a variable of the agent, that refers to the old access key.
    #[must_use]
    pub fn with_keys(&self, keys: &KeyPair, revoked_by: Option<&str>) -> Self {
        let mut stack = self.clone();
        let mut holder = None;
        for (name, values) in &mut stack.secrets {
            if !values.contains_key(ACCESS_KEY) {
                continue;
            }
            let old = values.insert(ACCESS_KEY.into(), keys.access_key.clone());
            values.insert(SECRET_KEY.into(), keys.secret_key.clone());
            if let Some(old) = old {
                values.insert(REVOKED_ACCESS_KEY.into(), old);
                holder = Some(name.clone());
            }
        }
        if let (Some(variable), Some(secret), Some(agent)) = (revoked_by, holder, stack.agent()) {
            let reference = EnvVarSource {
                secret_key_ref: Some(SecretKeySelector {
                    name: secret,
                    key: REVOKED_ACCESS_KEY.into(),
                    ..SecretKeySelector::default()
                }),
                ..EnvVarSource::default()
            };
            set(agent, variable, None, Some(reference));
        }
        stack
    }

    fn agent(&mut self) -> Option<&mut Container> {
        let sidecars = self.pod.init_containers.iter_mut().flatten();
        sidecars
            .chain(&mut self.pod.containers)
            .find(|container| container.name == AGENT_CONTAINER)
    }
}

fn set(container: &mut Container, name: &str, value: Option<String>, from: Option<EnvVarSource>) {
    let variables = container.env.get_or_insert_default();
    variables.retain(|variable| variable.name != name);
    variables.push(EnvVar {
        name: name.into(),
        value,
        value_from: from,
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use camino::Utf8Path;

    use super::*;
    use crate::model::project::Project;
    use crate::model::stack_settings::StackSettings;
    use crate::stack::assemble::{AgentOverrides, assemble};
    use crate::stack::keys::AgentKeys;

    const SECRET: &str = "sigsci.my-site-name-here";

    fn stack_and_keys() -> (Stack, AgentKeys) {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let keys = AgentKeys::invent().expect("random bytes");
        let stack = assemble(
            &Project::at(&root),
            &StackSettings::default(),
            &keys,
            &AgentOverrides::default(),
        );
        (stack.expect("shipped"), keys)
    }

    #[test]
    fn a_candidate_differs_from_the_first_agent_in_what_is_named() {
        let (stack, _) = stack_and_keys();
        let candidate = Candidate {
            agent_env: BTreeMap::from([("A".into(), "1".into())]),
            image: Some("other/agent:2".into()),
            denied_with: None,
        };
        let altered = stack.with_agent(&candidate);
        assert_eq!(altered.agent_variable("A"), Some("1"));
        let image = |stack: &Stack| {
            let agent = stack.container(AGENT_CONTAINER).expect("the agent");
            agent.image.clone()
        };
        assert_eq!(image(&altered).as_deref(), Some("other/agent:2"));
        assert_ne!(image(&stack), image(&altered));
    }

    #[test]
    fn rotated_keys_are_in_the_secret_and_the_old_one_is_a_reference() {
        let (stack, keys) = stack_and_keys();
        let altered = stack.with_keys(&keys.successor, Some("REVOKED"));
        let values = &altered.secrets[SECRET];
        assert_eq!(values[ACCESS_KEY], keys.successor.access_key);
        assert_eq!(values[SECRET_KEY], keys.successor.secret_key);
        assert_eq!(values[REVOKED_ACCESS_KEY], keys.access_key);
        assert_eq!(altered.agent_variable("REVOKED"), None);
        let shown = serde_json::to_string(&altered.pod).expect("JSON");
        assert!(shown.contains(REVOKED_ACCESS_KEY));
        for key in values.values() {
            assert!(!shown.contains(key.reveal()));
        }
    }
}
