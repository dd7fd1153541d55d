//! What could not be decoded, in sentences that are bounded in number and length.

/// How many sentences are kept until they are taken; of more only the number is told.
pub(crate) const LOSSES_KEPT: usize = 64;

/// How long a sentence may be, in bytes.
pub(crate) const LOSS_LENGTH: usize = 512;

/// The losses since they were last taken.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    sentences: Vec<String>,
    unlisted: u64,
}

impl Losses {
    pub(crate) fn add(&mut self, mut sentence: String) {
        if self.sentences.len() >= LOSSES_KEPT {
            self.unlisted = self.unlisted.saturating_add(1);
            return;
        }
        sentence.truncate(sentence.floor_char_boundary(LOSS_LENGTH));
        self.sentences.push(sentence);
    }

    /// Returns the sentences; the last one has the number of those that were not kept.
    pub(crate) fn take(&mut self) -> Vec<String> {
        let mut sentences = std::mem::take(&mut self.sentences);
        let unlisted = std::mem::take(&mut self.unlisted);
        if unlisted > 0 {
            sentences.push(format!("{unlisted} more losses are not listed"));
        }
        sentences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_bounded_in_number_and_length() {
        let mut losses = Losses::default();
        for _ in 0..LOSSES_KEPT + 2 {
            losses.add("ä".repeat(LOSS_LENGTH));
        }
        let taken = losses.take();
        assert_eq!(taken.len(), LOSSES_KEPT + 1);
        assert!(taken.iter().all(|sentence| sentence.len() <= LOSS_LENGTH));
        assert_eq!(taken[LOSSES_KEPT], "2 more losses are not listed");
        assert_eq!(losses.take(), Vec::<String>::new());
    }
}
