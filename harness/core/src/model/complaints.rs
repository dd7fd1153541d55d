//! Collects what is wrong with one file, each complaint with its place and a hint.

use std::sync::Arc;

use camino::Utf8Path;

use super::diagnostic::Diagnostic;
use super::located::Position;

/// Collects complaints about one file.
#[derive(Debug)]
pub struct Complaints<'a> {
    /// The file, as messages show it.
    pub file: &'a Utf8Path,
    /// The file's text.
    pub text: &'a Arc<str>,
    /// The complaints so far.
    pub list: &'a mut Vec<Diagnostic>,
}

impl Complaints<'_> {
    /// Adds a complaint about a place in the file.
    pub fn add(&mut self, position: Position, message: impl Into<String>, hint: impl Into<String>) {
        self.list.push(Diagnostic {
            file: self.file.into(),
            text: self.text.clone(),
            position,
            message: message.into(),
            label: String::new(),
            hint: Some(hint.into()),
        });
    }
}
