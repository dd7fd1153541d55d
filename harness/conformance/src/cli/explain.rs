//! `conformance explain`: why a scenario exists, what it deploys and what must be seen, and what a kind of finding means.

use clap::Args;
use clap_complete::engine::ArgValueCandidates;

use super::completions;
use super::error::CliError;
use super::options::ProjectOptions;
use crate::catalogue::scenario::Scenario;
use crate::report::terminal::say;
use crate::run::exit_code;
use crate::run::selection::Selection;
use harness_core::model::finding_kind::FindingKind;

pub(super) mod findings;

/// Options of `explain`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// A scenario: a part of its name, or its id.
    #[arg(
        value_name = "SCENARIO",
        add = ArgValueCandidates::new(completions::scenarios),
        required_unless_present_any = ["finding", "findings"],
        conflicts_with_all = ["finding", "findings"]
    )]
    scenario: Option<String>,

    /// Explain a kind of finding, as reports name it.
    #[arg(long, value_name = "KIND", conflicts_with = "findings")]
    finding: Option<String>,

    /// List every kind of finding with what it means.
    #[arg(long)]
    findings: bool,

    /// Print the list of kinds in Markdown, as docs/findings.md has it.
    #[arg(long, requires = "findings", conflicts_with_all = ["scenario", "finding"])]
    markdown: bool,

    #[command(flatten)]
    project: ProjectOptions,
}

/// Explains the scenarios that match, or kinds of findings.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    if let Some(name) = &arguments.finding {
        say(findings::explain(name.parse::<FindingKind>()?))?;
        return Ok(exit_code::PASSED);
    }
    if arguments.findings {
        say(if arguments.markdown {
            findings::markdown()
        } else {
            findings::list()
        })?;
        return Ok(exit_code::PASSED);
    }
    let (_, catalogue) = arguments.project.load()?;
    let selection = Selection {
        wanted: arguments.scenario.iter().cloned().collect(),
        ..Selection::default()
    };
    for (index, scenario) in selection.apply(catalogue.scenarios)?.iter().enumerate() {
        if index > 0 {
            say("")?;
        }
        say(explain(scenario))?;
    }
    Ok(exit_code::PASSED)
}

fn explain(scenario: &Scenario) -> String {
    let spec = &scenario.spec;
    let features: Vec<&str> = spec
        .features
        .iter()
        .map(|feature| feature.as_str())
        .collect();
    let stack = &spec.stack;
    let mut lines = vec![
        format!("{} ({}, {})", scenario.name, *spec.id, spec.level),
        format!("  what holds:  {}", spec.summary.trim()),
        format!("  why:         {}", spec.why.trim().replace('\n', " ")),
        format!(
            "  deploys:     fixtures/kubernetes/{}.yaml behind envoy-configs/{}.yaml",
            *stack.manifest, *stack.envoy
        ),
    ];
    for (name, value) in &stack.agent_env {
        lines.push(format!("               agent: {name}={value}"));
    }
    for name in &stack.agent_env_removed {
        lines.push(format!("               agent: without {}", **name));
    }
    for (container, settings) in [
        ("agent", &stack.agent),
        ("proxy", &stack.front_proxy),
        ("application", &stack.application),
    ] {
        if let Some(probe) = &settings.startup_probe {
            let question = match (&probe.http_get, &probe.exec) {
                (Some(http), _) => format!("GET {} on port {}", http.path, http.port),
                (None, Some(command)) => format!("`{}`", command.join(" ")),
                (None, None) => String::new(),
            };
            lines.push(format!(
                "               {container}: startup probe {question} every {}, {} failures allowed",
                probe.period, probe.failure_threshold
            ));
        }
        if let Some(command) = &settings.pre_stop_exec {
            lines.push(format!(
                "               {container}: preStop `{}`",
                command.join(" ")
            ));
        }
    }
    if let Some(grace) = &stack.grace_period {
        lines.push(format!("               grace period {}", **grace));
    }
    if !features.is_empty() {
        lines.push(format!("  needs:       {}", features.join(", ")));
    }
    lines.push(format!("  procedure:   {}", scenario.procedure.name));
    let asserted = scenario.procedure.assertions().into_iter();
    lines.extend(asserted.map(|assertion| format!("  asserts:     {assertion}")));
    lines.push(format!("  file:        {}", scenario.file));
    for reference in &spec.references {
        lines.push(format!("  see:         {reference}"));
    }
    lines.join("\n")
}
