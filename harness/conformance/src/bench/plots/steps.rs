//! What a ladder shows: latency against what was raised, and which part of the requests failed open.

use plotters::prelude::SeriesLabelPosition;

use super::axis::Axis;
use super::canvas::{PlotError, Titles, chart, crosses, legend, line, marks, picture};
use crate::bench::arm::Arm;
use crate::bench::ladder_record::LadderRecord;
use harness_verdict::latency::percentile::Percentile;

const LATENCY_HEIGHT: u32 = 460;
const PART_HEIGHT: u32 = 240;
const TICKS_WIDTH: u32 = 80;
/// How much further the axis goes than the slowest p99.
const ROOM_FOR_LEGEND: f64 = 3.0;

/// Draws both charts. Steps stand at equal distances: they are names, as of inputs, or chosen so that each is a multiple of the one before.
pub(super) fn draw(record: &LadderRecord, title: &str) -> Result<String, PlotError> {
    let arms = [Arm::Disabled, Arm::Null, Arm::A];
    let points = |arm, percentile| -> Vec<(f64, f64)> {
        (0_u32..)
            .zip(&record.steps)
            .filter_map(|(place, step)| Some((f64::from(place), step.latency(arm, percentile)?)))
            .collect()
    };
    let curves: Vec<_> = arms
        .into_iter()
        .map(|arm| {
            (
                arm,
                points(arm, Percentile::P50),
                points(arm, Percentile::P99),
            )
        })
        .filter(|(_, medians, _)| !medians.is_empty())
        .collect();
    let latencies = || {
        curves
            .iter()
            .flat_map(|(_, medians, rare)| medians.iter().chain(rare))
    };
    let most = latencies().map(|point| point.1).fold(1.0, f64::max);
    let latency = Axis::logarithmic(
        latencies()
            .map(|point| point.1)
            .chain([most * ROOM_FOR_LEGEND]),
    );
    let count = u32::try_from(record.steps.len()).unwrap_or(0);
    let steps = || {
        let ticks = (0..count).map(f64::from);
        let names = record.steps.iter().map(|step| step.step.clone());
        Axis::with_ticks(-0.3, f64::from(count) - 0.7, ticks.zip(names).collect())
    };
    let failed: Vec<(f64, f64)> = (0_u32..)
        .zip(&record.steps)
        .filter_map(|(place, step)| {
            let agent = step.arms.get(&Arm::A)?;
            let part = agent.part(agent.failed_open + agent.failed_closed);
            Some((f64::from(place), 100.0 * part))
        })
        .collect();
    picture(LATENCY_HEIGHT + PART_HEIGHT, |area| {
        let (top, bottom) = area.split_vertically(LATENCY_HEIGHT);
        let titles = Titles {
            title: "Circles are medians, crosses are p99; where there is none, it was not judged",
            x: title,
            y: "latency, µs (logarithmic)",
        };
        let mut latencies = chart(&top, &titles, (steps(), latency), TICKS_WIDTH)?;
        for (arm, medians, rare) in &curves {
            for run in neighbours(medians).chain(neighbours(rare)) {
                line(&mut latencies, *arm, run.to_vec())?;
            }
            marks(&mut latencies, *arm, medians)?;
            crosses(&mut latencies, *arm, rare)?;
        }
        let drawn: Vec<Arm> = curves.iter().map(|(arm, ..)| *arm).collect();
        legend(&mut latencies, &drawn, SeriesLabelPosition::UpperLeft)?;
        let titles = Titles {
            title: "Requests to agent A that failed open or closed, without its decision",
            x: title,
            y: "%",
        };
        let axes = (steps(), Axis::between(0.0, 100.0));
        let mut parts = chart(&bottom, &titles, axes, TICKS_WIDTH)?;
        line(&mut parts, Arm::A, failed.clone())?;
        marks(&mut parts, Arm::A, &failed)
    })
}

/// Returns the points in pieces without a step that is missing: no line goes over one.
fn neighbours(points: &[(f64, f64)]) -> impl Iterator<Item = &[(f64, f64)]> {
    points.chunk_by(|one, next| next.0 - one.0 < 1.5)
}
