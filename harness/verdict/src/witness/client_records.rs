//! What the client saw of each request, in little memory: records are kept as lines, and read again when they are asked for.

use std::borrow::Cow;

use super::ids::{CompactId, IdMap};
use super::line_store::{LineAt, LineStore};
use harness_traffic::record::{ClientRecord, ClientResult};

/// The client's records of requests, in the order in which they ended.
#[derive(Clone, Debug, Default)]
pub struct ClientRecords {
    /// The place of each in `order`.
    by_id: IdMap<u32>,
    order: Vec<Kept>,
    lines: LineStore,
    /// What is being written.
    scratch: Vec<u8>,
}

/// Where a record is kept, and what is asked of it most often.
#[derive(Clone, Copy, Debug)]
struct Kept {
    id: CompactId,
    at: LineAt,
    end: RequestEnd,
}

/// How a request ended for the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RequestEnd {
    /// With an answer.
    Answered,
    /// Without one.
    Failed,
}

impl RequestEnd {
    const fn of(record: &ClientRecord) -> Self {
        match record.result {
            ClientResult::Response(_) => Self::Answered,
            ClientResult::Failed(_) => Self::Failed,
        }
    }
}

/// Client's records by their places.
pub trait ClientAccounts {
    /// Returns how many there are.
    fn count(&self) -> usize;

    /// Returns the id of the request at a place below the count.
    fn id_at(&self, place: usize) -> Cow<'_, str>;

    /// Returns how the request at a place below the count ended.
    fn end_at(&self, place: usize) -> RequestEnd;

    /// Returns the record at a place below the count.
    fn record_at(&self, place: usize) -> ClientRecord;
}

impl ClientRecords {
    /// Adds what the client saw of a request that has ended. Of two records with the same id the later one is found by it.
    ///
    /// # Panics
    ///
    /// With four thousand million records.
    pub fn push(&mut self, record: &ClientRecord) {
        let place = u32::try_from(self.order.len()).expect("memory ends before the places do");
        let id = self.by_id.enter(&record.id);
        self.by_id.insert_entered(id, place);
        self.scratch.clear();
        let written = serde_json::to_writer(&mut self.scratch, record);
        written.expect("a record has only text keys");
        let line = str::from_utf8(&self.scratch).expect("JSON is text");
        let at = self.lines.keep(id.series(), None, line);
        let end = RequestEnd::of(record);
        self.order.push(Kept { id, at, end });
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Returns the record of a request.
    pub fn of(&self, id: &str) -> Option<ClientRecord> {
        let place = *self.by_id.get(id)?;
        Some(self.record_at(place as usize))
    }

    /// Returns every record.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = ClientRecord> {
        (0..self.len()).map(|place| self.record_at(place))
    }
}

impl ClientAccounts for ClientRecords {
    fn count(&self) -> usize {
        self.len()
    }

    fn id_at(&self, place: usize) -> Cow<'_, str> {
        Cow::Owned(self.by_id.text(self.order[place].id))
    }

    fn end_at(&self, place: usize) -> RequestEnd {
        self.order[place].end
    }

    fn record_at(&self, place: usize) -> ClientRecord {
        let read = |line: &str| serde_json::from_str(line);
        let record = self.lines.read(self.order[place].at, read);
        record.expect("a record is read as it was written")
    }
}

impl ClientAccounts for [ClientRecord] {
    fn count(&self) -> usize {
        self.len()
    }

    fn id_at(&self, place: usize) -> Cow<'_, str> {
        Cow::Borrowed(&self[place].id)
    }

    fn end_at(&self, place: usize) -> RequestEnd {
        RequestEnd::of(&self[place])
    }

    fn record_at(&self, place: usize) -> ClientRecord {
        self[place].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::witness::fixture;

    #[test]
    fn records_come_out_as_they_went_in() {
        let mut records = ClientRecords::default();
        let sent: Vec<ClientRecord> = (0..20)
            .map(|number| ClientRecord {
                id: format!("a.b.{number}.r"),
                elapsed_microseconds: number * 977,
                ..fixture::client()
            })
            .collect();
        for record in &sent {
            records.push(record);
        }
        assert_eq!(records.iter().collect::<Vec<_>>(), sent);
        assert_eq!(records.of("a.b.7.r").as_ref(), Some(&sent[7]));
        assert_eq!(records.of("a.b.20.r"), None);
    }
}
