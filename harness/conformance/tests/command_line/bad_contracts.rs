//! Bad `contract` sections are refused with their place and a hint, and nothing is started.

use rstest::rstest;

use super::support::{assert_refused, conformance, empty_project, path, write};

const GOOD: &str = r#"id: W01
summary: It works.
why: It must.
contract:
  cases:
    - name: ask
      check: { path: "/" }
      expect: { outcome: allowed }
    - name: tell
      access-log: { entries: [{ check: ask }] }
      expect: { outcome: accepted }
stack: { agent-env: { SIGSCI_ENVOY_GRPC_ADDRESS: "0.0.0.0:9999" } }
"#;

#[test]
fn a_good_contract_is_listed_and_explained() {
    let project = empty_project();
    write(&project, "scenarios/contract/works.yaml", GOOD);
    let ran = conformance(&["explain", "W01", "--project", path(&project)]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    for line in [
        "ask (check of /, 1 time(s)) is allowed",
        "tell (access log of `ask`",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.seen());
    }
}

#[rstest]
#[case::unknown_check("{ check: ask }", "{ check: aks }", ":10:40", "known here: ask")]
#[case::two_kinds_of_entry("{ check: ask }", "{ check: ask, tcp: 1 }", ":10:31", "exactly one")]
#[case::agent_out_of_reach("0.0.0.0:9999", "localhost:9999", ":5:", "0.0.0.0:9999")]
#[case::no_entries("[{ check: ask }]", "[]", ":10:19", "at least one")]
#[case::bad_status(
    "{ check: ask }",
    "{ check: ask, response-code: 42 }",
    ":10:60",
    "100 to 599"
)]
#[case::too_many_streams("{ entries:", "{ streams: 5000, entries:", ":10:30", "1 to 2000")]
#[case::no_deadline("{ path: \"/\" }", "{ deadline: 0ms }", ":7:26", "at least `1ms`")]
#[case::no_repetition("{ path: \"/\" }", "{ repeat: 0 }", ":7:24", "1 to 10000")]
#[case::too_many_repetitions("{ path: \"/\" }", "{ repeat: 10001 }", ":7:24", "1 to 10000")]
#[case::alone_at_once("{ path: \"/\" }", "{ pacing: at-once }", ":6:13", "`repeat:`")]
#[case::missing_with_a_path(
    "{ path: \"/\" }",
    "{ path: /, missing: http }",
    ":7:34",
    "leave method"
)]
#[case::headers_nowhere(
    "{ path: \"/\" }",
    "{ headers: [\"a: b\"], header-form: neither }",
    ":7:26",
    "another form"
)]
#[case::two_paths(
    "{ path: \"/\" }",
    "{ path: /, path-filled: { length: 9 } }",
    ":7:22",
    "one of the two"
)]
#[case::short_path(
    "{ path: \"/\" }",
    "{ path-filled: { before: /long, length: 2 } }",
    ":7:29",
    "room for them"
)]
#[case::long_message("{ path: \"/\" }", "{ message-length: 99999999 }", ":7:32", "16777216")]
#[case::bad_header("{ path: \"/\" }", "{ headers: [none] }", ":7:26", "name: value")]
#[case::two_calls(
    "check: { path: \"/\" }",
    "check: { path: \"/\" }\n      health: {}",
    ":6:13",
    "one of `check:`"
)]
#[case::outcome_of_another_call(
    "outcome: accepted",
    "outcome: serving",
    ":11:26",
    "accepted, failed"
)]
#[case::never_expected("outcome: allowed", "outcome: lost", ":8:26", "allowed, blocked")]
#[case::failure_without_a_code("outcome: allowed", "outcome: failed", ":8:26", "grpc-status:")]
#[case::no_failure(
    "{ outcome: allowed }",
    "{ outcome: failed, grpc-status: [0] }",
    ":8:47",
    "1 to 16"
)]
#[case::status_of_what_is_allowed(
    "{ outcome: allowed }",
    "{ outcome: allowed, denied-status: 406 }",
    ":8:50",
    "`blocked`"
)]
#[case::name_of_our_own("name: ask", "name: control-ask", ":6:13", "starts with `control-`")]
#[case::unknown_form(
    "{ path: \"/\" }",
    "{ header-form: lists }",
    ":7:29",
    "did you mean `list`?"
)]
fn a_wrong_contract_is_refused_with_its_place_and_a_hint(
    #[case] from: &str,
    #[case] to: &str,
    #[case] place: &str,
    #[case] hint: &str,
) {
    let project = empty_project();
    assert!(GOOD.contains(from), "{from}");
    write(
        &project,
        "scenarios/contract/works.yaml",
        GOOD.replacen(from, to, 1),
    );
    assert_refused(
        &project,
        &format!("scenarios/contract/works.yaml{place}"),
        hint,
    );
}

#[test]
fn a_contract_without_cases_is_refused() {
    let project = empty_project();
    let text = "id: W01\nsummary: x\nwhy: x\ncontract: { cases: [] }\n";
    write(&project, "scenarios/contract/empty.yaml", text);
    let ran = conformance(&["list", "--project", path(&project)]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(
        ran.stderr.contains("`contract` calls nothing"),
        "{}",
        ran.seen()
    );
}
