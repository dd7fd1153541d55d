//! HPACK header blocks decoded to fields (RFC 7541).
//!
//! Written here because no crate fits: of those that exist one panics at a truncated integer and another builds a hash table for every
//! Huffman-coded string. The tests compare the fields with such a crate's.

use std::borrow::Cow;
use std::collections::VecDeque;

use thiserror::Error;

use crate::huffman::{self, HuffmanError};
use crate::static_table::STATIC_TABLE;

/// How large the dynamic table may become, whatever the receiver's SETTINGS allow, in bytes as HPACK counts them.
pub(crate) const TABLE_BYTES: usize = 64 * 1024;

/// How large the dynamic table may be before SETTINGS say otherwise (RFC 9113, section 6.5.2).
const INITIAL_TABLE_BYTES: usize = 4096;

/// What HPACK counts for an entry beside its name and value.
const ENTRY_OVERHEAD: usize = 32;

/// How many octets of an integer may follow its first.
const INTEGER_OCTETS: usize = 4;

/// Why a header block cannot be decoded. The table is unknown from there on.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum HpackError {
    /// The block ends within a field.
    #[error("a header block ends within a field")]
    Truncated,
    /// An integer has too many octets.
    #[error("a header block has an integer of too many octets")]
    Integer,
    /// No entry of either table has the index.
    #[error("a header block has the index {0}, which no table has")]
    Index(usize),
    /// A string is not in the Huffman code.
    #[error(transparent)]
    Huffman(#[from] HuffmanError),
    /// A table size update stands after a field.
    #[error("a header block changes the size of its table after a field")]
    LateSizeUpdate,
    /// The encoder uses a larger table than it may, or than is kept.
    #[error("a header block needs a table of {requested} bytes, more than {allowed}")]
    TableTooLarge { requested: usize, allowed: usize },
}

/// The name and the value of a field.
type Entry = (Box<[u8]>, Box<[u8]>);

/// The decoder of one direction of a connection.
#[derive(Debug)]
pub(crate) struct HpackDecoder {
    entries: VecDeque<Entry>,
    size: usize,
    capacity: usize,
    allowed: usize,
}

impl Default for HpackDecoder {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            size: 0,
            capacity: INITIAL_TABLE_BYTES,
            allowed: INITIAL_TABLE_BYTES,
        }
    }
}

impl HpackDecoder {
    /// Takes what the receiver's SETTINGS allow the encoder.
    ///
    /// The largest value so far counts: when the encoder heeds a smaller one shows in its blocks alone.
    pub(crate) fn allow(&mut self, bytes: usize) {
        self.allowed = self.allowed.max(bytes.min(TABLE_BYTES));
    }

    /// Decodes a whole block and shows each field, so that none is kept that nobody needs.
    pub(crate) fn decode(
        &mut self,
        block: &[u8],
        mut show: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), HpackError> {
        let mut rest = Octets(block);
        let mut fields = 0_usize;
        while let Some(&octet) = rest.0.first() {
            match Representation::of(octet) {
                Representation::Indexed => {
                    let index = rest.integer(7)?;
                    let (name, value) = self.entry(index)?;
                    show(name, value);
                }
                Representation::Inserted => {
                    let name = self.name(rest.integer(6)?, &mut rest)?.into_owned();
                    let value = rest.string()?;
                    show(&name, &value);
                    self.insert(name, value.into_owned());
                }
                Representation::Literal => {
                    let name = self.name(rest.integer(4)?, &mut rest)?;
                    let value = rest.string()?;
                    show(&name, &value);
                }
                Representation::SizeUpdate => {
                    let requested = rest.integer(5)?;
                    if fields > 0 {
                        return Err(HpackError::LateSizeUpdate);
                    }
                    if requested > self.allowed {
                        return Err(HpackError::TableTooLarge {
                            requested,
                            allowed: self.allowed,
                        });
                    }
                    self.capacity = requested;
                    self.evict();
                    continue;
                }
            }
            fields += 1;
        }
        Ok(())
    }

    fn name<'table, 'block: 'table>(
        &'table self,
        index: usize,
        rest: &mut Octets<'block>,
    ) -> Result<Cow<'table, [u8]>, HpackError> {
        match index {
            0 => rest.string(),
            index => Ok(Cow::Borrowed(self.entry(index)?.0)),
        }
    }

    fn entry(&self, index: usize) -> Result<(&[u8], &[u8]), HpackError> {
        let position = index.checked_sub(1).ok_or(HpackError::Index(index))?;
        if let Some((name, value)) = STATIC_TABLE.get(position) {
            return Ok((name.as_bytes(), value.as_bytes()));
        }
        match self.entries.get(position - STATIC_TABLE.len()) {
            Some((name, value)) => Ok((name, value)),
            None => Err(HpackError::Index(index)),
        }
    }

    fn insert(&mut self, name: Vec<u8>, value: Vec<u8>) {
        self.size += entry_size(&name, &value);
        self.entries
            .push_front((name.into_boxed_slice(), value.into_boxed_slice()));
        self.evict();
    }

    fn evict(&mut self) {
        while self.size > self.capacity
            && let Some((name, value)) = self.entries.pop_back()
        {
            self.size -= entry_size(&name, &value);
        }
    }
}

fn entry_size(name: &[u8], value: &[u8]) -> usize {
    name.len() + value.len() + ENTRY_OVERHEAD
}

/// How a field is written (RFC 7541, section 6).
enum Representation {
    Indexed,
    Inserted,
    SizeUpdate,
    Literal,
}

