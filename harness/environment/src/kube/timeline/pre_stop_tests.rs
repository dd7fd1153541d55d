//! Tests of [`super`]: how a hook ends, and what is waited for and said of one whose end was not observed.

use super::*;

fn at(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(millisecond).expect("valid")
}

#[test]
fn only_the_hooks_own_process_ends_it() {
    let mut hook = HookRun::default();
    assert!(hook.begin(at(0), None).is_some());
    assert_eq!(hook.begin(at(10), Some(7)), None);
    assert_eq!(hook.leave(at(1500), 8, 10), None);
    let finished = HookEnd::Finished { left_seconds: 9 };
    assert_eq!(hook.leave(at(1500), 7, 10), Some(finished));
    assert_eq!(hook.leave(at(9100), 7, 10), Some(HookEnd::Overran));
}

#[test]
fn a_pause_ends_when_its_time_is_over_and_no_later_than_the_grace_period() {
    let mut hook = HookRun::default();
    let pause = Hook::Sleep(2);
    assert_eq!(hook.end_by_time(at(9000), Some(&pause), 3), None);
    hook.begin(at(0), None);
    assert_eq!(hook.end_by_time(at(1999), Some(&pause), 3), None);
    let finished = HookEnd::Finished { left_seconds: 1 };
    assert_eq!(
        hook.end_by_time(at(2000), Some(&pause), 3),
        Some((2, finished))
    );
    assert_eq!(
        hook.end_by_time(at(2000), Some(&pause), 2),
        Some((2, HookEnd::Overran))
    );
    hook.end(at(2000));
    assert_eq!(hook.end_by_time(at(9000), Some(&pause), 3), None);
}

#[test]
fn the_failure_of_a_hook_may_be_reported_after_its_containers_end() {
    let exec = Hook::Exec(vec!["sleep".into()]);
    let mut unseen = HookRun::default();
    unseen.container_ended(at(5100), at(5000), Some(&exec), Stopped::Yes);
    assert!(unseen.awaits_signal(at(60_000)));
    unseen.begin(at(900), None);
    assert_eq!(unseen.fail(), Some(at(900)));
    assert!(!unseen.awaits_signal(at(60_000)));

    let mut cut = HookRun::default();
    cut.begin(at(1000), None);
    cut.container_ended(at(5100), at(5000), Some(&exec), Stopped::Yes);
    assert!(cut.awaits_signal(at(60_000)));
    assert_eq!(cut.fail(), Some(at(1000)));
    assert_eq!(cut.conclude(), None);

    let mut seen = HookRun::default();
    seen.begin(at(1000), Some(7));
    seen.end(at(3000));
    seen.container_ended(at(5100), at(5000), Some(&exec), Stopped::Yes);
    assert!(seen.awaits_signal(at(10_099)));
    assert!(!seen.awaits_signal(at(10_100)));
    assert_eq!(seen.fail(), Some(at(3000)));

    let mut none = HookRun::default();
    none.container_ended(at(5100), at(5000), None, Stopped::Yes);
    assert!(!none.awaits_signal(at(5000)));
}

#[test]
fn a_hook_whose_failure_is_not_reported_was_over_with_its_container() {
    let mut hook = HookRun::default();
    hook.begin(at(1000), None);
    hook.container_ended(at(5100), at(5000), Some(&Hook::Http), Stopped::Yes);
    assert_eq!(hook.conclude(), Some(HookRemainder::Finished(at(5000))));
    assert_eq!(hook.conclude(), None);
}

#[test]
fn a_hook_that_was_not_observed_is_unseen_where_it_had_to_run() {
    let exec = Hook::Exec(vec!["sleep".into()]);
    for (stopped, last) in [
        (Stopped::Yes, Some(HookRemainder::Unseen(at(5000)))),
        (Stopped::No, None),
    ] {
        let mut hook = HookRun::default();
        hook.container_ended(at(5100), at(5000), Some(&exec), stopped);
        assert_eq!(hook.awaits_signal(at(60_000)), stopped == Stopped::Yes);
        assert_eq!(hook.conclude(), last);
        assert_eq!(hook.conclude(), None);
    }
}
