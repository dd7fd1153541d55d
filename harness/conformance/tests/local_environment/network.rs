//! The pod's network: its address, its Service, the driver's place in it, and its neighbours.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::support::{Bench, shell, stack, until, until_logged, with};
use harness_core::model::terminating_endpoints::TerminatingEndpoints;
use harness_core::model::timeline::{LifecycleEvent, ProbeKind};
use harness_core::model::timespan::TimeSpan;
use harness_environment::{Environment as _, EnvironmentFault, Pod, PodHttpRequest};

/// Serves files over HTTP with the one server that a bare machine is likely to have.
fn server(name: &str, address: &str, port: u16) -> Value {
    let script = format!(
        "mkdir /www; echo {name} > /www/name; \
         exec python3 -u -m http.server --bind {address} --directory /www {port}"
    );
    shell(name, &script)
}

async fn get(
    pod: &dyn Pod,
    host: &str,
    port: u16,
    path: &str,
) -> Result<(u16, String), EnvironmentFault> {
    let request = PodHttpRequest {
        method: "GET".into(),
        host: host.into(),
        port,
        path: path.into(),
    };
    pod.http(request, TimeSpan::new(Duration::from_secs(5)))
        .await
        .map(|response| (response.status, response.body))
}

fn probed(port: u16) -> Value {
    json!({ "readinessProbe": {
        "httpGet": { "path": "/name", "port": port }, "periodSeconds": 1
    } })
}

#[tokio::test]
async fn a_listener_on_localhost_is_not_reached_at_the_pods_address() {
    let bench = Bench::new();
    let pod = bench
        .create(json!({ "containers": [
            with(server("app", "localhost", 9999), probed(9999))
        ] }))
        .await;
    until_logged(&*pod, "app", "Serving").await;
    let (status, body) = get(&*pod, "127.0.0.1", 9999, "/name")
        .await
        .expect("answered");
    assert_eq!((status, body.as_str()), (200, "app\n"));
    let fault = get(&*pod, "10.244.0.2", 9999, "/name")
        .await
        .expect_err("refused");
    assert!(matches!(fault, EnvironmentFault::Io { .. }), "{fault}");
    let from = pod.timeline().len();
    until(&*pod, "probe after the server is up", |event| {
        pod.timeline().len() > from && matches!(event.event, LifecycleEvent::Probed { .. })
    })
    .await;
    let last = pod.timeline().into_iter().next_back().expect("events");
    assert!(
        matches!(&last.event, LifecycleEvent::Probed { probe: ProbeKind::Readiness, success: false,
            detail } if detail.contains("refused")),
        "{last:?}"
    );
    assert!(!pod.is_ready());
    pod.remove().await.expect("removed");
}

/// Asks the Service where a connection leads every 20 ms and prints it when it changes.
const ASKS_THE_SERVICE: &str = r#"exec python3 -u -c '
import socket, time
last = None
while True:
    try:
        with socket.create_connection(("10.96.0.1", 80), 5) as service:
            said = service.recv(64).decode()
    except OSError as error:
        said = type(error).__name__
    if said != last:
        print("leads to", said)
        last = said
    time.sleep(0.02)
'"#;

/// A pod that is ready while it has a file, which it removes a second after its TERM, with one beside it that asks where its Service leads.
async fn observed_pod(terminating: TerminatingEndpoints) -> (Bench, std::sync::Arc<dyn Pod>) {
    let bench = Bench::new();
    let script = "trap 'sleep 0.5; echo half; sleep 0.5; rm /tmp/ready; sleep 10; exit 0' TERM; sleep 1; touch /tmp/ready; echo up; \
                  while :; do sleep 0.02; done";
    let app = with(
        shell("app", script),
        json!({ "readinessProbe": {
            "exec": { "command": ["test", "-e", "/tmp/ready"] },
            "periodSeconds": 1, "failureThreshold": 1
        } }),
    );
    let asking = shell("asking", ASKS_THE_SERVICE);
    let mut stack =
        stack(json!({ "containers": [app, asking], "terminationGracePeriodSeconds": 20 }));
    stack.terminating_endpoints = terminating;
    let created = bench.environment.create(bench.name(), &stack).await;
    let pod = created.expect("created");
    assert_eq!(pod.addresses().service, "10.96.0.1:80");
    (bench, pod)
}

