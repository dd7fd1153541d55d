//! What a detector reports: the vendor's name for what it found, and where.

/// What was found, named as the vendor names it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SignalKind {
    /// A path that is not in its normal form.
    AbnormalPath,
    /// A request for the metadata service of a cloud, made through the application.
    AwsSsrf,
    /// A request for a known web shell, or the upload of one.
    Backdoor,
    /// Code for an interpreter or a template engine.
    CodeInjection,
    /// A command for the operating system.
    CommandExecution,
    /// Cross-site scripting.
    CrossSiteScripting,
    /// A header twice that a request has once.
    DuplicateHeaders,
    /// A response with a status from 400 to 499.
    Http4xx,
    /// A response with a status from 500 to 599.
    Http5xx,
    /// A JNDI look-up in a text that Log4j might expand.
    Log4jJndi,
    /// A request without user agent.
    NoUserAgent,
    /// A null byte in a text.
    NullByte,
    /// SQL injection.
    SqlInjection,
    /// Leaving a directory.
    Traversal,
    /// A user agent that names an attack tool.
    UserAgent,
    /// An XML document that reaches for something outside of itself.
    Xxe,
}

/// Whether a signal can block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignalClass {
    /// It marks a request as unusual. It neither blocks nor counts towards a threshold.
    Anomaly,
    /// It marks a request as an attack.
    Attack,
}

impl SignalKind {
    /// Returns the vendor's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AbnormalPath => "ABNORMALPATH",
            Self::AwsSsrf => "AWS-SSRF",
            Self::Backdoor => "BACKDOOR",
            Self::CodeInjection => "CODEINJECTION",
            Self::CommandExecution => "CMDEXE",
            Self::CrossSiteScripting => "XSS",
            Self::DuplicateHeaders => "DUPLICATE-HEADERS",
            Self::Http4xx => "HTTP4XX",
            Self::Http5xx => "HTTP5XX",
            Self::Log4jJndi => "LOG4J-JNDI",
            Self::NoUserAgent => "NOUA",
            Self::NullByte => "NULLBYTE",
            Self::SqlInjection => "SQLI",
            Self::Traversal => "TRAVERSAL",
            Self::UserAgent => "USERAGENT",
            Self::Xxe => "XXE",
        }
    }

    /// Returns whether the signal can block.
    pub const fn class(self) -> SignalClass {
        match self {
            Self::AbnormalPath
            | Self::DuplicateHeaders
            | Self::Http4xx
            | Self::Http5xx
            | Self::NoUserAgent => SignalClass::Anomaly,
            Self::AwsSsrf
            | Self::Backdoor
            | Self::CodeInjection
            | Self::CommandExecution
            | Self::CrossSiteScripting
            | Self::Log4jJndi
            | Self::NullByte
            | Self::SqlInjection
            | Self::Traversal
            | Self::UserAgent
            | Self::Xxe => SignalClass::Attack,
        }
    }
}

/// The part of the exchange that carries a signal.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Location {
    /// A cookie.
    Cookie,
    /// A field of a form body.
    Form,
    /// A text in a GraphQL query, or one of its variables.
    GraphQl,
    /// A text in a gRPC message.
    Grpc,
    /// A header.
    Header,
    /// A name or string of a JSON body.
    Json,
    /// The path.
    Path,
    /// Any other body.
    PostBody,
    /// A name or value of the query.
    QueryString,
    /// The response.
    Response,
    /// A text or an attribute of an XML body.
    Xml,
}

impl Location {
    /// Returns the name that the data log uses. `QUERYSTRING` is documented by the vendor; the others follow its pattern.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "COOKIE",
            Self::Form => "FORM",
            Self::GraphQl => "GRAPHQL",
            Self::Grpc => "GRPC",
            Self::Header => "HEADER",
            Self::Json => "JSON",
            Self::Path => "PATH",
            Self::PostBody => "POSTBODY",
            Self::QueryString => "QUERYSTRING",
            Self::Response => "RESPONSE",
            Self::Xml => "XML",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signal {
    /// What was found.
    pub kind: SignalKind,
    /// The part of the exchange.
    pub location: Location,
    /// The field's name; empty where the position has none.
    pub name: String,
    /// The value as it was written, cut to a bounded length.
    pub value: String,
    /// Which rule fired.
    pub detector: String,
}
