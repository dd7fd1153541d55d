//! Tests of [`super`]: which rules hold when.

use jiff::ToSpan as _;
use rstest::rstest;

use super::*;
use crate::witness::fixture::{NOON, joined};

fn after(milliseconds: i64) -> Timestamp {
    let noon: Timestamp = NOON.parse().expect("valid");
    noon + milliseconds.milliseconds()
}

/// The file was changed at 40, the agent was asked to read it again between 50 and 60, and was seen to be done at 130.
fn window(seen_at: Option<Timestamp>) -> Window {
    Window {
        changed_at: after(40),
        told_at: after(50),
        told_by: after(60),
        done_by: after(130),
        seen_at,
    }
}

fn rules(by: ReloadMeans, window: Window) -> Rules<'static> {
    let step = RuleChange {
        name: "step",
        by,
        denied_with: Located::unwritten(418),
        window,
    };
    Rules::new(Located::unwritten(406), vec![step])
}

fn request(sent: i64, finished: i64) -> Joined {
    let mut joined = joined();
    joined.upstream.clear();
    joined.client.sent_at = Some(after(sent));
    joined.client.finished_at = after(finished);
    joined
}

#[rstest]
#[case::before_it(10, 39, &[406])]
#[case::once_the_file_is_changed(10, 41, &[406, 418])]
#[case::over_it(49, 70, &[406, 418])]
#[case::before_the_new_rules_were_seen(119, 125, &[406, 418])]
#[case::after_they_were_seen(121, 125, &[418])]
fn an_attack_is_denied_by_the_rules_of_its_time(
    #[case] sent: i64,
    #[case] finished: i64,
    #[case] right: &[u16],
) {
    let window = window(Some(after(120)));
    let rules = rules(ReloadMeans::Signal, window);
    let client = request(sent, finished).client;
    let statuses: Vec<u16> = rules
        .right_for(&client)
        .iter()
        .map(|status| status.value)
        .collect();
    assert_eq!(statuses, right);
}

#[rstest]
#[case::before_it(ReloadMeans::Restart, 10, 49, false)]
#[case::while_the_agent_is_away(ReloadMeans::Restart, 70, 72, true)]
#[case::after_it_was_seen_again(ReloadMeans::Restart, 121, 125, false)]
#[case::while_a_running_agent_reloads(ReloadMeans::Signal, 70, 72, false)]
fn only_an_agent_that_is_restarted_may_be_missing(
    #[case] by: ReloadMeans,
    #[case] sent: i64,
    #[case] finished: i64,
    #[case] is_excused: bool,
) {
    let window = window(Some(after(120)));
    let rules = rules(by, window);
    let request = request(sent, finished);
    let is_right = |outcome| rules.is_right(outcome, StreamKind::Attack, &request);
    assert_eq!(is_right(Outcome::FailedClosed), is_excused);
    assert!(is_right(Outcome::BlockedByAgent));
    assert!(!is_right(Outcome::Allowed));
}

#[rstest]
#[case::in_the_agents_hands(55, 70, true)]
#[case::sent_after_the_kill(61, 70, false)]
fn the_record_of_what_was_interrupted_may_be_lost(
    #[case] sent: i64,
    #[case] finished: i64,
    #[case] is_excused: bool,
) {
    let window = window(None);
    let rules = rules(ReloadMeans::Restart, window);
    let request = request(sent, finished);
    let is_right = rules.is_right(Outcome::Ambiguous, StreamKind::Attack, &request);
    assert_eq!(is_right, is_excused);
}
