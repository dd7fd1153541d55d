//! Which detectors inspect which header.

use crate::inspect::field::{Checks, Fields, Spaces};
use crate::inspect::signal::Location;

/// Inspects one header; `name` is lower-case.
pub(crate) fn inspect(name: &str, value: &str, fields: &mut Fields) {
    match checks_for(name) {
        HeaderKind::Free => fields.inspect(
            Location::Header,
            name,
            value,
            Checks::All,
            Spaces::AsWritten,
        ),
        HeaderKind::Structured => fields.inspect(
            Location::Header,
            name,
            value,
            Checks::Expressions,
            Spaces::AsWritten,
        ),
        HeaderKind::UserAgent => fields.inspect(
            Location::Header,
            name,
            value,
            Checks::Tool,
            Spaces::AsWritten,
        ),
        HeaderKind::Cookies => inspect_cookies(value, fields),
        HeaderKind::Target => {}
    }
}

fn inspect_cookies(header: &str, fields: &mut Fields) {
    let mut inspect = |name: &str, value: &str, checks| {
        fields.inspect(Location::Cookie, name, value, checks, Spaces::AsWritten);
    };
    for cookie in header.split(';').take(COOKIE_LIMIT) {
        let (name, value) = cookie.trim().split_once('=').unwrap_or(("", cookie));
        inspect(name, name, Checks::All);
        inspect(name, value.trim(), Checks::All);
    }
    // A value with a semicolon of its own (`x=1;id`) is torn apart above, so expressions are searched for in the whole header.
    inspect("", header, Checks::Expressions);
    for cookie in header.split(';').take(COOKIE_LIMIT) {
        let name = cookie.trim().split('=').next().unwrap_or_default();
        fields.note_encoded_null(Location::Cookie, name, cookie);
    }
}

enum HeaderKind {
    Cookies,
    Free,
    Structured,
    Target,
    UserAgent,
}

fn checks_for(name: &str) -> HeaderKind {
    match name {
        "cookie" => HeaderKind::Cookies,
        // The request target is inspected as path and query.
        ":path" => HeaderKind::Target,
        "user-agent" => HeaderKind::UserAgent,
        _ if STRUCTURED.contains(&name)
            || STRUCTURED_PREFIXES
                .iter()
                .any(|prefix| name.starts_with(prefix)) =>
        {
            HeaderKind::Structured
        }
        _ => HeaderKind::Free,
    }
}

// Browsers, proxies and this suite fill these with text that has its own grammar, full of `;`, `*`, quotes and parentheses.
const STRUCTURED: &[&str] = &[
    "authorization",
    "cache-control",
    "connection",
    "date",
    "dnt",
    "expect",
    "forwarded",
    "from",
    "host",
    "keep-alive",
    "max-forwards",
    "origin",
    "pragma",
    "priority",
    "proxy-authorization",
    "range",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "via",
    "x-conformance-id",
    "x-real-ip",
    "x-request-id",
];
const STRUCTURED_PREFIXES: &[&str] = &[
    ":",
    "accept",
    "access-control-",
    "content-",
    "if-",
    "sec-",
    "x-b3-",
    "x-envoy-",
    "x-forwarded-",
    "x-sigsci-",
];
const COOKIE_LIMIT: usize = 256;
