//! What a container sees: its root, its volumes, its environment, its log.

use serde_json::{Value, json};

use crate::support::{
    Bench, events_of, log, once, output_of, shell, until, until_command_lines, until_exited,
    until_logged, with,
};
use harness_core::model::file_kind::FileKind;
use harness_core::model::timeline::{ExitStatus, LifecycleEvent};
use harness_environment::{ContainerFault, EnvironmentFault};

#[expect(
    clippy::needless_pass_by_value,
    reason = "the templates are written in place"
)]
fn with_scratch(container: Value, policy: &str) -> Value {
    json!({
        "restartPolicy": policy,
        "containers": [container],
        "volumes": [{ "name": "scratch", "emptyDir": {} }]
    })
}

fn mounts() -> Value {
    json!({ "volumeMounts": [{ "name": "scratch", "mountPath": "/sigsci/tmp" }] })
}

#[tokio::test]
async fn a_read_only_root_is_enforced_by_the_kernel_and_a_volume_is_writable() {
    let script = "exec 2>&1; touch /new; touch /tmp/new; touch /etc/new; mkdir /usr/new; \
                  echo fine > /sigsci/tmp/file && cat /sigsci/tmp/file";
    let container = with(
        with(shell("app", script), mounts()),
        json!({ "securityContext": { "readOnlyRootFilesystem": true } }),
    );
    let output = output_of(with_scratch(container, "Never"), "app").await;
    assert_eq!(
        output.matches("Read-only file system").count(),
        4,
        "{output}"
    );
    assert!(output.ends_with("fine\n"), "{output}");
}

#[tokio::test]
async fn a_root_is_writable_by_default_but_the_hosts_programs_are_not() {
    let script =
        "exec 2>&1; echo fine > /file && cat /file; touch /usr/new; touch /app/new && echo app";
    let output = output_of(once(shell("app", script)), "app").await;
    assert!(output.starts_with("fine\n"), "{output}");
    assert_eq!(
        output.matches("Read-only file system").count(),
        1,
        "{output}"
    );
    assert!(output.ends_with("app\n"), "{output}");
}

#[tokio::test]
async fn a_container_sees_nothing_of_the_host_but_its_programs() {
    let script = "exec 2>&1; echo /*; echo $$$$; ls /proc | grep -c '^[0-9]'; ls /root; ls /dev; \
                  for file in kernel/core_pattern vm/drop_caches; do \
                  test -w /proc/sys/$file && echo writable; done";
    let output = output_of(once(shell("app", script)), "app").await;
    assert!(output.starts_with("/app /bin /dev /etc"), "{output}");
    let lines: Vec<&str> = output.lines().collect();
    for host_only in ["/home", "/boot", "/sys", "/mnt"] {
        assert!(!lines[0].contains(host_only), "{output}");
    }
    assert_eq!(
        lines[1], "1",
        "the container's process is not the first: {output}"
    );
    assert!(output.contains("urandom"), "{output}");
    assert!(!output.contains("kmsg"), "{output}");
    assert!(!output.contains("writable"), "{output}");
}

#[tokio::test]
async fn a_container_has_no_way_back_to_privileges() {
    let script = "exec 2>&1; grep -E 'NoNewPrivs|CapEff|CapBnd' /proc/self/status; umask; ulimit -c; \
                  mount -t tmpfs none /tmp || echo refused; ls /proc/self/fd | tr '\\n' ' '";
    let output = output_of(once(shell("app", script)), "app").await;
    assert!(output.contains("NoNewPrivs:\t1"), "{output}");
    // Without SYS_ADMIN (bit 21), and without MKNOD (bit 27).
    assert!(output.contains("CapEff:\t00000000a00425fb"), "{output}");
    assert!(output.contains("CapBnd:\t00000000a00425fb"), "{output}");
    assert!(output.contains("0022\n0\n"), "{output}");
    assert!(output.contains("refused"), "{output}");
    assert!(output.trim_end().ends_with("0 1 2 3"), "{output}");
}

