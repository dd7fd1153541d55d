//! One run record, and everything that is made of it: console, JSON, JUnit, Markdown, annotations, events, the decision record, evidence
//! folders.

pub mod agreement;
pub mod annotations;
pub mod causes;
pub mod console;
pub mod decision;
pub mod decisions;
pub mod event;
pub mod event_log;
pub mod evidence;
pub mod evidence_ledger;
pub mod files;
pub mod junit;
pub mod markdown;
mod markdown_text;
pub mod merge;
mod place_record;
pub mod record;
pub mod retention;
pub mod rounds;
pub mod schema;
pub mod subjects;
mod summary;
pub mod terminal;
#[cfg(test)]
mod test_records;
pub mod timings;
pub(crate) mod untrusted;
pub mod workflow_commands;
