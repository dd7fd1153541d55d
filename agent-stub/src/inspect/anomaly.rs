//! Anomalies: what is unusual about a request or a response, and never blocks by itself.

use crate::exchange::CheckedRequest;
use crate::inspect::escape::percent_decoded;
use crate::inspect::field::{Fields, cut};
use crate::inspect::signal::{Location, Signal, SignalKind};

/// Returns the anomalies of a request.
pub fn anomalies(request: &CheckedRequest) -> Vec<Signal> {
    let mut fields = Fields::default();
    if request
        .header("user-agent")
        .is_none_or(|agent| agent.trim().is_empty())
    {
        fields.note(
            SignalKind::NoUserAgent,
            Location::Header,
            "user-agent",
            "",
            "STUB-NO-AGENT",
        );
    }
    let path = cut(request.path(), PATH_BYTES);
    if is_abnormal(path) {
        fields.note(
            SignalKind::AbnormalPath,
            Location::Path,
            "",
            path,
            "STUB-PATH-FORM",
        );
    }
    for pair in request.headers.windows(2) {
        let [(first, _), (second, value)] = pair else {
            continue;
        };
        if first == second && SINGLE.contains(&first.as_str()) {
            note_duplicate(first, value, &mut fields);
        }
    }
    // Envoy's map of headers joins what came twice with a comma, which these values have no other use for.
    for (name, value) in &request.headers {
        if COMMALESS.contains(&name.as_str()) && value.contains(',') {
            note_duplicate(name, value, &mut fields);
        }
    }
    fields.into_signals()
}

/// Returns the anomaly of a response with this status.
pub fn of_response(status: u32) -> Option<Signal> {
    let kind = match status {
        400..=499 => SignalKind::Http4xx,
        500..=599 => SignalKind::Http5xx,
        _ => return None,
    };
    Some(Signal {
        kind,
        location: Location::Response,
        name: String::new(),
        value: status.to_string(),
        detector: "STUB-RESPONSE-STATUS".into(),
    })
}

fn note_duplicate(name: &str, value: &str, fields: &mut Fields) {
    fields.note(
        SignalKind::DuplicateHeaders,
        Location::Header,
        name,
        value,
        "STUB-DUPLICATE",
    );
}

// The normal form: one slash at a time, no dot segments, no backslashes, no escapes of characters that need none.
fn is_abnormal(path: &str) -> bool {
    if !path.starts_with('/') {
        return false;
    }
    path.contains("//")
        || path.contains('\\')
        || path.split('/').any(|segment| matches!(segment, "." | ".."))
        || path.match_indices('%').any(|(at, _)| {
            path.get(at..at + 3)
                .and_then(percent_decoded)
                .is_some_and(|decoded| {
                    decoded.chars().all(|character| {
                        character.is_ascii_alphanumeric() || "-._~".contains(character)
                    })
                })
        })
}

const SINGLE: &[&str] = &[
    "authorization",
    "content-length",
    "content-type",
    "host",
    "if-modified-since",
    "if-unmodified-since",
    "max-forwards",
    "proxy-authorization",
    "referer",
    "user-agent",
];
const COMMALESS: &[&str] = &["content-length", "content-type", "host", "max-forwards"];
const PATH_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn kinds(request: &CheckedRequest) -> Vec<SignalKind> {
        anomalies(request)
            .iter()
            .map(|signal| signal.kind)
            .collect()
    }

    fn request(target: &str, headers: &[(&str, &str)]) -> CheckedRequest {
        let mut headers: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        headers.sort();
        CheckedRequest {
            target: target.into(),
            headers,
            ..CheckedRequest::default()
        }
    }

    #[rstest]
    #[case(&[])]
    #[case(&[("user-agent", "")])]
    #[case(&[("user-agent", "  ")])]
    fn a_request_without_user_agent_is_named_so(#[case] headers: &[(&str, &str)]) {
        assert_eq!(kinds(&request("/", headers)), [SignalKind::NoUserAgent]);
    }

    #[rstest]
    #[case("/a//b")]
    #[case("//a")]
    #[case("/a/./b")]
    #[case("/a/../b")]
    #[case("/a/..")]
    #[case("/a/%2e%2e/b")]
    #[case("/%61dmin")]
    #[case("/a\\b")]
    fn a_path_out_of_its_normal_form_is_abnormal(#[case] target: &str) {
        let agent = [("user-agent", "x")];
        assert_eq!(
            kinds(&request(target, &agent)),
            [SignalKind::AbnormalPath],
            "{target}"
        );
    }

    #[rstest]
    #[case("/")]
    #[case("/a/")]
    #[case("/a/b.html")]
    #[case("/a/.../b")]
    #[case("/.well-known/security.txt")]
    #[case("/a%20b")]
    #[case("/a%2Fb")]
    #[case("/caf%C3%A9")]
    #[case("/a?next=//b/../c")]
    #[case("*")]
    #[case("example.com:443")]
    #[case("/~user/a-b_c.d")]
    #[case("/a;v=1/b")]
    #[case("/100%")]
    #[case("/a:b@c,d")]
    fn an_ordinary_path_is_not_abnormal(#[case] target: &str) {
        let agent = [("user-agent", "x")];
        assert_eq!(kinds(&request(target, &agent)), [], "{target}");
    }

    #[rstest]
    #[case(&[("content-type", "a/b"), ("content-type", "c/d")])]
    #[case(&[("content-type", "text/plain,application/json")])]
    #[case(&[("content-length", "1,1")])]
    #[case(&[("authorization", "a"), ("authorization", "b")])]
    fn a_header_that_came_twice_is_named(#[case] headers: &[(&str, &str)]) {
        let mut all = headers.to_vec();
        all.push(("user-agent", "x"));
        assert_eq!(kinds(&request("/", &all)), [SignalKind::DuplicateHeaders]);
    }

    #[rstest]
    #[case(&[("accept", "text/html,text/plain")])]
    #[case(&[("accept", "text/html"), ("accept", "text/plain")])]
    #[case(&[("cookie", "a=1"), ("cookie", "b=2")])]
    #[case(&[("x-forwarded-for", "192.0.2.1,192.0.2.2")])]
    #[case(&[("via", "1.1 a"), ("via", "1.1 b")])]
    #[case(&[("authorization", "Digest a=\"b\", c=\"d\"")])]
    #[case(&[("content-type", "text/plain; charset=utf-8")])]
    #[case(&[("if-none-match", "\"a\", \"b\"")])]
    #[case(&[("x-custom", "a"), ("x-custom", "b")])]
    fn a_header_that_may_come_twice_is_not(#[case] headers: &[(&str, &str)]) {
        let mut all = headers.to_vec();
        all.push(("user-agent", "x"));
        assert_eq!(kinds(&request("/", &all)), []);
    }

    #[rstest]
    #[case(200, None)]
    #[case(302, None)]
    #[case(399, None)]
    #[case(400, Some(SignalKind::Http4xx))]
    #[case(499, Some(SignalKind::Http4xx))]
    #[case(500, Some(SignalKind::Http5xx))]
    #[case(599, Some(SignalKind::Http5xx))]
    #[case(600, None)]
    #[case(0, None)]
    fn a_response_is_named_by_its_class(#[case] status: u32, #[case] expected: Option<SignalKind>) {
        assert_eq!(of_response(status).map(|signal| signal.kind), expected);
    }
}
