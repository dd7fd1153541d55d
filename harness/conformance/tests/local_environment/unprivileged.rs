//! The same as somebody without privileges: the pod lives in a user namespace.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use camino::Utf8PathBuf;
use serde_json::json;

use crate::support::{events_of, log, shell, stack, until, until_exited, until_gone, with};
use harness_core::model::agent_egress::AgentEgress;
use harness_core::model::identity::PodName;
use harness_core::model::timeline::LifecycleEvent;
use harness_environment::local::{ImageTable, LocalEnvironment, LocalOptions, probe_support};
use harness_environment::{Environment as _, EnvironmentFault};

/// Tells the helper below where it may write; without it the helper is not meant.
const HELPER_FOLDER: &str = "CONFORMANCE_TEST_UNPRIVILEGED_FOLDER";

const NOBODY: &str = "65534";

#[test]
fn somebody_without_privileges_can_run_pods() {
    if !nix::unistd::geteuid().is_root() {
        // Then every other test of this program is the proof.
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), open).expect("opened");
    let copies = [
        ("tests", std::env::current_exe().expect("this program")),
        ("conformance", env!("CARGO_BIN_EXE_conformance").into()),
    ];
    for (name, program) in copies {
        // Where this user has built, nobody else need be able to look.
        std::fs::copy(program, folder.path().join(name)).expect("copied");
    }
    let output = Command::new("setpriv")
        .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
        .arg(folder.path().join("tests"))
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("unprivileged::helper_without_privileges")
        .current_dir(folder.path())
        .env(HELPER_FOLDER, folder.path())
        .env("TMPDIR", folder.path())
        .output()
        .expect("setpriv is part of util-linux");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}

/// Not a test by itself: what the test above runs as somebody else.
#[tokio::test]
#[ignore = "is started by another test"]
async fn helper_without_privileges() {
    let folder = Utf8PathBuf::from(std::env::var(HELPER_FOLDER).expect("started by the test"));
    assert!(!nix::unistd::geteuid().is_root());
    let conformance = folder.join("conformance");
    probe_support(&conformance).await.expect("suitable");
    let environment = LocalEnvironment::new(LocalOptions {
        images: ImageTable {
            executables: [("test/sh".to_owned(), "/bin/sh".into())].into(),
        },
        conformance,
        runtime: folder.join("runtime"),
        agent_egress: AgentEgress::None,
    });
    let name = |purpose: &str| PodName {
        run: "user1".parse().expect("a run id"),
        purpose: purpose.into(),
    };
    let script = "exec 2>&1; id -u; touch /new; echo fine > /tmp/v/file && cat /tmp/v/file; \
                  grep CapEff /proc/self/status; mount -t tmpfs none /tmp || echo refused; \
                  echo text > /dev/null && echo device";
    let container = with(
        shell("app", script),
        json!({
            "securityContext": { "readOnlyRootFilesystem": true },
            "volumeMounts": [{ "name": "scratch", "mountPath": "/tmp/v" }],
            "lifecycle": { "preStop": { "exec": { "command": ["true"] } } }
        }),
    );
    let pod = json!({
        "restartPolicy": "Never",
        "containers": [container.clone(), with(shell("other", "exec sleep 60"), json!({
            "lifecycle": { "preStop": { "exec": { "command": ["true"] } } },
        }))],
        "terminationGracePeriodSeconds": 1,
        "volumes": [{ "name": "scratch", "emptyDir": {} }]
    });
    let created = environment.create(name("plain"), &stack(pod)).await;
    let pod = created.expect("created");
    until_exited(&*pod, "app").await;
    let output = log(&*pod, "app").await;
    assert!(output.starts_with("0\n"), "{output}");
    assert!(output.contains("Read-only file system"), "{output}");
    assert!(
        output.contains("fine\nCapEff:\t00000000a00425fb\n"),
        "{output}"
    );
    assert!(output.contains("refused\n"), "{output}");
    assert!(output.contains("device\n"), "{output}");
    until(&*pod, "start of the other container", |event| {
        event.container.as_deref() == Some("other")
    })
    .await;
    let view = pod.inspect_files("other").await.expect("a view");
    assert!(!view.root_is_read_only);
    pod.request_deletion().await.expect("asked");
    until_gone(&*pod).await;
    assert!(
        events_of(&*pod, "other").contains(&LifecycleEvent::PreStopFinished { exit_code: Some(0) }),
        "{:#?}",
        pod.timeline()
    );
    pod.remove().await.expect("removed");

    let other = with(
        container,
        json!({ "securityContext": { "runAsUser": 1000 } }),
    );
    let refused = json!({
        "containers": [other],
        "volumes": [{ "name": "scratch", "emptyDir": {} }]
    });
    let fault = environment
        .create(name("other"), &stack(refused))
        .await
        .expect_err("one user only");
    assert!(
        matches!(&fault, EnvironmentFault::NotCarriedOut { what, .. } if what.contains("runAsUser: 1000")),
        "{fault}"
    );
}
