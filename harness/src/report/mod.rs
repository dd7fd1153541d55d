//! One run record, and everything that is made of it: console, JSON, JUnit, evidence folders.

pub mod console;
pub mod evidence;
pub mod files;
pub mod junit;
pub mod record;
pub mod redaction;
pub mod schema;
pub mod terminal;
pub mod timings;