#[tokio::test]
async fn dropped_capabilities_and_another_user_are_carried_out() {
    if !nix::unistd::geteuid().is_root() {
        // One user is all that an unprivileged harness has; the refusal is tested on the plan.
        return;
    }
    let script = "id -u; id -g; id -G; grep CapEff /proc/self/status; echo text > /dev/stdout";
    let container = with(
        shell("app", script),
        json!({ "securityContext": {
            "runAsUser": 1234, "runAsGroup": 5678, "runAsNonRoot": true,
            "capabilities": { "drop": ["ALL"] }
        } }),
    );
    let output = output_of(once(container), "app").await;
    assert_eq!(
        output,
        "1234\n5678\n5678\nCapEff:\t0000000000000000\ntext\n"
    );
}

#[tokio::test]
async fn a_container_that_must_not_be_root_is_not_started_as_root() {
    let bench = Bench::new();
    let container = with(
        shell("app", "echo never"),
        json!({ "securityContext": { "runAsNonRoot": true } }),
    );
    let pod = bench.create(once(container)).await;
    let event = until(&*pod, "refusal", |event| {
        matches!(event.event, LifecycleEvent::Restarting { .. })
    })
    .await;
    let LifecycleEvent::Restarting { reason } = event.event else {
        unreachable!("waited for it");
    };
    assert!(reason.contains("runAsNonRoot"), "{reason}");
    assert_eq!(log(&*pod, "app").await, "");
}

