//! The plan of a pod: images, commands, mounts, identities, and what is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use super::super::kubelet::{Dial, ProbeCheck};
use super::*;
use harness_core::model::terminating_endpoints::TerminatingEndpoints;
use harness_core::stack::secret::SecretText;

fn planned(pod: Value) -> Result<PodPlan, EnvironmentFault> {
    planned_as(pod, Privileges::Root)
}

fn planned_as(pod: Value, privileges: Privileges) -> Result<PodPlan, EnvironmentFault> {
    let stack = Stack {
        pod: serde_json::from_value(pod).expect("a pod template"),
        pull_policies: BTreeMap::new(),
        own_images: BTreeSet::new(),
        namespace_enforces: None,
        agents: None,
        terminating_endpoints: TerminatingEndpoints::default(),
        config_maps: BTreeMap::from([(
            "map".into(),
            BTreeMap::from([("a".into(), "1".into()), ("b".into(), "2".into())]),
        )]),
        secrets: BTreeMap::from([(
            "secret".into(),
            BTreeMap::from([("key".into(), SecretText::new("hidden"))]),
        )]),
    };
    let name = PodName {
        run: "run1".parse().expect("a run id"),
        purpose: "A_Pod".into(),
    };
    let images = ImageTable {
        executables: BTreeMap::from([("test/sh".into(), "/bin/sh".into())]),
    };
    plan(&name, &stack, "/run/pod".into(), &images, privileges)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the templates are written in place"
)]
fn container(further: Value) -> Value {
    let mut container = json!({ "name": "app", "image": "test/sh:1.2" });
    let fields = container.as_object_mut().expect("an object");
    fields.extend(further.as_object().expect("an object").clone());
    json!({ "containers": [container] })
}

#[test]
fn arguments_follow_the_images_executable_and_a_command_replaces_it() {
    let pod = container(json!({ "args": ["-c", "x"] }));
    let plan = planned(pod).expect("planned");
    assert_eq!(plan.containers[0].command, ["/app/sh", "-c", "x"]);
    let pod = container(json!({ "command": ["cat"], "args": ["$(A)", "$(PATH)"],
        "env": [{ "name": "A", "value": "b" }] }));
    let plan = planned(pod).expect("planned");
    assert_eq!(plan.containers[0].command, ["cat", "b", "$(PATH)"]);
}

#[test]
fn a_later_variable_refers_to_an_earlier_one_only() {
    let pod = container(json!({ "env": [
        { "name": "FIRST", "value": "$(SECOND)" },
        { "name": "SECOND", "value": "2" },
        { "name": "THIRD", "value": "$(SECOND)3" },
        { "name": "SECOND", "value": "last" }
    ] }));
    let plan = planned(pod).expect("planned");
    let variables = plan.containers[0].variables.as_ref().expect("resolved");
    let own: Vec<_> = variables[3..]
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(own, ["FIRST=$(SECOND)", "SECOND=last", "THIRD=23"]);
}

#[rstest]
#[case(
    json!({ "secretKeyRef": { "name": "absent", "key": "key" } }),
    "secret \"absent\" not found"
)]
#[case(
    json!({ "secretKeyRef": { "name": "secret", "key": "absent" } }),
    "couldn't find key absent in Secret default/secret"
)]
#[case(
    json!({ "configMapKeyRef": { "name": "absent", "key": "a" } }),
    "configmap \"absent\" not found"
)]
fn a_missing_value_is_said_as_the_kubelet_says_it(#[case] source: Value, #[case] reason: &str) {
    let pod = container(json!({ "env": [{ "name": "A", "valueFrom": source }] }));
    let plan = planned(pod).expect("planned");
    assert_eq!(
        plan.containers[0].variables.as_ref().expect_err("missing"),
        reason
    );
}

#[test]
fn a_missing_config_map_keeps_the_containers_that_mount_it_from_starting() {
    let mut pod = container(json!({
        "volumeMounts": [{ "name": "config", "mountPath": "/etc/envoy" }]
    }));
    pod["volumes"] = json!([{ "name": "config", "configMap": { "name": "absent" } }]);
    let plan = planned(pod).expect("planned");
    assert_eq!(
        plan.containers[0].variables.as_ref().expect_err("missing"),
        "configmap \"absent\" not found"
    );
}

#[test]
fn items_choose_keys_paths_and_modes() {
    let mut pod = container(json!({}));
    pod["volumes"] = json!([{ "name": "config", "configMap": { "name": "map", "defaultMode": 256,
        "items": [{ "key": "b", "path": "deep/b", "mode": 493 }, { "key": "a", "path": "a" }] } }]);
    let plan = planned(pod).expect("planned");
    let VolumeContent::Files(files) = &plan.volumes[0].content else {
        panic!("a config map has files");
    };
    let files: Vec<_> = files
        .iter()
        .map(|file| (file.path.as_str(), file.content.as_str(), file.mode))
        .collect();
    assert_eq!(files, [("deep/b", "2", 0o755), ("a", "1", 0o400)]);
}

