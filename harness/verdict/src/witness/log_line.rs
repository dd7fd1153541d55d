//! What one line of a witness's log is.

use std::borrow::Cow;

/// What one line of a log is.
#[derive(Clone, Debug, PartialEq)]
pub enum ParsedLine<T> {
    /// A record with the id of its request.
    Record(T),
    /// A record of a request that carries no id, or whose id the witness could not read; its id is empty.
    WithoutId(T),
    /// Something else.
    Other,
}

impl<T> ParsedLine<T> {
    /// Makes something else of a record.
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> ParsedLine<U> {
        match self {
            Self::Record(record) => ParsedLine::Record(change(record)),
            Self::WithoutId(record) => ParsedLine::WithoutId(change(record)),
            Self::Other => ParsedLine::Other,
        }
    }
}

/// A witness's record of one request, as a line of its log has it.
pub trait LogRecord: Sized {
    /// Reads a line.
    fn parse(line: &str) -> ParsedLine<Self>;

    /// Reads of a line what its record is kept by. It is a record exactly where [`LogRecord::parse`] makes one of it.
    fn glance(line: &str) -> ParsedLine<Glance<'_>>;
}

/// What a record is kept by.
#[derive(Clone, Debug, PartialEq)]
pub struct Glance<'a> {
    /// The request's id.
    pub id: Cow<'a, str>,
    /// What the witness recorded.
    pub of: RecordOf,
}

/// What a record is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RecordOf {
    /// A copy that the proxy mirrored.
    MirroredCopy,
    /// The request.
    Request,
}

#[cfg(test)]
impl<T: std::fmt::Debug> ParsedLine<T> {
    /// Returns the record of a line that must be one.
    pub(super) fn expect_record(self) -> T {
        match self {
            Self::Record(record) => record,
            Self::WithoutId(_) | Self::Other => panic!("no record: {self:?}"),
        }
    }
}
