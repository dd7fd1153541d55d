//! The agent's collected records: its WAF data log.
//!
//! Format: "How to configure local logging for the on-prem Next-Gen WAF agent" (the vendor's blog, 2026-05-21).

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::log_line::{Glance, LogRecord, ParsedLine, RecordOf};
use super::text::Text;
use harness_core::model::identity::REQUEST_ID_HEADER;

/// The agent response code of a request that it lets through.
pub const DECISION_ALLOW: i32 = 200;

/// What the agent recorded of one request.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AgentRecord {
    /// The request's id, from the headers that the agent saw.
    pub id: String,
    /// The agent's own name for the request.
    pub request_id: String,
    /// When.
    #[schemars(with = "Option<String>")]
    pub timestamp: Option<Timestamp>,
    /// The agent response code: 200 lets through, 301 and above blocks.
    pub decision: i32,
    /// The names of the signals raised.
    pub signals: Vec<String>,
    /// Where in the request each of them stood, in the same order; empty where the agent does not say.
    #[serde(default)]
    pub locations: Vec<String>,
    /// The status that the access log reported back; 0 when none was.
    pub response_code: i32,
    /// The method that the agent saw.
    pub method: String,
    /// The path that the agent saw.
    pub path: String,
    /// Whose request the agent took it for; empty when it does not say.
    #[serde(default)]
    pub client_address: String,
    /// The header fields that the agent saw, as it logs them. They are searched and not kept: the report has what was sent.
    #[serde(skip)]
    pub headers: Vec<(String, String)>,
}

/// What the agent's response code means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// The request may pass.
    Allow,
    /// The request must not pass.
    Block,
    /// The agent did not process the request, or the code is none that it documents.
    NotProcessed,
}

impl LogRecord for AgentRecord {
    /// Reads one line of the agent's log.
    fn parse(line: &str) -> ParsedLine<Self> {
        DataLogLine::<Vec<DataLogHeader<'_>>>::read(line).map(DataLogLine::into_record)
    }

    fn glance(line: &str) -> ParsedLine<Glance<'_>> {
        DataLogLine::<IdAmongHeaders<'_>>::read(line).map(|line| Glance {
            id: line.request_headers.0.unwrap_or_default().into_inner(),
            of: RecordOf::Request,
        })
    }
}

impl AgentRecord {
    /// Returns what the agent's response code means.
    ///
    /// Source: "About agent response codes" of the vendor's documentation.
    pub const fn decision(&self) -> Decision {
        match self.decision {
            DECISION_ALLOW => Decision::Allow,
            301 | 302 | 400..=599 => Decision::Block,
            _ => Decision::NotProcessed,
        }
    }
}

/// The fields of a data log line that the suite reads. The agent may write more.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DataLogLine<'a, H> {
    #[serde(borrow, rename = "RequestIDStr")]
    request_id: Text<'a>,
    #[serde(borrow, default)]
    timestamp: Option<Text<'a>>,
    request_headers: H,
    #[serde(rename = "WAFResponse")]
    decision: i32,
    #[serde(borrow, default)]
    signals: Option<Vec<DataLogSignal<'a>>>,
    #[serde(default)]
    response_code: i32,
    #[serde(borrow, default)]
    method: Text<'a>,
    #[serde(borrow, default)]
    path: Text<'a>,
    #[serde(borrow, default, rename = "RemoteAddr")]
    client_address: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DataLogHeader<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    value: Text<'a>,
}

#[derive(Deserialize)]
struct DataLogSignal<'a> {
    #[serde(borrow, rename = "Type")]
    kind: Text<'a>,
    #[serde(borrow, default, rename = "Location")]
    location: Text<'a>,
}

/// Header fields of which one has the request's id.
trait Headers {
    /// Returns the id; none where no header has it.
    fn id(&self) -> Option<&str>;
}

/// What of header fields is the request's id.
struct IdAmongHeaders<'a>(Option<Text<'a>>);

impl Headers for IdAmongHeaders<'_> {
    fn id(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl Headers for Vec<DataLogHeader<'_>> {
    fn id(&self) -> Option<&str> {
        let header = self.iter().find(|header| header.is_id());
        header.map(|header| &*header.value)
    }
}