#[rstest]
#[case(json!({ "workingDir": "/a/../b" }), "workingDir")]
#[case(json!({ "name": "../escape" }), "containers[0].name")]
#[case(
    json!({ "volumeMounts": [{ "name": "absent", "mountPath": "/a" }] }),
    "volumeMounts[0].name: absent"
)]
#[case(
    json!({ "volumeMounts": [{ "name": "absent", "mountPath": "/a/../.." }] }),
    "volumeMounts[0].mountPath"
)]
#[case(
    json!({ "volumeMounts": [{ "name": "absent", "mountPath": "/proc/x" }] }),
    "volumeMounts[0].mountPath"
)]
#[case(json!({ "startupProbe": {} }), "startupProbe")]
#[case(
    json!({ "startupProbe": { "tcpSocket": { "port": "unnamed" } } }),
    "startupProbe.port: unnamed"
)]
fn what_cannot_be_carried_out_is_refused_by_its_path(#[case] further: Value, #[case] path: &str) {
    let fault = planned(container(further)).expect_err("refused");
    assert!(fault.to_string().contains(path), "{fault}");
}

#[rstest]
#[case("../escape")]
#[case("/absolute")]
#[case("a/../../b")]
fn a_volumes_file_stays_in_its_volume(#[case] path: &str) {
    let mut pod = container(json!({}));
    pod["volumes"] = json!([{ "name": "config", "configMap": { "name": "map",
        "items": [{ "key": "a", "path": path }] } }]);
    let fault = planned(pod).expect_err("refused");
    assert!(fault.to_string().contains("items[].path"), "{fault}");
}

#[test]
fn a_probe_has_kubernetes_defaults_and_dials_the_pods_address() {
    let pod = container(json!({
        "ports": [{ "name": "admin", "containerPort": 9901 }],
        "readinessProbe": { "httpGet": { "path": "ready", "port": "admin" } }
    }));
    let plan = planned(pod).expect("planned");
    let probe = plan.rules.containers[0]
        .readiness
        .as_ref()
        .expect("a probe");
    assert_eq!(probe.period, Duration::from_secs(10));
    assert_eq!(probe.timeout, Duration::from_secs(1));
    assert_eq!((probe.failure_threshold, probe.success_threshold), (3, 1));
    assert_eq!(
        probe.check,
        ProbeCheck::Dial(Dial::Http {
            host: "10.244.0.2".into(),
            port: 9901,
            path: "/ready".into(),
            headers: Vec::new(),
        })
    );
}

#[test]
fn a_user_is_refused_where_there_is_one_only_and_root_is_taken_as_that_one() {
    let pod = |user: i64| container(json!({ "securityContext": { "runAsUser": user } }));
    let fault = planned_as(pod(1000), Privileges::User).expect_err("refused");
    assert!(fault.to_string().contains("runAsUser: 1000"), "{fault}");
    let plan = planned_as(pod(0), Privileges::User).expect("planned");
    assert_eq!(plan.containers[0].credentials.user, None);
    let plan = planned_as(pod(1000), Privileges::Root).expect("planned");
    assert_eq!(plan.containers[0].credentials.user, Some(1000));
}

#[test]
fn capabilities_are_dropped_by_name_and_all_at_once() {
    let pod = |names: Value| {
        container(json!({ "securityContext": { "capabilities": { "drop": names } } }))
    };
    let kept = |pod| {
        planned(pod).expect("planned").containers[0]
            .credentials
            .capabilities
            .clone()
    };
    assert_eq!(kept(pod(json!([]))).len(), KEPT_CAPABILITIES.len());
    assert!(!kept(pod(json!(["NET_RAW"]))).contains(&13));
    assert!(kept(pod(json!(["ALL"]))).is_empty());
}

#[test]
fn a_host_name_is_a_dns_label() {
    let plan = planned(container(json!({}))).expect("planned");
    assert_eq!(plan.host_name, "a-pod-run1");
    assert!(is_label(&plan.host_name));
}

#[test]
fn a_plan_shows_no_secret() {
    let pod = container(json!({ "env": [{ "name": "A", "valueFrom": {
        "secretKeyRef": { "name": "secret", "key": "key" } } }] }));
    let plan = planned(pod).expect("planned");
    assert!(!format!("{plan:?}").contains("hidden"));
}
