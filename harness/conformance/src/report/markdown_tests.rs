//! Tests of the summary in Markdown, most of them about text off the wire.

use super::*;
use crate::report::test_records::{errored, failed, finding, passed, record, scenario};
use harness_core::model::feature::Feature;
use harness_core::model::identity::RequestId;
use harness_core::model::outcome::Outcome;

/// What would end a cell, a span, a fold, a list or the document.
const HOSTILE: &str = "`</details>\n# z | y\r\n::error::\u{1b}[31m<script>";

/// Returns a text without what stands in code spans and blocks, as a reader of Markdown takes them.
fn without_code(markdown: &str) -> String {
    let mut plain = String::new();
    let mut rest = markdown;
    while let Some(start) = rest.find('`') {
        plain.push_str(&rest[..start]);
        let after = rest[start..].trim_start_matches('`');
        let fence = &rest[start..rest.len() - after.len()];
        let mut position = 0;
        let end = loop {
            let found = position + after[position..].find('`').expect("code ends");
            let row = after[found..].len() - after[found..].trim_start_matches('`').len();
            if row == fence.len() {
                break found + row;
            }
            position = found + row;
        };
        rest = &after[end..];
    }
    plain + rest
}

#[test]
fn the_summary_has_the_verdict_what_was_judged_the_totals_and_the_causes() {
    let missed = finding(
        FindingKind::Outcome,
        Outcome::BlockedByAgent,
        Outcome::Allowed,
    )
    .about("union", &RequestId::from_witness("x.a.0.r"))
    .note("client: 200");
    let missing = ScenarioResult::Unsupported {
        missing: vec![Feature::Rollout],
        reasons: [].into(),
    };
    let mut record = record(vec![
        passed("a::fine"),
        failed("a::one", vec![missed.clone(), missed.clone()]),
        failed("b::two", vec![missed]),
        errored("c::three", &["the pod cannot be created", "no space"]),
        scenario("d::four", missing),
    ]);
    record
        .environment
        .features
        .insert(Feature::AgentFaultInjection);
    let summary = render(&record);
    for part in [
        "## Conformance: failed\n",
        "Run `h0run`, 12.5 s, exit code 1.",
        "- agent: `agent-stub (the reference stub), version agent-stub 0.1.0, sha256:abab",
        "- environment: `local, lifecycle rehearsed, not by a real kubelet`",
        "| passed | 1 |\n| failed | 2 |\n| errored | 1 |\n| unsupported | 1 |\n",
        "#### outcome: 2 scenarios (critical)\n",
        "Expected `blocked-by-agent`, observed `allowed`.",
        "- `a::one` (`A02`), `scenarios/a/one.yaml:14`, case `union`, and 1 more findings\n  - `client: 200`\n",
        "#### `the pod cannot be created`: 1 scenario\n",
        "caused by: no space",
        "hint: `look at it`",
        "The agent is the reference stub",
        "does not count towards a qualification",
        "<details><summary>1 scenario not run, and why</summary>\n\n- `needs rollout`: `d::four`\n\n</details>\n",
    ] {
        assert!(summary.contains(part), "{part:?} is missing:\n{summary}");
    }
}

#[test]
fn text_off_the_wire_is_code_wherever_it_stands() {
    let mut observed = finding(FindingKind::AgentSignals, HOSTILE, HOSTILE).note(HOSTILE);
    observed.case = Some(HOSTILE.into());
    let missing = ScenarioResult::Unsupported {
        missing: vec![Feature::Rollout],
        reasons: [(Feature::Rollout, HOSTILE.into())].into(),
    };
    let mut linted = passed("c::three");
    linted.observations.insert("lint".into(), HOSTILE.into());
    let mut record = record(vec![
        failed("a::one", vec![observed.clone()]),
        errored("b::two", &[HOSTILE, HOSTILE]),
        linted,
        scenario("d::four", missing),
        scenario(
            "e::five",
            ScenarioResult::Excluded {
                reason: HOSTILE.into(),
            },
        ),
    ]);
    record.findings = vec![observed];
    if let Some(agent) = record.subjects.get_mut("agent") {
        agent.version = Some(HOSTILE.into());
    }
    let summary = render(&record);
    assert!(!summary.contains(['\u{1b}', '\r']), "{summary}");
    let plain = without_code(&summary);
    for part in ["| y", "# z", "::error", "<script"] {
        assert!(!plain.contains(part), "{part}:\n{plain}");
    }
    assert_eq!(plain.matches("<details>").count(), 1, "{plain}");
    assert_eq!(plain.matches("</details>").count(), 1, "{plain}");
    assert!(summary.contains("::error::"), "it is shown: {summary}");
}

#[test]
fn a_summary_stays_below_its_limit_and_says_what_it_leaves_out() {
    let scenarios = (0..2_000).map(|index| {
        let observed = format!("{index}{}", "`|".repeat(500_000 / 1_000));
        let different = finding(FindingKind::AgentSignals, "a", observed).note("n".repeat(10_000));
        failed(&format!("a::s{index}"), vec![different])
    });
    let mut endless = record(scenarios.collect());
    endless.findings = vec![finding(
        FindingKind::ImageDigest,
        "a",
        "z".repeat(1_000_000),
    )];
    let summary = render(&endless);
    assert!(summary.len() <= SIZE_LIMIT, "{}", summary.len());
    assert!(summary.len() > SIZE_LIMIT / 2, "{}", summary.len());
    assert!(
        summary
            .trim_end()
            .ends_with("`report.json` has everything."),
        "{}",
        &summary[summary.len() - 200..]
    );
}

#[test]
fn a_cause_of_many_scenarios_names_some_and_counts_the_rest() {
    let same = || finding(FindingKind::AccessLog, "a", "b");
    let scenarios = (0..30).map(|index| failed(&format!("a::s{index:02}"), vec![same()]));
    let summary = render(&record(scenarios.collect()));
    assert!(
        summary.contains("#### access-log: 30 scenarios (minor)"),
        "{summary}"
    );
    assert!(summary.contains("s19"), "{summary}");
    assert!(!summary.contains("s20"), "{summary}");
    assert!(summary.contains("- and 10 more scenarios\n"), "{summary}");
}

#[test]
fn an_interrupted_run_says_so() {
    let mut record = record(vec![passed("a::one")]);
    record.exit_code = 130;
    assert!(render(&record).starts_with("## Conformance: interrupted, incomplete\n"));
}
