//! The agent's collected records: its WAF data log.
//!
//! Format: "How to configure local logging for the on-prem Next-Gen WAF agent" (the vendor's blog, 2026-05-21).

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::log_line::ParsedLine;
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

impl AgentRecord {
    /// Reads one line of the agent's log.
    pub fn parse(line: &str) -> ParsedLine<Self> {
        if !line.starts_with('{') {
            return ParsedLine::Other;
        }
        let Ok(line) = serde_json::from_str::<DataLogLine>(line) else {
            return ParsedLine::Other;
        };
        let id = line
            .request_headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(REQUEST_ID_HEADER))
            .map(|header| header.value.clone())
            .unwrap_or_default();
        let signals = line.signals.unwrap_or_default();
        let record = Self {
            id,
            request_id: line.request_id,
            timestamp: line.timestamp.and_then(|text| text.parse().ok()),
            decision: line.decision,
            locations: signals
                .iter()
                .map(|signal| signal.location.clone())
                .collect(),
            signals: signals.into_iter().map(|signal| signal.kind).collect(),
            response_code: line.response_code,
            method: line.method,
            path: line.path,
            client_address: line.client_address,
            headers: line
                .request_headers
                .into_iter()
                .map(|header| (header.name, header.value))
                .collect(),
        };
        if record.id.is_empty() {
            ParsedLine::WithoutId(record)
        } else {
            ParsedLine::Record(record)
        }
    }

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
struct DataLogLine {
    #[serde(rename = "RequestIDStr")]
    request_id: String,
    #[serde(default)]
    timestamp: Option<String>,
    request_headers: Vec<DataLogHeader>,
    #[serde(rename = "WAFResponse")]
    decision: i32,
    #[serde(default)]
    signals: Option<Vec<DataLogSignal>>,
    #[serde(default)]
    response_code: i32,
    #[serde(default)]
    method: String,
    #[serde(default)]
    path: String,
    #[serde(default, rename = "RemoteAddr")]
    client_address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DataLogHeader {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct DataLogSignal {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default, rename = "Location")]
    location: String,
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
