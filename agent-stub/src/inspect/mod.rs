//! Inspection: which signals a request carries, and where.
//!
//! A specification of intent, not a claim of efficacy: SQL injection and cross-site scripting are libinjection's verdicts,
//! the other classes are narrow rules that prefer a miss to a false alarm. All work is linear and bounded.

mod anomaly;
mod backdoor;
mod body;
mod characters;
mod code;
mod code_words;
mod command;
mod decode;
mod entity;
mod escape;
mod field;
#[cfg(test)]
mod filter_tests;
mod graphql;
mod grpc;
mod header;
mod inflate;
mod json;
mod lookup;
mod media;
mod metadata;
mod multipart;
mod script;
mod signal;
mod sql;
mod tool;
mod traversal;
mod word;
mod xml;
mod xxe;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use anomaly::{anomalies, of_response};
pub use signal::{Location, Signal, SignalClass, SignalKind};

use crate::exchange::CheckedRequest;
use field::{Checks, Fields, Spaces};

/// The inspection itself went wrong; nothing is known about the request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the inspection of a request failed")]
pub struct InspectionFault;

/// Inspects a request at every position and returns its signals, each kind once per position.
///
/// # Errors
///
/// A detector panicked. The detectors are ports of foreign code that hostile input reaches, so a panic must not pass
/// for a clean verdict.
pub fn inspect(request: &CheckedRequest) -> Result<Vec<Signal>, InspectionFault> {
    catch_unwind(AssertUnwindSafe(|| collect(request))).map_err(|_| InspectionFault)
}

fn collect(request: &CheckedRequest) -> Vec<Signal> {
    let mut fields = Fields::default();
    inspect_path(request.path(), &mut fields);
    if let Some(query) = request.query() {
        field::inspect_pairs(query, Location::QueryString, &mut fields);
    }
    for (name, value) in &request.headers {
        header::inspect(name, value, &mut fields);
    }
    body::inspect(request, &mut fields);
    fields.into_signals()
}

// A segment is a value of its own, yet an attack may hold slashes: files and commands are searched for in the whole path, SQL
// with comments (`1'/**/OR/**/1=1`) from the start of each segment on. SQL rules on a whole path would read prose into it.
fn inspect_path(path: &str, fields: &mut Fields) {
    fields.note_encoded_null(Location::Path, "", path);
    fields.inspect(Location::Path, "", path, Checks::Path, Spaces::AsWritten);
    let starts = path.match_indices('/').map(|(index, _)| &path[index + 1..]);
    for rest in starts.filter(|rest| !rest.is_empty()).take(SEGMENT_LIMIT) {
        let segment = rest.split_once('/').map_or(rest, |(segment, _)| segment);
        fields.inspect(Location::Path, "", segment, Checks::All, Spaces::AsWritten);
        if rest.contains("/*") {
            fields.inspect(Location::Path, "", rest, Checks::Sql, Spaces::AsWritten);
        }
    }
}

const SEGMENT_LIMIT: usize = 32;
