//! Checks requests, cases and what is expected of them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::case::{Case, Intent};
use super::complaints::Complaints;
use super::expectation::{Expectation, PEER};
use super::located::{Located, Position};
use super::outcome::Outcome;
use super::request::{RequestSpec, parse_header};

/// Returns whether a text can be a name: lower-case letters, digits and hyphens, at most 64 of them.
pub fn is_plain_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Checks cases and what is expected of each.
pub fn check_cases(cases: &[Case], complaints: &mut Complaints<'_>) {
    check_unique_names(cases.iter().map(|case| &case.name), complaints);
    for case in cases {
        for suffix in ["-twin", "-control", "-stream"] {
            if case.name.ends_with(suffix) {
                complaints.add(
                    case.name.position,
                    format!("the name `{}` ends with `{suffix}`", *case.name),
                    "the suite makes names with this ending itself; choose another",
                );
            }
        }
    }
    for case in cases {
        check_request(&case.request, case.name.position, complaints);
        check_expectation(&case.expect, complaints);
        if let Some(repeat) = &case.repeat
            && !(1..=10_000).contains(&**repeat)
        {
            complaints.add(
                repeat.position,
                format!("a request cannot be sent {} times", **repeat),
                "write a number from 1 to 10000",
            );
        }
        match (*case.intent, &case.twin) {
            (Intent::Attack, None) => complaints.add(
                case.name.position,
                format!("the attack `{}` has no benign twin", *case.name),
                "add `twin:` with the nearest request that must pass",
            ),
            (Intent::Attack, Some(twin)) => {
                check_request(&twin.request, case.name.position, complaints);
                if let Some(outcome) = &twin.outcome
                    && **outcome == Outcome::BlockedByAgent
                {
                    complaints.add(
                        outcome.position,
                        "a benign twin must not be blocked",
                        "choose a request that must pass",
                    );
                }
            }
            (Intent::Benign | Intent::Protocol, Some(_)) => complaints.add(
                case.name.position,
                format!("`{}` is not an attack and has a twin", *case.name),
                "make the twin a case of its own",
            ),
            (Intent::Benign | Intent::Protocol, None) => {}
        }
        check_undeliverable(case, complaints);
    }
}

/// Checks the mark of an attack that cannot be delivered: its text is what the witnesses are searched for, so it must stand in the head.
fn check_undeliverable(case: &Case, complaints: &mut Complaints<'_>) {
    let Some(text) = &case.undeliverable else {
        return;
    };
    let is_in_head = case.request.target.contains(text.as_str())
        || case
            .request
            .headers
            .iter()
            .any(|field| field.contains(text.as_str()));
    if text.is_empty() || !is_in_head {
        complaints.add(
            text.position,
            "what cannot be delivered does not stand in the request's head",
            "write a part of the target or of a header that makes it an attack",
        );
    }
    match *case.intent {
        Intent::Attack => {}
        Intent::Benign | Intent::Protocol => complaints.add(
            text.position,
            "only an attack is marked as undeliverable",
            "write `intent: attack`, or take the mark out",
        ),
    }
    if !matches!(
        *case.expect.outcome,
        Outcome::Allowed | Outcome::RejectedByProxy
    ) {
        complaints.add(
            case.expect.outcome.position,
            format!(
                "an attack that is not delivered cannot be `{}`",
                *case.expect.outcome
            ),
            "without the attack the request is `allowed`, or the proxy rejects it",
        );
    }
}

/// Checks that names are names, and none is there twice.
pub fn check_unique_names<'a>(
    names: impl Iterator<Item = &'a Located<String>>,
    complaints: &mut Complaints<'_>,
) {
    let mut seen = BTreeMap::new();
    for name in names {
        if !is_plain_name(name) {
            complaints.add(
                name.position,
                format!("`{}` is not a name", **name),
                "use lower-case letters, digits and hyphens",
            );
        }
        if let Some(first) = seen.insert(name.as_str(), name.position) {
            complaints.add(
                name.position,
                format!("the name `{}` is taken on line {}", **name, first.line),
                "request ids are made from it; choose another",
            );
        }
    }
}

