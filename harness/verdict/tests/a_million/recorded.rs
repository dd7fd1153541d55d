//! Requests as the four witnesses record them: one in four is an attack that the agent blocks, and one in a thousand is not as expected.

use std::fmt::Write as _;

use harness_core::model::outcome::Outcome;

/// How many requests lie between one that is not as expected and the next.
const BETWEEN_UNEXPECTED: u32 = 1_000;
/// The run that all of it belongs to.
const RUN: &str = "h2rvvtncs3";
/// What the application and the proxy received as a body, and the client where the agent blocked.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What is to become of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Story {
    /// A benign request arrives.
    Allowed,
    /// An attack is blocked.
    Blocked,
    /// An attack arrives.
    Missed,
    /// A benign request that the agent has no record of.
    Unrecorded,
    /// A benign request that the proxy recorded twice.
    RecordedTwice,
    /// A benign request whose connection was reset.
    Reset,
}

impl Story {
    /// Returns what becomes of the request of this number.
    pub(crate) const fn of(number: u32) -> Self {
        match (number % BETWEEN_UNEXPECTED, number / BETWEEN_UNEXPECTED % 4) {
            (500, 0) => Self::Missed,
            (500, 1) => Self::Unrecorded,
            (500, 2) => Self::RecordedTwice,
            (500, _) => Self::Reset,
            (place, _) if place % 4 == 3 => Self::Blocked,
            (_, _) => Self::Allowed,
        }
    }

    /// Tells whether the request is an attack.
    pub(crate) const fn is_attack(self) -> bool {
        matches!(self, Self::Blocked | Self::Missed)
    }

    /// Returns the outcome that it has.
    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::Allowed | Self::Missed => Outcome::Allowed,
            Self::Blocked => Outcome::BlockedByAgent,
            Self::Unrecorded | Self::RecordedTwice => Outcome::Ambiguous,
            Self::Reset => Outcome::Lost,
        }
    }

    /// Tells whether it is as expected.
    pub(crate) const fn is_as_expected(self) -> bool {
        matches!(self, Self::Allowed | Self::Blocked)
    }
}

/// A request of which every witness writes its lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorded {
    /// Its number in the run.
    pub(crate) number: u32,
    /// What becomes of it.
    pub(crate) story: Story,
}

impl Recorded {
    /// The request of this number.
    pub(crate) const fn new(number: u32) -> Self {
        Self {
            number,
            story: Story::of(number),
        }
    }

