//! What one witness recorded, by request id. Records are kept as the lines that they were, in little memory, and read again when they are asked for.

use std::collections::BTreeMap;

use super::ids::{IdMap, IdSet};
use super::line_store::{LineAt, LineStore};
use super::log_line::{LogRecord, ParsedLine, RecordOf};

/// What one witness recorded, by request id.
#[derive(Clone, Debug)]
pub struct Records<T> {
    /// The last line of each request; it leads to those before it.
    last: IdMap<LineAt>,
    lines: LineStore,
    mirrored: u64,
    /// The records that carry no id, in order.
    pub without_id: Vec<T>,
}

impl<T> Default for Records<T> {
    fn default() -> Self {
        Self {
            last: IdMap::default(),
            lines: LineStore::default(),
            mirrored: 0,
            without_id: Vec::new(),
        }
    }
}

impl<T> Records<T> {
    /// Returns how many records it has of a request.
    pub fn count(&self, id: &str) -> usize {
        self.places(id).count()
    }

    /// Tells whether it has a record of a request.
    pub fn has(&self, id: &str) -> bool {
        self.last.contains(id)
    }

    /// Returns of how many requests it has records that carry an id.
    pub fn requests(&self) -> usize {
        self.last.len()
    }

    /// Returns the id of every request that it has a record of.
    pub fn ids(&self) -> impl Iterator<Item = String> {
        self.last.ids()
    }

    /// Returns the id of every request that it has a record of, but for these.
    pub(super) fn ids_not_in<'a>(&'a self, known: &'a IdSet) -> impl Iterator<Item = String> + 'a {
        self.last.ids_not_in(known)
    }

    /// Returns how many records are of copies that the proxy mirrored.
    pub(super) const fn mirrored(&self) -> u64 {
        self.mirrored
    }

    /// Returns where the lines of a request are, the last one first.
    fn places(&self, id: &str) -> impl Iterator<Item = LineAt> {
        let last = self.last.get(id).copied();
        std::iter::successors(last, |at| self.lines.before(*at))
    }
}

impl<T: LogRecord> Records<T> {
    /// Takes in a line of the witness's log.
    pub(super) fn add(&mut self, line: &str) {
        match T::glance(line) {
            ParsedLine::Record(glance) => {
                self.mirrored += match glance.of {
                    RecordOf::MirroredCopy => 1,
                    RecordOf::Request => 0,
                };
                self.keep(&glance.id, line);
            }
            ParsedLine::WithoutId(_) => match T::parse(line) {
                ParsedLine::WithoutId(record) => self.without_id.push(record),
                ParsedLine::Record(_) | ParsedLine::Other => {}
            },
            ParsedLine::Other => {}
        }
    }

    /// Returns the records of one request, in order.
    pub fn of(&self, id: &str) -> Vec<T> {
        let places: Vec<LineAt> = self.places(id).collect();
        let mut records = Vec::with_capacity(places.len());
        for at in places.into_iter().rev() {
            match self.lines.read(at, T::parse) {
                ParsedLine::Record(record) => records.push(record),
                ParsedLine::WithoutId(_) | ParsedLine::Other => {}
            }
        }
        records
    }

    /// Returns the records of every request that has some.
    pub fn by_id(&self) -> BTreeMap<String, Vec<T>> {
        self.ids()
            .map(|id| {
                let records = self.of(&id);
                (id, records)
            })
            .collect()
    }

    /// Adds another pod's records.
    pub(super) fn absorb(&mut self, other: &Self)
    where
        T: Clone,
    {
        for id in other.ids() {
            let mut places: Vec<LineAt> = other.places(&id).collect();
            while let Some(at) = places.pop() {
                other.lines.read(at, |line| self.keep(&id, line));
            }
        }
        self.mirrored += other.mirrored;
        self.without_id.extend(other.without_id.iter().cloned());
    }

    fn keep(&mut self, id: &str, line: &str) {
        let id = self.last.enter(id);
        let keep = |before: Option<&LineAt>| self.lines.keep(id.series(), before.copied(), line);
        self.last.update(id, keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::witness::fixture;
    use crate::witness::proxy::ProxyRecord;

    #[test]
    fn records_come_out_in_the_order_in_which_they_were_written() {
        let mut records = Records::<ProxyRecord>::default();
        for status in [200, 302, 406] {
            records.add(&fixture::proxy_line(&ProxyRecord {
                status,
                ..fixture::proxy()
            }));
        }
        let read = records.of(fixture::ID);
        let statuses: Vec<u16> = read.iter().map(|record| record.status).collect();
        assert_eq!(statuses, [200, 302, 406]);
        assert_eq!(records.count(fixture::ID), 3);
        assert_eq!(records.requests(), 1);
        assert!(records.of("another").is_empty());
    }
}
