//! The pod's network: its address, its Service, the driver's place in it, and its neighbours.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::support::{Bench, shell, until, until_logged, with};
use harness_core::model::timeline::{LifecycleEvent, ProbeKind};
use harness_core::model::timespan::TimeSpan;
use harness_environment::{EnvironmentFault, Pod, PodHttpRequest};

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

#[tokio::test]
async fn the_service_listens_only_while_the_pod_is_ready() {
    let bench = Bench::new();
    let script = "trap 'sleep 1; exit 0' TERM; mkdir /www; echo app > /www/name; \
                  python3 -u -m http.server --bind 0.0.0.0 --directory /www 8000 & wait; wait";
    let pod = bench
        .create(json!({ "containers": [with(shell("app", script), probed(8000))] }))
        .await;
    assert_eq!(pod.addresses().service, "10.96.0.1:80");
    get(&*pod, "10.96.0.1", 80, "/name")
        .await
        .expect_err("not ready yet");
    until(&*pod, "readiness", |event| {
        event.event == LifecycleEvent::PodReady
    })
    .await;
    // At once: whoever has seen the event may rely on the Service.
    let answer = get(&*pod, "10.96.0.1", 80, "/name")
        .await
        .expect("answered");
    assert_eq!(answer, (200, "app\n".into()));
    pod.request_deletion().await.expect("asked");
    until(&*pod, "end of readiness", |event| {
        event.event == LifecycleEvent::PodNotReady
    })
    .await;
    get(&*pod, "10.96.0.1", 80, "/name")
        .await
        .expect_err("no longer ready");
    assert_eq!(
        get(&*pod, "10.244.0.2", 8000, "/name")
            .await
            .expect("still served")
            .0,
        200
    );
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
