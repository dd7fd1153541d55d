//! Each fault in a broken copy of a shipped configuration, and layouts that are fine.

use camino::Utf8Path;
use rstest::rstest;

use crate::model::diagnostic::{Colour, Diagnostic};
use crate::stack::proxy_config::ProxyConfig;

fn shipped(name: &str) -> String {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../envoy-configs");
    fs_err::read_to_string(root.join(format!("{name}.yaml"))).expect("shipped")
}

fn faults(text: &str) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let config = ProxyConfig::parse("own.yaml".into(), &text.into(), &mut faults);
    assert_eq!(config.is_some(), faults.is_empty());
    faults
}

fn messages(text: &str) -> Vec<String> {
    faults(text)
        .into_iter()
        .map(|fault| fault.message)
        .collect()
}

/// Returns the line that a fault marks.
fn line_of<'a>(text: &'a str, fault: &Diagnostic) -> &'a str {
    let index = fault.position.line.checked_sub(1).expect("a place");
    let mut lines = text.lines();
    lines
        .nth(usize::try_from(index).expect("a line"))
        .expect("a line")
}

/// Replaces a text that must be there.
fn edit(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

/// Takes the lines out from the one with `first` to the one before `end`.
fn without(text: &str, first: &str, end: &str) -> String {
    let start = text.find(first).expect("the first line");
    let start = text[..start].rfind('\n').map_or(0, |line| line + 1);
    let end = text[start..]
        .find(end)
        .map_or(text.len(), |end| start + end);
    let end = text[..end].rfind('\n').map_or(0, |line| line + 1);
    format!("{}{}", &text[..start], &text[end..])
}

#[rstest]
#[case::admin_port(
    "port_value: 9901",
    "port_value: 9902",
    "port_value: 9902",
    "not on port 9901"
)]
#[case::admin_address(
    "address: 127.0.0.1, port_value: 9901",
    "address: 10.0.0.1, port_value: 9901",
    "10.0.0.1",
    "does not answer at 127.0.0.1"
)]
#[case::admin_in_a_file(
    "socket_address: { address: 127.0.0.1, port_value: 9901 }",
    "pipe: { path: /a }",
    "admin:",
    "has no TCP port"
)]
#[case::port(
    "port_value: 8000",
    "port_value: 8001",
    "port_value: 8001",
    "no listener is on port 8000"
)]
#[case::loopback(
    "address: 0.0.0.0",
    "address: 127.0.0.1",
    "port_value: 8000",
    "no connection from outside the pod"
)]
#[case::shared_port(
    "enable_reuse_port: false",
    "enable_reuse_port: true",
    "enable_reuse_port",
    "share its port"
)]
#[case::shared_port_by_default(
    "      enable_reuse_port: false\n",
    "",
    "- name: front-proxy",
    "share its port"
)]
#[case::manager_prefix(
    "stat_prefix: ingress",
    "stat_prefix: public",
    "stat_prefix: public",
    "is not `ingress`"
)]
#[case::no_manager_prefix(
    "                stat_prefix: ingress\n",
    "",
    "HttpConnectionManager",
    "is not `ingress`"
)]
#[case::filter_prefix(
    "stat_prefix: waf",
    "stat_prefix: agent",
    "stat_prefix: agent",
    "is not `waf`"
)]
#[case::no_filter_prefix(
    "                      stat_prefix: waf\n",
    "",
    "ExtAuthz",
    "is not `waf`"
)]
#[case::no_account(
    "emit_filter_state_stats: true",
    "emit_filter_state_stats: false",
    "emit_filter_state_stats",
    "`emit_filter_state_stats` is not on"
)]
#[case::no_account_at_all(
    "                      emit_filter_state_stats: true\n",
    "",
    "ExtAuthz",
    "`emit_filter_state_stats` is not on"
)]
#[case::log_key(
    "conformance-proxy:",
    "something-else:",
    "access_log:",
    "no access log has an object `conformance-proxy`"
)]
#[case::log_elsewhere(
    "stream.v3.StdoutAccessLog",
    "open_telemetry.v3.OpenTelemetryAccessLogConfig",
    "- name: envoy.access_loggers.stdout",
    "does not go to standard output"
)]
#[case::log_field(
    "authorization-microseconds:",
    "something:",
    "id: ",
    "does not have `authorization-microseconds`"
)]
#[case::log_value(
    "\"%RESPONSE_CODE%\"",
    "\"%RESPONSE_CODE_DETAILS%\"",
    "status: ",
    "`status` of the access log"
)]
#[case::log_of_another_header(
    "%REQ(X-CONFORMANCE-ID)%",
    "%REQ(X-REQUEST-ID)%",
    "id: ",
    "`id` of the access log"
)]
#[case::log_of_another_filter(
    "STATE(envoy.filters.http.ext_authz:",
    "STATE(waf:",
    "authorization-microseconds: ",
    "not that of the filter `envoy.filters.http.ext_authz`"
)]
#[case::log_time(
    "%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ)%",
    "%START_TIME(%s)%",
    "start: ",
    "not a point in time"
)]
#[case::control_header(
    "x-conformance-control",
    "x-other",
    "routes:",
    "no route is for requests with the header"
)]
#[case::control_value(
    "exact: deliverability",
    "exact: other",
    "exact: other",
    "does not match the value"
)]
#[case::control_through_the_agent(
    "disabled: true",
    "disabled: false",
    "- match:",
    "leads through the agent's filter"
)]
#[case::control_of_another_filter(
    "                            envoy.filters.http.ext_authz:\n",
    "                            other:\n",
    "- match:",
    "leads through the agent's filter"
)]
#[case::control_behind_everything(
    "                        # The deliverability control",
    "                        - { match: { prefix: / }, route: { cluster: helloworld } }\n                        # The deliverability control",
    "- match:",
    "is never reached: the route on line 36"
)]
fn a_configuration_that_cannot_be_judged_is_refused_in_its_place(
    #[case] from: &str,
    #[case] to: &str,
    #[case] on_line: &str,
    #[case] message: &str,
) {
    let text = edit(&shipped("fail-closed"), from, to);
    let faults = faults(&text);
    let [fault] = faults.as_slice() else {
        panic!("{faults:#?}");
    };
    assert!(fault.message.contains(message), "{fault}");
    assert!(
        line_of(&text, fault).contains(on_line),
        "{}",
        fault.render(Colour::Plain)
    );
    assert!(fault.hint.as_ref().is_some_and(|hint| !hint.is_empty()));
}

