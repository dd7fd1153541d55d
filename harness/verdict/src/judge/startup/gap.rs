//! The inspection gap of a start-up: from the first attack that slipped through to the first that was denied.

use super::attacks::Attacks;
use super::expectation::{AttackExpectation, Enforcement, LeakExpectation};
use crate::judge::judged::Judged;
use crate::judge::lifecycle::phase_at;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::outcome::Outcome;
use harness_core::model::timeline::TimelineEvent;

/// Judges whether attacks slipped through before the rules applied, and whether they came to apply.
pub fn judge_gap(
    expectation: &AttackExpectation<'_>,
    attacks: &Attacks,
    enforcement: Enforcement,
    timeline: &[TimelineEvent],
) -> Judged {
    let mut judged = Judged::default();
    let leaked = attacks.leaked.len();
    let gap = match (attacks.leaked.first(), attacks.first_denied) {
        (Some(leak), Some(denied)) => {
            format!("{} ms", denied.duration_since(leak.at).as_millis().max(0))
        }
        (None, _) => "0 ms".into(),
        (Some(_), None) => "open at the end".into(),
    };
    if enforcement == Enforcement::NotSeen {
        let denied = attacks.count(Outcome::BlockedByAgent);
        judged.findings.push(Finding::new(
            FindingKind::Enforcement,
            expectation.until_denied.position,
            format!("{} attacks in a row are denied", *expectation.until_denied),
            match denied {
                0 => "none was denied".to_owned(),
                denied => format!("{denied} of {} were", attacks.requests.len()),
            },
        ));
    }
    match (*expectation.leaks, attacks.leaked.first()) {
        (LeakExpectation::None, Some(leak)) => {
            let mut finding = Finding::new(
                FindingKind::InspectionGap,
                expectation.leaks.position,
                "no attack reaches the application before the rules apply",
                format!(
                    "{leaked} did, the first as {}; the gap was {gap}",
                    leak.outcome
                ),
            )
            .about(expectation.case, &leak.id)
            .note(format!("sent {}", phase_at(timeline, leak.at)));
            finding.notes.extend(leak.witnesses.iter().cloned());
            judged.findings.push(finding);
        }
        (LeakExpectation::Some, None) => judged.findings.push(Finding::new(
            FindingKind::NotExercised,
            expectation.leaks.position,
            "without a gate, attacks reach the application before the rules apply",
            "none did, so the scenario cannot show a gap",
        )),
        (LeakExpectation::None, None) | (LeakExpectation::Some, Some(_)) => {}
    }
    judged.observe("attacks that reached the application", leaked.to_string());
    judged.observe("inspection gap", gap);
    judged.observe(
        "attacks that failed closed",
        attacks.count(Outcome::FailedClosed).to_string(),
    );
    judged
}
