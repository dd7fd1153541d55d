//! Each fault in a broken copy of the shipped manifest, and layouts that are fine.

use camino::Utf8Path;
use rstest::rstest;

use super::*;
use crate::model::diagnostic::{Colour, Diagnostic};

fn shipped(name: &str) -> String {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/kubernetes");
    fs_err::read_to_string(root.join(format!("{name}.yaml"))).expect("shipped")
}

fn faults(text: &str) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let file = Utf8Path::new("own.yaml");
    let manifest = Manifest::parse(file, &text.into(), &mut faults).expect("a manifest");
    manifest.check(file, &text.into(), &mut faults);
    faults
}

#[rstest]
#[case::agent_of_another_name(
    "- name: sigsci-agent",
    "- name: waf",
    18,
    "no container `sigsci-agent`"
)]
#[case::proxy_of_another_name(
    "- name: envoy-frontproxy",
    "- name: envoy",
    18,
    "no container `envoy-frontproxy`"
)]
#[case::application_of_another_name(
    "- name: helloworld\n",
    "- name: shop\n",
    18,
    "no container `helloworld`"
)]
#[case::another_file(
    "/etc/envoy/envoy.yaml",
    "/config/envoy.yaml",
    23,
    "does not read /etc/envoy/envoy.yaml"
)]
#[case::own_volume(
    "- name: sigsci-tmp\n          emptyDir",
    "- name: envoy-config\n          emptyDir",
    76,
    "adds a volume `envoy-config` itself"
)]
#[case::own_mount(
    "          ports:\n            - containerPort: 8000",
    "          volumeMounts: [{ name: sigsci-tmp, mountPath: /etc/envoy/ }]",
    30,
    "another volume is mounted at /etc/envoy"
)]
#[case::config_map(
    "emptyDir: {}",
    "configMap: { name: rules }",
    77,
    "config map `rules` is not deployed"
)]
#[case::secret(
    "emptyDir: {}",
    "secret: { secretName: other }",
    77,
    "secret `other` is not deployed"
)]
#[case::key("key: accesskeyid", "key: access", 52, "has no key `access`")]
#[case::map_of_variable(
    "              value: \"1\"",
    "              valueFrom: { configMapKeyRef: { name: settings, key: a } }",
    61,
    "config map `settings` is not deployed"
)]
fn a_manifest_that_cannot_be_deployed_is_refused_in_its_place(
    #[case] from: &str,
    #[case] to: &str,
    #[case] line: u64,
    #[case] message: &str,
) {
    let text = shipped("corrected");
    assert!(text.contains(from), "{from}");
    let faults = faults(&text.replacen(from, to, 1));
    let [fault] = faults.as_slice() else {
        panic!("{faults:#?}");
    };
    assert!(fault.message.contains(message), "{fault}");
    assert_eq!(fault.position.line, line, "{}", fault.render(Colour::Plain));
}

#[test]
fn all_containers_that_are_missing_are_named_together() {
    let text = shipped("corrected")
        .replace("- name: sigsci-agent", "- name: waf")
        .replace("- name: envoy-frontproxy", "- name: envoy")
        .replace("- name: helloworld\n", "- name: shop\n");
    assert_eq!(faults(&text).len(), 3, "{:?}", faults(&text));
}

#[rstest]
#[case::other_objects(
    "apiVersion: apps/v1",
    "apiVersion: v1\nkind: Service\nmetadata: { name: a }\n---\napiVersion: apps/v1"
)]
#[case::optional_map("emptyDir: {}", "configMap: { name: rules, optional: true }")]
#[case::volume_of_the_keys("emptyDir: {}", "secret: { secretName: sigsci.my-site-name-here }")]
#[case::a_shell(
    "            - -c\n            - /etc/envoy/envoy.yaml",
    "            - exec envoy -c /etc/envoy/envoy.yaml"
)]
#[case::another_container(
    "      volumes:",
    "        - { name: log-shipper, image: shipper }\n      volumes:"
)]
fn another_layout_is_not_refused(#[case] from: &str, #[case] to: &str) {
    let text = shipped("corrected");
    assert!(text.contains(from), "{from}");
    let faults = faults(&text.replacen(from, to, 1));
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn every_shipped_manifest_is_fit() {
    for name in ["as-printed", "corrected"] {
        let faults = faults(&shipped(name));
        assert!(faults.is_empty(), "{faults:?}");
    }
}
