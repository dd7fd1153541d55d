//! Keeps many lines that are much alike in little memory: of each, only what differs from an earlier one like it.
//!
//! What is taken out is what was put in, byte for byte. Lines of one kind are compared with a few earlier lines of that kind.

use std::cell::Cell;
use std::collections::HashMap;

/// How much memory is taken at a time, in bytes.
const BLOCK_BYTES: usize = 1024 * 1024;
/// How many earlier lines of a kind a line is compared with.
const COMPARED: usize = 4;

thread_local! {
    /// The line that is being read: to ask for memory for each would cost as much as to read it.
    static LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Where a line is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LineAt(u64);

/// Lines that are much alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct LineStore {
    /// What differs, one line after the other.
    blocks: Vec<Vec<u8>>,
    /// Lines that others are described by.
    templates: Vec<Box<[u8]>>,
    /// Which of them are compared with the lines of a kind, the one that was used last at the end.
    of_kind: HashMap<u32, Vec<u32>>,
    latest: Option<u32>,
    /// What is being written.
    scratch: Vec<u8>,
}

impl LineStore {
    /// Keeps a line of a kind, and with it where another one is that belongs before it.
    pub(crate) fn keep(&mut self, kind: u32, before: Option<LineAt>, line: &str) -> LineAt {
        let line = line.as_bytes();
        let template = self.choose_template(kind, line);
        let mut head = Vec::with_capacity(24);
        write_number(&mut head, before.map_or(0, |at| at.0 + 1));
        write_number(&mut head, u64::from(template));
        write_number(&mut head, self.scratch.len() as u64);
        let length = head.len() + self.scratch.len();
        let has_room = |block: &Vec<u8>| block.capacity() - block.len() >= length;
        if !self.blocks.last().is_some_and(has_room) {
            self.blocks
                .push(Vec::with_capacity(BLOCK_BYTES.max(length)));
        }
        let number = self.blocks.len() - 1;
        let block = &mut self.blocks[number];
        let at = LineAt((number as u64) << 32 | block.len() as u64);
        block.extend_from_slice(&head);
        block.extend_from_slice(&self.scratch);
        at
    }

    /// Reads a line.
    pub(crate) fn read<T>(&self, at: LineAt, read: impl FnOnce(&str) -> T) -> T {
        let mut line = LINE.take();
        self.write_line(at, &mut line);
        let read = read(str::from_utf8(&line).expect("a line is taken out as it was put in"));
        LINE.set(line);
        read
    }

    fn write_line(&self, at: LineAt, into: &mut Vec<u8>) {
        let mut from = self.from(at);
        let _before = read_number(&mut from);
        let template = usize::try_from(read_number(&mut from)).unwrap_or(usize::MAX);
        let length = usize::try_from(read_number(&mut from)).unwrap_or(usize::MAX);
        let template = &self.templates[template];
        into.clear();
        write_with_differences(template, &from[..length], into);
    }

    /// Returns where the line is that belongs before this one.
    pub(crate) fn before(&self, at: LineAt) -> Option<LineAt> {
        read_number(&mut self.from(at)).checked_sub(1).map(LineAt)
    }

    fn from(&self, at: LineAt) -> &[u8] {
        let place = |half: u64| usize::try_from(half).unwrap_or(usize::MAX);
        &self.blocks[place(at.0 >> 32)][place(at.0 & u64::from(u32::MAX))..]
    }

    /// Chooses the line by which this one is described, and leaves in `scratch` what differs.
    fn choose_template(&mut self, kind: u32, line: &[u8]) -> u32 {
        let candidates = self.of_kind.entry(kind).or_default();
        if candidates.is_empty() {
            candidates.extend(self.latest);
        }
        let scratch = &mut self.scratch;
        let is_alike = |template: &u32| {
            scratch.clear();
            write_differences(&self.templates[*template as usize], line, scratch);
            scratch.len() <= line.len() / 2
        };
        let chosen = if let Some(place) = candidates.iter().rposition(is_alike) {
            candidates.remove(place)
        } else {
            let template = u32::try_from(self.templates.len());
            self.templates.push(line.into());
            scratch.clear();
            write_differences(line, line, scratch);
            if candidates.len() == COMPARED {
                candidates.remove(0);
            }
            template.expect("memory ends before the numbers do")
        };
        candidates.push(chosen);
        self.latest = Some(chosen);
        chosen
    }
}

/// Writes what makes a line of a template: how much is the same, how much is left out, and what stands there instead, again and again.
fn write_differences(template: &[u8], line: &[u8], into: &mut Vec<u8>) {
    let (mut template, mut line) = (template, line);
    while !line.is_empty() {
        let same = common_prefix(template, line);
        (template, line) = (&template[same..], &line[same..]);
        let (left_out, instead) = next_alike(template, line);
        write_number(into, same as u64);
        write_number(into, left_out as u64);
        write_number(into, instead as u64);
        into.extend_from_slice(&line[..instead]);
        (template, line) = (&template[left_out..], &line[instead..]);
    }
}

