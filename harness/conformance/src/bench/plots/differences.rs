//! A row with an interval for each difference: what B adds to A beside what A differs from itself by, and what the hop costs.

use plotters::element::{Circle, EmptyElement, PathElement, Rectangle, Text};
use plotters::style::{BLACK, Color as _, IntoFont as _};

use super::axis::{Axis, number};
use super::canvas::{Area, Chart, FONT, PlotError, Titles, chart, picture};
use crate::bench::record::BenchRecord;
use harness_verdict::latency::difference::Difference;

/// The height of a row in pixels.
const ROW_HEIGHT: u32 = 26;
/// What a chart needs beside its rows: title, ticks and the axis' name.
const FRAME_HEIGHT: u32 = 110;
/// Room for the rows' names.
const NAMES_WIDTH: u32 = 330;
/// Half the height of an interval's ends, as a part of a row.
const CAP: f64 = 0.22;
/// How far from an interval its numbers stand, in pixels.
const NUMBERS_DISTANCE: i32 = 9;
/// How many parts of the range are kept free at the right for the numbers.
const ROOM_FOR_NUMBERS: f64 = 0.3;

/// A difference and its name.
struct Row {
    name: String,
    difference: Difference,
}

/// Draws both charts, one above the other.
pub(super) fn draw(record: &BenchRecord) -> Result<String, PlotError> {
    let agents = agents(record);
    let hop = hop(record);
    let [upper, lower] = [&agents, &hop].map(|rows| height(rows));
    picture(upper + lower, |area| {
        let (top, bottom) = area.split_vertically(upper);
        let smallest = record.method.smallest_difference;
        let title = format!(
            "Agent B against agent A; the grey band is ±{smallest:.0} µs, the difference that matters"
        );
        forest(&top, &title, &agents, Some(smallest))?;
        forest(&bottom, "What the hop adds", &hop, None)
    })
}

fn agents(record: &BenchRecord) -> Vec<Row> {
    let mut rows = Vec::new();
    for comparison in &record.comparisons {
        rows.push(Row {
            name: format!("{} agent A again above agent A", comparison.percentile),
            difference: comparison.same_against_same,
        });
        rows.push(Row {
            name: format!("{} agent B above agent A", comparison.percentile),
            difference: comparison.candidate_against_baseline,
        });
    }
    rows
}

fn hop(record: &BenchRecord) -> Vec<Row> {
    let rows = record.costs.iter().map(|cost| Row {
        name: format!(
            "{} {} above {}",
            cost.percentile,
            cost.arm.description(),
            cost.above.description()
        ),
        difference: cost.difference,
    });
    rows.collect()
}

fn height(rows: &[Row]) -> u32 {
    FRAME_HEIGHT + ROW_HEIGHT * u32::try_from(rows.len()).unwrap_or(0)
}

fn forest(area: &Area<'_>, title: &str, rows: &[Row], band: Option<f64>) -> Result<(), PlotError> {
    let ends = rows
        .iter()
        .flat_map(|row| [row.difference.lower, row.difference.upper]);
    let ends: Vec<f64> = ends
        .chain([0.0])
        .chain(band)
        .chain(band.map(|band| -band))
        .collect();
    let most = ends.iter().copied().fold(f64::MIN, f64::max);
    let least = ends.iter().copied().fold(f64::MAX, f64::min);
    let room = most + (most - least) * ROOM_FOR_NUMBERS;
    let x = Axis::linear(ends.into_iter().chain([room]));
    let count = u32::try_from(rows.len()).unwrap_or(0);
    // The first row is at the top.
    let places = (0..count).rev().map(f64::from);
    let names = places.clone().zip(rows.iter().map(|row| row.name.clone()));
    let y = Axis::with_ticks(-0.7, f64::from(count) - 0.3, names.collect());
    let titles = Titles {
        title,
        x: "added latency, µs, with its 95 % interval",
        y: "",
    };
    let mut chart = chart(area, &titles, (x, y), NAMES_WIDTH)?;
    let (bottom, top) = (-0.7, f64::from(count) - 0.3);
    if let Some(band) = band {
        let shade = BLACK.mix(0.1).filled();
        chart.draw_series([Rectangle::new([(-band, bottom), (band, top)], shade)])?;
    }
    let zero = vec![(0.0, bottom), (0.0, top)];
    chart.draw_series([PathElement::new(zero, BLACK.mix(0.6))])?;
    for (place, row) in places.zip(rows) {
        interval(&mut chart, place, &row.difference)?;
    }
    Ok(())
}

fn interval(chart: &mut Chart<'_>, place: f64, difference: &Difference) -> Result<(), PlotError> {
    let &Difference {
        estimate,
        lower,
        upper,
        ..
    } = difference;
    let pen = BLACK.stroke_width(2);
    let strokes = [
        vec![(lower, place), (upper, place)],
        vec![(lower, place - CAP), (lower, place + CAP)],
        vec![(upper, place - CAP), (upper, place + CAP)],
    ];
    chart.draw_series(strokes.map(|stroke| PathElement::new(stroke, pen)))?;
    chart.draw_series([Circle::new((estimate, place), 4, BLACK.filled())])?;
    let [estimate, lower, upper_text] = [estimate, lower, upper].map(|end| number(end.round()));
    let text = format!("{estimate} [{lower}, {upper_text}]");
    let text = Text::new(text, (NUMBERS_DISTANCE, -6), (FONT, 13).into_font());
    chart.draw_series([EmptyElement::at((upper, place)) + text])?;
    Ok(())
}
