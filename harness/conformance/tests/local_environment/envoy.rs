//! A real Envoy in a container: the guide's arguments, a read-only root, a configuration by volume.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::support::{Bench, shared_memory, stack, until, until_gone};
use harness_artifacts::executable::{EnvoySelection, locate};
use harness_core::model::agent_egress::AgentEgress;
use harness_core::model::timeline::{ExitStatus, LifecycleEvent};
use harness_core::model::timespan::TimeSpan;
use harness_environment::local::{ImageTable, LocalEnvironment, LocalOptions};
use harness_environment::{Environment as _, PodHttpRequest};

const CONFIGURATION: &str = r#"
admin: { address: { socket_address: { address: 0.0.0.0, port_value: 9901 } } }
static_resources:
  listeners:
  - name: front
    address: { socket_address: { address: 0.0.0.0, port_value: 8000 } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: /dev/stdout
              log_format: { text_format_source: { inline_string: "access %RESPONSE_CODE%\n" } }
          http_filters:
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: { prefix: "/" }
                direct_response: { status: 200, body: { inline_string: "hello" } }
"#;

#[tokio::test]
async fn envoy_runs_and_leaves_no_shared_memory() {
    let chosen = std::env::var_os("ENVOY");
    let selection = EnvoySelection::choose(None, chosen.as_deref()).expect("a selection");
    let envoy = locate(&selection, &mut |_| {}).expect("an Envoy").path;
    let bench = Bench::new();
    let before = shared_memory();
    let environment = LocalEnvironment::new(LocalOptions {
        images: ImageTable {
            executables: [("envoyproxy/envoy".to_owned(), envoy)].into(),
        },
        conformance: env!("CARGO_BIN_EXE_conformance").into(),
        runtime: bench.path().join("envoy"),
        agent_egress: AgentEgress::None,
    });
    let mut stack = stack(json!({
        "terminationGracePeriodSeconds": 5,
        "containers": [{
            "name": "envoy-frontproxy",
            "image": "envoyproxy/envoy:v1.40.0",
            "args": ["-c", "/etc/envoy/envoy.yaml", "--service-cluster", "front-proxy",
                "-l", "info", "--disable-hot-restart", "--concurrency", "1"],
            "readinessProbe": { "httpGet": { "path": "/ready", "port": 9901 }, "periodSeconds": 1 },
            "securityContext": { "readOnlyRootFilesystem": true },
            "volumeMounts": [{ "name": "config", "mountPath": "/etc/envoy" }]
        }],
        "volumes": [{ "name": "config", "configMap": { "name": "envoy" } }]
    }));
    stack.config_maps.insert(
        "envoy".into(),
        BTreeMap::from([("envoy.yaml".into(), CONFIGURATION.into())]),
    );
    let created = environment.create(bench.name(), &stack).await;
    let pod = created.expect("created");
    until(&*pod, "readiness", |event| {
        event.event == LifecycleEvent::PodReady
    })
    .await;
    let request = PodHttpRequest {
        method: "GET".into(),
        host: "10.244.0.2".into(),
        port: 8000,
        path: "/".into(),
    };
    let response = pod
        .http(request, TimeSpan::new(Duration::from_secs(5)))
        .await
        .expect("answered");
    assert_eq!((response.status, response.body.as_str()), (200, "hello"));
    pod.request_deletion().await.expect("asked");
    until_gone(&*pod).await;
    let exits: Vec<_> = pod
        .timeline()
        .into_iter()
        .filter(|event| event.event == LifecycleEvent::Exited(ExitStatus::Code(0)))
        .collect();
    assert_eq!(exits.len(), 1, "{:#?}", pod.timeline());
    let log = pod.log("envoy-frontproxy").await.expect("a log");
    let log = String::from_utf8_lossy(&log).into_owned();
    assert!(log.contains("access 200\n"), "{log}");
    pod.remove().await.expect("removed");
    assert_eq!(shared_memory(), before);
}
