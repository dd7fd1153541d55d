//! Has Envoy check every configuration that a run deploys, before anything is started.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::proxy_validation::{InvalidProxyConfig, ProxyValidator};
use crate::catalogue::scenario::Scenario;
use crate::report::untrusted::harmless;
use harness_core::model::diagnostic::Diagnostic;
use harness_core::model::located::Position;
use harness_core::model::project::{LoadError, Project};
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::assemble::{AgentOverrides, assemble};
use harness_core::stack::keys::AgentKeys;

/// What checking needs besides the scenarios.
pub(super) struct Checking<'a> {
    /// Where the files are.
    pub(super) project: &'a Project,
    /// The agent's keys.
    pub(super) keys: &'a AgentKeys,
    /// The Envoy that is asked.
    pub(super) envoy: &'a Utf8Path,
    /// What remembers the answers for the scenarios.
    pub(super) validator: &'a Arc<ProxyValidator>,
    /// The folder for refused configurations.
    pub(super) refused: Utf8PathBuf,
    /// How long Envoy may take for one.
    pub(super) within: TimeSpan,
    /// How many are checked at the same time.
    pub(super) at_a_time: usize,
}

/// Lets Envoy check each configuration once. What it gives no answer about is left to the scenarios that deploy it.
///
/// # Errors
///
/// With every configuration that Envoy refuses.
pub(super) async fn validate(
    checking: &Checking<'_>,
    scenarios: &[Arc<Scenario>],
) -> Result<(), LoadError> {
    // The files beside a configuration depend on where certificates are mounted.
    let mut distinct = BTreeMap::new();
    for scenario in scenarios {
        let stack = &scenario.spec.stack;
        let certificates = stack.certificates_at.as_ref();
        let certificates = certificates.map(|folder| folder.value.clone());
        distinct
            .entry((stack.envoy.value.clone(), certificates))
            .or_insert(scenario);
    }
    let permits = Arc::new(Semaphore::new(checking.at_a_time));
    let mut under_way = JoinSet::new();
    for ((name, _), scenario) in distinct {
        let nothing = AgentOverrides::default();
        let settings = &scenario.spec.stack;
        let Ok(stack) = assemble(checking.project, settings, checking.keys, &nothing) else {
            continue;
        };
        let permits = permits.clone();
        let validator = checking.validator.clone();
        let envoy = checking.envoy.to_owned();
        let refused = checking.refused.clone();
        let within = checking.within;
        under_way.spawn(async move {
            let _permit = permits.acquire_owned().await;
            let answer = validator.validate(&envoy, &stack, &refused, within).await;
            (name, answer)
        });
    }
    let mut refusals = BTreeMap::new();
    while let Some(checked) = under_way.join_next().await {
        if let Ok((name, Err(refusal))) = checked
            && refusal.is_envoys()
        {
            refusals.insert(name, refusal);
        }
    }
    if refusals.is_empty() {
        return Ok(());
    }
    let complaints = refusals.iter().map(|(name, refusal)| {
        let file = checking.project.envoy_configs.join(format!("{name}.yaml"));
        complaint(&checking.project.shown(&file), refusal)
    });
    Err(LoadError::Invalid(complaints.collect()))
}

/// Says what Envoy said, without the path of its copy.
fn complaint(file: &Utf8Path, refusal: &InvalidProxyConfig) -> Diagnostic {
    let last = refusal.last_lines.lines().next_back().unwrap_or_default();
    let words = match last.split_once("error initializing configuration '") {
        Some((_, rest)) => rest.split_once("': ").map_or(rest, |(_, words)| words),
        None => last,
    };
    Diagnostic {
        file: file.into(),
        text: Arc::default(),
        position: Position::default(),
        message: format!(
            "Envoy does not accept the configuration: {}",
            harmless(words)
        ),
        label: String::new(),
        hint: Some(format!("`envoy --mode validate -c {file}` shows the same")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_said_in_envoys_words_without_the_path_of_its_copy() {
        let refusal = InvalidProxyConfig {
            path: "refused/envoy-1.yaml".into(),
            exit: "exit status: 1".into(),
            last_lines: "first\n[critical] error initializing configuration '/tmp/a/envoy.yaml': no such field: 'x'".into(),
            by: super::super::proxy_validation::RefusedBy::Envoy,
        };
        let complaint = complaint("envoy-configs/own.yaml".into(), &refusal);
        assert_eq!(
            complaint.message,
            "Envoy does not accept the configuration: no such field: 'x'"
        );
        assert!(
            complaint
                .hint
                .is_some_and(|hint| hint.contains("-c envoy-configs/own.yaml"))
        );
    }
}
