//! A value at a position and in an encoding at which it applies.

use crate::model::seed::Seed;
use crate::model::seed_position::{Encoding, SeedPosition};

/// One place at which one seed applies: what is sampled, an attack never without its twin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement<'seeds> {
    pub(super) seed: &'seeds Seed,
    pub(super) position: SeedPosition,
    pub(super) encoding: Encoding,
}

impl Placement<'_> {
    /// Returns how many requests the placement stands for.
    pub(super) fn requests(&self) -> usize {
        1 + usize::from(self.seed.twin.is_some())
    }

    pub(super) fn name(&self) -> String {
        format!("{}-{}-{}", *self.seed.name, self.position, self.encoding)
    }
}
