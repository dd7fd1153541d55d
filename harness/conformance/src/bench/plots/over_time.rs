//! The latency of each second, with the moments at which everything was started anew.

use plotters::element::{PathElement, Text};
use plotters::prelude::SeriesLabelPosition;
use plotters::style::{BLACK, Color as _, IntoFont as _};

use super::ArmSeries;
use super::axis::Axis;
use super::canvas::{FONT, PlotError, Titles, chart, legend, line, marks, picture};
use crate::bench::arm::Arm;
use harness_verdict::latency::percentile::Percentile;
use harness_verdict::latency::series::{BLOCK_NANOSECONDS, Generation, Series, sorted};

const HEIGHT: u32 = 520;
const TICKS_WIDTH: u32 = 70;
/// How many blocks make a point: a second.
const BLOCKS: usize = 4;
/// How much further the axis goes than the slowest request.
const ROOM_FOR_LEGEND: f64 = 4.0;
/// The arms that are drawn; the others would hide them.
const DRAWN: [Arm; 4] = [Arm::Disabled, Arm::Null, Arm::A, Arm::B];

/// Points of one generation.
type Points = Vec<(f64, f64)>;

/// Draws the median of each second as a line, and its slowest request as a mark.
pub(super) fn draw(arms: &[ArmSeries<'_>], seconds: f64) -> Result<String, PlotError> {
    let drawn: Vec<(Arm, &Series)> = { arms.iter().copied() }
        .filter(|(arm, _)| DRAWN.contains(arm))
        .collect();
    let of = |of_sorted: fn(&[f64]) -> Option<f64>| -> Vec<Vec<Points>> {
        let points = |series: &Series| {
            (0_u32..)
                .zip(series)
                .map(|(number, generation)| {
                    points(generation, f64::from(number) * seconds, of_sorted)
                })
                .collect()
        };
        drawn.iter().map(|(_, series)| points(series)).collect()
    };
    let medians = of(|sorted| Percentile::P50.of_sorted(sorted));
    let slowest = of(|sorted| sorted.last().copied());
    let every = || medians.iter().chain(&slowest).flatten().flatten();
    let most = every().map(|point| point.1).fold(0.0, f64::max);
    let y = Axis::logarithmic(every().map(|point| point.1).chain([most * ROOM_FOR_LEGEND]));
    let generations = drawn.iter().map(|(_, series)| series.len()).max();
    let generations = u32::try_from(generations.unwrap_or(0)).unwrap_or(0);
    let x = Axis::between(0.0, f64::from(generations.max(1)) * seconds);
    let range = plotters::coord::ranged1d::Ranged::range(&y);
    let titles = Titles {
        title: "Latency over time: lines are the median of each second, marks are its slowest request",
        x: "measured time, s; a vertical line is a new start of all processes",
        y: "latency, µs (logarithmic)",
    };
    picture(HEIGHT, |area| {
        let mut chart = chart(area, &titles, (x, y), TICKS_WIDTH)?;
        for number in 0..generations {
            let at = f64::from(number) * seconds;
            let start = vec![(at, range.start), (at, range.end)];
            chart.draw_series([PathElement::new(start, BLACK.mix(0.35))])?;
            let name = format!(" {}", number + 1);
            chart.draw_series([Text::new(name, (at, range.end), (FONT, 13).into_font())])?;
        }
        for (position, (arm, _)) in drawn.iter().enumerate() {
            for points in &medians[position] {
                line(&mut chart, *arm, points.clone())?;
            }
            if matches!(arm, Arm::A | Arm::B) {
                for points in &slowest[position] {
                    marks(&mut chart, *arm, points)?;
                }
            }
        }
        legend(
            &mut chart,
            &drawn.iter().map(|(arm, _)| *arm).collect::<Vec<_>>(),
            SeriesLabelPosition::UpperRight,
        )
    })
}

/// Returns a point for each second of a generation that has requests in it.
fn points(generation: &Generation, begin: f64, of_sorted: fn(&[f64]) -> Option<f64>) -> Points {
    let mut at = begin;
    let mut points = Vec::new();
    for blocks in generation.blocks.chunks(BLOCKS) {
        let length = seconds_of(blocks.len());
        let latencies = blocks.iter().flatten().copied().collect();
        if let Some(latency) = of_sorted(&sorted(latencies)) {
            points.push((at + length / 2.0, latency));
        }
        at += length;
    }
    points
}

#[expect(
    clippy::cast_precision_loss,
    reason = "few blocks of a quarter of a second"
)]
fn seconds_of(blocks: usize) -> f64 {
    blocks as f64 * BLOCK_NANOSECONDS as f64 / 1e9
}
