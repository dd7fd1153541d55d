//! Pictures of a benchmark, as SVG that can be read without colours.

use harness_traffic::latency::sample::Sample;
use harness_verdict::latency::series::{self, Series};

use self::canvas::PlotError;
use super::arm::Arm;
use super::record::BenchRecord;

mod axis;
mod canvas;
mod curves;
mod differences;
mod over_time;

/// An arm and what was measured of it.
type ArmSeries<'a> = (Arm, &'a Series);

/// Draws every picture; each has the name of its file.
///
/// # Errors
///
/// When a picture cannot be drawn, for instance since nothing was measured.
pub fn draw(
    record: &BenchRecord,
    samples: &[Sample],
) -> Result<Vec<(&'static str, String)>, PlotError> {
    let all = series::by_arm(samples, Arm::ALL.len(), record.method.generations);
    let arms: Vec<ArmSeries<'_>> = Arm::ALL
        .into_iter()
        .zip(&all)
        .filter(|(_, series)| series::count(series) > 0)
        .collect();
    Ok(vec![
        ("differences.svg", differences::draw(record)?),
        ("distribution.svg", curves::distribution(&arms)?),
        ("percentiles.svg", curves::spectrum(&arms)?),
        (
            "over-time.svg",
            over_time::draw(&arms, record.method.seconds)?,
        ),
    ])
}
