//! What a container takes of its machine: memory, descriptors and processor time.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::support::{Bench, once, shell, until_command_lines, until_exited};
use harness_environment::{EnvironmentFault, Pod};

/// How long a condition is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

#[tokio::test]
async fn what_a_container_takes_is_the_sum_over_its_own_processes() {
    let bench = Bench::new();
    let pod = bench
        .create(json!({ "containers": [
            shell("one", "exec sleep 61"),
            shell("more-descriptors", "exec 3</dev/null 4</dev/null; exec sleep 62"),
            shell("two", "sleep 63 & exec sleep 64"),
            shell("busy", "while :; do :; done"),
        ] }))
        .await;
    until_command_lines(&*pod, "one", &["sleep 61"]).await;
    until_command_lines(&*pod, "more-descriptors", &["sleep 62"]).await;
    until_command_lines(&*pod, "two", &["sleep 63", "sleep 64"]).await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let one = pod.usage("one").await.expect("it runs");
        let more = pod.usage("more-descriptors").await.expect("it runs");
        let two = pod.usage("two").await.expect("it runs");
        // A program that has just begun holds its libraries open for a moment.
        if more.descriptors == one.descriptors + 2
            && two.descriptors == one.descriptors * 2
            && two.resident_bytes > one.resident_bytes
        {
            break;
        }
        assert!(Instant::now() < deadline, "{one:?} {more:?} {two:?}");
        sleep(PAUSE).await;
    }
    until_it_has_worked(&*pod, "busy", Duration::from_millis(50)).await;
    let rested = pod.usage("one").await.expect("it runs");
    assert!(
        rested.processor_time < Duration::from_millis(50),
        "{rested:?}"
    );
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn a_container_that_has_ended_takes_nothing_that_could_be_read() {
    let bench = Bench::new();
    let pod = bench.create(once(shell("short", "true"))).await;
    until_exited(&*pod, "short").await;
    let fault = pod.usage("short").await.expect_err("it has ended");
    assert!(
        matches!(fault, EnvironmentFault::ContainerState { .. }),
        "{fault}"
    );
    pod.remove().await.expect("removed");
}

async fn until_it_has_worked(pod: &dyn Pod, container: &str, wanted: Duration) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Containers start one after the other, and this one may not have yet.
        let usage = pod.usage(container).await;
        if usage
            .as_ref()
            .is_ok_and(|usage| usage.processor_time >= wanted)
        {
            return;
        }
        assert!(Instant::now() < deadline, "{usage:?}");
        sleep(PAUSE).await;
    }
}
