//! The latencies as the log of `HdrHistogram`, one histogram for each arm and generation: what its tools plot and add up.
//!
//! The percentiles of a record come from the samples; this file has their values to three digits.

use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::arm::Arm;
use harness_traffic::latency::sample::Sample;
use harness_verdict::latency::series::{Generation, by_arm};

/// How many digits of a value are kept.
const DIGITS: u8 = 3;
/// What the log's largest values are divided by: it has seconds, of microseconds.
const MICROSECONDS_A_SECOND: f64 = 1e6;

/// Returns the log. Each generation begins where the one before has ended, counted in measured time.
///
/// # Panics
///
/// Never: memory takes the log, and a histogram that grows takes any value.
pub(super) fn log(samples: &[Sample], generations: usize, seconds: f64) -> Vec<u8> {
    let all = by_arm(samples, Arm::ALL.len(), generations);
    let mut log = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment("latencies in microseconds, from when a request was due; the tag is the arm")
        .with_max_value_divisor(MICROSECONDS_A_SECOND)
        .begin_log_with(&mut log, &mut serializer)
        .expect("memory takes it");
    let length = Duration::from_secs_f64(seconds);
    for (number, begin) in begins(length).enumerate().take(generations) {
        for (arm, series) in Arm::ALL.into_iter().zip(&all) {
            let Some(histogram) = series.get(number).map(histogram) else {
                continue;
            };
            writer
                .write_histogram(&histogram, begin, length, Tag::new(arm.name()))
                .expect("memory takes it");
        }
    }
    drop(writer);
    log
}

fn begins(length: Duration) -> impl Iterator<Item = Duration> {
    (0..).map(move |number| length.saturating_mul(number))
}

fn histogram(generation: &Generation) -> Histogram<u64> {
    let mut histogram = Histogram::new(DIGITS).expect("so many digits can be kept");
    for latency in generation.latencies() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a latency is given up after seconds"
        )]
        let microseconds = latency.round() as u64;
        histogram.record(microseconds).expect("it grows");
    }
    histogram
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use harness_traffic::latency::sample::Ending;

    #[test]
    fn each_arm_has_a_histogram_for_each_generation() {
        let sample = |number: u32| Sample {
            due_nanoseconds: 0,
            lateness_nanoseconds: 0,
            // From 100 µs to 1,099 µs.
            latency: 100 * (100 + number % 1000),
            status: 200,
            arm: Arm::B.position(),
            generation: u8::from(number >= 1000),
            ending: Ending::Answered,
            connection: 0,
            under_way: 0,
        };
        let samples: Vec<Sample> = (0..2000).map(sample).collect();
        let log = log(&samples, 2, 6.0);
        let mut seen = Vec::new();
        for entry in IntervalLogIterator::new(&log) {
            let LogEntry::Interval(interval) = entry.expect("well-formed") else {
                continue;
            };
            let bytes = STANDARD
                .decode(interval.encoded_histogram())
                .expect("base64");
            let histogram: Histogram<u64> = Deserializer::new()
                .deserialize(&mut &bytes[..])
                .expect("a histogram");
            if !histogram.is_empty() {
                let tag = interval.tag().expect("an arm").as_str().to_owned();
                let begin = interval.start_timestamp().as_secs();
                seen.push((
                    tag,
                    begin,
                    histogram.len(),
                    histogram.value_at_quantile(0.5),
                ));
            }
        }
        assert_eq!(
            seen,
            [
                ("b".to_owned(), 0, 1000, 599),
                ("b".to_owned(), 6, 1000, 599)
            ]
        );
    }
}
