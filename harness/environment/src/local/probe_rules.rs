//! Reads probes and hooks of a pod template, with Kubernetes' defaults.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerPort, HTTPGetAction, LifecycleHandler, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::kubelet::{Dial, PreStopHook, ProbeCheck, ProbeRules};
use super::pod_terms::{POD_IP, not_carried_out};
use crate::EnvironmentFault;

const DEFAULT_PERIOD_SECONDS: i32 = 10;
const DEFAULT_TIMEOUT_SECONDS: i32 = 1;
const DEFAULT_FAILURE_THRESHOLD: i32 = 3;
const DEFAULT_SUCCESS_THRESHOLD: i32 = 1;

/// Reads the probes and hooks of one container.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    /// Where the container is in the template.
    pub path: &'a str,
    /// Its ports, for probes that name one.
    pub ports: &'a [ContainerPort],
}

impl Reader<'_> {
    /// Reads one probe.
    pub(super) fn probe(
        &self,
        field: &str,
        probe: Option<&Probe>,
    ) -> Result<Option<ProbeRules>, EnvironmentFault> {
        let Some(probe) = probe else { return Ok(None) };
        let path = format!("{}.{field}", self.path);
        let check = if let Some(action) = &probe.exec {
            ProbeCheck::Exec(action.command.clone().unwrap_or_default())
        } else if let Some(action) = &probe.http_get {
            ProbeCheck::Dial(self.http(&path, action)?)
        } else if let Some(action) = &probe.tcp_socket {
            ProbeCheck::Dial(Dial::Tcp {
                host: action.host.clone().unwrap_or(POD_IP.into()),
                port: self.port(&path, &action.port)?,
            })
        } else if let Some(action) = &probe.grpc {
            ProbeCheck::Dial(Dial::Grpc {
                host: POD_IP.into(),
                port: self.port(&path, &IntOrString::Int(action.port))?,
                service: action.service.clone().unwrap_or_default(),
            })
        } else {
            return Err(not_carried_out(&path, &"a probe that attempts nothing"));
        };
        Ok(Some(ProbeRules {
            initial_delay: seconds(probe.initial_delay_seconds.unwrap_or(0)),
            period: seconds(positive(probe.period_seconds, DEFAULT_PERIOD_SECONDS)),
            timeout: seconds(positive(probe.timeout_seconds, DEFAULT_TIMEOUT_SECONDS)),
            failure_threshold: count(probe.failure_threshold, DEFAULT_FAILURE_THRESHOLD),
            success_threshold: count(probe.success_threshold, DEFAULT_SUCCESS_THRESHOLD),
            grace: probe
                .termination_grace_period_seconds
                .map(|grace| Duration::from_secs(u64::try_from(grace).unwrap_or(0))),
            check,
        }))
    }

    /// Reads a preStop hook.
    pub(super) fn hook(&self, hook: &LifecycleHandler) -> Result<PreStopHook, EnvironmentFault> {
        let path = format!("{}.lifecycle.preStop", self.path);
        if let Some(action) = &hook.exec {
            Ok(PreStopHook::Exec(
                action.command.clone().unwrap_or_default(),
            ))
        } else if let Some(action) = &hook.http_get {
            self.http(&path, action).map(PreStopHook::Dial)
        } else if let Some(action) = &hook.sleep {
            let seconds = u64::try_from(action.seconds).unwrap_or(0);
            Ok(PreStopHook::Sleep(Duration::from_secs(seconds)))
        } else {
            Err(not_carried_out(&path, &"a hook that does nothing"))
        }
    }

    fn http(&self, path: &str, action: &HTTPGetAction) -> Result<Dial, EnvironmentFault> {
        let target = action.path.as_deref().unwrap_or("/");
        Ok(Dial::Http {
            host: action.host.clone().unwrap_or(POD_IP.into()),
            port: self.port(path, &action.port)?,
            path: if target.starts_with('/') {
                target.to_owned()
            } else {
                format!("/{target}")
            },
            headers: action
                .http_headers
                .iter()
                .flatten()
                .map(|header| (header.name.clone(), header.value.clone()))
                .collect(),
        })
    }

    fn port(&self, path: &str, port: &IntOrString) -> Result<u16, EnvironmentFault> {
        let number = match port {
            IntOrString::Int(number) => Some(*number),
            IntOrString::String(name) => self
                .ports
                .iter()
                .find(|port| port.name.as_ref() == Some(name))
                .map(|port| port.container_port)
                .or_else(|| name.parse().ok()),
        };
        let shown = match port {
            IntOrString::Int(number) => number.to_string(),
            IntOrString::String(name) => name.clone(),
        };
        number
            .and_then(|number| u16::try_from(number).ok())
            .filter(|number| *number > 0)
            .ok_or_else(|| not_carried_out(&format!("{path}.port"), &shown))
    }
}

fn positive(value: Option<i32>, default: i32) -> i32 {
    value.filter(|value| *value > 0).unwrap_or(default)
}

fn seconds(value: i32) -> Duration {
    Duration::from_secs(u64::try_from(value).unwrap_or(0))
}

fn count(value: Option<i32>, default: i32) -> u32 {
    u32::try_from(positive(value, default)).unwrap_or(1)
}
