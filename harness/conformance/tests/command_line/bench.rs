//! `conformance bench`: what it counts, what it refuses, and when its figures are none. How fast anything is, is not tested.

use std::fs;

use harness_traffic::latency::sample::{Ending, read_samples};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Ran, conformance};

const SHORT: [&str; 6] = [
    "--generations",
    "2",
    "--duration",
    "1s",
    "--warm-up",
    "200ms",
];

/// Runs a short benchmark; returns what it said, and its folder.
fn bench(arguments: &[&str]) -> (Ran, TempDir, Value) {
    let folder = TempDir::new().expect("a folder");
    let output = folder.path().to_str().expect("UTF-8");
    let mut all = vec!["bench", "--output", output, "--rate", "200"];
    all.extend(SHORT);
    all.extend(arguments);
    let ran = conformance(&all);
    let run = fs::read_dir(folder.path()).expect("a folder").next();
    let run = run
        .unwrap_or_else(|| panic!("{}", ran.seen()))
        .expect("an entry");
    let text = fs::read_to_string(run.path().join("bench.json")).expect("a record");
    (ran, folder, serde_json::from_str(&text).expect("JSON"))
}

#[test]
fn every_arm_is_measured_and_every_request_is_accounted_for() {
    let (ran, folder, record) = bench(&["--body", "300", "--headers", "5", "--drivers", "2"]);
    let run = fs::read_dir(folder.path()).expect("a folder").next();
    let run = run.expect("a run").expect("an entry").path();
    let samples = fs::File::open(run.join("samples.bin")).expect("samples");
    let samples = read_samples(samples).expect("whole");
    let arms = record["arms"].as_object().expect("arms");
    assert_eq!(arms.len(), 6, "{}", ran.seen());
    for (position, name) in ["absent", "disabled", "null", "a", "a-again", "b"]
        .iter()
        .enumerate()
    {
        let of_arm = samples
            .iter()
            .filter(|sample| usize::from(sample.arm) == position);
        assert!(
            of_arm
                .clone()
                .all(|sample| sample.status == 200 && sample.ending == Ending::Answered)
        );
        let arm = &arms[*name];
        assert_eq!(
            arm["requests"].as_u64(),
            u64::try_from(of_arm.count()).ok(),
            "{name}"
        );
        assert_eq!(arm["endings"]["answered"], arm["requests"], "{name}");
        assert_eq!(arm["failed-open"], 0);
        let asks = arm["authorization-microseconds"]
            .as_object()
            .expect("an object");
        assert_eq!(
            asks.is_empty(),
            ["absent", "disabled"].contains(name),
            "{name}"
        );
    }
    assert_eq!(record["complete"], true);
    let stopped = record["self-check"]["stopped-milliseconds"].as_f64();
    assert!(stopped >= Some(400.0), "{}", ran.seen());
    for picture in ["differences", "distribution", "percentiles", "over-time"] {
        let svg = fs::read_to_string(run.join(format!("{picture}.svg"))).expect("a picture");
        assert!(svg.trim_end().ends_with("</svg>"), "{picture}");
        assert!(svg.contains("µs"), "{picture} has no unit");
    }
    // A busy machine may be late, and see a stop too late: nothing else may be wrong with the figures.
    let reasons = record["invalid"].as_array().expect("a list");
    assert!(
        reasons.iter().all(|reason| ["late", "self-check"]
            .iter()
            .any(|cause| reason.to_string().contains(cause))),
        "{}",
        ran.seen()
    );
    let schema = conformance(&["schema", "bench"]);
    let schema: Value = serde_json::from_str(&schema.stdout).expect("JSON");
    assert!(jsonschema::is_valid(&schema, &record));
}

#[rstest]
// Over a unix socket as over TCP, and the other way round: A has the first proxy's configuration, B its own.
#[case(&["--a", "envoy-config=unix-socket", "--b", "envoy-config=tls"])]
#[case(&["--b", "envoy-config=no-access-log-service"])]
fn where_the_proxies_differ_each_agent_that_is_compared_has_one(#[case] arguments: &[&str]) {
    let (ran, _folder, record) = bench(arguments);
    for (arm, measured) in record["arms"].as_object().expect("arms") {
        let is_compared = ["a", "a-again", "b"].contains(&arm.as_str());
        let own = &measured["own-proxy"]["processor-milliseconds-per-1000"];
        assert_eq!(own.as_f64() > Some(0.0), is_compared, "{arm}: {own}");
        assert_eq!(
            measured["endings"]["answered"], measured["requests"],
            "{arm}"
        );
        let asked = if ["absent", "disabled"].contains(&arm.as_str()) {
            &json!(0)
        } else {
            &measured["proxy-requests"]
        };
        assert_eq!(&measured["asked"], asked, "{arm}");
    }
    let costs = record["costs"].as_array().expect("costs");
    let across = costs.iter().any(|cost| cost["arm"] == "a");
    assert!(!across, "A stands behind a proxy of its own: {costs:?}");
    assert_eq!(
        record["method"]["envoy-config-sha256"]
            .as_object()
            .map(serde_json::Map::len),
        Some(2),
        "{}",
        ran.seen()
    );
}

