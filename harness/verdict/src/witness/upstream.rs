//! The application's collected records: helloworld's hit log.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::log_line::{Glance, LogRecord, ParsedLine, RecordOf};
use super::text::Text;

/// One request as it arrived at the application.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct UpstreamRecord {
    /// When the request was complete.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The request's id; none when the header is absent.
    pub id: Option<String>,
    /// The method.
    pub method: String,
    /// The request target as it was on the wire.
    pub target: String,
    /// The header fields in order; bytes that are not printable are escaped `\xNN`.
    pub headers: Vec<(String, String)>,
    /// Length of the body in bytes.
    pub body_length: u64,
    /// SHA-256 of the body, lower-case hex.
    pub body_sha256: String,
    /// Whether the body arrived to its end.
    pub complete: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct HitLine<H> {
    helloworld_hit: H,
}

/// The fields of a hit as the line has them.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Hit<'a, H> {
    at: Timestamp,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    method: Text<'a>,
    #[serde(borrow)]
    target: Text<'a>,
    headers: H,
    body_length: u64,
    #[serde(borrow)]
    body_sha256: Text<'a>,
    complete: bool,
}

/// Header fields as the line has them.
type Fields<'a> = Vec<(Text<'a>, Text<'a>)>;

/// What the header fields of a hit tell its record to be of.
struct OfByHeaders(RecordOf);

impl<'de> Deserialize<'de> for OfByHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FieldsVisitor).map(Self)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = RecordOf;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of header fields")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut of = RecordOf::Request;
        while let Some((name, value)) = list.next_element::<(Text<'de>, Text<'de>)>()? {
            if is_of_copy(&name, &value) {
                of = RecordOf::MirroredCopy;
            }
        }
        Ok(of)
    }
}

impl<'a, H: Deserialize<'a>> Hit<'a, H> {
    fn read(line: &'a str) -> ParsedLine<Self> {
        match serde_json::from_str::<HitLine<Self>>(line) {
            Ok(HitLine {
                helloworld_hit: hit,
            }) if hit.id.is_some() => ParsedLine::Record(hit),
            Ok(HitLine {
                helloworld_hit: hit,
            }) => ParsedLine::WithoutId(hit),
            Err(_) => ParsedLine::Other,
        }
    }
}

impl Hit<'_, Fields<'_>> {
    fn into_record(self) -> UpstreamRecord {
        UpstreamRecord {
            at: self.at,
            id: self.id.map(Text::into_owned),
            method: self.method.into_owned(),
            target: self.target.into_owned(),
            headers: self
                .headers
                .into_iter()
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
            body_length: self.body_length,
            body_sha256: self.body_sha256.into_owned(),
            complete: self.complete,
        }
    }
}

impl LogRecord for UpstreamRecord {
    /// Reads one line of the application's log.
    fn parse(line: &str) -> ParsedLine<Self> {
        Hit::<Fields<'_>>::read(line).map(Hit::into_record)
    }

    fn glance(line: &str) -> ParsedLine<Glance<'_>> {
        Hit::<OfByHeaders>::read(line).map(|hit| Glance {
            id: hit.id.unwrap_or_default().into_inner(),
            of: hit.headers.0,
        })
    }
}

impl UpstreamRecord {
    /// Returns whether the record is one of a copy that the proxy mirrored.
    pub fn is_mirrored(&self) -> bool {
        let mut fields = self.headers.iter();
        fields.any(|(name, value)| is_of_copy(name, value))
    }

    /// Returns the values of a header, in order, matched without regard to case.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Tells whether a header field is the host of a mirrored copy: Envoy puts `-shadow` behind it.
fn is_of_copy(name: &str, value: &str) -> bool {
    let names = ["host", ":authority"];
    let is_host = names.iter().any(|host| name.eq_ignore_ascii_case(host));
    let host = value.split(':').next();
    is_host && host.is_some_and(|host| host.ends_with("-shadow"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_is_read() {
        let line = r#"{"helloworld-hit":{"at":"2026-11-24T05:37:33.1Z","number":1,"id":"a.b.0.r","method":"GET","target":"/x","headers":[["host","a"],["X-A","1"],["x-a","2"]],"body-length":0,"body-sha256":"e3","complete":true}}"#;
        let record = UpstreamRecord::parse(line).expect_record();
        assert_eq!(record.header_values("x-a").collect::<Vec<_>>(), ["1", "2"]);
        assert!(!record.is_mirrored());
    }

    #[test]
    fn a_mirrored_copy_is_known_by_its_host() {
        for host in ["a-shadow", "a-shadow:8000"] {
            let record = UpstreamRecord {
                headers: vec![("Host".into(), host.into())],
                ..crate::witness::fixture::upstream()
            };
            assert!(record.is_mirrored(), "{host}");
        }
    }
}
