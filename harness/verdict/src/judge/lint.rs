//! The static check of a deployment: faults that can be read off the manifest and the proxy's configuration.

use std::collections::BTreeSet;

use camino::Utf8Path;
use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use harness_core::model::container::AGENT_ADDRESS_VARIABLE;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::lint_rule::LintRule;
use harness_core::model::located::{Located, Position};
use harness_core::stack::proxy_config::ProxyFacts;
use harness_core::stack::{AGENT_CONTAINER, Stack};

/// Where the agent writes by default, with the variable that moves it.
///
/// Source: the vendor's guide, "Agent temporary volume".
const AGENT_WRITES: [(&str, &str); 2] = [
    ("SIGSCI_RPC_ADDRESS", "/sigsci/tmp/sigsci.sock"),
    ("SIGSCI_SHARED_CACHE_DIR", "/sigsci/tmp/cache"),
];

/// One fault of a deployment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LintReport {
    /// The rule.
    pub rule: LintRule,
    /// What is wrong, with the values.
    pub explanation: String,
}

/// Checks a deployment by every rule.
pub fn check(stack: &Stack, proxy: &ProxyFacts) -> Vec<LintReport> {
    let mut reports = Vec::new();
    reports.extend(read_only_root_without_volume(stack));
    reports.extend(grace_period_within_pre_stop(stack));
    reports.extend(probe_out_of_reach(stack));
    reports.extend(half_configured_response_data(
        stack,
        proxy.sends_response_data,
    ));
    reports.extend(correlation_headers_not_logged(proxy));
    reports.extend(bodies_not_inspected(proxy));
    reports
}

/// Holds what the check reports against what a scenario expects it to report.
pub fn judge(reports: &[LintReport], expected: &[Located<LintRule>]) -> Vec<Finding> {
    let reported: BTreeSet<LintRule> = reports.iter().map(|report| report.rule).collect();
    let mut findings: Vec<Finding> = expected
        .iter()
        .filter(|rule| !reported.contains(&rule.value))
        .map(|rule| {
            Finding::new(
                FindingKind::Lint,
                rule.position,
                format!("the deployment has the fault `{}`", **rule),
                "the static check does not find it",
            )
        })
        .collect();
    findings.extend(
        reports
            .iter()
            .filter(|report| !expected.iter().any(|rule| **rule == report.rule))
            .map(|report| {
                Finding::new(
                    FindingKind::Lint,
                    Position::default(),
                    format!("a deployment without the fault `{}`", report.rule),
                    &*report.explanation,
                )
                .note(report.rule.as_str())
            }),
    );
    findings
}

