//! The whole distribution of each arm: which part of its requests took no longer, and the spectrum of its percentiles.

use plotters::prelude::SeriesLabelPosition;

use super::ArmSeries;
use super::axis::Axis;
use super::canvas::{PlotError, Titles, chart, legend, line, picture};
use harness_verdict::latency::series::{Generation, sorted};

const HEIGHT: u32 = 520;
/// Room for the ticks of the vertical axis.
const TICKS_WIDTH: u32 = 70;
/// How many points a curve has: more are not to be seen.
const POINTS: u32 = 400;
/// The distribution is drawn up to here; the spectrum shows the rest.
const DRAWN_PART: f64 = 0.995;
/// How many samples lie beyond the last point of a spectrum.
const BEYOND: f64 = 5.0;

/// Draws which part of the requests took no longer than a time.
pub(super) fn distribution(arms: &[ArmSeries<'_>]) -> Result<String, PlotError> {
    let curves = curves(arms, |sorted| {
        parts(POINTS)
            .map(|part| part * DRAWN_PART)
            .filter_map(|part| Some((quantile(sorted, part)?, part)))
            .collect()
    });
    let x = Axis::logarithmic(places(&curves, |point| point.0));
    let titles = Titles {
        title: "Which part of the requests took no longer",
        x: "latency from the moment at which the request was due, µs (logarithmic)",
        y: "part of the requests",
    };
    let axes = (x, Axis::between(0.0, 1.0));
    draw(arms, curves, &titles, axes, SeriesLabelPosition::LowerRight)
}

/// Draws the latency at each percentile, with the rare ones spread out.
pub(super) fn spectrum(arms: &[ArmSeries<'_>]) -> Result<String, PlotError> {
    let curves = curves(arms, |sorted| {
        let most = (length(sorted) / BEYOND).max(1.0).log10();
        parts(POINTS)
            .map(|part| part * most)
            .filter_map(|nines| Some((nines, quantile(sorted, 1.0 - 10_f64.powf(-nines))?)))
            .collect()
    });
    let most = places(&curves, |point| point.0).fold(1.0, f64::max);
    let ticks = [
        (0.0, "0"),
        (0.5_f64.log10().abs(), "50"),
        (1.0, "90"),
        (2.0, "99"),
        (3.0, "99.9"),
        (4.0, "99.99"),
        (5.0, "99.999"),
    ];
    let ticks = { ticks.into_iter() }
        .filter(|(place, _)| *place <= most)
        .map(|(place, label)| (place, label.to_owned()));
    let y = Axis::logarithmic(places(&curves, |point| point.1));
    let titles = Titles {
        title: "Latency by percentile",
        x: "percentile (each step to the right is ten times as rare)",
        y: "latency, µs (logarithmic)",
    };
    let axes = (Axis::with_ticks(0.0, most, ticks.collect()), y);
    draw(arms, curves, &titles, axes, SeriesLabelPosition::LowerRight)
}

type Curve = Vec<(f64, f64)>;

fn curves(arms: &[ArmSeries<'_>], of: impl Fn(&[f64]) -> Curve) -> Vec<Curve> {
    arms.iter()
        .map(|(_, series)| {
            of(&sorted(
                series.iter().flat_map(Generation::latencies).collect(),
            ))
        })
        .collect()
}

fn draw(
    arms: &[ArmSeries<'_>],
    curves: Vec<Curve>,
    titles: &Titles<'_>,
    axes: (Axis, Axis),
    position: SeriesLabelPosition,
) -> Result<String, PlotError> {
    picture(HEIGHT, |area| {
        let mut chart = chart(area, titles, axes, TICKS_WIDTH)?;
        for ((arm, _), curve) in arms.iter().zip(curves) {
            line(&mut chart, *arm, curve)?;
        }
        let arms: Vec<_> = arms.iter().map(|(arm, _)| *arm).collect();
        legend(&mut chart, &arms, position)
    })
}

fn places(curves: &[Curve], of: impl Fn(&(f64, f64)) -> f64) -> impl Iterator<Item = f64> {
    curves.iter().flatten().map(of)
}

/// Returns numbers from 0 to 1 at equal distances.
fn parts(count: u32) -> impl Iterator<Item = f64> {
    (0..=count).map(move |number| f64::from(number) / f64::from(count))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of the length, from 0 on"
)]
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let rank = (length(sorted) * part).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn length(sorted: &[f64]) -> f64 {
    sorted.len() as f64
}