    /// Returns the case that it belongs to.
    pub(crate) const fn case(self) -> &'static str {
        if self.story.is_attack() {
            "tautology"
        } else {
            "front-page"
        }
    }

    /// Returns its target.
    pub(crate) const fn target(self) -> &'static str {
        if self.story.is_attack() {
            "/items?id=1%27%20OR%20%271%27=%271"
        } else {
            "/items?id=17"
        }
    }

    /// Returns its id.
    pub(crate) fn id(self) -> String {
        let case = self.case();
        format!("load:a-million.{case}.{}.{RUN}", self.number)
    }

    /// Returns digits that differ from request to request, as many as are asked for.
    fn noise(self, digits: usize) -> String {
        let mut state = u64::from(self.number) + 1;
        let mut text = String::with_capacity(digits + 16);
        while text.len() < digits {
            // The constants of a 64-bit linear congruential generator (Knuth, MMIX).
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let _ = write!(text, "{:08x}", state >> 32);
        }
        text.truncate(digits);
        text
    }

    fn proxy_request_id(self) -> String {
        let noise = self.noise(32);
        let parts = [
            &noise[..8],
            &noise[8..12],
            &noise[12..16],
            &noise[16..20],
            &noise[20..],
        ];
        parts.join("-")
    }

    fn agent_request_id(self) -> String {
        self.noise(24)
    }

    /// Returns a moment so many microseconds into the request.
    fn at(self, microseconds: u32) -> String {
        let since = u64::from(self.number) * 350 + u64::from(microseconds);
        let (seconds, micros) = (since / 1_000_000, since % 1_000_000);
        format!(
            "2026-11-30T12:{:02}:{:02}.{micros:06}",
            seconds / 60 % 60,
            seconds % 60
        )
    }

    /// Writes the driver's line.
    pub(crate) fn write_client(self, lines: &mut String) {
        let (id, intended, sent, finished) = (self.id(), self.at(0), self.at(41), self.at(2_310));
        let elapsed = 2_000 + self.number % 700;
        let result = match self.story {
            Story::Reset => {
                r#"{"failed":{"phase":"response-head","cause":"reset","detail":"Connection reset by peer (os error 104)"}}"#.to_owned()
            }
            Story::Allowed | Story::Missed | Story::Unrecorded | Story::RecordedTwice => format!(
                r#"{{"response":{{"status":200,"headers":[["content-type","text/plain"],["content-length","12"],["date","Mon, 30 Nov 2026 12:{:02}:{:02} GMT"],["x-envoy-upstream-service-time","{}"],["server","envoy"]],"body-length":12,"body-sha256":"a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447","body-head-base64":"aGVsbG8gd29ybGQK","trailers":[],"informational":[],"first-byte-microseconds":{},"body-pieces":1,"extra-responses":0,"extra-bytes":0,"upgraded":null,"negotiated-protocol":null}}}}"#,
                self.number / 171_000 % 60,
                self.number / 2_850 % 60,
                self.number % 3,
                elapsed - 3,
            ),
            Story::Blocked => format!(
                r#"{{"response":{{"status":406,"headers":[["content-type","text/plain"],["content-length","19"],["date","Mon, 30 Nov 2026 12:{:02}:{:02} GMT"],["server","envoy"]],"body-length":19,"body-sha256":"47392aef258ff9aeca44eef6e6e621b6971c287c56d14dec0d398a7f107a6d20","body-head-base64":"NDA2IE5vdCBBY2NlcHRhYmxlCg==","trailers":[],"informational":[],"first-byte-microseconds":{},"body-pieces":1,"extra-responses":0,"extra-bytes":0,"upgraded":null,"negotiated-protocol":null}}}}"#,
                self.number / 171_000 % 60,
                self.number / 2_850 % 60,
                elapsed - 3,
            ),
        };
        let _ = writeln!(
            lines,
            r#"{{"request":{{"id":"{id}","stream":"exchange","intended-at":"{intended}735Z","sent-at":"{sent}846Z","finished-at":"{finished}404Z","elapsed-microseconds":{elapsed},"connection":"new","result":{result}}}}}"#
        );
    }

    /// Writes the proxy's lines.
    pub(crate) fn write_proxy(self, lines: &mut String) {
        let (id, start) = (self.id(), self.at(120));
        let waited = 300 + self.number % 500;
        let connection = self.number;
        let took = self.number % 3;
        let times = match self.story {
            Story::Reset => 0,
            Story::RecordedTwice => 2,
            Story::Allowed | Story::Blocked | Story::Missed | Story::Unrecorded => 1,
        };
        for _ in 0..times {
            let (status, details, flags, upstream) = match self.story {
                Story::Blocked => (406, "ext_authz_denied", "UAEX", "null"),
                Story::Allowed
                | Story::Missed
                | Story::RecordedTwice
                | Story::Reset
                | Story::Unrecorded => (200, "via_upstream", "-", "\"127.0.0.1:8080\""),
            };
            let _ = writeln!(
                lines,
                r#"{{"conformance-proxy":{{"authorization-microseconds":"{waited}","bytes-received":0,"connection":{connection},"details":"{details}","duration-milliseconds":{took},"failure-mode-allowed":null,"flags":"{flags}","id":"{id}","start":"{start}Z","status":{status},"upstream":{upstream}}}}}"#
            );
        }
    }

    /// Writes the agent's lines.
    pub(crate) fn write_agent(self, lines: &mut String) {
        let (status, signals) = match self.story {
            Story::Reset | Story::Unrecorded => return,
            Story::Blocked => (
                406,
                r#"{"Type":"SQLI","Location":"QUERYSTRING","Name":"id","Value":"1%27%20OR%20%271%27=%271","Detector":"LIBINJECTION-SQLI-s&sos","Redaction":0,"Attrs":{}}"#,
            ),
            Story::Allowed | Story::Missed | Story::RecordedTwice => (200, ""),
        };
        let (id, at, target) = (self.id(), self.at(260), self.target());
        let (own_id, proxy_id) = (self.agent_request_id(), self.proxy_request_id());
        let _ = writeln!(
            lines,
            r#"{{"Version":"0.1.0","Timestamp":"{at}356Z","Method":"GET","Path":"/items","Protocol":"HTTP/1.1","RemoteAddr":"10.244.0.2","RequestIDStr":"{own_id}","RequestHeaders":[{{"Name":":authority","Value":"10.244.0.2:8000"}},{{"Name":":method","Value":"GET"}},{{"Name":":path","Value":"{target}"}},{{"Name":":scheme","Value":"http"}},{{"Name":"x-conformance-id","Value":"{id}"}},{{"Name":"x-envoy-external-address","Value":"10.244.0.2"}},{{"Name":"x-forwarded-for","Value":"10.244.0.2"}},{{"Name":"x-forwarded-proto","Value":"http"}},{{"Name":"x-request-id","Value":"{proxy_id}"}}],"ResponseCode":{status},"ResponseHeaders":[{{"Name":"content-length","Value":"19"}},{{"Name":"content-type","Value":"text/plain"}},{{"Name":"server","Value":"envoy"}}],"ResponseMillis":0,"ResponseSize":19,"Scheme":"http","ServerHostname":"load-a-million-h2rvvtncs3","ServerName":"10.244.0.2:8000","Signals":[{signals}],"TLSCipher":"","TLSProtocol":"","URI":"{target}","UserAgent":"","WAFResponse":{status}}}"#
        );
    }

    /// Writes the application's lines.
    pub(crate) fn write_upstream(self, lines: &mut String) {
        match self.story {
            Story::Blocked | Story::Reset => return,
            Story::Allowed | Story::Missed | Story::RecordedTwice | Story::Unrecorded => {}
        }
        let (id, at, target) = (self.id(), self.at(900), self.target());
        let (own_id, proxy_id) = (self.agent_request_id(), self.proxy_request_id());
        let number = self.number;
        let _ = writeln!(
            lines,
            r#"{{"helloworld-hit":{{"at":"{at}496Z","number":{number},"id":"{id}","protocol":"HTTP/1.1","method":"GET","target":"{target}","headers":[["host","10.244.0.2:8000"],["x-conformance-id","{id}"],["x-forwarded-for","10.244.0.2"],["x-forwarded-proto","http"],["x-envoy-external-address","10.244.0.2"],["x-request-id","{proxy_id}"],["x-sigsci-agentresponse","200"],["x-sigsci-request-id","{own_id}"],["x-envoy-expected-rq-timeout-ms","60000"]],"body-length":0,"body-sha256":"{EMPTY_SHA256}","complete":true}}}}"#
        );
    }
}

/// Returns the SHA-256 of the body of every request.
pub(crate) const fn body_sha256() -> &'static str {
    EMPTY_SHA256
}