#[test]
fn whole_parts_that_are_absent_are_named() {
    let text = shipped("fail-closed");
    for (text, message) in [
        (
            without(&text, "admin:", "static_resources:"),
            "no admin endpoint",
        ),
        (
            without(&text, "                access_log:", "  clusters:"),
            "no access log",
        ),
        (
            without(
                &text,
                "# The deliverability control",
                "- match: { prefix: \"/\" }",
            ),
            "no route is for requests",
        ),
        (
            without(&text, "    - name: front-proxy", "  clusters:"),
            "no listener",
        ),
    ] {
        let messages = messages(&text);
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert!(messages[0].contains(message), "{messages:?}");
    }
}

#[test]
fn what_is_there_twice_is_refused() {
    let text = shipped("fail-closed");
    let start = text
        .find("                  - name: envoy.access_loggers.stdout")
        .expect("it");
    let end = text.find("  clusters:").expect("it");
    let again = format!("{}{}{}", &text[..end], &text[start..end], &text[end..]);
    assert_eq!(
        messages(&again),
        ["a second access log records each request again"]
    );
    let start = text
        .find("                  - name: envoy.access_loggers.http_grpc")
        .expect("it");
    let end = text
        .find("                  # The proxy's record")
        .expect("it");
    let again = format!("{}{}{}", &text[..end], &text[start..end], &text[end..]);
    assert_eq!(messages(&again), ["the requests have two gRPC access logs"]);
}

#[test]
fn all_faults_of_a_file_are_reported_together() {
    let mut text = shipped("fail-closed");
    for (from, to) in [
        ("port_value: 9901", "port_value: 9902"),
        ("port_value: 8000", "port_value: 8001"),
        ("stat_prefix: waf", "stat_prefix: agent"),
        (
            "emit_filter_state_stats: true",
            "emit_filter_state_stats: false",
        ),
        ("connection: ", "connexion: "),
        ("x-conformance-control", "x-other"),
    ] {
        text = edit(&text, from, to);
    }
    assert_eq!(messages(&text).len(), 6, "{:?}", messages(&text));
}

#[test]
fn what_is_written_once_and_used_twice_is_wrong_once() {
    let text = edit(
        &shipped("tls-for-clients"),
        "stat_prefix: waf",
        "stat_prefix: agent",
    );
    assert_eq!(messages(&text).len(), 1, "{:?}", messages(&text));
}

#[test]
fn every_shipped_configuration_is_fit() {
    let folder = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../envoy-configs");
    let mut checked = 0;
    for entry in folder.read_dir_utf8().expect("a folder") {
        let path = entry.expect("an entry").into_path();
        let text = fs_err::read_to_string(&path).expect("a file");
        assert_eq!(messages(&text), Vec::<String>::new(), "{path}");
        checked += 1;
    }
    assert!(checked > 20, "{checked}");
}