#[test]
fn a_run_whose_agent_failed_open_is_no_measurement() {
    let (ran, _folder, record) = bench(&[
        "--envoy-config",
        "fail-open",
        "--b",
        "env.STUB_GRPC_MAX_MESSAGE_BYTES=1024",
        "--body",
        "4000",
    ]);
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(
        ran.stdout
            .contains("requests of arm b went on without the agent's decision"),
        "{}",
        ran.seen()
    );
    assert!(record["arms"]["b"]["failed-open"].as_u64() > Some(0));
    assert_eq!(record["arms"]["a"]["failed-open"], 0);
}

#[rstest]
#[case(&["--b", "speed=high"], "binary=PATH")]
#[case(&["--b", "env.SIGSCI_SECRETACCESSKEY=x"], "keys do not belong")]
#[case(&["--b", "binary=/nowhere"], "/nowhere")]
#[case(&["--a", "binary=/bin/true", "--agent-binary", "/bin/true"], "`--agent-binary` does nothing")]
#[case(&["--a", "envoy=1.36.4", "--a", "envoy=1.40.0"], "`--envoy` does nothing")]
#[case(&["--a", "envoy-config=tls", "--envoy-config", "tls"], "`--envoy-config` does nothing")]
#[case(&["--b", "envoy="], "envoy=PATH|VERSION")]
#[case(&["--b", "image=x"], "`--b image` does nothing with `--environment local`")]
#[case(&["--environment", "kind", "--b", "binary=/bin/true"], "`--b binary` does nothing with `--environment kind`")]
#[case(&["--environment", "kind", "--b", "envoy=1.36.4"], "`--b envoy` does nothing")]
#[case(&["--environment", "kind", "--a", "image=x", "--agent-image", "y"], "`--agent-image` does nothing")]
#[case(&["--b", "envoy-config=tls", "--history", "/tmp/h.csv"], "`--history` does nothing")]
#[case(&["--environment", "kind", "--a", "envoy=1.36.4", "--envoy-image", "x"], "`--a envoy` does nothing")]
#[case(&["--drivers", "9"], "each of the `--drivers` needs a connection")]
#[case(&["--nodes", "2"], "`--nodes` does nothing")]
#[case(&["--b", "envoy=1.40"], "nor a version")]
#[case(&["--b", "envoy-config=tls-for-clients"], "TLS")]
#[case(&["--b", "env.SIGSCI_ENVOY_GRPC_KEY=/x"], "cannot be chosen")]
#[case(&["--a", "env.X=1", "--b", "env.X=1"], "differ in nothing")]
#[case(&["--b", "env.SIGSCI_ENVOY_GRPC_ADDRESS=localhost:1"], "cannot be chosen")]
#[case(&["--duration", "0s"], "10ms")]
#[case(&["--duration", "10m", "--rate", "1000"], "and the most are")]
#[case(&["--headers", "90", "--duration", "20s"], "and the most are")]
#[case(&["--path", "products"], "from `/` on")]
#[case(&["--path", "/a b"], "from `/` on")]
#[case(&["--path", "/a\r\nx: y"], "from `/` on")]
#[case(&["--envoy-config", "tls-stranger"], "files other than")]
#[case(&["--envoy-config", "agent-service"], "not in the pod")]
#[case(&["--rate", "0"], "0")]
#[case(&["--rate", "60000"], "50000")]
#[case(&["--generations", "1"], "2")]
#[case(&["--smallest-difference=-3"], "above 0")]
#[case(&["--envoy-config", "nothing-such"], "nothing-such")]
#[case(&["--envoy-config", "tls-for-clients"], "TLS")]
fn what_cannot_be_measured_is_refused(#[case] arguments: &[&str], #[case] said: &str) {
    let mut all = vec!["bench"];
    all.extend(arguments);
    let ran = conformance(&all);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains(said), "{}", ran.seen());
}

