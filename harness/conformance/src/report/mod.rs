//! One run record, and everything that is made of it: console, JSON, JUnit, the decision record, evidence folders.

pub mod agreement;
pub mod console;
pub mod decision;
pub mod decisions;
pub mod evidence;
pub mod files;
pub mod junit;
mod place_record;
pub mod record;
pub mod schema;
pub mod terminal;
pub mod timings;
pub(crate) mod untrusted;
