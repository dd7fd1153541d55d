//! One named value under all detectors, in each of its decodings; and the collection of what they find.

use crate::inspect::decode::decodings;
use crate::inspect::signal::{Location, Signal, SignalKind};
use crate::inspect::{command, lookup, script, sql, tool, traversal};

/// Which detectors look at a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Checks {
    /// All that apply to free text.
    All,
    /// All but cross-site scripting, for documents whose markup is their purpose.
    AllButScript,
    /// All but SQL injection, for texts that are put together from values.
    AllButSql,
    /// JNDI look-ups only.
    Lookup,
    /// SQL injection only.
    Sql,
    /// JNDI look-ups and the names of attack tools.
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

/// The signals found so far, within bounds on their number and on the bytes looked at.
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
        for text in decodings(value, spaces) {
            let Some(left) = self.bytes_left.checked_sub(text.len()) else {
                return;
            };
            self.bytes_left = left;
            for (kind, detector) in findings(&text, checks) {
                self.add(Signal {
                    kind,
                    location,
                    name: cut(name, NAME_BYTES).into(),
                    value: cut(value, VALUE_BYTES).into(),
                    detector,
                });
            }
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
        fields.inspect(location, name, name, Checks::All, Spaces::FromPlus);
        if !value.is_empty() {
            fields.inspect(location, name, value, Checks::All, Spaces::FromPlus);
        }
    }
}

/// Cuts a text to a number of bytes, at a character's edge.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

fn findings(text: &str, checks: Checks) -> Vec<(SignalKind, String)> {
    let mut found = Vec::new();
    let mut note = |kind, detector: Option<String>| {
        found.extend(detector.map(|detector| (kind, detector)));
    };
    let (sees_sql, sees_script, sees_files, sees_tools) = match checks {
        Checks::All => (true, true, true, false),
        Checks::AllButScript => (true, false, true, false),
        Checks::AllButSql => (false, true, true, false),
        Checks::Lookup => (false, false, false, false),
        Checks::Sql => (true, false, false, false),
        Checks::Tool => (false, false, false, true),
    };
    if sees_sql {
        note(SignalKind::SqlInjection, sql::detect(text));
    }
    if sees_script {
        note(SignalKind::CrossSiteScripting, script::detect(text));
    }
    if sees_files {
        note(SignalKind::Traversal, traversal::detect(text));
        note(SignalKind::CommandExecution, command::detect(text));
    }
    if sees_tools {
        note(SignalKind::UserAgent, tool::detect(text));
    }
    note(SignalKind::Log4jJndi, lookup::detect(text));
    found
}

const SIGNAL_LIMIT: usize = 64;
const PAIR_LIMIT: usize = 2_000;
const NAME_BYTES: usize = 256;
const VALUE_BYTES: usize = 4_096;
// Three decodings of the largest message that is read by default, and as much again for names and path suffixes.
const INSPECTED_BYTES: usize = 16 * 1024 * 1024;