/// A listener of the user's own, for something else.
const EXTRA_LISTENER: &str = r#"
    - name: health
      address: { socket_address: { address: 0.0.0.0, port_value: 8002 } }
      filter_chains:
        - filters:
            - name: http
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: health
                route_config: { virtual_hosts: [{ name: a, domains: ["*"], routes: [{ match: { prefix: / }, direct_response: { status: 200 } }] }] }
                http_filters: [{ name: envoy.filters.http.router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }]

  clusters:"#;

#[rstest]
#[case::another_cluster("{ cluster_name: sigsci-agent-grpc }", "{ cluster_name: waf }")]
#[case::extra_listener("\n  clusters:", EXTRA_LISTENER)]
#[case::admin_on_every_address(
    "address: 127.0.0.1, port_value: 9901",
    "address: 0.0.0.0, port_value: 9901"
)]
#[case::numbers_in_quotes("port_value: 8000", "port_value: \"8000\"")]
#[case::both_families(
    "address: 0.0.0.0, port_value: 8000",
    "address: \"::\", ipv4_compat: true, port_value: 8000"
)]
#[case::camel_case("stat_prefix: ingress", "statPrefix: ingress")]
#[case::camel_case_in_the_filter("emit_filter_state_stats: true", "emitFilterStateStats: true")]
#[case::the_guides_google_grpc(
    "envoy_grpc: { cluster_name: sigsci-agent-grpc }",
    "google_grpc: { target_uri: \"localhost:9999\", stat_prefix: agent }"
)]
#[case::plain_start_time("%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ)%", "%START_TIME%")]
#[case::header_in_lower_case("%REQ(X-CONFORMANCE-ID)%", "%req(x-conformance-id)%")]
#[case::header_is_present("string_match: { exact: deliverability }", "present_match: true")]
#[case::header_by_pattern(
    "string_match: { exact: deliverability }",
    "string_match: { safe_regex: { regex: \"deliver.*\" } }"
)]
#[case::filter_off_by_the_general_type(
    "\"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute\n                              disabled: true",
    "\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig\n                              disabled: true"
)]
#[case::routes_from_elsewhere(
    "route_config:",
    "rds: { route_config_name: a }\n                unread:"
)]
#[case::log_to_a_device(
    "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
    "envoy.extensions.access_loggers.file.v3.FileAccessLog\n                      path: /dev/stdout"
)]
#[case::further_fields(
    "connection: ",
    "mine: \"%PROTOCOL%\"\n                            connection: "
)]
#[case::another_route_first(
    "                        # The deliverability control",
    "                        - { match: { path: /health }, direct_response: { status: 200 } }\n                        # The deliverability control"
)]
fn another_layout_is_not_refused(#[case] from: &str, #[case] to: &str) {
    let text = shipped("fail-closed").replace(from, to);
    assert_ne!(text, shipped("fail-closed"));
    assert_eq!(messages(&text), Vec::<String>::new());
}

#[test]
fn a_filter_of_another_name_is_fine_where_log_and_route_use_the_name() {
    let text = shipped("fail-closed").replace("envoy.filters.http.ext_authz", "waf");
    assert_eq!(messages(&text), Vec::<String>::new());
}

#[test]
fn a_filter_that_is_chosen_by_metadata_may_be_off_for_the_control() {
    let off = edit(&shipped("fail-closed"), "disabled: true", "disabled: false");
    assert_eq!(messages(&off).len(), 1);
    let text = edit(
        &off,
        "failure_mode_allow: false",
        "filter_enabled_metadata: { filter: a, path: [{ key: b }] }\n                      failure_mode_allow: false",
    );
    assert_eq!(messages(&text), Vec::<String>::new());
}

#[test]
fn a_second_service_over_grpc_needs_no_place_in_the_control() {
    let second = "- name: second\n                    typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz, stat_prefix: second, grpc_service: { envoy_grpc: { cluster_name: second } } }\n                  ";
    let text = shipped("fail-closed");
    let text = edit(
        &text,
        "- name: envoy.filters.http.ext_authz\n",
        &format!("{second}- name: envoy.filters.http.ext_authz\n"),
    );
    assert_eq!(messages(&text), Vec::<String>::new());
}

#[test]
fn fields_in_another_order_and_as_json_are_fine() {
    let value: serde_json::Value = serde_saphyr::from_str(&shipped("fail-closed")).expect("YAML");
    // The names come out in the order of the alphabet.
    assert_eq!(messages(&value.to_string()), Vec::<String>::new());
}

#[test]
fn a_configuration_without_the_agents_filter_is_judged_and_not_refused() {
    let text = without(
        &shipped("fail-closed"),
        "- name: envoy.filters.http.ext_authz",
        "- name: envoy.filters.http.router",
    );
    assert_eq!(messages(&text), Vec::<String>::new());
}

#[test]
fn text_that_is_no_yaml_is_refused_in_its_place() {
    let faults = faults("admin:\n  a: b: c\n");
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].position.line, 2);
}