/// Checks a request; `fallback` is the place of complaints about parts that were not written.
pub fn check_request(request: &RequestSpec, fallback: Position, complaints: &mut Complaints<'_>) {
    if let Some(method) = &request.method
        && (method.is_empty() || method.contains(char::is_whitespace))
    {
        complaints.add(
            method.position,
            format!("`{}` is not a method", **method),
            "write one word, as in `POST`",
        );
    }
    if request.target.is_empty() || request.target.contains(['\r', '\n', ' ']) {
        complaints.add(
            request.target.position,
            "a request target is one word without spaces",
            "percent-encode a space as `%20`",
        );
    }
    check_headers(&request.headers, complaints);
    if let Err(error) = request.check_body() {
        let position = request.body.as_ref().map_or(fallback, |body| body.position);
        complaints.add(
            position,
            error.to_string(),
            "a body is `{text: …}`, `{base64: …}` or `{filled: {length: …}}`",
        );
    }
    if let Err(error) = request.check_form() {
        let position = request
            .raw
            .as_ref()
            .map_or(request.target.position, |raw| raw.position);
        complaints.add(
            position,
            error.to_string(),
            "docs/writing-a-scenario.md says which parts of a request go together",
        );
    }
}

fn check_headers(fields: &[Located<String>], complaints: &mut Complaints<'_>) {
    for field in fields {
        if let Err(error) = parse_header(field) {
            complaints.add(
                field.position,
                error.to_string(),
                "write `name: value` in quotes",
            );
        }
    }
}

/// Checks what is expected of a request.
pub fn check_expectation(expect: &Expectation, complaints: &mut Complaints<'_>) {
    let outcome = *expect.outcome;
    let position = expect.outcome.position;
    if outcome == Outcome::Ambiguous {
        complaints.add(
            position,
            "`ambiguous` cannot be expected",
            "it means that the witnesses contradict each other, which is never a pass",
        );
    }
    if let Some(client) = &expect.client {
        check_headers(&client.headers, complaints);
        if outcome == Outcome::Lost {
            complaints.add(
                position,
                "a lost request has no answer that a client could check",
                "take `client:` out",
            );
        }
    }
    if let Some(address) = expect
        .agent
        .as_ref()
        .and_then(|agent| agent.client_address.as_ref())
        && **address != PEER
        && address.parse::<IpAddr>().is_err()
    {
        complaints.add(
            address.position,
            format!("`{}` is not an address", **address),
            "write an address, or `peer` for the one from which the connection came",
        );
    }
    if let Some(upstream) = &expect.upstream {
        check_headers(&upstream.headers, complaints);
        if !outcome.reached_application() {
            complaints.add(
                position,
                format!("a request that is `{outcome}` never reaches the application"),
                "take `upstream:` out or change the outcome",
            );
        }
    }
    if let Some(status) = expect
        .client
        .as_ref()
        .and_then(|client| client.status.as_ref())
        && outcome == Outcome::BlockedByAgent
        && **status < 300
    {
        complaints.add(
            status.position,
            format!("a blocked request is not answered with {}", **status),
            "the agent blocks with 301, 302 or 400 to 599",
        );
    }
    if expect.agent.is_some()
        && matches!(
            outcome,
            Outcome::NotInspected | Outcome::FailedClosed | Outcome::FailedOpen
        )
    {
        complaints.add(
            position,
            format!("the agent has nothing to say of a request that is `{outcome}`"),
            "take `agent:` out or change the outcome",
        );
    }
}

/// Checks cases of which there has to be one at least. `position` is that of the section, which has none.
pub fn check_some_cases(
    cases: &[Case],
    section: &str,
    position: Position,
    complaints: &mut Complaints<'_>,
) {
    check_cases(cases, complaints);
    if cases.is_empty() {
        complaints.add(
            position,
            format!("`{section}` sends nothing"),
            "add `cases:`: an agent that has not worked shows nothing",
        );
    }
}

/// Checks a rate in requests per second.
pub fn check_rate(rate: &Located<f64>, complaints: &mut Complaints<'_>) {
    if !(**rate > 0.0 && **rate <= 10_000.0) {
        complaints.add(
            rate.position,
            format!("{} is not a rate", **rate),
            "write requests per second, over 0 and up to 10000",
        );
    }
}
