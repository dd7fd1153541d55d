//! The events of a run, as `--events` writes them: one JSON object a line.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::record::{RunRecord, ScenarioRecord, Totals};
use super::subjects::{Judged, judged};
use super::untrusted::{bounded, harmless};
use crate::catalogue::scenario::Scenario;
use harness_core::model::finding::{ScenarioResult, describe_missing};
use harness_core::model::finding_kind::{FindingKind, Severity};
use harness_core::model::identity::RunId;
use harness_core::model::scenario_name::ScenarioName;

/// The version of the events' format: raised when a reader of the old one would misread the new one.
pub const EVENTS_SCHEMA_VERSION: u32 = 1;

/// How many findings of one scenario are named; `findings-total` counts all.
const FINDINGS_NAMED: usize = 100;
/// The longest reason, in characters.
const REASON_LIMIT: usize = 2_000;

/// One line.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EventLine {
    /// The version of this format.
    pub schema_version: u32,
    /// When it happened: RFC 3339, in UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl EventLine {
    /// Makes the line of what happens now.
    pub fn now(event: Event) -> Self {
        Self {
            schema_version: EVENTS_SCHEMA_VERSION,
            time: Timestamp::now(),
            event,
        }
    }
}

/// What happened.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(
    tag = "event",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum Event {
    /// The environment stands, and the first scenarios begin.
    RunStarted {
        /// The run.
        run: RunId,
        /// How many scenarios are selected.
        scenarios: u64,
        /// What is judged, and where. In a cluster no pod has run yet, so that images have no digests: `run-finished` has them.
        judged: Judged,
    },
    /// A scenario began.
    ScenarioStarted {
        /// `<group>::<name>`.
        name: ScenarioName,
        /// The id in the catalogue.
        id: String,
    },
    /// A scenario ended. One that an interrupt cuts off has no such event.
    ScenarioFinished {
        /// `<group>::<name>`.
        name: ScenarioName,
        /// The id in the catalogue.
        id: String,
        /// What it ended with.
        #[schemars(extend("enum" = ["passed", "failed", "errored", "unsupported", "excluded"]))]
        result: String,
        /// From the pod's creation to the verdict.
        elapsed_milliseconds: u64,
        /// Why it was not judged: the causes where it errored, what is missing where it is unsupported.
        reason: Option<String>,
        /// How many findings it has.
        findings_total: u64,
        /// Its first findings, at most a hundred.
        findings: Vec<EventFinding>,
    },
    /// The run ended, and its reports are written.
    RunFinished {
        /// The run.
        run: RunId,
        /// What was judged, and where.
        judged: Judged,
        /// Counts over all scenarios.
        totals: Totals,
        /// Kinds of findings about the run as a whole.
        findings: Vec<FindingKind>,
        /// The code that the command ends with.
        exit_code: u8,
        /// The path of `report.json`.
        report: String,
    },
}

/// A finding and its place.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EventFinding {
    /// What kind of expectation was not met.
    pub kind: FindingKind,
    /// How much it matters.
    pub severity: Severity,
    /// The file to look at first: that of the payload where one has the request, else the scenario's.
    pub file: String,
    /// The one-based line that was not met; none where no line asks for it.
    pub line: Option<u64>,
}

impl Event {
    /// Makes the event of a run that begins, from its record without results.
    pub fn run_started(record: &RunRecord, scenarios: usize) -> Self {
        Self::RunStarted {
            run: record.run.clone(),
            scenarios: scenarios as u64,
            judged: judged(record),
        }
    }

    /// Makes the event of a scenario that begins.
    pub fn scenario_started(scenario: &Scenario) -> Self {
        Self::ScenarioStarted {
            name: scenario.name.clone(),
            id: scenario.spec.id.value.clone(),
        }
    }

