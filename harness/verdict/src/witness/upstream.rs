//! The application's collected records: helloworld's hit log.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::log_line::ParsedLine;

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
struct HitLine {
    helloworld_hit: UpstreamRecord,
}

impl UpstreamRecord {
    /// Reads one line of the application's log.
    pub fn parse(line: &str) -> ParsedLine<Self> {
        match serde_json::from_str::<HitLine>(line) {
            Ok(HitLine {
                helloworld_hit: hit,
            }) if hit.id.is_some() => ParsedLine::Record(hit),
            Ok(HitLine {
                helloworld_hit: hit,
            }) => ParsedLine::WithoutId(hit),
            Err(_) => ParsedLine::Other,
        }
    }

    /// Returns whether the record is one of a copy that the proxy mirrored: Envoy puts `-shadow` behind the host of such a copy.
    pub fn is_mirrored(&self) -> bool {
        ["host", ":authority"]
            .into_iter()
            .flat_map(|name| self.header_values(name))
            .filter_map(|host| host.split(':').next())
            .any(|host| host.ends_with("-shadow"))
    }

    /// Returns the values of a header, in order, matched without regard to case.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
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
