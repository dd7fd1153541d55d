//! What a benchmark leaves: its record, every sample, and pictures.

use camino::Utf8Path;

use super::error::BenchError;
use super::generations::GenerationSeen;
use super::histograms;
use super::ladder_record::LadderRecord;
use super::plots;
use super::record::BenchRecord;
use crate::report::evidence::Output;
use crate::report::retention::{BENCHMARK, LADDER};
use harness_traffic::latency::sample::{Sample, write_samples};

/// The samples' file.
const SAMPLES: &str = "samples.bin";
/// The log of histograms.
const HISTOGRAMS: &str = "latency.hlog";
/// The picture of a ladder.
pub const LADDER_PICTURE: &str = "ladder.svg";

/// Writes the record, the samples and, where anything was measured, histograms and pictures into the run's folder.
///
/// # Errors
///
/// When a file cannot be written or a picture not drawn.
///
/// # Panics
///
/// Never: memory takes the samples.
pub fn write(
    output: &Output,
    record: &BenchRecord,
    seen: &[GenerationSeen],
) -> Result<(), BenchError> {
    output.write_json(Utf8Path::new(BENCHMARK), record)?;
    let samples: Vec<Sample> = { seen.iter() }
        .flat_map(|generation| generation.samples.iter().copied())
        .collect();
    let mut bytes = Vec::new();
    write_samples(&samples, &mut bytes).expect("memory takes them");
    output.write_as_it_is(Utf8Path::new(SAMPLES), &bytes)?;
    if samples.is_empty() {
        return Ok(());
    }
    let method = &record.method;
    let log = histograms::log(&samples, method.generations, method.seconds);
    output.write_as_it_is(Utf8Path::new(HISTOGRAMS), &log)?;
    let pictures = plots::draw(record, &samples).map_err(|error| BenchError::Picture {
        reason: error.to_string(),
    })?;
    for (name, picture) in pictures {
        output.write(Utf8Path::new(name), picture.as_bytes())?;
    }
    Ok(())
}

/// Writes the record of a ladder and, where anything was measured, its picture; the steps of the picture are called by the title.
///
/// # Errors
///
/// When a file cannot be written or the picture not drawn.
pub fn write_ladder(output: &Output, record: &LadderRecord, title: &str) -> Result<(), BenchError> {
    output.write_json(Utf8Path::new(LADDER), record)?;
    if record.steps.is_empty() {
        return Ok(());
    }
    let picture = plots::draw_ladder(record, title).map_err(|error| BenchError::Picture {
        reason: error.to_string(),
    })?;
    output.write(Utf8Path::new(LADDER_PICTURE), picture.as_bytes())?;
    Ok(())
}