impl<'de> Deserialize<'de> for IdAmongHeaders<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = IdAmongHeaders<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of header fields")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut id = None;
        while let Some(header) = list.next_element::<DataLogHeader<'de>>()? {
            if id.is_none() && header.is_id() {
                id = Some(header.value);
            }
        }
        Ok(IdAmongHeaders(id))
    }
}

impl<'a, H: Headers + Deserialize<'a>> DataLogLine<'a, H> {
    fn read(line: &'a str) -> ParsedLine<Self> {
        if !line.starts_with('{') {
            return ParsedLine::Other;
        }
        match serde_json::from_str::<Self>(line) {
            Ok(line) if line.request_headers.id().is_none_or(str::is_empty) => {
                ParsedLine::WithoutId(line)
            }
            Ok(line) => ParsedLine::Record(line),
            Err(_) => ParsedLine::Other,
        }
    }
}

impl DataLogLine<'_, Vec<DataLogHeader<'_>>> {
    fn into_record(self) -> AgentRecord {
        let signals = self.signals.unwrap_or_default();
        let mut kinds = Vec::with_capacity(signals.len());
        let mut locations = Vec::with_capacity(signals.len());
        for signal in signals {
            kinds.push(signal.kind.into_owned());
            locations.push(signal.location.into_owned());
        }
        AgentRecord {
            id: self.request_headers.id().unwrap_or_default().to_owned(),
            request_id: self.request_id.into_owned(),
            timestamp: self.timestamp.and_then(|text| text.parse().ok()),
            decision: self.decision,
            signals: kinds,
            locations,
            response_code: self.response_code,
            method: self.method.into_owned(),
            path: self.path.into_owned(),
            client_address: self.client_address.into_owned(),
            headers: self
                .request_headers
                .into_iter()
                .map(|header| (header.name.into_owned(), header.value.into_owned()))
                .collect(),
        }
    }
}

impl DataLogHeader<'_> {
    fn is_id(&self) -> bool {
        self.name.eq_ignore_ascii_case(REQUEST_ID_HEADER)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn line(decision: i32) -> String {
        format!(
            r#"{{"Version":"4","Timestamp":"2026-11-24T05:37:33.1Z","Path":"/x","RemoteAddr":"192.0.2.1","RequestIDStr":"65f0a1b2c3d4e5f601234567","RequestHeaders":[{{"Name":"X-Conformance-Id","Value":"a.b.0.r"}}],"ResponseCode":406,"Signals":[{{"Type":"SQLI","Location":"QUERYSTRING"}}],"WAFResponse":{decision}}}"#
        )
    }

    #[test]
    fn a_data_log_line_is_read() {
        let record = AgentRecord::parse(&line(406)).expect_record();
        assert_eq!(record.id, "a.b.0.r");
        assert_eq!(record.signals, ["SQLI"]);
        assert_eq!(record.locations, ["QUERYSTRING"]);
        assert_eq!(record.response_code, 406);
        assert_eq!(record.client_address, "192.0.2.1");
        assert_eq!(
            record.headers,
            [("X-Conformance-Id".into(), "a.b.0.r".into())]
        );
    }

    #[rstest]
    #[case(200, Decision::Allow)]
    #[case(301, Decision::Block)]
    #[case(302, Decision::Block)]
    #[case(303, Decision::NotProcessed)]
    #[case(399, Decision::NotProcessed)]
    #[case(400, Decision::Block)]
    #[case(599, Decision::Block)]
    #[case(600, Decision::NotProcessed)]
    #[case(0, Decision::NotProcessed)]
    #[case(-2, Decision::NotProcessed)]
    fn agent_response_codes_mean_what_the_vendor_says(
        #[case] code: i32,
        #[case] decision: Decision,
    ) {
        let record = AgentRecord::parse(&line(code)).expect_record();
        assert_eq!(record.decision(), decision);
    }

    #[test]
    fn a_line_without_the_id_header_is_counted_and_another_line_is_not() {
        let other = line(200).replace("X-Conformance-Id", "Host");
        assert!(matches!(
            AgentRecord::parse(&other),
            ParsedLine::WithoutId(_)
        ));
        assert_eq!(AgentRecord::parse("rules loaded"), ParsedLine::Other);
        assert_eq!(AgentRecord::parse("{}"), ParsedLine::Other);
    }
}