#[tokio::test]
async fn an_empty_dir_is_shared_and_survives_a_restart_while_the_root_does_not() {
    let bench = Bench::new();
    let script = "cat /sigsci/tmp/count /mark 2>/dev/null; echo run >> /sigsci/tmp/count; \
                  echo root > /mark; [ $(wc -l < /sigsci/tmp/count) -ge 2 ] && exec sleep 60; exit 3";
    let reader = "until [ -e /sigsci/tmp/count ]; do sleep 0.01; done; echo seen; exec sleep 60";
    let pod = bench
        .create(json!({
            "containers": [
                with(shell("writer", script), mounts()),
                with(shell("reader", reader), mounts()),
            ],
            "volumes": [{ "name": "scratch", "emptyDir": {} }]
        }))
        .await;
    until_logged(&*pod, "reader", "seen").await;
    until(&*pod, "second start", |event| {
        event.event == LifecycleEvent::Started { restart_count: 1 }
    })
    .await;
    let log = until_logged(&*pod, "writer", "run\n").await;
    assert_eq!(log, "run\n", "the root of the first run is still there");
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn a_size_limit_is_a_limit() {
    let container = with(
        shell(
            "app",
            "exec 2>&1; head -c 8192 /dev/zero > /sigsci/tmp/a && echo small; \
             head -c 1000000 /dev/zero > /sigsci/tmp/b || echo full",
        ),
        mounts(),
    );
    let output = output_of(
        json!({
            "restartPolicy": "Never",
            "containers": [container],
            "volumes": [{ "name": "scratch", "emptyDir": { "sizeLimit": "64Ki" } }]
        }),
        "app",
    )
    .await;
    assert!(output.starts_with("small\n"), "{output}");
    assert!(output.contains("full\n"), "{output}");
    assert!(output.contains("No space left on device"), "{output}");
}

#[tokio::test]
async fn secrets_config_maps_and_fields_reach_the_container_and_nothing_else_does() {
    let container = with(
        shell("app", "replaced below"),
        json!({
            "env": [
                { "name": "KEY", "valueFrom": { "secretKeyRef": { "name": "secret", "key": "key" } } },
                { "name": "NONE", "valueFrom": { "secretKeyRef": {
                    "name": "absent", "key": "key", "optional": true } } },
                { "name": "IP", "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } } },
                { "name": "BOTH", "value": "$(IP) $(UNKNOWN)" }
            ],
            "args": ["-c", "exec 2>&1; env | sort; cat /config/greeting.txt /keys/only; \
                stat -Lc %a /keys/only; touch /config/new || echo fixed; echo $0", "$(IP)"],
            "volumeMounts": [
                { "name": "config", "mountPath": "/config" },
                { "name": "keys", "mountPath": "/keys", "readOnly": true }
            ]
        }),
    );
    let output = output_of(
        json!({
            "restartPolicy": "Never",
            "containers": [container],
            "volumes": [
                { "name": "config", "configMap": { "name": "map" } },
                { "name": "keys", "secret": { "secretName": "secret", "defaultMode": 256,
                    "items": [{ "key": "key", "path": "only" }] } }
            ]
        }),
        "app",
    )
    .await;
    let variables: Vec<&str> = output
        .lines()
        .filter(|line| line.contains('='))
        .map(|line| line.split_once('=').expect("has one").0)
        .collect();
    assert_eq!(
        variables,
        ["BOTH", "HOME", "HOSTNAME", "IP", "KEY", "PATH", "PWD"]
    );
    assert!(output.contains("KEY=s3cret\n"), "{output}");
    assert!(output.contains("BOTH=10.244.0.2 $(UNKNOWN)\n"), "{output}");
    assert!(output.contains("hello\ns3cret400\n"), "{output}");
    assert!(output.contains("fixed\n"), "{output}");
    assert!(output.ends_with("10.244.0.2\n"), "{output}");
}

#[tokio::test]
async fn a_missing_secret_keeps_the_container_from_starting() {
    let bench = Bench::new();
    let container = with(
        shell("app", "echo never"),
        json!({ "env": [{ "name": "KEY", "valueFrom": { "secretKeyRef": {
            "name": "sigsci.absent", "key": "accesskeyid" } } }] }),
    );
    let pod = bench
        .create(json!({ "containers": [container, shell("other", "exec sleep 60")] }))
        .await;
    until(&*pod, "other container", |event| {
        event.container.as_deref() == Some("other")
    })
    .await;
    assert_eq!(
        events_of(&*pod, "app"),
        [LifecycleEvent::Restarting {
            reason: "CreateContainerConfigError: secret \"sigsci.absent\" not found".into()
        }]
    );
    let fault = pod
        .inject("app", ContainerFault::Kill)
        .await
        .expect_err("does not run");
    assert!(
        matches!(&fault, EnvironmentFault::ContainerState { state, .. }
            if state.contains("sigsci.absent")),
        "{fault}"
    );
    assert!(!pod.is_ready());
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_a_start_error() {
    let bench = Bench::new();
    let pod = bench
        .create(json!({ "containers": [
            { "name": "app", "image": "test/sh", "command": ["no-such-command"] }
        ] }))
        .await;
    let event = until(&*pod, "restart", |event| {
        matches!(event.event, LifecycleEvent::Restarting { .. })
    })
    .await;
    assert_eq!(
        event.event,
        LifecycleEvent::Restarting {
            reason: "StartError: exec: `no-such-command`: not found in PATH".into()
        }
    );
    assert_eq!(
        events_of(&*pod, "app")[0],
        LifecycleEvent::Exited(ExitStatus::Code(128))
    );
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn an_image_that_is_not_in_the_table_is_named() {
    let bench = Bench::new();
    let fault = bench
        .try_create(json!({ "containers": [{ "name": "app", "image": "registry:5000/x/y:1" }] }))
        .await
        .expect_err("no such image");
    assert!(
        matches!(&fault, EnvironmentFault::ImageMissing { image, .. } if image == "registry:5000/x/y:1"),
        "{fault}"
    );
}

#[tokio::test]
async fn both_streams_are_logged_in_whole_lines_across_restarts() {
    let bench = Bench::new();
    let script = "echo out; echo err >&2; printf unfinished; [ -e /keep/x ] && exec sleep 60; \
                  touch /keep/x; exit 1";
    let container = with(
        shell("app", script),
        json!({ "volumeMounts": [{ "name": "scratch", "mountPath": "/keep" }] }),
    );
    let pod = bench.create(with_scratch(container, "Always")).await;
    until_exited(&*pod, "app").await;
    let first = log(&*pod, "app").await;
    let mut lines: Vec<&str> = first.lines().collect();
    // The second run may have begun.
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines, ["err", "out", "unfinished"]);
    until(&*pod, "second start", |event| {
        event.event == LifecycleEvent::Started { restart_count: 1 }
    })
    .await;
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    while log(&*pod, "app").await.matches("err").count() < 2 {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn a_log_is_cut_at_its_limit() {
    let bench = Bench::new();
    let pod = bench
        .create(once(shell(
            "app",
            "yes 0123456789012345678901234567890123456789012345678901234567890123456789 \
             | head -c 70000000; echo end",
        )))
        .await;
    until_exited(&*pod, "app").await;
    let bytes = pod.log("app").await.expect("a log");
    assert!(bytes.len() <= 64 * 1024 * 1024 + 100, "{}", bytes.len());
    assert!(bytes.len() > 63 * 1024 * 1024, "{}", bytes.len());
    let tail = String::from_utf8_lossy(&bytes[bytes.len() - 80..]).into_owned();
    assert!(tail.contains("the log is cut here"), "{tail}");
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn files_are_described_without_following_links_out() {
    let bench = Bench::new();
    let script = "mkdir /sigsci/tmp/cache; printf 12345 > /sigsci/tmp/cache/geo; \
                  ln -s / /sigsci/tmp/out; mkfifo /sigsci/tmp/pipe; chmod 600 /sigsci/tmp/cache/geo; \
                  echo ready; exec sleep 60";
    let container = with(
        with(shell("app", script), mounts()),
        json!({ "securityContext": { "readOnlyRootFilesystem": true } }),
    );
    let pod = bench.create(with_scratch(container, "Never")).await;
    until_logged(&*pod, "app", "ready").await;
    let view = pod.inspect_files("app").await.expect("a view");
    assert!(view.root_is_read_only);
    assert_eq!(
        view.writable_mounts.into_iter().collect::<Vec<_>>(),
        [("/sigsci/tmp".to_owned(), Some("scratch".to_owned()))]
    );
    let files: Vec<(String, FileKind, u64)> = view
        .files
        .iter()
        .map(|(path, entry)| (path.clone(), entry.kind, entry.size))
        .collect();
    assert_eq!(
        files,
        [
            ("/sigsci/tmp/cache".into(), FileKind::Directory, 0),
            ("/sigsci/tmp/cache/geo".into(), FileKind::File, 5),
            ("/sigsci/tmp/out".into(), FileKind::Link, 0),
            ("/sigsci/tmp/pipe".into(), FileKind::Other, 0),
        ]
    );
    assert_eq!(view.files["/sigsci/tmp/cache/geo"].mode, 0o600);
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn what_a_container_adds_to_a_writable_root_is_described() {
    let bench = Bench::new();
    let pod = bench
        .create(once(shell(
            "app",
            "touch /added /tmp/added; echo ready; exec sleep 60",
        )))
        .await;
    until_logged(&*pod, "app", "ready").await;
    let view = pod.inspect_files("app").await.expect("a view");
    assert!(!view.root_is_read_only);
    assert_eq!(view.writable_mounts.keys().collect::<Vec<_>>(), ["/"]);
    assert_eq!(
        view.files.keys().collect::<Vec<_>>(),
        ["/added", "/tmp/added"]
    );
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn command_lines_are_those_of_one_container() {
    let bench = Bench::new();
    let pod = bench
        .create(json!({ "containers": [
            shell("first", "sleep 61 & wait"),
            shell("second", "exec sleep 62"),
        ] }))
        .await;
    until_command_lines(&*pod, "first", &["/app/sh -c sleep 61 & wait", "sleep 61"]).await;
    until_command_lines(&*pod, "second", &["sleep 62"]).await;
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn a_field_that_is_not_carried_out_is_refused_before_anything_starts() {
    let bench = Bench::new();
    let fault = bench
        .try_create(json!({ "hostPID": true, "containers": [shell("app", "true")] }))
        .await
        .expect_err("refused");
    assert!(
        matches!(fault, EnvironmentFault::NotCarriedOut { .. }),
        "{fault}"
    );
    let made = std::fs::read_dir(bench.path().join("runtime/test1")).expect("the run's folder");
    let folders = made.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().is_dir()));
    assert_eq!(folders.count(), 0);
}
