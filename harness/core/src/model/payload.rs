//! Payload files: requests with their class, reason and benign twin.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::located::Located;
use super::request::RequestSpec;

/// One file below `fixtures/payloads/`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PayloadFile {
    /// What the payloads of the file are.
    pub class: Located<PayloadClass>,
    /// Where the payloads come from.
    pub source: String,
    /// The licence of the payloads.
    pub licence: String,
    /// The payloads.
    pub payloads: Vec<Payload>,
}

/// One request of a payload file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Payload {
    /// A name that is unique in the file: letters, digits, hyphens.
    pub name: Located<String>,
    /// Why this request is in the corpus.
    pub why: String,
    /// The request.
    pub request: RequestSpec,
    /// The nearest benign request; mandatory for an attack.
    #[serde(default)]
    pub twin: Option<RequestSpec>,
}

/// The classes of payloads, named after the vendor's attack signals.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum PayloadClass {
    /// Requests that make the application ask a cloud's metadata service.
    AwsSsrf,
    /// Requests for files that attackers leave behind.
    Backdoor,
    /// Requests that must pass.
    Benign,
    /// Operating system commands.
    Cmdexe,
    /// Code of the application's own language or template engine.
    Codeinjection,
    /// JNDI look-ups in logged text.
    Log4jJndi,
    /// NUL bytes that end a text early.
    Nullbyte,
    /// SQL injection.
    Sqli,
    /// Path traversal.
    Traversal,
    /// Attack tools by their user agent.
    Useragent,
    /// Cross-site scripting.
    Xss,
    /// XML documents that reach for files and hosts.
    Xxe,
}

impl PayloadClass {
    /// Returns the signal that the agent raises for the class; none for benign requests.
    ///
    /// Names are the vendor's: "Using system signals" of the Next-Gen WAF documentation.
    pub const fn signal(self) -> Option<&'static str> {
        match self {
            Self::AwsSsrf => Some("AWS-SSRF"),
            Self::Backdoor => Some("BACKDOOR"),
            Self::Benign => None,
            Self::Cmdexe => Some("CMDEXE"),
            Self::Codeinjection => Some("CODEINJECTION"),
            Self::Log4jJndi => Some("LOG4J-JNDI"),
            Self::Nullbyte => Some("NULLBYTE"),
            Self::Sqli => Some("SQLI"),
            Self::Traversal => Some("TRAVERSAL"),
            Self::Useragent => Some("USERAGENT"),
            Self::Xss => Some("XSS"),
            Self::Xxe => Some("XXE"),
        }
    }
}

impl fmt::Display for PayloadClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.signal().unwrap_or("benign"))
    }
}
