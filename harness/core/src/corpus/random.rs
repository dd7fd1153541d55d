//! A small generator of numbers that are the same on every machine and in every release.
//!
//! The `rand` crates promise no stable sequences, and stable sequences are all that is wanted here. It is not for secrets.

/// `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Starts the sequence that belongs to a number and a name.
    ///
    /// A sequence for each name keeps one request's bytes independent of which others are expanded.
    pub fn new(seed: u64, name: &str) -> Self {
        let mut random = Self {
            state: seed ^ fnv1a(name.as_bytes()),
        };
        random.next();
        random
    }

    /// Returns the next number.
    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `bound`, which is over 0. The bias of the remainder does not matter for small bounds.
    ///
    /// # Panics
    ///
    /// Never.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % bound).expect("a number below a usize fits")
    }

    /// Returns a fraction above 0 and at most 1, in steps of 2⁻⁵³.
    pub fn open_fraction(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are a double's")]
        let steps = ((self.next() >> 11) + 1) as f64;
        steps / 9_007_199_254_740_992.0
    }

    /// Picks one of the items.
    pub fn pick<'items, T: ?Sized>(&mut self, items: &[&'items T]) -> &'items T {
        items[self.below(items.len())]
    }

    /// Puts the items into another order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// FNV-1a, 64 bits: the standard library's hasher promises no stable values.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_the_paper() {
        // The reference implementation's first numbers for the state 1234567.
        let mut random = Random { state: 1_234_567 };
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn another_name_or_number_is_another_sequence() {
        let first = Random::new(1, "a").next();
        assert_ne!(first, Random::new(1, "b").next());
        assert_ne!(first, Random::new(2, "a").next());
        assert_eq!(first, Random::new(1, "a").next());
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<u32> = (0..50).collect();
        Random::new(7, "x").shuffle(&mut items);
        assert!(items.windows(2).any(|pair| pair[0] > pair[1]), "{items:?}");
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
