//! Bad input is refused with its place and a hint, and nothing is started.

use rstest::rstest;

use super::support::{assert_refused, conformance, empty_project, path, write};

const GOOD: &str = r#"id: A01
summary: It works.
why: It must.
exchange:
  cases:
    - name: get
      intent: benign
      request: { target: "/" }
      expect: { outcome: allowed }
"#;

#[test]
fn a_good_file_is_listed() {
    let project = empty_project();
    write(&project, "scenarios/decisions/works.yaml", GOOD);
    let ran = conformance(&["list", "--project", path(&project)]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert!(ran.stdout.contains("decisions::works"), "{}", ran.seen());
}

#[rstest]
#[case::malformed("why: It must.", "why: a: b", ":3:7", "mapping values")]
#[case::unknown_key("summary:", "sumary:", ":2:1", "did you mean `summary`?")]
#[case::unknown_outcome(
    "outcome: allowed",
    "outcome: alowed",
    ":9:26",
    "did you mean `allowed`?"
)]
#[case::missing_key("why: It must.\n", "", ":3:1", "add `why:`")]
#[case::no_expectation("      expect: { outcome: allowed }\n", "", ":8:7", "add `expect:`")]
#[case::bad_id("id: A01", "id: first", ":1:5", "A02-sqli")]
#[case::attack_without_twin("intent: benign", "intent: attack", ":6:13", "twin")]
#[case::impossible_upstream(
    "{ outcome: allowed }",
    "{ outcome: blocked-by-agent, upstream: { target: / } }",
    ":9:26",
    "never reaches the application"
)]
#[case::impossible_status(
    "{ outcome: allowed }",
    "{ outcome: blocked-by-agent, client: { status: 200 } }",
    ":9:62",
    "301, 302 or 400 to 599"
)]
#[case::ambiguous("outcome: allowed", "outcome: ambiguous", ":9:26", "never a pass")]
#[case::bad_header(
    "{ target: \"/\" }",
    "{ target: \"/\", headers: [\"no colon\"] }",
    ":8:41",
    "name: value"
)]
#[case::bad_target("target: \"/\"", "target: \"/a b\"", ":8:26", "percent-encode")]
#[case::bad_body(
    "target: \"/\"",
    "target: \"/\", body: { text: a, base64: YQ== }",
    ":8:37",
    "{text: …}"
)]
#[case::number_for_a_duration(
    "exchange:",
    "stack: { grace-period: 30 }\nexchange:",
    ":4:24",
    "200ms"
)]
#[case::unknown_configuration(
    "exchange:",
    "stack: { envoy: fail-shut }\nexchange:",
    ":4:17",
    "fail-closed, fail-closed-1s"
)]
#[case::two_procedures(
    "exchange:",
    "secrecy: { cases: [] }\nexchange:",
    ":6:3",
    "one procedure"
)]
#[case::taken_name(
    "exchange:\n  cases:\n",
    "exchange:\n  cases:\n    - { name: get, intent: benign, request: { target: / }, expect: { outcome: allowed } }\n",
    ":7:13",
    "taken on line 6"
)]
fn a_wrong_file_is_refused_with_its_place_and_a_hint(
    #[case] from: &str,
    #[case] to: &str,
    #[case] place: &str,
    #[case] hint: &str,
) {
    let project = empty_project();
    assert!(GOOD.contains(from), "{from}");
    write(
        &project,
        "scenarios/decisions/works.yaml",
        GOOD.replacen(from, to, 1),
    );
    assert_refused(
        &project,
        &format!("scenarios/decisions/works.yaml{place}"),
        hint,
    );
}

