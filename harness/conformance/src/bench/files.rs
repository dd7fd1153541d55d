//! What a benchmark leaves: its record, and every sample.

use camino::Utf8Path;

use super::generations::GenerationSeen;
use super::record::BenchRecord;
use crate::report::evidence::{Output, WriteError};
use crate::report::retention::BENCHMARK;
use harness_traffic::latency::sample::{Sample, write_samples};

/// The samples' file.
const SAMPLES: &str = "samples.bin";

/// Writes the record and the samples into the run's folder.
///
/// # Errors
///
/// When a file cannot be written.
///
/// # Panics
///
/// Never: memory takes the samples.
pub fn write(
    output: &Output,
    record: &BenchRecord,
    seen: &[GenerationSeen],
) -> Result<(), WriteError> {
    output.write_json(Utf8Path::new(BENCHMARK), record)?;
    let samples: Vec<Sample> = { seen.iter() }
        .flat_map(|generation| generation.samples.iter().copied())
        .collect();
    let mut bytes = Vec::new();
    write_samples(&samples, &mut bytes).expect("memory takes them");
    output.write_as_it_is(Utf8Path::new(SAMPLES), &bytes)
}
