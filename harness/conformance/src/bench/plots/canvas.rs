//! What the plots have in common: size, writing, and a line for each arm that can be told from the others without colours.

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _};
use plotters::element::{Circle, Cross, DashedPathElement};
use plotters::prelude::{SVGBackend, SeriesLabelPosition};
use plotters::style::{BLACK, Color as _, RGBColor, ShapeStyle, WHITE};

use super::axis::Axis;
use crate::bench::arm::Arm;

/// Why a plot cannot be drawn.
pub(super) type PlotError = DrawingAreaErrorKind<std::io::Error>;
/// Where a plot is drawn.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// A pair of axes with something between them.
pub(super) type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<Axis, Axis>>;

/// The width of a plot in pixels.
pub(super) const WIDTH: u32 = 960;
/// The family of every text. No file of a font is needed to draw, nor one of a particular name to look at it.
pub(super) const FONT: &str = "sans-serif";
const TITLE_SIZE: i32 = 19;
const LABEL_SIZE: i32 = 14;

/// Titles of a plot.
pub(super) struct Titles<'a> {
    /// What it shows.
    pub(super) title: &'a str,
    /// The horizontal axis, with its unit.
    pub(super) x: &'a str,
    /// The vertical axis, with its unit; empty where each of its ticks has a name.
    pub(super) y: &'a str,
}

/// Draws a picture of this height and returns it as SVG.
pub(super) fn picture(
    height: u32,
    draw: impl FnOnce(&Area<'_>) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE)?;
        draw(&area)?;
        area.present()?;
    }
    Ok(svg)
}

/// Draws titles and axes, with room for the ticks' labels at the left.
pub(super) fn chart<'a>(
    area: &Area<'a>,
    titles: &Titles<'_>,
    (x, y): (Axis, Axis),
    left: u32,
) -> Result<Chart<'a>, PlotError> {
    let mut chart = ChartBuilder::on(area)
        .caption(titles.title, (FONT, TITLE_SIZE))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(left)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .bold_line_style(BLACK.mix(0.12))
        .light_line_style(WHITE.mix(0.0))
        .label_style((FONT, LABEL_SIZE))
        .axis_desc_style((FONT, LABEL_SIZE))
        .x_desc(titles.x)
        .y_desc(titles.y)
        .draw()?;
    Ok(chart)
}

/// How an arm is drawn: the pen, and the lengths of its dashes and gaps in pixels.
struct Pen {
    style: ShapeStyle,
    dash: i32,
    gap: i32,
}

const GREY: RGBColor = RGBColor(130, 130, 130);
const BLUE: RGBColor = RGBColor(0, 90, 181);
const RED: RGBColor = RGBColor(200, 40, 20);
/// Longer than any line: no gap is ever drawn.
const WITHOUT_GAPS: i32 = 100_000;

/// Returns the pen of an arm. Without colours the dashes tell them apart.
fn pen(arm: Arm) -> Pen {
    let (color, width, dash, gap) = match arm {
        Arm::Absent => (GREY, 1, WITHOUT_GAPS, 1),
        Arm::Disabled => (GREY, 2, 2, 4),
        Arm::Null => (BLUE, 2, 14, 5),
        Arm::A => (BLACK, 2, WITHOUT_GAPS, 1),
        Arm::AAgain => (BLACK, 2, 2, 5),
        Arm::B => (RED, 3, 7, 4),
    };
    Pen {
        style: color.stroke_width(width),
        dash,
        gap,
    }
}

/// Draws a line through points, the way that this arm's lines are drawn.
pub(super) fn line(
    chart: &mut Chart<'_>,
    arm: Arm,
    points: Vec<(f64, f64)>,
) -> Result<(), PlotError> {
    let Pen { style, dash, gap } = pen(arm);
    let line = DashedPathElement::new(points, dash, gap, style);
    chart.draw_series([line])?;
    Ok(())
}

/// Draws a mark at each point: filled for B, an empty circle for the others.
pub(super) fn marks(
    chart: &mut Chart<'_>,
    arm: Arm,
    points: &[(f64, f64)],
) -> Result<(), PlotError> {
    let style = match arm {
        Arm::B => ShapeStyle::from(RED).filled(),
        Arm::Absent | Arm::Disabled | Arm::Null | Arm::A | Arm::AAgain => pen(arm).style,
    };
    chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, style)))?;
    Ok(())
}

/// Draws a cross at each point.
pub(super) fn crosses(
    chart: &mut Chart<'_>,
    arm: Arm,
    points: &[(f64, f64)],
) -> Result<(), PlotError> {
    let style = pen(arm).style;
    chart.draw_series(points.iter().map(|point| Cross::new(*point, 4, style)))?;
    Ok(())
}

/// Adds a legend of these arms.
pub(super) fn legend(
    chart: &mut Chart<'_>,
    arms: &[Arm],
    position: SeriesLabelPosition,
) -> Result<(), PlotError> {
    for &arm in arms {
        // The lines themselves stand there by then; this series is empty.
        let nothing: [Circle<(f64, f64), i32>; 0] = [];
        chart
            .draw_series(nothing)?
            .label(arm.description())
            .legend(move |(x, y)| {
                let Pen { style, dash, gap } = pen(arm);
                let ends = vec![(x, y), (x + LEGEND_LENGTH, y)];
                DashedPathElement::new(ends, dash, gap, style)
            });
    }
    chart
        .configure_series_labels()
        .position(position)
        .legend_area_size(LEGEND_LENGTH + 10)
        .label_font((FONT, LABEL_SIZE))
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

const LEGEND_LENGTH: i32 = 44;