#[tokio::test]
async fn the_service_leads_to_the_pod_while_it_is_ready_and_nowhere_once_it_is_being_deleted() {
    let (_bench, pod) = observed_pod(TerminatingEndpoints::Unused).await;
    until_logged(&*pod, "asking", "leads to 10.244.0.2:8000").await;
    let before = crate::support::log(&*pod, "asking").await;
    assert!(
        before.starts_with("leads to ConnectionRefusedError\n"),
        "{before}"
    );
    pod.request_deletion().await.expect("asked");
    until_logged(&*pod, "asking", "8000\nleads to ConnectionRefusedError").await;
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn a_service_that_uses_terminating_endpoints_leads_to_the_pod_until_a_container_is_not_ready()
{
    let (_bench, pod) = observed_pod(TerminatingEndpoints::Used).await;
    until_logged(&*pod, "asking", "leads to 10.244.0.2:8000").await;
    pod.request_deletion().await.expect("asked");
    // The Service was asked some twenty times since the deletion by then.
    until_logged(&*pod, "app", "half").await;
    let log = crate::support::log(&*pod, "asking").await;
    assert!(log.ends_with("leads to 10.244.0.2:8000\n"), "{log}");
    // Its file is gone a second after its TERM, and its readiness with it.
    until_logged(&*pod, "asking", "8000\nleads to ConnectionRefusedError").await;
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn two_pods_use_the_same_ports_at_once() {
    let bench = Bench::new();
    let (first, second) = tokio::join!(
        bench.create(json!({ "containers": [server("first", "0.0.0.0", 8000)] })),
        bench.create(json!({ "containers": [server("second", "0.0.0.0", 8000)] })),
    );
    for (pod, name) in [(&first, "first"), (&second, "second")] {
        until_logged(&**pod, name, "Serving").await;
        let (_, body) = get(&**pod, "10.244.0.2", 8000, "/name")
            .await
            .expect("answered");
        assert_eq!(body, format!("{name}\n"));
    }
    first.remove().await.expect("removed");
    assert_eq!(
        get(&*second, "127.0.0.1", 8000, "/name")
            .await
            .expect("answered")
            .0,
        200
    );
    second.remove().await.expect("removed");
}

#[tokio::test]
async fn a_question_that_is_not_answered_times_out_by_name() {
    let bench = Bench::new();
    let script = "exec python3 -c 'import socket,time; s=socket.create_server((\"0.0.0.0\",8000)); \
                  print(\"up\",flush=True); time.sleep(60)'";
    let pod = bench
        .create(json!({ "containers": [shell("app", script)] }))
        .await;
    until_logged(&*pod, "app", "up").await;
    let request = PodHttpRequest {
        method: "GET".into(),
        host: "127.0.0.1".into(),
        port: 8000,
        path: "/".into(),
    };
    let fault = pod
        .http(request, TimeSpan::new(Duration::from_millis(200)))
        .await
        .expect_err("no answer");
    assert!(
        matches!(&fault, EnvironmentFault::TimedOut(timed_out)
            if timed_out.waited_for.contains("port 8000")),
        "{fault}"
    );
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn a_tcp_probe_and_a_grpc_probe_say_what_they_saw() {
    let bench = Bench::new();
    let pod = bench
        .create(
            json!({ "containers": [with(server("app", "0.0.0.0", 8000), json!({
            "livenessProbe": { "tcpSocket": { "port": 8000 }, "periodSeconds": 1,
                "failureThreshold": 100 },
            "readinessProbe": { "grpc": { "port": 8001 }, "periodSeconds": 1 }
        }))] }),
        )
        .await;
    until(&*pod, "successful TCP probe", |event| {
        matches!(&event.event, LifecycleEvent::Probed { probe: ProbeKind::Liveness,
            success: true, detail } if detail == "connected")
    })
    .await;
    until(&*pod, "failed gRPC probe", |event| {
        matches!(&event.event, LifecycleEvent::Probed { probe: ProbeKind::Readiness,
            success: false, detail } if detail.contains("refused"))
    })
    .await;
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn the_driver_runs_in_the_pod_and_ends_with_its_guard() {
    let bench = Bench::new();
    let pod = bench
        .create(json!({ "containers": [shell("app", "exec sleep 60")] }))
        .await;
    let mut driver = pod.start_driver().await.expect("started");
    // Its input stays open: the driver waits for its plan until it is ended.
    drop(driver.guard);
    let mut output = Vec::new();
    tokio::time::timeout(
        crate::support::PATIENCE,
        driver.stdout.read_to_end(&mut output),
    )
    .await
    .expect("the driver hangs up")
    .ok();
    drop(driver.stdin);
    pod.remove().await.expect("removed");
}
