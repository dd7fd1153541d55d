//! A request's sample of 24 bytes, and the file that holds many of them.
//!
//! All numbers are little-endian. A file begins with the eight bytes of [`MAGIC`] and the number of samples as a `u64`; the samples follow:
//!
//! | bytes | what |
//! | --- | --- |
//! | 0–7 | when the request was due, in nanoseconds since the end of its generation's warm-up |
//! | 8–11 | how late the generator came to it, in nanoseconds; the largest number stands for more |
//! | 12–15 | from the moment at which it was due to the last byte of its answer, in units of 10 ns; the largest number stands for more |
//! | 16–17 | the status of the answer; 0 where there was none |
//! | 18 | the arm |
//! | 19 | the generation |
//! | 20 | how it ended: 0 answered, 1 the connection was lost, 2 the answer could not be read, 3 given up |
//! | 21 | the connection, counted within its arm |
//! | 22–23 | how many requests of the arm were under way or waited when it was due |

use std::io::{self, Read, Write};

/// What a file of samples begins with. The last character is the version of the layout.
pub const MAGIC: [u8; 8] = *b"CONFLAT1";
/// The bytes of a sample.
pub const SAMPLE_LENGTH: usize = 24;

/// A unit of [`Sample::latency`], in nanoseconds.
const LATENCY_UNIT: u64 = 10;

/// What is kept of one request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sample {
    /// When it was due, in nanoseconds since the end of its generation's warm-up.
    pub due_nanoseconds: u64,
    /// How late the generator came to it.
    pub lateness_nanoseconds: u32,
    /// From the moment at which it was due to the last byte of its answer, in units of 10 ns.
    pub latency: u32,
    /// The status of the answer; 0 without one.
    pub status: u16,
    /// The arm, by its position in the plan.
    pub arm: u8,
    /// The generation.
    pub generation: u8,
    /// How it ended.
    pub ending: Ending,
    /// The connection, counted within its arm.
    pub connection: u8,
    /// How many requests of the arm were under way or waited when it was due.
    pub under_way: u16,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Ending {
    /// A whole answer came.
    Answered = 0,
    /// Its connection was lost, or could not be opened.
    Lost = 1,
    /// What came was no answer.
    Unreadable = 2,
    /// No whole answer came in time.
    GivenUp = 3,
}

/// What is wrong with a file of samples.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// It cannot be read.
    #[error("the samples cannot be read")]
    Io(#[from] io::Error),
    /// It does not begin as it must.
    #[error("expected samples, which begin with `CONFLAT1`; observed {observed:?}")]
    NotSamples {
        /// What it begins with.
        observed: String,
    },
    /// It ends too early, or goes on too long.
    #[error("expected {expected} samples; observed {observed} and {rest} bytes")]
    Length {
        /// How many samples the file says there are.
        expected: u64,
        /// How many there are.
        observed: u64,
        /// What is left over.
        rest: usize,
    },
    /// A sample says what none can.
    #[error("sample {number} ended in a way that has no name: {ending}")]
    Ending {
        /// Which one, from 0.
        number: u64,
        /// What it says.
        ending: u8,
    },
}

impl Sample {
    /// Returns the latency in microseconds.
    pub fn latency_microseconds(&self) -> f64 {
        f64::from(self.latency) / 100.0
    }

    /// Returns a latency as a sample holds it.
    pub(crate) fn latency_of(nanoseconds: u128) -> u32 {
        u32::try_from(nanoseconds / u128::from(LATENCY_UNIT)).unwrap_or(u32::MAX)
    }

    fn to_bytes(self) -> [u8; SAMPLE_LENGTH] {
        let mut bytes = [0; SAMPLE_LENGTH];
        bytes[..8].copy_from_slice(&self.due_nanoseconds.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.lateness_nanoseconds.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.latency.to_le_bytes());
        bytes[16..18].copy_from_slice(&self.status.to_le_bytes());
        bytes[18..22].copy_from_slice(&[
            self.arm,
            self.generation,
            self.ending as u8,
            self.connection,
        ]);
        bytes[22..].copy_from_slice(&self.under_way.to_le_bytes());
        bytes
    }