#[rstest]
#[case::no_containers("drain: { containers: [] }", "expects nothing of any container")]
#[case::no_cases("secrecy: { cases: [] }", "`secrecy` sends nothing")]
#[case::nothing_said(
    "refusal: { says: [\" \"], cases: [{ name: a, intent: benign, request: { target: / }, expect: { outcome: failed-closed } }] }",
    "what the agent must complain of"
)]
#[case::unknown_container(
    "drain: { containers: [{ name: envoy, pre-stop: absent, exit-codes: [0] }] }",
    "no container `envoy`"
)]
#[case::blocked_twin(
    "exchange: { cases: [{ name: a, intent: attack, request: { target: / }, twin: { request: { target: / }, outcome: blocked-by-agent }, expect: { outcome: allowed } }] }",
    "twin must not be blocked"
)]
#[case::name_of_our_own(
    "exchange: { cases: [{ name: a-twin, intent: benign, request: { target: / }, expect: { outcome: allowed } }] }",
    "ends with `-twin`"
)]
#[case::seen_by_no_environment(
    "endurance: { attack: { target: /a }, benign: { target: /b }, per-second: 9, warm-up: 1, requests: 20, memory-growth: 1MiB, descriptors-growth: 1, idle-for: 1s, idle-processor-share: 0.5, slowdown: 2, slowdown-margin: 1ms }",
    "does not say that it needs `resource-usage`"
)]
#[case::too_few_to_compare(
    "endurance: { attack: { target: /a }, benign: { target: /b }, per-second: 9, warm-up: 1, requests: 19, memory-growth: 1MiB, descriptors-growth: 1, idle-for: 1s, idle-processor-share: 0.5, slowdown: 2, slowdown-margin: 1ms }",
    "19 requests are too few"
)]
#[case::no_rest(
    "endurance: { attack: { target: /a }, benign: { target: /b }, per-second: 9, warm-up: 1, requests: 20, memory-growth: 1MiB, descriptors-growth: 1, idle-for: 0s, idle-processor-share: 0.5, slowdown: 2, slowdown-margin: 1ms }",
    "not watched while it rests"
)]
#[case::a_share_of_more_than_a_core(
    "endurance: { attack: { target: /a }, benign: { target: /b }, per-second: 9, warm-up: 1, requests: 20, memory-growth: 1MiB, descriptors-growth: 1, idle-for: 1s, idle-processor-share: 1.5, slowdown: 2, slowdown-margin: 1ms }",
    "1.5 bounds nothing"
)]
#[case::memory_without_a_unit(
    "endurance: { attack: { target: /a }, benign: { target: /b }, per-second: 9, warm-up: 1, requests: 20, memory-growth: 32, descriptors-growth: 1, idle-for: 1s, idle-processor-share: 0.5, slowdown: 2, slowdown-margin: 1ms }",
    "as in `512KiB` or `32MiB`"
)]
#[case::nothing_sent("exchange: {}", "`exchange` sends nothing")]
fn a_scenario_that_would_test_nothing_is_refused(#[case] section: &str, #[case] complaint: &str) {
    let project = empty_project();
    let text = format!("id: A01\nsummary: x\nwhy: x\n{section}\n");
    write(&project, "scenarios/decisions/empty.yaml", text);
    let ran = conformance(&["list", "--project", path(&project)]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains(complaint), "{}", ran.seen());
}

#[test]
fn a_payload_file_without_payloads_is_refused() {
    let project = empty_project();
    write(
        &project,
        "fixtures/payloads/sqli.yaml",
        "class: sqli\nsource: x\nlicence: x\npayloads: []\n",
    );
    let ran = conformance(&["list", "--project", path(&project)]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains("has no payloads"), "{}", ran.seen());
}

#[test]
fn a_key_that_is_too_short_to_be_kept_secret_is_refused() {
    let ran = super::support::command(&["run", "A01"])
        .env("CONFORMANCE_ACCESSKEYID", "short")
        .env("CONFORMANCE_SECRETACCESSKEY", "a-key-that-is-long-enough")
        .output()
        .expect("the command starts");
    assert_eq!(ran.status.code(), Some(2));
    let seen = String::from_utf8_lossy(&ran.stderr);
    assert!(seen.contains("CONFORMANCE_ACCESSKEYID"), "{seen}");
    assert!(!seen.contains("a-key-that-is-long-enough"), "{seen}");
}

#[test]
fn standard_output_that_takes_no_more_is_no_panic() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let ran = super::support::command(&["list"])
        .stdout(full)
        .output()
        .expect("the command starts");
    assert_eq!(ran.status.code(), Some(3));
    let seen = String::from_utf8_lossy(&ran.stderr);
    assert!(seen.contains("cannot write to standard output"), "{seen}");
}

