//! Whatever the value, a receiver that undoes the encoding reads it from its position, and the request is a legal one.
//!
//! The decoders are written here, apart from the encoders that they check.

use proptest::prelude::*;

use super::{ExpandedRequest, ExpansionOptions, expand};
use crate::model::located::Located;
use crate::model::payload::PayloadClass;
use crate::model::request::RequestSpec;
use crate::model::seed::Seed;
use crate::model::seed_position::{Encoding, SeedPosition};

fn seed_of(value: Vec<u8>) -> Seed {
    Seed {
        name: Located::unwritten("any".into()),
        class: PayloadClass::Benign,
        why: "It is a test.".into(),
        value,
        twin: None,
        positions: SeedPosition::ALL.to_vec(),
        encodings: None,
    }
}

fn values() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[ -~]{1,40}".prop_map(String::into_bytes),
        "[%&=+;<>\"'\\\\/?# .\r\n\0a-c2]{1,40}".prop_map(String::into_bytes),
        // Escapes that are part of the value, not of its writing.
        "(%22|%0a|%2500|&lt;|\\\\u0041|[+\"a]){1,6}".prop_map(String::into_bytes),
        "\\PC{1,20}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 1..40),
    ]
}

proptest! {
    #[test]
    fn the_value_is_read_back_from_its_position(value in values(), number in any::<u64>()) {
        let options = ExpansionOptions { seed: number, limit: None };
        let expanded = expand(&[seed_of(value.clone())], options);
        prop_assert!(!expanded.is_empty());
        for request in &expanded {
            let read = read_back(request);
            prop_assert!(read.contains(&value), "{}: {:?}\n{:?}", request.name, read, request.request);
        }
    }

    #[test]
    fn the_request_is_legal(value in values(), number in any::<u64>()) {
        let options = ExpansionOptions { seed: number, limit: None };
        for request in expand(&[seed_of(value)], options) {
            let target = request.request.target.as_bytes();
            prop_assert!(target.iter().all(u8::is_ascii_graphic), "{:?}", request.request);
            prop_assert!(!target.contains(&b'#'), "{:?}", request.request);
            for (name, text) in request.request.header_pairs().expect("fields") {
                prop_assert!(http::HeaderName::from_bytes(name.as_bytes()).is_ok(), "{name:?}");
                prop_assert!(http::HeaderValue::from_bytes(text.as_bytes()).is_ok(), "{text:?}");
                prop_assert_eq!(text.trim(), &text);
            }
            prop_assert!(request.request.body_bytes().is_ok());
        }
    }

    #[test]
    fn the_same_number_gives_the_same_bytes(value in values(), number in any::<u64>()) {
        let options = ExpansionOptions { seed: number, limit: None };
        let seeds = [seed_of(value)];
        let first = format!("{:?}", expand(&seeds, options));
        prop_assert_eq!(first, format!("{:?}", expand(&seeds, options)));
    }
}

/// Returns every value that a receiver finds at the request's position.
fn read_back(expanded: &ExpandedRequest) -> Vec<Vec<u8>> {
    let request = &expanded.request;
    let target = request.target.as_bytes();
    let (path, query) = match target.iter().position(|byte| *byte == b'?') {
        Some(at) => (&target[..at], &target[at + 1..]),
        None => (target, &[][..]),
    };
    let written: Vec<Vec<u8>> = match expanded.position {
        SeedPosition::Path => vec![
            path.splitn(4, |byte| *byte == b'/')
                .nth(3)
                .expect("two segments first")
                .to_vec(),
        ],
        SeedPosition::Query => pairs(query, b'&')
            .into_iter()
            .map(|(_, value)| value)
            .collect(),
        SeedPosition::QueryName => pairs(query, b'&')
            .into_iter()
            .map(|(name, _)| name)
            .collect(),
        SeedPosition::Form => pairs(&body(request), b'&')
            .into_iter()
            .map(|(_, value)| value)
            .collect(),
        SeedPosition::Cookie => pairs(&header(request, "cookie"), b';')
            .into_iter()
            .map(|(_, value)| value)
            .collect(),
        SeedPosition::UserAgent => vec![header(request, "user-agent")],
        SeedPosition::Header => all_headers(request),
        SeedPosition::Json | SeedPosition::Graphql => return json_strings(&body(request)),
        SeedPosition::Xml => return xml_texts(&body(request)),
        SeedPosition::XmlDocument => return vec![body(request)],
        SeedPosition::MultipartField => {
            return parts(request)
                .into_iter()
                .map(|(_, content)| content)
                .collect();
        }
        SeedPosition::MultipartFilename => file_names(request),
    };
    written
        .iter()
        .map(|text| decoded(text, expanded.position, expanded.encoding))
        .collect()
}

