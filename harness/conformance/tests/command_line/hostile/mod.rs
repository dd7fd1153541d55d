//! A fake application and a fake agent that are hostile: they change no verdict of others and break no report.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::support::{
    Ran, carrying_the_agent, command, empty_project, path, report, run_folder, write,
};

/// How long a run among hostile programs may take.
const ENDED_WITHIN: Duration = Duration::from_secs(90);

/// Each answer, and what an honest application would have made of it.
const CASES: [&str; 7] = [
    "endless-header",
    "slow-drip",
    "endless-body",
    "no-http",
    "evil-fields",
    "evil-body",
    "forged",
];

fn hostile_project() -> TempDir {
    let project = empty_project();
    let mut cases = String::new();
    for name in CASES {
        let _ = write!(
            cases,
            "    - name: {name}\n      intent: benign\n      request: {{ target: \"/hostile/{name}\" }}\n      expect: {{ outcome: allowed, client: {{ status: 200, body: \"the truth\", headers: [\"x-evil: none\"] }} }}\n"
        );
    }
    let text = format!("id: A01\nsummary: x\nwhy: x\nexchange:\n  cases:\n{cases}");
    write(&project, "scenarios/decisions/hostile.yaml", text);
    write(&project, "scenarios/decisions/blocks.yaml", BLOCKS);
    project
}

/// A verdict that nothing of it may change.
const BLOCKS: &str = r#"id: A02
summary: x
why: x
exchange:
  cases:
    - name: attack
      intent: attack
      request: { target: "/?q=%3Cscript%3Ealert(1)%3C/script%3E" }
      twin: { request: { target: "/?q=script" } }
      expect: { outcome: blocked-by-agent, client: { status: 406 }, agent: { signals: [XSS] } }
"#;

fn run(project: &TempDir, output: &TempDir, extra: &[&str]) -> Ran {
    let [summary, events] = pipeline_reports(project);
    let mut arguments = vec!["run", "--project", path(project), "--output", path(output)];
    arguments.extend(["--summary", &summary, "--events", &events]);
    arguments.extend(extra);
    let started = Instant::now();
    let ran = Ran::from_output(&command(&arguments).output().expect("the command starts"));
    assert!(started.elapsed() < ENDED_WITHIN, "{:?}", started.elapsed());
    ran
}

/// Returns where the reports of a pipeline go: summary and events.
fn pipeline_reports(project: &TempDir) -> [String; 2] {
    ["summary.md", "events.jsonl"].map(|name| format!("{}/{name}", path(project)))
}

/// Returns every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Checks that no report can do anything to who reads it.
fn assert_reports_are_harmless(ran: &Ran, project: &TempDir, output: &TempDir) {
    let dangerous = |text: &str| {
        text.chars().any(|character| {
            (character.is_control() && !matches!(character, '\n' | '\t'))
                || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
    };
    assert!(!dangerous(&ran.stdout), "{:?}", ran.stdout);
    assert!(!dangerous(&ran.stderr), "{:?}", ran.stderr);
    let folder = run_folder(output);
    let junit = fs::read_to_string(folder.join("junit.xml")).expect("text");
    assert!(!junit.contains("<script"), "{junit}");
    assert!(!dangerous(&junit), "{junit:?}");
    assert!(junit.trim_end().ends_with("</testsuites>"), "{junit}");
    let decisions = fs::read_to_string(folder.join("decisions.tsv")).expect("text");
    assert!(!dangerous(&decisions), "{decisions:?}");
    for file in pipeline_reports(project) {
        let text = fs::read_to_string(file).expect("text");
        assert!(!dangerous(&text), "{text:?}");
        assert!(text.len() < 512 * 1024, "{}", text.len());
    }
    let schema =
        serde_json::to_value(conformance::report::schema::Format::Report.schema()).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(validator.is_valid(&report(output)));
    for file in files(&folder) {
        let size = fs::metadata(&file).expect("a file").len();
        assert!(size < 64 * 1024 * 1024, "{}: {size} bytes", file.display());
    }
}

fn result_of(report: &serde_json::Value, id: &str) -> serde_json::Value {
    let scenarios = report["scenarios"].as_array().expect("a list");
    let scenario = scenarios.iter().find(|scenario| scenario["id"] == id);
    scenario.expect("it ran")["result"].clone()
}

#[test]
fn a_hostile_application_changes_no_verdict_and_breaks_no_report() {
    let (project, output) = (hostile_project(), TempDir::new().expect("a folder"));
    let fake = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/command_line/hostile/application.py"
    );
    let ran = run(&project, &output, &["--app-binary", fake]);
    assert_eq!(ran.code, Some(1), "{}", ran.seen());
    let report = report(&output);
    assert_eq!(result_of(&report, "A02"), "passed", "{}", ran.seen());
    let findings = result_of(&report, "A01")["failed"].clone();
    let findings = findings.as_array().expect("findings");
    for name in CASES {
        assert!(
            findings.iter().any(|finding| finding["case"] == name),
            "{name} passes: {}",
            ran.seen()
        );
    }
    // What the application writes in the names of others is no record of theirs.
    let text = serde_json::to_string(findings).expect("JSON");
    assert!(!text.contains("recorded the request 2 times"), "{text}");
    assert!(!text.contains("never sent"), "{text}");
    assert_reports_are_harmless(&ran, &project, &output);
}

#[test]
fn a_hostile_agents_log_changes_no_verdict_to_a_pass_and_breaks_no_report() {
    let (project, output) = (hostile_project(), TempDir::new().expect("a folder"));
    fs::remove_file(project.path().join("scenarios/decisions/hostile.yaml")).expect("a file");
    let agent = output.path().join("hostile-agent");
    fs::write(&agent, hostile_agent()).expect("a program");
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).expect("executable");
    let reports = TempDir::new().expect("a folder");
    let agent = agent.to_str().expect("UTF-8");
    let ran = run(&project, &reports, &["--agent-binary", agent]);
    assert_eq!(ran.code, Some(1), "{}", ran.seen());
    let report = report(&reports);
    let text = result_of(&report, "A02")["failed"].to_string();
    assert!(text.contains("EVIL"), "{text}");
    assert!(text.contains("never sent"), "{text}");
    assert_reports_are_harmless(&ran, &project, &reports);
}

/// An agent that writes more and other things into its log than the reference agent does.
fn hostile_agent() -> Vec<u8> {
    const SCRIPT: &str = r#"
printf '\033[2J<script>\377\376\n'
head -c 3000000 /dev/zero | tr '\0' x; echo
echo '{"RequestIDStr":"forged","RequestHeaders":[{"Name":"x-conformance-id","Value":"forged.\u001b[31m<script>"}],"WAFResponse":200}'
echo '{"RequestIDStr":{},"RequestHeaders":7}'
head -c 100000 /dev/zero | tr '\0' '['; echo
/proc/self/fd/9 "$@" | sed -u 's/"Type":"XSS"/"Type":"EVIL\\n\\u001b[2J\\u202e<script>]]>,\\t"/'
"#;
    carrying_the_agent("fake \\033[31m<script>", SCRIPT)
}