#[test]
fn an_id_that_is_taken_is_refused_and_names_the_other_file() {
    let project = empty_project();
    write(&project, "scenarios/decisions/first.yaml", GOOD);
    write(&project, "scenarios/decisions/second.yaml", GOOD);
    let ran = conformance(&["list", "--project", path(&project)]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(
        ran.stderr.contains("scenarios/decisions/second.yaml:1:5")
            && ran.stderr.contains("scenarios/decisions/first.yaml"),
        "{}",
        ran.seen()
    );
}

#[test]
fn a_payload_file_with_an_attack_without_twin_is_refused() {
    let project = empty_project();
    write(
        &project,
        "fixtures/payloads/sqli.yaml",
        "class: sqli\nsource: x\nlicence: x\npayloads:\n  - name: lonely\n    why: x\n    request: { target: / }\n",
    );
    write(&project, "scenarios/decisions/works.yaml", GOOD);
    let ran = conformance(&["list", "--project", path(&project)]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(
        ran.stderr.contains("fixtures/payloads/sqli.yaml:5:11"),
        "{}",
        ran.seen()
    );
}

#[test]
fn a_file_that_is_not_utf8_is_refused_with_its_line() {
    let project = empty_project();
    write(
        &project,
        "scenarios/decisions/bytes.yaml",
        b"id: A01\n\xff\n",
    );
    let ran = conformance(&["list", "--project", path(&project)]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(
        ran.stderr.contains("line 2 is not valid UTF-8"),
        "{}",
        ran.seen()
    );
}

#[test]
fn a_filter_that_matches_nothing_ends_with_4_and_the_nearest_names() {
    let ran = conformance(&["run", "block-sqli"]);
    assert_eq!(ran.code, Some(4), "{}", ran.seen());
    assert!(
        ran.stderr.contains("decisions::blocks-sqli"),
        "{}",
        ran.seen()
    );
}

#[test]
fn a_profile_lists_its_scenarios_and_no_other() {
    let project = empty_project();
    write(&project, "scenarios/decisions/works.yaml", GOOD);
    let other = GOOD.replace("id: A01", "id: A02");
    write(&project, "scenarios/decisions/other.yaml", other);
    write(
        &project,
        "scenarios/profiles/short.yaml",
        "summary: x\nscenarios: [A01]\n",
    );
    let ran = conformance(&["list", "--profile", "short", "--project", path(&project)]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert!(ran.stdout.contains("decisions::works"), "{}", ran.seen());
    assert!(!ran.stdout.contains("decisions::other"), "{}", ran.seen());
}

#[test]
fn a_profile_that_names_no_scenario_is_reported_at_its_place() {
    let project = empty_project();
    write(&project, "scenarios/decisions/works.yaml", GOOD);
    write(
        &project,
        "scenarios/profiles/short.yaml",
        "summary: x\nscenarios:\n  - A01\n  - A99\n",
    );
    assert_refused(&project, "scenarios/profiles/short.yaml:4:5", "the ids");
}

#[test]
fn an_unknown_profile_ends_with_2_and_the_names_that_there_are() {
    let ran = conformance(&["run", "--profile", "quik"]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(
        ran.stderr.contains("the profiles are quick"),
        "{}",
        ran.seen()
    );
}

#[test]
fn an_unknown_option_ends_with_2() {
    let ran = conformance(&["run", "--no-such-option"]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
}

#[test]
fn a_key_on_the_command_line_is_refused() {
    let ran = conformance(&["run", "--agent-env", "SIGSCI_SECRETACCESSKEY=x"]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(
        ran.stderr.contains("CONFORMANCE_SECRETACCESSKEY"),
        "{}",
        ran.seen()
    );
}

#[test]
fn an_envoy_that_is_none_ends_with_2_and_says_what_it_answered() {
    let ran = conformance(&["run", "--envoy", "/bin/true"]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(ran.stderr.contains("/bin/true"), "{}", ran.seen());
}
