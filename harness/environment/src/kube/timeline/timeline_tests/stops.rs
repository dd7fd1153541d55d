//! Tests of a pod's timeline: probes, deletion and TERM.

use super::*;

#[test]
fn failed_probes_that_one_event_counts_are_each_in_the_timeline() {
    let mut recorder = recorder(None);
    let failed = |count| kubelet("Unhealthy", "Startup probe failed: no", count);
    assert_eq!(recorder.kubelet_event(at(0), &failed(1)).len(), 1);
    assert_eq!(recorder.kubelet_event(at(1), &failed(1)).len(), 0);
    assert_eq!(recorder.kubelet_event(at(2), &failed(3)).len(), 2);
}

#[test]
fn a_stop_that_is_heard_of_before_the_deletion_waits_for_it() {
    let mut recorder = recorder(None);
    recorder.status(at(0), &running(true));
    let early = recorder.kubelet_event(at(8990), &kubelet("Killing", "Stopping container a", 1));
    assert_eq!(names(&early), [""; 0]);
    assert_eq!(
        names(&recorder.status(at(9000), &deleted())),
        ["DeletionRequested", "PodNotReady", "TermSent"]
    );
}

#[test]
fn a_moment_in_whole_seconds_is_read_as_late_as_it_can_be() {
    assert_eq!(moment(at(5300), Some(at(5000))), at(5300));
    assert_eq!(moment(at(7300), Some(at(5000))), at(5999));
    assert_eq!(moment(at(4000), Some(at(5000))), at(5000));
}

#[test]
fn a_term_that_was_not_observed_lies_between_the_deletion_and_what_is_known_of_it() {
    let mut recorder = recorder(None);
    recorder.status(at(0), &running(true));
    recorder.ask_deletion(at(8900));
    let deletion = recorder.status(at(9000), &deleted());
    assert_eq!(deletion[0].at, at(8900));
    let stopped = recorder.kubelet_event(at(9400), &kubelet("Killing", "Stopping container a", 1));
    assert_eq!(term_of(&stopped), (at(8900), at(9400)));
}

#[test]
fn the_proxys_own_report_of_its_term_is_waited_for_and_believed() {
    let mut recorder = proxys_recorder(None);
    recorder.status(at(0), &running(true));
    recorder.status(at(9000), &deleted());
    let stop = kubelet("Killing", "Stopping container a", 1);
    assert_eq!(names(&recorder.kubelet_event(at(9400), &stop)), [""; 0]);
    let added = recorder.term_received(at(9500), "a", at(9100));
    assert_eq!(names(&added), ["TermSent"]);
    assert_eq!(term_of(&added), (at(9100), at(9100)));
    assert_eq!(
        names(&recorder.status(at(9600), &ended(0))),
        ["Exited", "ContainerNotReady"]
    );
}

#[test]
fn a_proxy_that_never_reports_its_term_was_sent_it_by_the_kubelets_rules() {
    let mut recorder = proxys_recorder(None);
    recorder.status(at(0), &running(true));
    recorder.status(at(9000), &deleted());
    recorder.kubelet_event(at(9400), &kubelet("Killing", "Stopping container a", 1));
    let end = recorder.status(at(11_500), &ended(0));
    assert_eq!(term_of(&end), (at(9000), at(9400)));
}

#[test]
fn a_failed_startup_probe_that_is_heard_of_after_the_success_was_before_it() {
    let mut recorder = recorder(None);
    recorder.status(at(0), &running(false));
    let success = recorder.status(at(700), &running(true));
    let failed = kubelet("Unhealthy", "Startup probe failed: no", 1);
    let late = recorder.kubelet_event(at(900), &failed);
    assert_eq!(names(&late), ["Probed"]);
    assert!(late[0].at < success[0].at, "{late:?}");
    let readiness = kubelet("Unhealthy", "Readiness probe failed: no", 2);
    assert_eq!(recorder.kubelet_event(at(950), &readiness)[0].at, at(950));
}
