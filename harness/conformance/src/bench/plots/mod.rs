//! Pictures of a benchmark, as SVG that can be read without colours.

use harness_traffic::latency::sample::Sample;
use harness_verdict::latency::series::{self, Series};

use self::canvas::PlotError;
use super::arm::Arm;
use super::ladder_record::LadderRecord;
use super::record::BenchRecord;

mod axis;
mod canvas;
mod curves;
mod differences;
mod over_time;
mod steps;

/// An arm and what was measured of it.
type ArmSeries<'a> = (Arm, &'a Series);

/// Draws every picture of a benchmark; each has the name of its file.
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

/// Draws the picture of a ladder, given what its steps are called.
///
/// # Errors
///
/// When it cannot be drawn.
pub fn draw_ladder(record: &LadderRecord, title: &str) -> Result<String, PlotError> {
    steps::draw(record, title)
}
