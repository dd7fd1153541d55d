//! What a benchmark leaves: its record, and every sample.

use camino::Utf8Path;

use super::error::BenchError;
use super::generations::GenerationSeen;
use super::record::BenchRecord;
use harness_traffic::latency::sample::{Sample, write_samples};

/// The record's file.
pub const RECORD: &str = "bench.json";
/// The samples' file.
const SAMPLES: &str = "samples.bin";

/// Writes the record and the samples into the run's folder.
///
/// # Errors
///
/// When a file cannot be written.
pub fn write(
    folder: &Utf8Path,
    record: &BenchRecord,
    seen: &[GenerationSeen],
) -> Result<(), BenchError> {
    let mut text = serde_json::to_vec_pretty(record).unwrap_or_default();
    text.push(b'\n');
    write_file(folder, RECORD, &text)?;
    let samples: Vec<Sample> = { seen.iter() }
        .flat_map(|generation| generation.samples.iter().copied())
        .collect();
    let mut bytes = Vec::new();
    let written = write_samples(&samples, &mut bytes);
    written.map_err(|source| BenchError::Write {
        path: folder.join(SAMPLES),
        source,
    })?;
    write_file(folder, SAMPLES, &bytes)
}

fn write_file(folder: &Utf8Path, name: &str, content: &[u8]) -> Result<(), BenchError> {
    let path = folder.join(name);
    fs_err::write(&path, content).map_err(|source| BenchError::Write { path, source })
}