#[test]
fn a_gate_is_judged_limit_by_limit() {
    let folder = TempDir::new().expect("a folder");
    let gate = folder.path().join("gate.yaml");
    let text = "limits:\n  - { of: a-above-disabled, percentile: p50, most-microseconds: 10000000 }\n  - { of: b-above-a, percentile: p999, most-percent: 1 }\n";
    fs::write(&gate, text).expect("a file");
    let gate = gate.to_str().expect("UTF-8");
    let (ran, _folder, record) = bench(&["--gate", gate, "--inconclusive-exit", "17"]);
    let judged = record["gate"].as_array().expect("a list");
    assert_eq!(judged.len(), 2, "{}", ran.seen());
    // Too few requests for one of 1,000.
    assert_eq!(judged[1]["result"], "inconclusive", "{}", ran.seen());
    let is_measured = record["invalid"].as_array().is_some_and(Vec::is_empty);
    assert_eq!(
        ran.code,
        Some(if is_measured { 17 } else { 3 }),
        "{}",
        ran.seen()
    );
    if is_measured {
        assert_eq!(judged[0]["result"], "kept", "{}", ran.seen());
    }
}

#[test]
fn a_limit_on_what_a_adds_is_refused_where_a_stands_behind_a_proxy_of_its_own() {
    let folder = TempDir::new().expect("a folder");
    let gate = folder.path().join("gate.yaml");
    let text = "limits: [{ of: a-above-null, percentile: p50, most-microseconds: 500 }]";
    fs::write(&gate, text).expect("a file");
    let gate = gate.to_str().expect("UTF-8");
    let ran = conformance(&["bench", "--gate", gate, "--b", "envoy-config=tls"]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(
        ran.stderr.contains("`a-above-null` cannot be judged"),
        "{}",
        ran.seen()
    );
}

#[test]
fn a_wrong_gate_is_refused_before_anything_starts() {
    let folder = TempDir::new().expect("a folder");
    let gate = folder.path().join("gate.yaml");
    fs::write(
        &gate,
        "limits:\n  - { of: b-above-a, percentile: p50, most-microseconds: 0 }\n",
    )
    .expect("a file");
    let ran = conformance(&["bench", "--gate", gate.to_str().expect("UTF-8")]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains("gate.yaml:2"), "{}", ran.seen());
    assert!(!ran.stderr.contains("measuring"), "{}", ran.seen());
}

#[test]
fn a_request_that_the_agent_is_not_asked_about_is_refused() {
    // The configuration has one public route, which is inspected by nothing.
    let ran = conformance(&[
        "bench",
        "--generations",
        "2",
        "--duration",
        "100ms",
        "--envoy-config",
        "public-route",
        "--path",
        "/public/a",
    ]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(
        ran.stderr.contains("without asking the agent"),
        "{}",
        ran.seen()
    );
}

#[test]
fn what_is_no_record_is_refused_and_one_is_compared_with_itself() {
    let (_, folder, mut record) = bench(&[]);
    let path = |name: &str| format!("{}/{name}.json", folder.path().display());
    let store = |name: &str, record: &Value| {
        fs::write(path(name), record.to_string()).expect("written");
    };
    let compare =
        |one: &str, other: &str| conformance(&["bench", "compare", &path(one), &path(other)]);
    // A busy machine may have measured nothing; what is compared is tested with records that are made.
    record["invalid"] = json!([]);
    store("measured", &record);
    let ran = compare("measured", "measured");
    assert!([Some(0), Some(3)].contains(&ran.code), "{}", ran.seen());
    assert!(
        !ran.stdout.contains("slower") && !ran.stdout.contains("faster"),
        "{}",
        ran.seen()
    );
    record["method"]["requests-per-second"] = json!(777);
    store("faster-load", &record);
    let ran = compare("measured", "faster-load");
    assert_eq!(ran.code, Some(3), "{}", ran.seen());
    assert!(
        ran.stdout.contains("requests per second: 200 and 777"),
        "{}",
        ran.seen()
    );
    record["\u{1b}[2J"] = json!(1);
    store("hostile", &record);
    record["schema-version"] = json!(99);
    store("newer", &record);
    fs::write(path("cut-off"), &record.to_string()[..100]).expect("written");
    for (wrong, said) in [
        ("newer", "its format is version 99"),
        ("cut-off", "cut-off.json: EOF while parsing"),
        ("hostile", "unknown field `\\u{1b}[2J`"),
        ("nowhere", "nowhere.json"),
    ] {
        let ran = compare("measured", wrong);
        assert_eq!(ran.code, Some(2), "{}", ran.seen());
        assert!(ran.stderr.contains(said), "{}", ran.seen());
    }
}

#[test]
fn a_history_has_a_line_for_each_run_that_is_a_measurement() {
    let folder = TempDir::new().expect("a folder");
    let history = folder.path().join("history.csv");
    let path = history.to_str().expect("UTF-8");
    let (ran, _folder, record) = bench(&["--history", path]);
    if record["invalid"].as_array().is_some_and(Vec::is_empty) {
        let text = fs::read_to_string(&history).expect("a history");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
        assert!(
            lines[1].contains(record["run"].as_str().expect("a run")),
            "{text}"
        );
    } else {
        assert!(ran.stderr.contains("nothing is added"), "{}", ran.seen());
        assert!(!history.exists());
    }
    fs::write(&history, "something,else\n").expect("written");
    let ran = conformance(&["bench", "--history", path]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(
        ran.stderr.contains("its first line is \"something,else\""),
        "{}",
        ran.seen()
    );
}

#[test]
fn a_ladder_measures_each_step_and_its_limit_is_on_the_slowest_answer() {
    let folder = TempDir::new().expect("a folder");
    let output = folder.path().to_str().expect("UTF-8");
    let ran = conformance(&[
        "bench",
        "ladder",
        "input",
        "--steps",
        "plain,deep-json",
        "--duration",
        "1s",
        "--warm-up",
        "200ms",
        "--slowest",
        "10ms",
        "--a",
        "env.STUB_DECISION_DELAY=20ms",
        "--output",
        output,
    ]);
    let run = fs::read_dir(folder.path()).expect("a folder").next();
    let run = run
        .unwrap_or_else(|| panic!("{}", ran.seen()))
        .expect("an entry")
        .path();
    let text = fs::read_to_string(run.join("ladder.json")).expect("a record");
    let record: Value = serde_json::from_str(&text).expect("JSON");
    let steps = record["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), 2, "{}", ran.seen());
    for step in steps {
        let arms = step["arms"].as_object().expect("arms");
        assert_eq!(arms.keys().collect::<Vec<_>>(), ["disabled", "null", "a"]);
        assert!(
            arms.values()
                .all(|arm| arm["requests"].as_u64() > Some(100)),
            "{step}"
        );
        assert!(
            arms["a"]["slowest-microseconds"].as_f64() >= Some(20_000.0),
            "{step}"
        );
        assert_eq!(arms["a"]["asked"], arms["a"]["proxy-requests"], "{step}");
    }
    // A machine that sees a known delay wrongly has measured nothing, and says so.
    let is_measured = record["invalid"].as_array().is_some_and(Vec::is_empty);
    let code = if is_measured { 5 } else { 3 };
    assert_eq!(ran.code, Some(code), "{}", ran.seen());
    assert_eq!(
        ran.stdout.contains("not a measurement"),
        !is_measured,
        "{}",
        ran.seen()
    );
    let schema: Value =
        serde_json::from_str(&conformance(&["schema", "ladder"]).stdout).expect("JSON");
    assert!(jsonschema::is_valid(&schema, &record));
    let svg = fs::read_to_string(run.join("ladder.svg")).expect("a picture");
    assert!(svg.contains("deep-json"));
}

#[rstest]
#[case(&["speed"], "env.NAME")]
#[case(&["env.STUB_DECISION_DELAY"], "have to be named")]
#[case(&["rate", "--steps", "100,fast"], "`fast` is no number")]
#[case(&["input", "--steps", "bomb"], "deep-json")]
#[case(&["rate", "--steps", "20000", "--duration", "1m"], "and the most are")]
#[case(&["rate", "--steps", "500,200"], "200 is not above the step before it")]
#[case(&["rate", "--rate", "5"], "`--rate` does nothing")]
#[case(&["env.X", "--steps", "1,2", "--a", "env.X=3"], "`--a` does nothing")]
fn a_ladder_that_cannot_be_climbed_is_refused(#[case] arguments: &[&str], #[case] said: &str) {
    let mut all = vec!["bench", "ladder"];
    all.extend(arguments);
    let ran = conformance(&all);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains(said), "{}", ran.seen());
}
