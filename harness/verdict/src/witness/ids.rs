//! Ids of requests in little memory: those of a request that is sent again and again differ in their number alone.

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};

/// Stands for an id in an [`IdTable`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CompactId {
    series: u32,
    number: u32,
}

/// The series of ids that are in none: their number is their place among such ids.
const NO_SERIES: u32 = u32::MAX;

impl CompactId {
    /// Returns the series that the id is of: ids of a series differ in their number alone. Ids that are in none have this in common.
    pub(crate) const fn series(self) -> u32 {
        self.series
    }
}

/// Gives each id something short that stands for it.
#[derive(Clone, Debug, Default)]
pub struct IdTable {
    series: Vec<Series>,
    /// By what stands before the number, and by what stands after it.
    by_text: HashMap<Box<str>, HashMap<Box<str>, u32>>,
    others: Vec<Box<str>>,
    by_other: HashMap<Box<str>, u32>,
}

/// What the ids of a series have in common.
#[derive(Clone, Debug)]
struct Series {
    before: Box<str>,
    after: Box<str>,
}

/// An id as `<before>.<number>.<after>`.
struct Parts<'a> {
    before: &'a str,
    number: u32,
    after: &'a str,
}

impl<'a> Parts<'a> {
    /// Parts an id, unless putting it together again would yield another one.
    fn of(id: &'a str) -> Option<Self> {
        let (rest, after) = id.rsplit_once('.')?;
        let (before, digits) = rest.rsplit_once('.')?;
        let is_plain = digits.bytes().all(|digit| digit.is_ascii_digit())
            && (digits.len() == 1 || !digits.starts_with('0'));
        is_plain
            .then(|| digits.parse().ok())
            .flatten()
            .map(|number| Self {
                before,
                number,
                after,
            })
    }
}

impl IdTable {
    /// Returns what stands for an id; none where the table has never had it, nor one of its series.
    pub fn find(&self, id: &str) -> Option<CompactId> {
        match Parts::of(id) {
            Some(parts) => {
                let series = self.series_of(parts.before, parts.after)?;
                Some(CompactId {
                    series,
                    number: parts.number,
                })
            }
            None => self.by_other.get(id).map(|number| CompactId {
                series: NO_SERIES,
                number: *number,
            }),
        }
    }

    /// Returns what stands for an id from now on.
    ///
    /// # Panics
    ///
    /// With four thousand million ids that have nothing in common.
    pub fn enter(&mut self, id: &str) -> CompactId {
        if let Some(known) = self.find(id) {
            return known;
        }
        let next = |count: usize| u32::try_from(count).expect("memory ends before the ids do");
        if let Some(parts) = Parts::of(id) {
            let series = next(self.series.len());
            let with_same_start = self.by_text.entry(parts.before.into()).or_default();
            with_same_start.insert(parts.after.into(), series);
            self.series.push(Series {
                before: parts.before.into(),
                after: parts.after.into(),
            });
            CompactId {
                series,
                number: parts.number,
            }
        } else {
            let number = next(self.others.len());
            self.others.push(id.into());
            self.by_other.insert(id.into(), number);
            CompactId {
                series: NO_SERIES,
                number,
            }
        }
    }

    fn series_of(&self, before: &str, after: &str) -> Option<u32> {
        self.by_text.get(before)?.get(after).copied()
    }

    /// Returns the id for which this stands. Of another table's it is some id or an empty one.
    pub fn text(&self, id: CompactId) -> String {
        if id.series == NO_SERIES {
            let other = self.others.get(id.number as usize);
            return other.map_or_else(String::new, ToString::to_string);
        }
        let series = self.series.get(id.series as usize);
        series.map_or_else(String::new, |series| {
            format!("{}.{}.{}", series.before, id.number, series.after)
        })
    }
}

/// What is known by request id.
#[derive(Clone, Debug)]
pub struct IdMap<V> {
    table: IdTable,
    values: BTreeMap<CompactId, V>,
}

/// A set of ids.
pub type IdSet = IdMap<()>;

impl<V> Default for IdMap<V> {
    fn default() -> Self {
        Self {
            table: IdTable::default(),
            values: BTreeMap::new(),
        }
    }
}

impl<V> IdMap<V> {
    /// Sets what is known by an id, and returns what was before.
    pub fn insert(&mut self, id: &str, value: V) -> Option<V> {
        let id = self.table.enter(id);
        self.values.insert(id, value)
    }

