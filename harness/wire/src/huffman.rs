//! The Huffman code of HPACK strings (RFC 7541, appendix B).
//!
//! The code is canonical: the lengths of the codes, in the order of the symbols, determine it whole.

use thiserror::Error;

/// The symbol that no string may contain; its first bits pad the last octet.
const END_OF_STRING: u16 = 256;

const SYMBOLS: usize = 257;
const LONGEST: usize = 30;
const SHORTEST: usize = 5;

/// The length of each symbol's code, in bits.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

static CODE: Code = Code::new();

/// Why a string is not in the code.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum HuffmanError {
    /// The end-of-string symbol is coded out.
    #[error("a Huffman-coded string contains the end-of-string symbol")]
    EndOfString,
    /// What follows the last symbol is not up to seven ones.
    #[error("a Huffman-coded string has wrong padding")]
    Padding,
}

/// Decodes a string.
pub(crate) fn decode(coded: &[u8]) -> Result<Vec<u8>, HuffmanError> {
    // The shortest code has five bits.
    let mut decoded = Vec::with_capacity(coded.len().saturating_mul(8) / SHORTEST);
    let mut input = coded.iter();
    let mut bits: u64 = 0;
    let mut available = 0;
    loop {
        while available <= 32 {
            let Some(&octet) = input.next() else { break };
            bits = bits << 8 | u64::from(octet);
            available += 8;
        }
        match CODE.first_symbol(bits, available) {
            Some((END_OF_STRING, _)) => return Err(HuffmanError::EndOfString),
            Some((symbol, length)) => {
                decoded.push(symbol.to_le_bytes()[0]);
                available -= length;
            }
            None => break,
        }
    }
    let padding = low_bits(bits, available);
    if available > 7 || padding != low_bits(u64::MAX, available) {
        return Err(HuffmanError::Padding);
    }
    Ok(decoded)
}

/// The code in canonical form: of each length the first code, and the symbols in the order of their codes.
struct Code {
    first: [u64; LONGEST + 1],
    count: [u64; LONGEST + 1],
    offset: [usize; LONGEST + 1],
    symbols: [u16; SYMBOLS],
}

impl Code {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a constant function has no `try_from`; a symbol is at most 256"
    )]
    const fn new() -> Self {
        let mut code = Self {
            first: [0; LONGEST + 1],
            count: [0; LONGEST + 1],
            offset: [0; LONGEST + 1],
            symbols: [0; SYMBOLS],
        };
        let mut placed = 0;
        let mut next = 0;
        let mut length = 1;
        while length <= LONGEST {
            next <<= 1;
            code.first[length] = next;
            code.offset[length] = placed;
            let mut symbol = 0;
            while symbol < SYMBOLS {
                if LENGTHS[symbol] as usize == length {
                    code.symbols[placed] = symbol as u16;
                    code.count[length] += 1;
                    placed += 1;
                    next += 1;
                }
                symbol += 1;
            }
            length += 1;
        }
        code
    }

    /// Returns the symbol that the `available` low bits begin with and the length of its code; none where they are too few for one.
    fn first_symbol(&self, bits: u64, available: usize) -> Option<(u16, usize)> {
        for length in SHORTEST..=LONGEST.min(available) {
            let code = low_bits(bits, available) >> (available - length);
            if let Some(index) = code.checked_sub(self.first[length])
                && index < self.count[length]
            {
                let index = usize::try_from(index).ok()?;
                let symbol = self.symbols.get(self.offset[length] + index)?;
                return Some((*symbol, length));
            }
        }
        None
    }
}

/// Returns the lowest `count` bits; `count` is less than 64.
const fn low_bits(bits: u64, count: usize) -> u64 {
    bits & ((1 << count) - 1)
}

#[cfg(test)]
mod tests {
    use loona_hpack::huffman::HuffmanDecoder;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// From RFC 7541, appendix C.
    #[rstest]
    #[case(&[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff], "www.example.com")]
    #[case(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], "no-cache")]
    #[case(&[0x64, 0x02], "302")]
    #[case(&[], "")]
    fn strings_of_the_specification(#[case] coded: &[u8], #[case] string: &str) {
        assert_eq!(decode(coded), Ok(string.as_bytes().to_vec()));
    }

    #[rstest]
    #[case(&[0xff, 0xff, 0xff, 0xff], HuffmanError::EndOfString)]
    #[case(&[0xff], HuffmanError::Padding)]
    #[case(&[0x64, 0x00, 0xff], HuffmanError::Padding)]
    #[case(&[0x00], HuffmanError::Padding)]
    fn what_is_no_string(#[case] coded: &[u8], #[case] error: HuffmanError) {
        assert_eq!(decode(coded), Err(error));
    }

    proptest! {
        #[test]
        fn another_decoder_says_the_same(coded in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(decode(&coded).ok(), HuffmanDecoder::new().decode(&coded).ok());
        }
    }
}