fn read_only_root_without_volume(stack: &Stack) -> Option<LintReport> {
    let agent = stack.container(AGENT_CONTAINER)?;
    let read_only = agent
        .security_context
        .as_ref()
        .and_then(|context| context.read_only_root_filesystem)
        .unwrap_or_default();
    if !read_only {
        return None;
    }
    let uncovered: Vec<&str> = AGENT_WRITES
        .iter()
        .map(|(variable, default)| stack.agent_variable(variable).unwrap_or(default))
        .filter(|path| !is_on_writable_mount(agent, path))
        .collect();
    if uncovered.is_empty() {
        return None;
    }
    Some(LintReport {
        rule: LintRule::ReadOnlyRootWithoutVolume,
        explanation: format!(
            "no volume mount on a read-only root: container `{AGENT_CONTAINER}` has readOnlyRootFilesystem: true, writes {}, and {}",
            uncovered.join(" and "),
            match agent.volume_mounts.as_deref() {
                None | Some([]) => "lists no volumeMounts".to_owned(),
                Some(mounts) => format!(
                    "mounts only {}",
                    mounts
                        .iter()
                        .map(|mount| mount.mount_path.as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            }
        ),
    })
}

fn is_on_writable_mount(container: &Container, path: &str) -> bool {
    container
        .volume_mounts
        .iter()
        .flatten()
        .filter(|mount| !mount.read_only.unwrap_or_default())
        .any(|mount| Utf8Path::new(path).starts_with(&mount.mount_path))
}

fn grace_period_within_pre_stop(stack: &Stack) -> Option<LintReport> {
    let grace = i64::try_from(stack.grace_period_seconds()).unwrap_or(i64::MAX);
    stack
        .containers()
        .find_map(|container| {
            let seconds = pre_stop_sleep_seconds(container)?;
            (seconds >= grace).then_some((container.name.as_str(), seconds))
        })
        .map(|(container, seconds)| LintReport {
            rule: LintRule::GracePeriodWithinPreStop,
            explanation: format!(
                "preStop of `{container}` sleeps {seconds} s of a grace period of {grace} s: {} s are left between TERM and KILL, and the kubelet grants 2 s once; set terminationGracePeriodSeconds above {seconds} s plus the time to drain",
                (grace - seconds).max(0)
            ),
        })
}

/// Returns for how long a preStop hook sleeps, where that can be read off it.
fn pre_stop_sleep_seconds(container: &Container) -> Option<i64> {
    let hook = container.lifecycle.as_ref()?.pre_stop.as_ref()?;
    if let Some(sleep) = &hook.sleep {
        return Some(sleep.seconds);
    }
    match hook.exec.as_ref()?.command.as_deref()? {
        [program, seconds] if program.ends_with("sleep") => seconds.parse().ok(),
        _ => None,
    }
}

/// The agent's listeners, by the variables that bind them.
const AGENT_LISTENERS: [&str; 2] = ["SIGSCI_STARTUP_PROBE_LISTENER", AGENT_ADDRESS_VARIABLE];

fn probe_out_of_reach(stack: &Stack) -> Option<LintReport> {
    let agent = stack.container(AGENT_CONTAINER)?;
    [
        ("startupProbe", &agent.startup_probe),
        ("readinessProbe", &agent.readiness_probe),
        ("livenessProbe", &agent.liveness_probe),
    ]
    .into_iter()
    .find_map(|(field, probe)| {
        let port = port_on_pod_address(probe.as_ref()?)?;
        let (variable, address) = AGENT_LISTENERS.into_iter().find_map(|variable| {
            let address = stack.agent_variable(variable)?;
            binds_loopback_only(address, port).then_some((variable, address))
        })?;
        Some(LintReport {
            rule: LintRule::ProbeOutOfReach,
            explanation: format!(
                "{field} of `{AGENT_CONTAINER}` asks port {port} of the pod's address, and {variable}={address} binds the loopback address alone: the kubelet never reaches it and the pod is never ready; bind 0.0.0.0:{port}, or probe by `exec`"
            ),
        })
    })
}

/// Returns the port that a probe asks on the pod's address; none for a command and for a host of its own.
fn port_on_pod_address(probe: &Probe) -> Option<i32> {
    let number = |port: &IntOrString| match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(_) => None,
    };
    if let Some(http) = &probe.http_get {
        return number(&http.port).filter(|_| http.host.is_none());
    }
    if let Some(tcp) = &probe.tcp_socket {
        return number(&tcp.port).filter(|_| tcp.host.is_none());
    }
    probe.grpc.as_ref().map(|grpc| grpc.port)
}

fn binds_loopback_only(address: &str, port: i32) -> bool {
    let Some((host, bound)) = address.rsplit_once(':') else {
        return false;
    };
    bound.parse() == Ok(port) && matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

fn half_configured_response_data(stack: &Stack, sends: bool) -> Option<LintReport> {
    let expects = stack
        .agent_variable("SIGSCI_ENVOY_EXPECT_RESPONSE_DATA")
        .is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"));
    match (expects, sends) {
        (true, false) => Some(LintReport {
            rule: LintRule::ResponseDataNeverSent,
            explanation: "SIGSCI_ENVOY_EXPECT_RESPONSE_DATA is on and the proxy's configuration has no gRPC access log: every request waits for response data that never comes".into(),
        }),
        (false, true) => Some(LintReport {
            rule: LintRule::ResponseDataNotExpected,
            explanation: "the proxy's configuration has a gRPC access log and SIGSCI_ENVOY_EXPECT_RESPONSE_DATA is off: response data is sent and not used".into(),
        }),
        (true, true) | (false, false) => None,
    }
}

fn correlation_headers_not_logged(proxy: &ProxyFacts) -> Option<LintReport> {
    (!proxy.unlogged_headers.is_empty()).then(|| LintReport {
        rule: LintRule::CorrelationHeadersNotLogged,
        explanation: format!(
            "the proxy's gRPC access log does not carry {}: the agent cannot match a response to its request; add to `additional_request_headers_to_log`",
            proxy.unlogged_headers.join(" and ")
        ),
    })
}

fn bodies_not_inspected(proxy: &ProxyFacts) -> Option<LintReport> {
    (!proxy.passes_bodies && proxy.authorization_timeout.is_some()).then(|| LintReport {
        rule: LintRule::BodiesNotInspected,
        explanation: "the proxy's ext_authz filter has no `with_request_body`: the agent never sees a body, and an attack in one passes".into(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use k8s_openapi::api::core::v1::{ExecAction, Lifecycle, LifecycleHandler};

    use super::*;
    use harness_core::model::project::Project;
    use harness_core::model::stack_settings::StackSettings;
    use harness_core::stack::assemble::{AgentOverrides, assemble};
    use harness_core::stack::keys::AgentKeys;

    fn stack(manifest: &str) -> Stack {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let settings = StackSettings {
            manifest: Located::unwritten(manifest.into()),
            ..StackSettings::default()
        };
        let keys = AgentKeys::invent().expect("random bytes");
        assemble(
            &Project::at(&root),
            &settings,
            &keys,
            &AgentOverrides::default(),
        )
        .expect("shipped")
    }

    /// What a proxy does in a deployment without a fault.
    fn proxy() -> ProxyFacts {
        ProxyFacts {
            sends_response_data: true,
            unlogged_headers: Vec::new(),
            passes_bodies: true,
            authorization_timeout: Some(Duration::from_secs(1)),
            longest_authorization_timeout: Some(Duration::from_secs(1)),
        }
    }

    #[test]
    fn a_proxy_that_withholds_bodies_or_correlation_headers_is_reported() {
        let rules = |proxy: &ProxyFacts| {
            check(&stack("corrected"), proxy)
                .into_iter()
                .map(|report| report.rule)
                .collect::<Vec<_>>()
        };
        let blind = ProxyFacts {
            passes_bodies: false,
            ..proxy()
        };
        assert_eq!(rules(&blind), [LintRule::BodiesNotInspected]);
        let unmatched = ProxyFacts {
            unlogged_headers: vec!["x-sigsci-request-id"],
            ..proxy()
        };
        assert_eq!(rules(&unmatched), [LintRule::CorrelationHeadersNotLogged]);
        let without_filter = ProxyFacts {
            authorization_timeout: None,
            longest_authorization_timeout: None,
            ..blind
        };
        assert_eq!(rules(&without_filter), []);
    }

    #[test]
    fn the_guides_manifest_as_printed_has_no_volume_mount_on_a_read_only_root() {
        let reports = check(&stack("as-printed"), &proxy());
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert_eq!(reports[0].rule, LintRule::ReadOnlyRootWithoutVolume);
        assert!(reports[0].explanation.contains("lists no volumeMounts"));
    }

    #[test]
    fn the_corrected_manifest_has_no_fault() {
        assert_eq!(check(&stack("corrected"), &proxy()), []);
    }

    #[test]
    fn the_guides_pre_stop_uses_the_default_grace_period_up() {
        let mut stack = stack("corrected");
        let hook = LifecycleHandler {
            exec: Some(ExecAction {
                command: Some(vec!["sleep".into(), "30".into()]),
            }),
            ..LifecycleHandler::default()
        };
        stack.pod.containers[2].lifecycle = Some(Lifecycle {
            pre_stop: Some(hook),
            ..Lifecycle::default()
        });
        let reports = check(&stack, &proxy());
        assert_eq!(reports[0].rule, LintRule::GracePeriodWithinPreStop);
        stack.pod.termination_grace_period_seconds = Some(31);
        assert_eq!(check(&stack, &proxy()), []);
    }

    #[test]
    fn a_probe_of_a_port_on_the_loopback_address_is_out_of_reach_unless_it_is_a_command() {
        let probe = |text: &str| serde_json::from_str::<Probe>(text).expect("a probe");
        let mut stack = stack("corrected");
        for (probe, rules) in [
            (probe(r#"{"tcpSocket":{"port":9999}}"#), 1),
            (probe(r#"{"grpc":{"port":9999}}"#), 1),
            (probe(r#"{"httpGet":{"port":9999}}"#), 1),
            (probe(r#"{"httpGet":{"port":2024}}"#), 0),
            (
                probe(r#"{"tcpSocket":{"port":9999,"host":"127.0.0.1"}}"#),
                0,
            ),
            (probe(r#"{"exec":{"command":["true"]}}"#), 0),
        ] {
            stack.pod.containers[2].startup_probe = Some(probe);
            let reports = check(&stack, &proxy());
            assert_eq!(reports.len(), rules, "{reports:?}");
        }
    }

    #[test]
    fn a_fault_that_is_not_expected_and_an_expected_one_that_is_absent_are_findings() {
        let reports = check(
            &stack("as-printed"),
            &ProxyFacts {
                sends_response_data: false,
                ..proxy()
            },
        );
        let expected = [Located::unwritten(LintRule::ResponseDataNotExpected)];
        let findings = judge(&reports, &expected);
        assert_eq!(findings.len(), 3, "{findings:?}");
    }
}