    fn of_bytes(bytes: &[u8; SAMPLE_LENGTH], number: u64) -> Result<Self, SampleError> {
        let [
            d0,
            d1,
            d2,
            d3,
            d4,
            d5,
            d6,
            d7,
            l0,
            l1,
            l2,
            l3,
            t0,
            t1,
            t2,
            t3,
            s0,
            s1,
            arm,
            generation,
            ending,
            connection,
            u0,
            u1,
        ] = *bytes;
        Ok(Self {
            due_nanoseconds: u64::from_le_bytes([d0, d1, d2, d3, d4, d5, d6, d7]),
            lateness_nanoseconds: u32::from_le_bytes([l0, l1, l2, l3]),
            latency: u32::from_le_bytes([t0, t1, t2, t3]),
            status: u16::from_le_bytes([s0, s1]),
            arm,
            generation,
            ending: match ending {
                0 => Ending::Answered,
                1 => Ending::Lost,
                2 => Ending::Unreadable,
                3 => Ending::GivenUp,
                ending => return Err(SampleError::Ending { number, ending }),
            },
            connection,
            under_way: u16::from_le_bytes([u0, u1]),
        })
    }
}

/// Writes samples as a file of them.
///
/// # Errors
///
/// When the writer fails.
pub fn write_samples(samples: &[Sample], writer: &mut impl Write) -> io::Result<()> {
    writer.write_all(&MAGIC)?;
    writer.write_all(
        &u64::try_from(samples.len())
            .unwrap_or(u64::MAX)
            .to_le_bytes(),
    )?;
    for sample in samples {
        writer.write_all(&sample.to_bytes())?;
    }
    Ok(())
}

/// Reads a whole file of samples.
///
/// # Errors
///
/// When it is none, or not all of one.
pub fn read_samples(mut reader: impl Read) -> Result<Vec<Sample>, SampleError> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    let begins = bytes.split_at_checked(MAGIC.len() + size_of::<u64>());
    let begins = begins.filter(|(head, _)| head.starts_with(&MAGIC));
    let Some((head, content)) = begins else {
        let start = &bytes[..bytes.len().min(MAGIC.len())];
        return Err(SampleError::NotSamples {
            observed: start.escape_ascii().to_string(),
        });
    };
    let mut expected = [0; size_of::<u64>()];
    expected.copy_from_slice(&head[MAGIC.len()..]);
    let expected = u64::from_le_bytes(expected);
    let (samples, rest) = content.as_chunks::<SAMPLE_LENGTH>();
    let observed = u64::try_from(samples.len()).unwrap_or(u64::MAX);
    if observed != expected || !rest.is_empty() {
        return Err(SampleError::Length {
            expected,
            observed,
            rest: rest.len(),
        });
    }
    (0..)
        .zip(samples)
        .map(|(number, bytes)| Sample::of_bytes(bytes, number))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> impl Strategy<Value = Sample> {
        let endings = prop_oneof![
            Just(Ending::Answered),
            Just(Ending::Lost),
            Just(Ending::Unreadable),
            Just(Ending::GivenUp)
        ];
        let numbers = any::<(u64, u32, u32, u16, u8, u8, u8, u16)>();
        (numbers, endings).prop_map(
            |((due, late, latency, status, arm, generation, connection, under_way), ending)| {
                Sample {
                    due_nanoseconds: due,
                    lateness_nanoseconds: late,
                    latency,
                    status,
                    arm,
                    generation,
                    ending,
                    connection,
                    under_way,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_nothing_cut_off_is(samples in prop::collection::vec(sample(), 0..20), cut in 1_usize..40) {
            let mut file = Vec::new();
            write_samples(&samples, &mut file).expect("memory");
            prop_assert_eq!(file.len(), 16 + samples.len() * SAMPLE_LENGTH);
            prop_assert_eq!(read_samples(&file[..]).expect("whole"), samples);
            let kept = file.len().saturating_sub(cut);
            prop_assert!(read_samples(&file[..kept]).is_err());
            file.push(0);
            prop_assert!(read_samples(&file[..]).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_samples(&bytes[..]);
        }
    }
}