fn decoded(text: &[u8], position: SeedPosition, encoding: Encoding) -> Vec<u8> {
    let plus_is_space = matches!(
        position,
        SeedPosition::Form | SeedPosition::Query | SeedPosition::QueryName
    );
    let once = |text: &[u8]| percent_decoded(text, plus_is_space);
    match (position, encoding) {
        (SeedPosition::Header | SeedPosition::UserAgent, Encoding::Plain) => text.to_vec(),
        (SeedPosition::MultipartFilename, Encoding::Plain) => {
            String::from_utf8_lossy(&latin1(text))
                .replace("%22", "\"")
                .replace("%0D", "\r")
                .replace("%0A", "\n")
                .chars()
                .map(|character| u8::try_from(u32::from(character)).expect("Latin-1"))
                .collect()
        }
        (_, Encoding::PercentTwice) => once(&once(text)),
        _ => once(text),
    }
}

/// Spells bytes as UTF-8 of the same code points, so that text functions can work on them.
fn latin1(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .map(|byte| char::from(*byte))
        .collect::<String>()
        .into_bytes()
}

fn percent_decoded(text: &[u8], plus_is_space: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let (byte, next) = match (first, after) {
            (b'%', [high, low, after @ ..]) => (hex(*high) * 16 + hex(*low), after),
            (b'+', after) if plus_is_space => (b' ', after),
            (other, after) => (other, after),
        };
        bytes.push(byte);
        rest = next;
    }
    bytes
}

fn hex(digit: u8) -> u8 {
    let value = char::from(digit).to_digit(16).expect("a hexadecimal digit");
    u8::try_from(value).expect("below 16")
}

fn pairs(text: &[u8], separator: u8) -> Vec<(Vec<u8>, Vec<u8>)> {
    text.split(|byte| *byte == separator)
        .map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=').expect("a pair");
            let name = pair[..at].trim_ascii_start().to_vec();
            (name, pair[at + 1..].to_vec())
        })
        .collect()
}

fn all_headers(request: &RequestSpec) -> Vec<Vec<u8>> {
    let fields = request.header_pairs().expect("fields");
    fields
        .into_iter()
        .filter(|(name, _)| name.starts_with("x-"))
        .map(|(_, value)| value.into_bytes())
        .collect()
}

fn header(request: &RequestSpec, wanted: &str) -> Vec<u8> {
    let fields = request.header_pairs().expect("fields");
    let (_, value) = fields
        .into_iter()
        .find(|(name, _)| name == wanted)
        .expect("the header is there");
    value.into_bytes()
}

fn body(request: &RequestSpec) -> Vec<u8> {
    request.body_bytes().expect("a body").expect("a body")
}

fn json_strings(body: &[u8]) -> Vec<Vec<u8>> {
    fn collect(value: &serde_json::Value, found: &mut Vec<Vec<u8>>) {
        match value {
            serde_json::Value::String(text) => found.push(text.clone().into_bytes()),
            serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            serde_json::Value::Object(members) => {
                members.values().for_each(|member| collect(member, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&serde_json::from_slice(body).expect("JSON"), &mut found);
    found
}

fn xml_texts(body: &[u8]) -> Vec<Vec<u8>> {
    let text = std::str::from_utf8(body).expect("UTF-8");
    text.split('<')
        .filter_map(|element| element.split_once('>'))
        .map(|(_, content)| entities_decoded(content).into_bytes())
        .collect()
}

fn entities_decoded(text: &str) -> String {
    let mut parts = text.split('&');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';').expect("a reference ends");
        let code = match entity {
            "amp" => u32::from('&'),
            "lt" => u32::from('<'),
            "gt" => u32::from('>'),
            number => match number.strip_prefix("#x") {
                Some(digits) => u32::from_str_radix(digits, 16).expect("hexadecimal"),
                None => number[1..].parse().expect("decimal"),
            },
        };
        decoded.push(char::from_u32(code).expect("a character"));
        decoded.push_str(rest);
    }
    decoded
}

fn parts(request: &RequestSpec) -> Vec<(Vec<u8>, Vec<u8>)> {
    let content_type = String::from_utf8(header(request, "content-type")).expect("text");
    let (_, boundary) = content_type.split_once("boundary=").expect("a boundary");
    let body = body(request);
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter has no line break before it.
    let whole = [b"\r\n", body.as_slice()].concat();
    let mut found = Vec::new();
    let mut rest = after(&whole, delimiter.as_bytes()).expect("a first part");
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, delimiter.as_bytes()).expect("an end");
        let head_end = find(&part[..end], b"\r\n\r\n").expect("a head");
        found.push((part[..head_end].to_vec(), part[head_end + 4..end].to_vec()));
        rest = &part[end + delimiter.len()..];
    }
    assert_eq!(rest, b"--\r\n");
    found
}

fn file_names(request: &RequestSpec) -> Vec<Vec<u8>> {
    parts(request)
        .iter()
        .filter_map(|(head, _)| {
            let name = after(head, b"filename=\"")?;
            let end = find(name, b"\"")?;
            Some(name[..end].to_vec())
        })
        .collect()
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

fn after<'text>(text: &'text [u8], wanted: &[u8]) -> Option<&'text [u8]> {
    find(text, wanted).map(|at| &text[at + wanted.len()..])
}
