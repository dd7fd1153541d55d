//! Collects what is wrong with one file, each complaint with its place and a hint.

use std::sync::Arc;

use camino::Utf8Path;

use super::diagnostic::Diagnostic;
use super::located::Position;

/// Collects complaints about one file.
pub(super) struct Complaints<'a> {
    pub(super) file: &'a Utf8Path,
    pub(super) text: &'a Arc<str>,
    pub(super) list: &'a mut Vec<Diagnostic>,
}

impl Complaints<'_> {
    pub(super) fn add(
        &mut self,
        position: Position,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
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