    /// Makes the event of a scenario that ended.
    pub fn scenario_finished(record: &ScenarioRecord) -> Self {
        let (findings, reason) = match &record.result {
            ScenarioResult::Passed => (&[][..], None),
            ScenarioResult::Failed(findings) => (&findings[..], None),
            ScenarioResult::Errored(fault) => (&[][..], Some(fault.causes.join(": "))),
            ScenarioResult::Unsupported { missing, reasons } => {
                (&[][..], Some(describe_missing(missing, reasons)))
            }
            ScenarioResult::Excluded { reason } => (&[][..], Some(reason.clone())),
        };
        Self::ScenarioFinished {
            name: record.name.clone(),
            id: record.id.clone(),
            result: record.result.as_str().into(),
            elapsed_milliseconds: record.elapsed_milliseconds,
            reason: reason.map(|reason| harmless(&bounded(&reason, REASON_LIMIT))),
            findings_total: findings.len() as u64,
            findings: findings
                .iter()
                .take(FINDINGS_NAMED)
                .map(|finding| {
                    let (file, line) = finding.place(&record.file);
                    EventFinding {
                        kind: finding.kind,
                        severity: finding.severity,
                        file: file.to_string(),
                        line: (line > 0).then_some(line),
                    }
                })
                .collect(),
        }
    }

    /// Makes the event of a run that ended with this code.
    pub fn run_finished(record: &RunRecord, exit_code: u8, report: &str) -> Self {
        Self::RunFinished {
            run: record.run.clone(),
            judged: judged(record),
            totals: record.totals.clone(),
            findings: record.findings.iter().map(|finding| finding.kind).collect(),
            exit_code,
            report: report.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::test_records::{errored, failed, finding, passed, record};
    use harness_core::model::located::Position;

    fn written(event: Event) -> serde_json::Value {
        let line = serde_json::to_string(&EventLine::now(event)).expect("JSON");
        assert!(!line.contains('\n'), "{line}");
        serde_json::from_str(&line).expect("JSON")
    }

    #[test]
    fn a_finding_has_its_kind_and_its_place_and_an_implied_one_has_no_line() {
        let asked = finding(FindingKind::AccessLog, "a", "b");
        let mut implied = asked.clone();
        implied.position = Position::default();
        let event = written(Event::scenario_finished(&failed(
            "a::one",
            vec![asked, implied],
        )));
        assert_eq!(event["event"], "scenario-finished");
        assert_eq!(event["schema-version"], 1);
        assert_eq!(event["result"], "failed");
        assert_eq!(event["elapsed-milliseconds"], 1_500);
        assert_eq!(event["findings-total"], 2);
        assert_eq!(event["findings"][0]["kind"], "access-log");
        assert_eq!(event["findings"][0]["file"], "scenarios/a/one.yaml");
        assert_eq!(event["findings"][0]["line"], 14);
        assert_eq!(event["findings"][1]["line"], serde_json::Value::Null);
    }

    #[test]
    fn hostile_text_and_many_findings_make_one_short_line() {
        let reason = format!(
            "a\n{{\"event\":\"run-finished\"}}\u{1b}{}",
            "x".repeat(1_000_000)
        );
        let event = Event::scenario_finished(&errored("a::one", &[&reason]));
        let line = serde_json::to_string(&EventLine::now(event)).expect("JSON");
        assert!(line.len() < 10_000, "{}", line.len());
        assert!(!line.contains(['\n', '\u{1b}']), "{line}");
        let many = vec![finding(FindingKind::AccessLog, "a", "b"); 10_000];
        let event = written(Event::scenario_finished(&failed("a::one", many)));
        assert_eq!(event["findings-total"], 10_000);
        assert_eq!(event["findings"].as_array().map(Vec::len), Some(100));
    }

    #[test]
    fn the_last_event_has_totals_code_and_report() {
        let record = record(vec![passed("a::one")]);
        let event = written(Event::run_finished(&record, 3, "out/report.json"));
        assert_eq!(event["event"], "run-finished");
        assert_eq!(event["totals"]["results"]["passed"], 1);
        assert_eq!(event["exit-code"], 3);
        assert_eq!(event["report"], "out/report.json");
        assert_eq!(event["judged"]["subjects"][0]["role"], "agent");
        assert_eq!(event["judged"]["kubelet"], "rehearsed");
    }
}