impl Representation {
    const fn of(octet: u8) -> Self {
        match octet {
            0x80.. => Self::Indexed,
            0x40..0x80 => Self::Inserted,
            0x20..0x40 => Self::SizeUpdate,
            0x00..0x20 => Self::Literal,
        }
    }
}

/// What of a block is still to be read.
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn octet(&mut self) -> Result<u8, HpackError> {
        let (&octet, rest) = self.0.split_first().ok_or(HpackError::Truncated)?;
        self.0 = rest;
        Ok(octet)
    }

    /// Reads an integer of which the first octet has `prefix` bits, at most eight.
    fn integer(&mut self, prefix: u32) -> Result<usize, HpackError> {
        let mask = (1 << prefix) - 1;
        let first = usize::from(self.octet()?) & mask;
        if first < mask {
            return Ok(first);
        }
        let mut value = mask;
        for position in 0..INTEGER_OCTETS {
            let octet = self.octet()?;
            value += usize::from(octet & 0x7f) << (7 * position);
            if octet < 0x80 {
                return Ok(value);
            }
        }
        Err(HpackError::Integer)
    }

    fn string(&mut self) -> Result<Cow<'a, [u8]>, HpackError> {
        let coded = *self.0.first().ok_or(HpackError::Truncated)? >= 0x80;
        let length = self.integer(7)?;
        let (string, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(HpackError::Truncated)?;
        self.0 = rest;
        if coded {
            return Ok(Cow::Owned(huffman::decode(string)?));
        }
        Ok(Cow::Borrowed(string))
    }
}

#[cfg(test)]
mod tests {
    use loona_hpack::{Decoder, Encoder};
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    type Fields = Vec<(Vec<u8>, Vec<u8>)>;

    fn fields(decoder: &mut HpackDecoder, block: &[u8]) -> Result<Fields, HpackError> {
        let mut fields = Vec::new();
        decoder.decode(block, |name, value| {
            fields.push((name.to_vec(), value.to_vec()));
        })?;
        Ok(fields)
    }

    #[rstest]
    #[case(&[0x40], HpackError::Truncated)]
    #[case(&[0x04, 0x9f, 0x60], HpackError::Truncated)]
    #[case(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x00], HpackError::Integer)]
    #[case(&[0x80], HpackError::Index(0))]
    #[case(&[0xbe], HpackError::Index(62))]
    #[case(&[0x00, 0x81, 0x00], HpackError::Huffman(HuffmanError::Padding))]
    #[case(&[0x82, 0x20], HpackError::LateSizeUpdate)]
    #[case(&[0x3f, 0xe2, 0x1f], HpackError::TableTooLarge { requested: 4097, allowed: 4096 })]
    fn malformed_blocks_are_refused(#[case] block: &[u8], #[case] error: HpackError) {
        assert_eq!(fields(&mut HpackDecoder::default(), block), Err(error));
    }

    #[test]
    fn the_table_stays_within_its_bound_whatever_settings_say() {
        let mut decoder = HpackDecoder::default();
        decoder.allow(usize::MAX);
        // 65,536 = 31 + 65,505.
        assert_eq!(fields(&mut decoder, &[0x3f, 0xe1, 0xff, 0x03]), Ok(vec![]));
        for _ in 0..64 {
            let mut block = vec![0x40, 1, b'a', 0x7f, 0x81, 0x1f];
            block.resize(block.len() + 4096, b'b');
            assert!(fields(&mut decoder, &block).is_ok());
        }
        assert!(decoder.size <= TABLE_BYTES);
        assert!(decoder.size > TABLE_BYTES - 4096 - 64);
        let more = fields(&mut decoder, &[0x3f, 0xe2, 0xff, 0x03]);
        assert_eq!(
            more,
            Err(HpackError::TableTooLarge {
                requested: TABLE_BYTES + 1,
                allowed: TABLE_BYTES
            })
        );
    }

    proptest! {
        #[test]
        fn what_an_encoder_writes_is_read(
            blocks in proptest::collection::vec(
                proptest::collection::vec(("[a-e]{1,3}", "[ -~]{0,40}"), 0..12),
                0..12,
            )
        ) {
            let mut encoder = Encoder::new();
            let mut decoder = HpackDecoder::default();
            for block in blocks {
                let sent: Fields = block.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
                let block = encoder.encode(sent.iter().map(|(name, value)| (&name[..], &value[..])));
                prop_assert_eq!(fields(&mut decoder, &block), Ok(sent));
            }
        }

        #[test]
        fn another_decoder_reads_the_same_fields(blocks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..48), 1..4)) {
            let mut decoder = HpackDecoder::default();
            let mut other = Decoder::new();
            other.set_max_allowed_table_size(4096);
            for block in blocks {
                let (read, others) = (fields(&mut decoder, &block), other.decode(&block));
                match (read, others) {
                    (Ok(read), Ok(others)) => prop_assert_eq!(read, others),
                    // The other decoder refuses a block of nothing but size updates, and takes late ones.
                    (Ok(_), Err(loona_hpack::decoder::DecoderError::SizeUpdateAtEnd)) => {}
                    (Ok(read), Err(error)) => prop_assert!(false, "{read:?} against {error}"),
                    (Err(HpackError::LateSizeUpdate), _) | (Err(_), Err(_)) => break,
                    (Err(error), Ok(others)) => prop_assert!(false, "{error} against {others:?}"),
                }
            }
        }
    }
}
