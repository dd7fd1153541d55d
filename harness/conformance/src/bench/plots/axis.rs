//! An axis of a plot: a linear or logarithmic scale with ticks that a person would choose.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// The most ticks of a linear axis.
const TICKS: f64 = 8.0;
/// On a logarithmic axis of more decades, only they have ticks.
const MOST_DECADES: f64 = 3.0;
/// The most ticks that are looked for.
const MOST_TICKS: usize = 64;
/// How far beyond the values a linear axis goes, as a part of their range.
const MARGIN: f64 = 0.05;

/// An axis.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    from: f64,
    to: f64,
    scale: Scale,
    ticks: Vec<(f64, String)>,
}

#[derive(Clone, Copy, Debug)]
enum Scale {
    Linear,
    Logarithmic,
}

impl Axis {
    /// Makes a linear axis that these values fit on.
    pub(super) fn linear(values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = bounds(values).unwrap_or((0.0, 1.0));
        let margin = if most > least {
            (most - least) * MARGIN
        } else {
            // A value alone stands in the middle.
            least.abs().max(1.0) * MARGIN
        };
        Self::between(least - margin, most + margin)
    }

    /// Makes a linear axis with these ends.
    pub(super) fn between(from: f64, to: f64) -> Self {
        let step = round_step((to - from) / TICKS);
        let ticks = multiples(step, from, to)
            .map(|tick| (tick, number(tick)))
            .collect();
        Self {
            from,
            to,
            scale: Scale::Linear,
            ticks,
        }
    }

    /// Makes a linear axis with these ends and ticks.
    pub(super) fn with_ticks(from: f64, to: f64, ticks: Vec<(f64, String)>) -> Self {
        Self {
            from,
            to,
            scale: Scale::Linear,
            ticks,
        }
    }

    /// Makes a logarithmic axis that these values fit on; values that are not above 0 have no place there.
    pub(super) fn logarithmic(values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = bounds(values.filter(|value| *value > 0.0)).unwrap_or((1.0, 10.0));
        let (from, to) = (least / 1.1, most * 1.1);
        let first = from.log10().floor();
        let decades = (to.log10().ceil() - first).max(1.0);
        let digits: &[f64] = if decades > MOST_DECADES {
            &[1.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        let ticks = multiples(1.0, first, first + decades)
            .flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powf(power)))
            .filter(|tick| (from..=to).contains(tick))
            .map(|tick| (tick, number(tick)))
            .collect();
        Self {
            from,
            to,
            scale: Scale::Logarithmic,
            ticks,
        }
    }

    fn place(&self, value: f64) -> f64 {
        let of = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.max(self.from / 10.0).log10(),
        };
        (of(value) - of(self.from)) / (of(self.to) - of(self.from))
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    #[expect(
        clippy::cast_possible_truncation,
        reason = "pixels of a picture, and what lies beyond it is drawn at its edge"
    )]
    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let length = f64::from(limit.1 - limit.0);
        (f64::from(limit.0) + self.place(*value).clamp(0.0, 1.0) * length).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(tick, _)| *tick).collect()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let found = self
            .ticks
            .iter()
            .find(|(tick, _)| (tick - value).abs() <= f64::EPSILON * value.abs());
        found.map_or_else(|| number(*value), |(_, label)| label.clone())
    }
}

/// Writes a number as briefly as it is exact enough to be read off.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".into()
    } else {
        text.into()
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|value| value.is_finite())
        .fold(None, |bounds, value| match bounds {
            None => Some((value, value)),
            Some((least, most)) => Some((value.min(least), value.max(most))),
        })
}

/// Returns 1, 2 or 5 times a power of ten, the first that is not below a step.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|digit| digit * power)
        .into_iter()
        .find(|round| *round >= step)
        .unwrap_or(10.0 * power)
}

fn multiples(step: f64, from: f64, to: f64) -> impl Iterator<Item = f64> {
    let first = (from / step).ceil();
    std::iter::successors(Some(first), |count| Some(count + 1.0))
        .map(move |count| count * step)
        .take_while(move |tick| *tick <= to)
        // Among numbers so large that the next one is the same, there is no end.
        .take(MOST_TICKS)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        let linear = Axis::linear([-40.0, 2210.0].into_iter());
        assert_eq!(labels(&linear), ["0", "500", "1000", "1500", "2000"]);
        let logarithmic = Axis::logarithmic([350.0, 12_000.0, 0.0].into_iter());
        assert_eq!(
            labels(&logarithmic),
            ["500", "1000", "2000", "5000", "10000"]
        );
        assert_eq!(
            labels(&Axis::linear([0.0, 0.004].into_iter())),
            ["0", "0.001", "0.002", "0.003", "0.004"]
        );
    }

    #[rstest]
    #[case(Axis::between(0.0, 100.0), 50.0, 500)]
    #[case(Axis::logarithmic([11.0, 1000.0 / 1.1].into_iter()), 100.0, 500)]
    #[case(Axis::between(0.0, 100.0), 900.0, 1000)]
    fn a_value_has_its_place_and_what_lies_beyond_stays_at_the_edge(
        #[case] axis: Axis,
        #[case] value: f64,
        #[case] pixel: i32,
    ) {
        assert_eq!(axis.map(&value, (0, 1000)), pixel);
    }

    #[test]
    fn an_axis_of_nothing_has_a_length() {
        let axis = Axis::linear(std::iter::empty());
        assert!(axis.range().end > axis.range().start);
        assert!(Axis::linear([7.0].into_iter()).place(7.0).is_finite());
    }
}
