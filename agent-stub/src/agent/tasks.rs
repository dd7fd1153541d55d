//! What an agent does beside answering: load and reload its rules, clean up, and send gauges.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::agent::error::AgentError;
use crate::context::Contexts;
use crate::data_log::DataLog;
use crate::mutant::ProbeFile;
use crate::rules::{PolicyUpdater, RulesLoader};
use crate::settings::{Access, RulesDelay, Settings};
use crate::statsd::Statsd;
use crate::workspace::Workspace;

pub(super) fn rules_delay(settings: &Settings) -> RulesDelay {
    match settings.access {
        Access::Accepted => settings.timings.rules_delay,
        Access::Rejected => {
            if settings.fault_hooks.reports_rejected_key() {
                tracing::warn!("the access key is rejected; rules will not be loaded");
            }
            RulesDelay::Never
        }
    }
}

pub(super) async fn reload_rules(settings: Settings, updater: PolicyUpdater, wanted: Arc<Notify>) {
    loop {
        wanted.notified().await;
        tokio::time::sleep(settings.timings.rules_reload_delay).await;
        settings
            .fault_hooks
            .before_reload(&updater, &settings.policy)
            .await;
        let reloaded = match &settings.rules_file {
            Some(path) => settings.policy.overridden_by(path),
            None => Ok(settings.policy.clone()),
        };
        settings
            .fault_hooks
            .after_reload(&updater, &settings, &reloaded);
        match reloaded {
            Ok(_) if settings.fault_hooks.keeps_old_rules() => tracing::info!("rules reloaded"),
            Ok(policy) => {
                updater.replace(policy);
                tracing::info!("rules reloaded");
            }
            Err(error) => {
                let reason = error.source().map(ToString::to_string).unwrap_or_default();
                tracing::warn!(%error, reason, "the old rules still hold");
            }
        }
    }
}

pub(super) async fn send_gauges(statsd: Arc<Statsd>) {
    loop {
        tokio::time::sleep(GAUGE_INTERVAL).await;
        statsd.send_gauges();
    }
}

pub(super) fn load_rules(
    workspace: &Workspace,
    loader: &RulesLoader,
    probe_file: ProbeFile,
) -> Result<(), AgentError> {
    workspace.write_cache().map_err(AgentError::Rules)?;
    loader.finish();
    // Only now may a probe find its file: inspection already works.
    match probe_file {
        ProbeFile::WithRules => workspace.write_probe_file().map_err(AgentError::Rules)?,
        ProbeFile::Early | ProbeFile::Never => {}
    }
    tracing::info!("rules loaded");
    Ok(())
}

pub(super) async fn clean(
    contexts: Arc<Contexts>,
    data_log: Option<Arc<DataLog>>,
    interval: Duration,
) {
    loop {
        tokio::time::sleep(interval).await;
        let expired = contexts.expire();
        if let Some(data_log) = &data_log {
            data_log.write_all(&expired);
        }
    }
}

pub(super) fn cleaning_interval(settings: &Settings) -> Duration {
    let prompt = settings.timings.context_expiration / 2;
    settings
        .timings
        .cleaner_interval
        .min(prompt)
        .max(SHORTEST_CLEANING)
}

const GAUGE_INTERVAL: Duration = Duration::from_secs(10);
const SHORTEST_CLEANING: Duration = Duration::from_millis(5);
