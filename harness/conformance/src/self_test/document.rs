//! The kill matrix as a Markdown document.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::matrix::{Mutant, SENTINELS, Wrong, all, mutants_by_scenario};
use crate::catalogue::scenario::Scenario;

const HEAD: &str = "\
# The kill matrix

Made by `conformance self-test --markdown`; a test compares it with the code. `conformance self-test` runs every mutant and fails where one
of the scenarios that are named for it does not fail, or fails without saying what it must. `agent-stub --mutants` says what is wrong
with each agent.

";

/// Renders the matrix, with the scenarios that no mutant is named for.
pub fn render(scenarios: &[Scenario]) -> String {
    let mut text = String::from(HEAD);
    let _ = writeln!(
        text,
        "{} mutants. With each run the scenarios that are named for it and {} besides: {}.\n",
        all().count(),
        SENTINELS.len(),
        SENTINELS.join(", ")
    );
    text.push_str(
        "| mutant | what is wrong | killed by | which says |\n| --- | --- | --- | --- |\n",
    );
    for mutant in all() {
        for (position, kill) in mutant.kills.iter().enumerate() {
            let (name, fault) = match position {
                0 => (format!("`{}`", mutant.name), fault_of(mutant)),
                _ => (String::new(), ""),
            };
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {} |",
                cell(fault),
                kill.scenario,
                cell(kill.says)
            );
        }
    }
    text.push_str("\n## By scenario\n\n| scenario | mutants that it must kill |\n| --- | --- |\n");
    let named = mutants_by_scenario();
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

fn fault_of(mutant: &Mutant) -> &'static str {
    match mutant.wrong {
        Wrong::Agent => "agent",
        Wrong::Deployment { fault, .. } | Wrong::Image { fault, .. } => fault,
    }
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
