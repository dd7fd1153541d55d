//! One named value under all detectors, in each of its decodings; and the collection of what they find.

use crate::inspect::characters::Characters;
use crate::inspect::decode::{Reading, decodings};
use crate::inspect::escape::percent_decoded;
use crate::inspect::signal::{Location, Signal, SignalKind};
use crate::inspect::{
    backdoor, code, command, graphql, lookup, metadata, script, sql, tool, traversal, xxe,
};

/// Which detectors inspect a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Checks {
    /// All that apply to free text.
    All,
    /// Those that search for what a document does when it is opened.
    Document,
    /// Those that search for expressions, which do harm in texts of any grammar.
    Expressions,
    /// All that apply to free text, and those for the names of files.
    FileName,
    /// Those for a path as a whole. SQL rules on a text that is put together from values would read prose into it.
    Path,
    /// SQL injection only.
    Sql,
    /// Those that search for expressions, and the names of attack tools.
    Tool,
}

/// What a plus sign means in a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Spaces {
    /// A plus sign.
    AsWritten,
    /// A space, as in queries and forms.
    FromPlus,
}

/// The signals found so far, within bounds on their number and on the bytes inspected.
#[derive(Debug)]
pub(crate) struct Fields {
    signals: Vec<Signal>,
    bytes_left: usize,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            signals: Vec::new(),
            bytes_left: INSPECTED_BYTES,
        }
    }
}

impl Fields {
    /// Runs the detectors over every decoding of a value.
    pub(crate) fn inspect(
        &mut self,
        location: Location,
        name: &str,
        value: &str,
        checks: Checks,
        spaces: Spaces,
    ) {
        // Decoding costs work too; a value that will not fit is not decoded.
        if value.len() > self.bytes_left {
            return;
        }
        for decoded in decodings(value, spaces) {
            let Some(left) = self.bytes_left.checked_sub(decoded.text.len()) else {
                return;
            };
            self.bytes_left = left;
            for (kind, detect) in checks.detectors().iter().copied().flatten() {
                if is_applicable(*kind, decoded.reading)
                    && let Some(detector) = detect(&decoded.text, decoded.characters)
                {
                    self.note(*kind, location, name, value, &detector);
                }
            }
        }
    }

    /// Adds what was found by other means than a value's detectors.
    pub(crate) fn note(
        &mut self,
        kind: SignalKind,
        location: Location,
        name: &str,
        value: &str,
        detector: &str,
    ) {
        self.add(Signal {
            kind,
            location,
            name: cut(name, NAME_BYTES).into(),
            value: cut(value, VALUE_BYTES).into(),
            detector: detector.into(),
        });
    }

    /// Adds a null byte that percent encoding hides. `%2500` is a text about one.
    pub(crate) fn note_encoded_null(&mut self, location: Location, name: &str, written: &str) {
        // A search for one character is many times cheaper.
        if written.contains('%') && written.contains("%00") || written.contains('\0') {
            self.note(
                SignalKind::NullByte,
                location,
                name,
                written,
                "STUB-NULL-ENCODED",
            );
        }
    }

    /// Hands out the signals, in the order in which they were found.
    pub(crate) fn into_signals(self) -> Vec<Signal> {
        self.signals
    }

    fn add(&mut self, signal: Signal) {
        let is_known = self.signals.iter().any(|known| {
            (known.kind, known.location, &known.name)
                == (signal.kind, signal.location, &signal.name)
        });
        if !is_known && self.signals.len() < SIGNAL_LIMIT {
            self.signals.push(signal);
        }
    }
}

/// Inspects the names and values of a query or form body.
pub(crate) fn inspect_pairs(text: &str, location: Location, fields: &mut Fields) {
    let mut pairs = text.splitn(PAIR_LIMIT, '&').filter(|pair| !pair.is_empty());
    for pair in &mut pairs {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.note_encoded_null(location, name, pair);
        if let Some(detector) = backdoor::detect_parameter(name) {
            fields.note(SignalKind::Backdoor, location, name, value, &detector);
        }
        fields.inspect(location, name, name, Checks::All, Spaces::FromPlus);
        if !value.is_empty() {
            fields.inspect(location, name, value, Checks::All, Spaces::FromPlus);
        }
        if name == "query" {
            inspect_query_document(value, location, fields);
        }
    }
}

// GraphQL by GET: the strings of the document are values of their own.
fn inspect_query_document(written: &str, location: Location, fields: &mut Fields) {
    let spaced = written.replace('+', " ");
    let document = percent_decoded(&spaced).unwrap_or(spaced);
    if document.contains('"') && graphql::is_document(&document) {
        graphql::inspect(&document, location, fields);
    }
}

/// Cuts a text to a number of bytes, at a character's edge.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

// A detector has the characters of its text, so that it need not look for what they rule out.
type Detector = (SignalKind, fn(&str, Characters) -> Option<String>);

fn is_applicable(kind: SignalKind, reading: Reading) -> bool {
    match reading {
        Reading::Plain => true,
        Reading::Resolved => kind != SignalKind::CrossSiteScripting,
    }
}

impl Checks {
    const fn detectors(self) -> &'static [&'static [Detector]] {
        match self {
            Self::All => &[SQL, SCRIPT, SYSTEM, EXPRESSIONS, DOCUMENT],
            Self::Document => &[LOOKUP, DOCUMENT],
            Self::Expressions => &[EXPRESSIONS],
            Self::FileName => &[SQL, SCRIPT, SYSTEM, EXPRESSIONS, FILE_NAME],
            Self::Path => &[SCRIPT, SYSTEM, EXPRESSIONS, FILE_NAME],
            Self::Sql => &[SQL],
            Self::Tool => &[TOOL, EXPRESSIONS],
        }
    }
}

const SQL: &[Detector] = &[(SignalKind::SqlInjection, sql::detect)];
const SCRIPT: &[Detector] = &[(SignalKind::CrossSiteScripting, script::detect)];
const SYSTEM: &[Detector] = &[
    (SignalKind::Traversal, traversal::detect),
    (SignalKind::CommandExecution, command::detect),
    (SignalKind::AwsSsrf, metadata::detect),
];
const LOOKUP: &[Detector] = &[(SignalKind::Log4jJndi, lookup::detect)];
const EXPRESSIONS: &[Detector] = &[
    (SignalKind::Log4jJndi, lookup::detect),
    (SignalKind::CodeInjection, code::detect),
];
const DOCUMENT: &[Detector] = &[(SignalKind::Xxe, xxe::detect)];
const FILE_NAME: &[Detector] = &[(SignalKind::Backdoor, backdoor::detect)];
const TOOL: &[Detector] = &[(SignalKind::UserAgent, tool::detect)];

const SIGNAL_LIMIT: usize = 64;
const PAIR_LIMIT: usize = 2_000;
const NAME_BYTES: usize = 256;
const VALUE_BYTES: usize = 4_096;
// Several decodings of the largest message that is read by default.
const INSPECTED_BYTES: usize = 16 * 1024 * 1024;