fn write_with_differences(template: &[u8], differences: &[u8], into: &mut Vec<u8>) {
    let (mut template, mut rest) = (template, differences);
    let length = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    while !rest.is_empty() {
        let same = length(read_number(&mut rest));
        let left_out = length(read_number(&mut rest));
        let instead = length(read_number(&mut rest));
        into.extend_from_slice(&template[..same]);
        into.extend_from_slice(&rest[..instead]);
        template = &template[same + left_out..];
        rest = &rest[instead..];
    }
}

/// Returns how many bytes of each have to pass until both are at the same delimiter of a JSON value again, or at their ends.
fn next_alike(template: &[u8], line: &[u8]) -> (usize, usize) {
    let is_delimiter = |byte: &u8| matches!(byte, b'"' | b',' | b'}' | b']');
    let ends = (template.len(), line.len());
    let Some(left_out) = template.iter().position(is_delimiter) else {
        return ends;
    };
    let delimiter = template[left_out];
    let instead = line.iter().position(|byte| *byte == delimiter);
    instead.map_or(ends, |instead| (left_out, instead))
}

fn common_prefix(left: &[u8], right: &[u8]) -> usize {
    const WORD: usize = size_of::<u64>();
    let words = left.as_chunks::<WORD>().0.iter();
    let mut same = 0;
    for (left, right) in words.zip(right.as_chunks::<WORD>().0) {
        let difference = u64::from_le_bytes(*left) ^ u64::from_le_bytes(*right);
        if difference != 0 {
            return same + difference.trailing_zeros() as usize / 8;
        }
        same += WORD;
    }
    let rest = left[same..].iter().zip(&right[same..]);
    same + rest.take_while(|(left, right)| left == right).count()
}

/// Writes a number in groups of seven bits, the lowest first; the highest bit says that another follows.
fn write_number(into: &mut Vec<u8>, number: u64) {
    let mut rest = number;
    loop {
        let group = u8::try_from(rest & 0x7f).unwrap_or_default();
        rest >>= 7;
        if rest == 0 {
            into.push(group);
            return;
        }
        into.push(group | 0x80);
    }
}

fn read_number(from: &mut &[u8]) -> u64 {
    let mut number = 0;
    let mut shift = 0;
    while let Some((byte, rest)) = from.split_first() {
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
    }
    number
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kept_bytes(store: &LineStore) -> usize {
        let templates = store.templates.iter().map(|template| template.len());
        store.blocks.iter().map(Vec::len).sum::<usize>() + templates.sum::<usize>()
    }

    #[test]
    fn lines_that_are_alike_take_little() {
        let mut store = LineStore::default();
        let line = |number: u32| {
            let same = "the same in each of them, ".repeat(20);
            format!(
                r#"{{"id":"a.{number}.r","wait":{},"text":"{same}"}}"#,
                number * 7
            )
        };
        let places: Vec<LineAt> = (0..1_000)
            .map(|number| store.keep(0, None, &line(number)))
            .collect();
        assert!(kept_bytes(&store) < 40 * 1_000, "{}", kept_bytes(&store));
        for (number, at) in (0..).zip(places) {
            assert_eq!(store.read(at, str::to_owned), line(number));
        }
    }

    #[test]
    fn a_line_leads_to_the_one_before_it() {
        let mut store = LineStore::default();
        let first = store.keep(0, None, "one");
        let second = store.keep(0, Some(first), "two");
        assert_eq!(store.before(second), Some(first));
        assert_eq!(store.before(first), None);
    }

    #[test]
    fn a_long_line_has_a_block_of_its_own() {
        let mut store = LineStore::default();
        let short = store.keep(0, None, "{}");
        let text = "x".repeat(BLOCK_BYTES);
        let long = store.keep(0, None, &text);
        assert_eq!(store.read(long, str::to_owned), text);
        assert_eq!(store.read(short, str::to_owned), "{}");
    }

    proptest! {
        #[test]
        fn every_line_comes_out_as_it_went_in(lines in prop::collection::vec((0_u32..3, "[ab\",}µ:]{0,24}"), 0..60)) {
            let mut store = LineStore::default();
            let places: Vec<LineAt> = lines.iter().map(|(kind, line)| store.keep(*kind, None, line)).collect();
            for ((_, line), at) in lines.iter().zip(places) {
                prop_assert_eq!(&store.read(at, str::to_owned), line);
            }
        }
    }
}
