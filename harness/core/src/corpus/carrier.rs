//! The ordinary request around a value: paths, names, neighbours and headers, chosen by number.
//!
//! Nothing here may raise a signal by itself, or a request would be judged for its carrier.

use super::random::Random;
use crate::model::located::Located;
use crate::model::request::{BodySpec, RequestSpec};

/// Ordinary paths. Each has two segments, so that a value at the end of the path is known to be the rest.
const PATHS: &[&str] = &[
    "/account/settings",
    "/api/items",
    "/api/orders",
    "/articles/latest",
    "/blog/comments",
    "/catalogue/search",
    "/help/topics",
    "/shop/basket",
    "/tools/convert",
    "/users/profile",
];

const NAMES: &[&str] = &[
    "author",
    "comment",
    "description",
    "item",
    "label",
    "note",
    "q",
    "subject",
    "text",
    "title",
];

const NEIGHBOURS: &[(&str, &str)] = &[
    ("lang", "en"),
    ("limit", "25"),
    ("page", "2"),
    ("sort", "date"),
    ("theme", "dark"),
    ("unit", "metric"),
    ("view", "compact"),
    ("year", "2026"),
];

const USER_AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "example-client/3.2",
];

const EXTRA_HEADERS: &[&str] = &[
    "accept-language: en-GB,en;q=0.8",
    "cache-control: no-cache",
    "dnt: 1",
    "x-request-source: conformance",
];

const BODY_METHODS: &[&str] = &["PATCH", "POST", "PUT"];

/// Picks an ordinary path.
pub(super) fn path(random: &mut Random) -> &'static str {
    random.pick(PATHS)
}

/// Picks the name of a field.
pub(super) fn name(random: &mut Random) -> &'static str {
    random.pick(NAMES)
}

/// Puts a pair among up to three ordinary ones.
pub(super) fn among_neighbours(
    name: String,
    value: String,
    random: &mut Random,
) -> Vec<(String, String)> {
    let mut all: Vec<&(&str, &str)> = NEIGHBOURS.iter().collect();
    random.shuffle(&mut all);
    let mut pairs: Vec<(String, String)> = all[..random.below(4)]
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    pairs.insert(random.below(pairs.len() + 1), (name, value));
    pairs
}

/// Joins pairs with `=` and a separator.
pub(super) fn joined(pairs: &[(String, String)], separator: &str) -> String {
    let written: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    written.join(separator)
}

/// Makes a request without a body around its own header fields, among ordinary ones in any order.
pub(super) fn without_body(target: String, own: Vec<String>, random: &mut Random) -> RequestSpec {
    RequestSpec {
        target: Located::unwritten(target),
        headers: headers(own, random),
        ..RequestSpec::default()
    }
}

/// Makes a request with a body.
pub(super) fn with_body(content_type: &str, body: Vec<u8>, random: &mut Random) -> RequestSpec {
    let body = match String::from_utf8(body) {
        Ok(text) => BodySpec {
            text: Some(text),
            ..BodySpec::default()
        },
        Err(error) => BodySpec {
            base64: Some(base64_text(error.as_bytes())),
            ..BodySpec::default()
        },
    };
    RequestSpec {
        method: Some(Located::unwritten(random.pick(BODY_METHODS).to_owned())),
        target: Located::unwritten(path(random).to_owned()),
        headers: headers(vec![format!("content-type: {content_type}")], random),
        body: Some(Located::unwritten(body)),
        ..RequestSpec::default()
    }
}

fn base64_text(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn headers(own: Vec<String>, random: &mut Random) -> Vec<Located<String>> {
    let mut fields = own;
    if !fields.iter().any(|field| field.starts_with("user-agent:")) {
        fields.push(format!("user-agent: {}", random.pick(USER_AGENTS)));
    }
    fields.push("accept: */*".into());
    let mut extra = EXTRA_HEADERS.to_vec();
    random.shuffle(&mut extra);
    let count = random.below(extra.len());
    fields.extend(extra[..count].iter().map(|field| (*field).to_owned()));
    random.shuffle(&mut fields);
    fields.into_iter().map(Located::unwritten).collect()
}
