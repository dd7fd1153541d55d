//! Annotations of GitHub Actions: the lines of scenario files that were not met, shown beside a pull request's changes.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::causes::{FaultGroup, FindingGroup, faults_by_cause, findings_by_cause};
use super::record::RunRecord;
use super::workflow_commands::{message, property};

/// How many errors GitHub shows of one step.
const SHOWN: usize = 10;

/// One annotation before it is written.
struct Annotation {
    file: Option<String>,
    /// One-based; 0 where no line asks for it.
    line: u64,
    title: String,
    message: String,
}

/// Makes the commands that annotate what did not pass, each place once, the first place of every cause before the second of any. Paths are
/// relative to `workspace`, the root of the checkout, where the project lies in it.
pub fn render(record: &RunRecord, workspace: Option<&Utf8Path>) -> Vec<String> {
    let annotations = annotations(record, workspace);
    let mut lines: Vec<String> = annotations.iter().take(SHOWN).map(command).collect();
    if annotations.len() > SHOWN {
        lines.push(format!(
            "::notice title=conformance::{} more places are in the summary and in the reports",
            annotations.len() - SHOWN
        ));
    }
    lines
}

fn annotations(record: &RunRecord, workspace: Option<&Utf8Path>) -> Vec<Annotation> {
    let of_the_run = record.findings.iter().map(|finding| Annotation {
        file: None,
        line: 0,
        title: format!("conformance: {}", finding.kind),
        message: finding.to_string(),
    });
    let mut found: Vec<Annotation> = of_the_run.collect();
    let path = |file: &Utf8Path| Some(path_of(record, file, workspace));
    let groups = findings_by_cause(record);
    let by_cause = groups
        .iter()
        .map(|group| annotations_of_findings(group, &path));
    let groups = faults_by_cause(record);
    let faults = groups
        .iter()
        .map(|group| annotations_of_faults(group, &path));
    let mut seen = BTreeSet::new();
    let mut queues: Vec<_> = by_cause.chain(faults).map(Vec::into_iter).collect();
    while !queues.is_empty() {
        // One of each cause a round; a place that another cause has annotated is passed over.
        for queue in &mut queues {
            found.extend(queue.find(|next| seen.insert((next.file.clone(), next.line))));
        }
        queues.retain(|queue| queue.len() > 0);
    }
    found
}

fn annotations_of_findings(
    group: &FindingGroup<'_>,
    path: &impl Fn(&Utf8Path) -> Option<String>,
) -> Vec<Annotation> {
    let findings = group.scenarios.iter();
    findings
        .map(|(scenario, finding)| {
            let (file, line) = finding.place(&scenario.file);
            Annotation {
                file: path(file),
                line,
                title: format!("{}: {}", scenario.name, finding.kind),
                message: finding.to_string(),
            }
        })
        .collect()
}

fn annotations_of_faults(
    group: &FaultGroup<'_>,
    path: &impl Fn(&Utf8Path) -> Option<String>,
) -> Vec<Annotation> {
    let faults = group.scenarios.iter();
    faults
        .map(|(scenario, fault)| Annotation {
            file: path(&scenario.file),
            line: 0,
            title: format!("{} could not be judged", scenario.name),
            message: fault.causes.join("\ncaused by: "),
        })
        .collect()
}

/// Returns a file of the project as the checkout has it.
fn path_of(record: &RunRecord, file: &Utf8Path, workspace: Option<&Utf8Path>) -> String {
    let path = match &record.options.project {
        Some(project) => project.join(file),
        // The files that the harness carries are no files of the pipeline's workspace.
        None => file.into(),
    };
    let inside = workspace.and_then(|workspace| path.strip_prefix(workspace).ok());
    inside.unwrap_or(file).to_string()
}

fn command(annotation: &Annotation) -> String {
    let mut properties = Vec::new();
    if let Some(file) = &annotation.file {
        properties.push(format!("file={}", property(file)));
        if annotation.line > 0 {
            properties.push(format!("line={}", annotation.line));
        }
    }
    properties.push(format!("title={}", property(&annotation.title)));
    format!(
        "::error {}::{}",
        properties.join(","),
        message(&annotation.message)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::test_records::{errored, failed, finding, record};
    use harness_core::model::finding_kind::FindingKind;
    use harness_core::model::outcome::Outcome;

    #[test]
    fn a_finding_is_annotated_at_its_line_of_the_checkout() {
        let missed = finding(
            FindingKind::Outcome,
            Outcome::BlockedByAgent,
            Outcome::Allowed,
        );
        let record = record(vec![failed("a::one", vec![missed])]);
        assert_eq!(
            render(&record, Some("/checkout".into())),
            [
                "::error file=qualification/scenarios/a/one.yaml,line=14,title=a%3A%3Aone%3A outcome::outcome: expected \
                 blocked-by-agent, observed allowed"
            ]
        );
        let elsewhere = render(&record, Some("/other".into())).remove(0);
        assert!(
            elsewhere.starts_with("::error file=scenarios/a/one.yaml,"),
            "{elsewhere}"
        );
    }

    #[test]
    fn hostile_text_makes_no_command_of_its_own_and_no_endless_line() {
        let text = format!("x\n::stop-commands::y\r\u{1b}%{}", "z".repeat(1_000_000));
        let observed = finding(FindingKind::AgentSignals, "a", text.clone());
        let record = record(vec![
            failed("a::one", vec![observed]),
            errored("b::two", &[&text]),
        ]);
        let lines = render(&record, None);
        assert_eq!(lines.len(), 2);
        for line in lines {
            assert!(!line.contains(['\n', '\r', '\u{1b}']), "{line}");
            assert!(
                line.contains("x%0A::stop-commands::y\\u{d}\\u{1b}%25zz"),
                "{line}"
            );
            assert!(line.len() < 5_000, "{}", line.len());
        }
    }

    #[test]
    fn each_cause_has_a_place_before_any_has_two_and_the_rest_is_counted() {
        let many = (0..20).map(|index| {
            let missed = finding(
                FindingKind::Outcome,
                Outcome::BlockedByAgent,
                Outcome::Allowed,
            );
            failed(&format!("a::s{index}"), vec![missed.clone(), missed])
        });
        let rare = failed("z::rare", vec![finding(FindingKind::AccessLog, "a", "b")]);
        let lines = render(&record(many.chain([rare]).collect()), None);
        assert_eq!(lines.len(), SHOWN + 1);
        assert!(lines[1].contains("z/rare.yaml"), "{lines:?}");
        assert!(lines[2].contains("a/s1.yaml"), "each place once: {lines:?}");
        assert!(lines[SHOWN].starts_with("::notice"), "{lines:?}");
        assert!(lines[SHOWN].contains("11 more places"), "{lines:?}");
    }

    #[test]
    fn a_run_in_which_all_passed_is_not_annotated() {
        let record = record(vec![crate::report::test_records::passed("a::one")]);
        assert_eq!(render(&record, None), Vec::<String>::new());
    }
}
