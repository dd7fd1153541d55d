//! What one line of a witness's log is.

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
