//! The kill matrix as a Markdown document.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::matrix::{Family, Kill, Matrix, SENTINELS};
use crate::catalogue::scenario::Scenario;

const HEAD: &str = "\
# The kill matrix

Made of `mutants/*.yaml` by `conformance self-test --markdown`; a test compares it with them. `conformance self-test` runs every mutant and fails
where one of the scenarios that are named for it does not fail, or has no finding of this case and kind.

";

/// Renders the matrix, with the scenarios that no mutant is named for.
pub fn render(matrix: &Matrix, scenarios: &[Scenario]) -> String {
    let mut text = String::from(HEAD);
    let _ = writeln!(
        text,
        "{} mutants. With each run the scenarios that are named for it and {} besides: {}.",
        matrix.all().count(),
        SENTINELS.len(),
        SENTINELS.join(", ")
    );
    for family in &matrix.families {
        write_family(&mut text, family);
    }
    text.push_str("\n## By scenario\n\n| scenario | mutants that it must kill |\n| --- | --- |\n");
    let named = matrix.mutants_by_scenario();
    let (killers, others): (Vec<&Scenario>, Vec<&Scenario>) = scenarios
        .iter()
        .partition(|scenario| named.contains_key(scenario.spec.id.as_str()));
    for scenario in &killers {
        let mutants = &named[scenario.spec.id.as_str()];
        let _ = writeln!(text, "| {} | {} |", *scenario.spec.id, mutants.join(", "));
    }
    if others.is_empty() {
        text.push_str("\nNo scenario is without a mutant.\n");
        return text;
    }
    let _ = writeln!(
        text,
        "\n## Scenarios that no mutant is named for\n\n{} of {}, by the features that they need:\n",
        others.len(),
        scenarios.len()
    );
    for (need, ids) in by_need(&others) {
        let _ = writeln!(text, "- {need}: {}", ids.join(", "));
    }
    text
}

fn write_family(text: &mut String, family: &Family) {
    let _ = writeln!(
        text,
        "\n## {}\n\n{}\n\n| mutant | what is wrong | killed by | case | finding |\n| --- | --- | --- | --- | --- |",
        family.source.file, family.summary
    );
    for mutant in &family.mutants {
        for (position, kill) in mutant.kills.iter().enumerate() {
            let (name, fault) = match position {
                0 => (format!("`{}`", mutant.name), mutant.fault.as_str()),
                _ => (String::new(), ""),
            };
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {} | {} |",
                cell(fault),
                kill.scenario,
                cell(kill.case.as_deref().unwrap_or_default()),
                cell(&finding_of(kill))
            );
        }
    }
}

fn finding_of(kill: &Kill) -> String {
    Kill {
        case: None,
        ..kill.clone()
    }
    .to_string()
}

/// Groups scenarios by the features that they need.
fn by_need<'a>(scenarios: &[&'a Scenario]) -> BTreeMap<String, Vec<&'a str>> {
    let mut grouped: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for scenario in scenarios {
        let features: Vec<&str> = scenario
            .spec
            .features
            .iter()
            .map(|feature| feature.as_str())
            .collect();
        let need = match features.as_slice() {
            [] => "nothing".into(),
            features => features.join(", "),
        };
        grouped
            .entry(need)
            .or_default()
            .push(scenario.spec.id.as_str());
    }
    grouped
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
