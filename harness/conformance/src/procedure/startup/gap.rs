//! The inspection gap of a start-up: from the first attack that slipped through to the first that was denied.

use super::attacks::Attacks;
use super::carry_out::CASE;
use crate::procedure::ProcedureResults;
use crate::procedure::startup::LeakExpectation;
use crate::procedure::startup::StartupSpec;
use crate::procedure::waits::Enforcement;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::outcome::Outcome;
use harness_core::model::timeline::TimelineEvent;
use harness_verdict::judge::lifecycle::phase_at;

/// Judges whether attacks slipped through before the rules applied, and whether they came to apply.
pub(super) fn judge_gap(
    spec: &StartupSpec,
    attacks: &Attacks,
    enforcement: Enforcement,
    timeline: &[TimelineEvent],
    results: &mut ProcedureResults,
) {
    let leaked = attacks.leaked.len();
    let gap = match (attacks.leaked.first(), attacks.first_denied) {
        (Some(leak), Some(denied)) => {
            format!("{} ms", denied.duration_since(leak.at).as_millis().max(0))
        }
        (None, _) => "0 ms".into(),
        (Some(_), None) => "open at the end".into(),
    };
    if enforcement == Enforcement::NotSeen {
        let denied = attacks
            .outcomes
            .iter()
            .filter(|outcome| **outcome == Outcome::BlockedByAgent)
            .count();
        results.findings.push(Finding::new(
            FindingKind::Enforcement,
            spec.until_denied.position,
            format!("{} attacks in a row are denied", *spec.until_denied),
            match denied {
                0 => "none was denied".to_owned(),
                denied => format!("{denied} of {} were", attacks.outcomes.len()),
            },
        ));
    }
    match (*spec.leaks, attacks.leaked.first()) {
        (LeakExpectation::None, Some(leak)) => {
            let mut finding = Finding::new(
                FindingKind::InspectionGap,
                spec.leaks.position,
                "no attack reaches the application before the rules apply",
                format!(
                    "{leaked} did, the first as {}; the gap was {gap}",
                    leak.outcome
                ),
            )
            .about(CASE, &leak.id)
            .note(format!("sent {}", phase_at(timeline, leak.at)));
            finding.notes.extend(leak.witnesses.iter().cloned());
            results.findings.push(finding);
        }
        (LeakExpectation::Some, None) => results.findings.push(Finding::new(
            FindingKind::NotExercised,
            spec.leaks.position,
            "without a gate, attacks reach the application before the rules apply",
            "none did, so the scenario cannot show a gap",
        )),
        (LeakExpectation::None, None) | (LeakExpectation::Some, Some(_)) => {}
    }
    let observations = &mut results.observations;
    observations.insert(
        "attacks that reached the application".into(),
        leaked.to_string(),
    );
    observations.insert("inspection gap".into(), gap);
    let closed = attacks
        .outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::FailedClosed)
        .count();
    observations.insert("attacks that failed closed".into(), closed.to_string());
}
