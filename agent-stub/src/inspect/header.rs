//! Which detectors look at which header.

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
        HeaderKind::Structured => {
            fields.inspect(
                Location::Header,
                name,
                value,
                Checks::Lookup,
                Spaces::AsWritten,
            );
        }
        HeaderKind::UserAgent => fields.inspect(
            Location::Header,
            name,
            value,
            Checks::Tool,
            Spaces::AsWritten,
        ),
        HeaderKind::Cookies => {
            for cookie in value.split(';').take(COOKIE_LIMIT) {
                let (_, cookie_value) = cookie.split_once('=').unwrap_or(("", cookie));
                fields.inspect(
                    Location::Header,
                    name,
                    cookie_value.trim(),
                    Checks::All,
                    Spaces::AsWritten,
                );
            }
            // A value with a semicolon of its own (`x=1;id`) is torn apart above, so look-ups see the whole header.
            fields.inspect(
                Location::Header,
                name,
                value,
                Checks::Lookup,
                Spaces::AsWritten,
            );
        }
        HeaderKind::Target => {}
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