    /// Enters an id, which need not have a value.
    pub(super) fn enter(&mut self, id: &str) -> CompactId {
        self.table.enter(id)
    }

    /// Returns what is known by an id.
    pub fn get(&self, id: &str) -> Option<&V> {
        self.values.get(&self.table.find(id)?)
    }

    /// Returns the id that was entered.
    pub(super) fn text(&self, id: CompactId) -> String {
        self.table.text(id)
    }

    /// Sets what is known by an id that was entered, by what was known before.
    pub(super) fn update(&mut self, id: CompactId, value: impl FnOnce(Option<&V>) -> V) {
        match self.values.entry(id) {
            Entry::Occupied(mut known) => {
                let value = value(Some(known.get()));
                known.insert(value);
            }
            Entry::Vacant(unknown) => {
                unknown.insert(value(None));
            }
        }
    }

    /// Sets what is known by an id that was entered.
    pub(super) fn insert_entered(&mut self, id: CompactId, value: V) {
        self.values.insert(id, value);
    }

    /// Tells whether something is known by an id.
    pub fn contains(&self, id: &str) -> bool {
        self.get(id).is_some()
    }

    /// Returns how many ids there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns every id.
    pub fn ids(&self) -> impl Iterator<Item = String> {
        self.values.keys().map(|id| self.table.text(*id))
    }

    /// Returns every id that is not in a set.
    pub fn ids_not_in<'a>(&'a self, known: &'a IdSet) -> impl Iterator<Item = String> + 'a {
        let of_series = |series: &Series| known.table.series_of(&series.before, &series.after);
        let known_series: Vec<Option<u32>> = self.table.series.iter().map(of_series).collect();
        let is_known = move |id: &CompactId| match known_series.get(id.series as usize) {
            Some(series) => series.is_some_and(|series| {
                known.values.contains_key(&CompactId {
                    series,
                    number: id.number,
                })
            }),
            None => known.contains(&self.table.text(*id)),
        };
        let unknown = self.values.keys().filter(move |id| !is_known(id));
        unknown.map(|id| self.table.text(*id))
    }
}

impl<'a> Extend<&'a str> for IdSet {
    fn extend<I: IntoIterator<Item = &'a str>>(&mut self, ids: I) {
        for id in ids {
            self.insert(id, ());
        }
    }
}

impl<'a> FromIterator<&'a str> for IdSet {
    fn from_iter<I: IntoIterator<Item = &'a str>>(ids: I) -> Self {
        let mut set = Self::default();
        set.extend(ids);
        set
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_that_differ_in_their_number_are_a_series() {
        let mut table = IdTable::default();
        let [first, second, other] =
            ["s:x.case.7.run", "s:x.case.8.run", "s:x.case.07.run"].map(|id| table.enter(id));
        assert_eq!(first.series(), second.series());
        assert_ne!(first.series(), other.series());
        assert_eq!(table.text(second), "s:x.case.8.run");
        assert_eq!(table.text(other), "s:x.case.07.run");
    }

    proptest! {
        #[test]
        fn what_stands_for_an_id_leads_back_to_it(ids in prop::collection::vec("[ab.0-9\0]{0,12}|[a-b]\\.[0-9]{1,11}\\.[a-b]", 0..40)) {
            let mut map = IdMap::default();
            for id in &ids {
                map.insert(id, id.clone());
            }
            for id in &ids {
                prop_assert_eq!(map.get(id), Some(id));
            }
            let mut kept: Vec<String> = map.ids().collect();
            kept.sort();
            let mut entered = ids;
            entered.sort();
            entered.dedup();
            prop_assert_eq!(kept, entered);
        }

        #[test]
        fn what_is_not_in_a_set_is_named(ids in prop::collection::vec("[ab]\\.[0-9]\\.[ab]|[ab]", 0..20), known in prop::collection::vec("[ab]\\.[0-9]\\.[ab]|[ab]", 0..20)) {
            let set: IdSet = known.iter().map(String::as_str).collect();
            let all: IdSet = ids.iter().map(String::as_str).collect();
            let mut named: Vec<String> = all.ids_not_in(&set).collect();
            named.sort();
            let mut expected: Vec<String> = ids.into_iter().filter(|id| !known.contains(id)).collect();
            expected.sort();
            expected.dedup();
            prop_assert_eq!(named, expected);
        }
    }
}
