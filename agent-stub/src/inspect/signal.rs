//! What a detector reports: the vendor's name for the attack, and where it was found.

/// The classes of attack, named as the vendor names them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SignalKind {
    /// A command for the operating system.
    CommandExecution,
    /// A JNDI look-up in a text that Log4j might expand.
    Log4jJndi,
    /// SQL injection.
    SqlInjection,
    /// Leaving a directory.
    Traversal,
    /// A user agent that names an attack tool.
    UserAgent,
    /// Cross-site scripting.
    CrossSiteScripting,
}

impl SignalKind {
    /// Returns the vendor's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CommandExecution => "CMDEXE",
            Self::Log4jJndi => "LOG4J-JNDI",
            Self::SqlInjection => "SQLI",
            Self::Traversal => "TRAVERSAL",
            Self::UserAgent => "USERAGENT",
            Self::CrossSiteScripting => "XSS",
        }
    }
}

/// The part of the request that carries a signal.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Location {
    /// A field of a form body.
    Form,
    /// A header or a cookie.
    Header,
    /// A name or string of a JSON body.
    Json,
    /// The path.
    Path,
    /// Any other body.
    PostBody,
    /// A name or value of the query.
    QueryString,
}

impl Location {
    /// Returns the vendor's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "FORM",
            Self::Header => "HEADER",
            Self::Json => "JSON",
            Self::Path => "PATH",
            Self::PostBody => "POSTBODY",
            Self::QueryString => "QUERYSTRING",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signal {
    /// The class of attack.
    pub kind: SignalKind,
    /// The part of the request.
    pub location: Location,
    /// The field's name; empty where the position has none.
    pub name: String,
    /// The value as it was written, cut to a bounded length.
    pub value: String,
    /// Which rule fired.
    pub detector: String,
}
