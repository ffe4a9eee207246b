//! Charts of lines and steps: grid, axes, marks, levels, series.
//!
//! A series may have more points than the picture has pixels: of each column of pixels the first,
//! least, greatest and last point are drawn, so that no peak is lost.
//!
//! Not modelled: smoothing, error bars, stacked areas.

use super::legend::Legend;
use super::marks::{self, Lanes};
use super::measure;
use super::ruler::{Ruler, drawable, scale_of, x_range, y_range};
use super::shapes;
use super::writer::{Anchor, Px, Writer};
use super::{Canvas, axis_title, series_name};
use crate::format::figure;
use crate::model::{Arm, Chart, ChartKind, Series};
use crate::ticks::Ticks;
use std::fmt::Write as _;

/// Height of a lane of mark labels, in pixels.
const LANE: f64 = 19.0;

/// From the base of the vertical axis's title to the plot, or to the labels of marks above it, in
/// pixels: the uppermost tick's label is not to touch the title.
const TITLE_GAP: f64 = 20.0;

/// Room for the labels of the vertical axis at least, so that charts above each other line up.
const LABELS_WIDTH_MIN: f64 = 44.0;

/// Markers on a series with many points.
const MARKERS: usize = 7;

/// With up to this many points, every point gets its marker.
const MARKERS_ALL_MAX: usize = 16;

/// Where everything goes.
struct Frame {
    x: Ruler,
    y: Ruler,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    title_y: f64,
    height: f64,
    lanes: Lanes,
    legend: Legend,
}

/// Draws `chart`.
pub(crate) fn draw(svg: &mut Writer, chart: &Chart, canvas: Canvas, key: &str) {
    let frame = Frame::new(chart, canvas);
    svg.open("defs", &[]);
    let id = format!("{key}-clip");
    svg.open("clipPath", &[("id", &id)]);
    let (width, height) = (Px(frame.right - frame.left + 8.0), Px(frame.bottom - frame.top + 8.0));
    let (left, top) = (Px(frame.left - 4.0), Px(frame.top - 4.0));
    svg.leaf("rect", &[("x", &left), ("y", &top), ("width", &width), ("height", &height)]);
    svg.close();
    svg.close();
    frame.legend.draw(svg, chart, key);
    spans(svg, chart, &frame);
    axes(svg, chart, &frame);
    mark_lines(svg, chart, &frame);
    svg.open("g", &[("clip-path", &format!("url(#{id})"))]);
    // Real lines are broad and broken, simulated ones thin and on top: where the two agree, both
    // are seen.
    for arm in [Arm::Real, Arm::Simulated] {
        for series in chart.series.iter().filter(|series| series.arm == arm) {
            line(svg, chart, series, &frame);
        }
    }
    for (index, series) in chart.series.iter().enumerate() {
        markers(svg, chart, series, index, &frame);
    }
    svg.close();
    levels(svg, chart, &frame);
}

/// The height of the picture in pixels.
pub(crate) fn height(chart: &Chart, canvas: Canvas) -> f64 {
    Frame::new(chart, canvas).height
}

/// Whether the marks had to be numbered.
pub(crate) fn numbered(chart: &Chart, canvas: Canvas) -> bool {
    let frame = Frame::new(chart, canvas);
    marks::numbered(&frame.labels(chart), frame.right - frame.left)
}

/// The horizontal axis.
pub(crate) fn x_ticks(chart: &Chart, canvas: Canvas) -> Ticks {
    let about = if canvas == Canvas::Wide { 10 } else { 5 };
    x_range(chart).ticks(scale_of(chart, &chart.x), &chart.x.unit, about)
}

impl Frame {
    fn new(chart: &Chart, canvas: Canvas) -> Self {
        let legend = Legend::new(chart, canvas.width());
        let (scale_x, scale_y) = (scale_of(chart, &chart.x), scale_of(chart, &chart.y));
        let y = y_range(chart).ticks(scale_y, &chart.y.unit, 5);
        let widest = y.labels.iter().map(|label| measure::width(label)).fold(0.0, f64::max);
        let left = (widest + 10.0).ceil().max(LABELS_WIDTH_MIN);
        let right = canvas.width() - 14.0;
        let x = x_ticks(chart, canvas);
        let title_y = legend.height() + 14.0;
        let mut frame = Self {
            x: Ruler::new(x, scale_x, left, right),
            y: Ruler::new(y, scale_y, 1.0, 0.0),
            left,
            right,
            top: 0.0,
            bottom: 0.0,
            title_y,
            height: 0.0,
            lanes: Lanes { places: Vec::new(), texts: Vec::new(), count: 0 },
            legend,
        };
        frame.lanes = marks::place(&frame.labels(chart), right - left);
        frame.top = title_y + TITLE_GAP + frame.lanes.count as f64 * LANE;
        frame.bottom = frame.top + canvas.plot_height();
        frame.height = frame.bottom + 48.0;
        frame.y = Ruler::new(frame.y.ticks.clone(), scale_y, frame.bottom, frame.top);
        frame
    }

    /// Each mark's label with its place from the plot's left edge, in pixels.
    fn labels<'a>(&self, chart: &'a Chart) -> Vec<(f64, &'a str)> {
        let width = self.right - self.left;
        let at = |x: f64| {
            let pixel = if x.is_finite() { self.x.at(x) - self.left } else { 0.0 };
            pixel.clamp(0.0, width)
        };
        chart.marks.iter().map(|mark| (at(mark.x), mark.label.as_str())).collect()
    }
}

fn axes(svg: &mut Writer, chart: &Chart, frame: &Frame) {
    svg.open("g", &[("class", &"axis")]);
    for (value, label) in frame.y.ticks.at.iter().zip(&frame.y.ticks.labels) {
        let y = frame.y.at(*value);
        let class = if *value == 0.0 { "zero" } else { "grid" };
        svg.line(class, (frame.left, y), (frame.right, y));
        svg.text((frame.left - 8.0, y + 4.5), "tick", Anchor::End, label);
    }
    let title = axis_title(&chart.y, &frame.y.ticks.symbol);
    svg.text((0.0, frame.title_y), "title", Anchor::Start, &title);
    let mut free_from = f64::NEG_INFINITY;
    for (value, label) in frame.x.ticks.at.iter().zip(&frame.x.ticks.labels) {
        let x = frame.x.at(*value);
        svg.line("grid", (x, frame.bottom), (x, frame.bottom + 5.0));
        let half = measure::width(label) / 2.0;
        let middle = x.min(frame.right + 14.0 - half);
        if middle - half > free_from {
            svg.text((middle, frame.bottom + 20.0), "tick", Anchor::Middle, label);
            free_from = middle + half + 6.0;
        }
    }
    let title = axis_title(&chart.x, &frame.x.ticks.symbol);
    svg.text((frame.right, frame.bottom + 40.0), "title", Anchor::End, &title);
    svg.close();
}

/// Bands for marks that last.
fn spans(svg: &mut Writer, chart: &Chart, frame: &Frame) {
    for mark in &chart.marks {
        let Some(until) = mark.until.filter(|until| until.is_finite() && mark.x.is_finite()) else {
            continue;
        };
        let (from, to) = (frame.x.at(mark.x), frame.x.at(until));
        let (from, to) = (from.max(frame.left), to.min(frame.right));
        if to > from {
            let (x, y) = (Px(from), Px(frame.top));
            let (width, height) = (Px(to - from), Px(frame.bottom - frame.top));
            let label = format!("{} until {}", mark.label, figure(until, &chart.x.unit));
            svg.titled(
                "rect",
                &[("class", &"span"), ("x", &x), ("y", &y), ("width", &width), ("height", &height)],
                &label,
            );
        }
    }
}

fn mark_lines(svg: &mut Writer, chart: &Chart, frame: &Frame) {
    for (index, mark) in chart.marks.iter().enumerate() {
        if !mark.x.is_finite() || !frame.x.covers(mark.x) {
            continue;
        }
        let (place, x) = (&frame.lanes.places[index], frame.x.at(mark.x));
        let lanes = place.lane.map_or(0.0, |lane| lane as f64 + 1.0);
        let top = frame.top - lanes * LANE;
        let (x1, y1, y2) = (Px(x), Px(top), Px(frame.bottom));
        let title = format!("{} at {}", mark.label, figure(mark.x, &chart.x.unit));
        svg.titled(
            "line",
            &[("class", &"mark"), ("x1", &x1), ("y1", &y1), ("x2", &x1), ("y2", &y2)],
            &title,
        );
        if place.lane.is_some() {
            let (dx, anchor) = if place.left { (-5.0, Anchor::End) } else { (5.0, Anchor::Start) };
            svg.text((x + dx, top + 11.0), "mark-label", anchor, &frame.lanes.texts[index]);
        }
    }
}

/// Figures to compare with. A label that would lie on the one before stands at the other side.
fn levels(svg: &mut Writer, chart: &Chart, frame: &Frame) {
    let mut right_labels: Vec<f64> = Vec::new();
    for level in &chart.levels {
        if !level.y.is_finite() || !frame.y.covers(level.y) {
            continue;
        }
        let y = frame.y.at(level.y);
        svg.line("level", (frame.left, y), (frame.right, y));
        let above = if y - frame.top < 16.0 { y + 15.0 } else { y - 5.0 };
        let crowded = right_labels.iter().any(|other| (other - above).abs() < 16.0);
        let (x, anchor) = match crowded {
            true => (frame.left + 4.0, Anchor::Start),
            false => (frame.right, Anchor::End),
        };
        right_labels.push(above);
        let room = (frame.right - frame.left) * 0.6;
        let label = measure::shorten(&level.label, room);
        svg.text((x, above), "level-label", anchor, &label);
    }
}

fn line(svg: &mut Writer, chart: &Chart, series: &Series, frame: &Frame) {
    let path = path(chart, series, frame);
    if path.is_empty() {
        return;
    }
    let dash = if series.arm == Arm::Real { " real" } else { "" };
    let class = format!("line {}{dash}", shapes::role_class(series.role));
    svg.titled("path", &[("class", &class), ("d", &path)], &series_name(chart, series));
}

/// The path of a series, thinned to what its pixels can show.
fn path(chart: &Chart, series: &Series, frame: &Frame) -> String {
    let mut path = String::new();
    let mut last_y = None;
    for (x, y) in thinned(&pixels(chart, series, frame)) {
        // Writing to a string cannot fail.
        let _ = match (chart.kind, last_y) {
            (_, None) => write!(path, "M{} {}", Px(x), Px(y)),
            (ChartKind::Steps, Some(_)) => write!(path, "H{}V{}", Px(x), Px(y)),
            (_, Some(_)) => write!(path, "L{} {}", Px(x), Px(y)),
        };
        last_y = Some(y);
    }
    if chart.kind == ChartKind::Steps && last_y.is_some() {
        // The last value holds to the end of the axis.
        let _ = write!(path, "H{}", Px(frame.right));
    }
    path
}

fn pixels(chart: &Chart, series: &Series, frame: &Frame) -> Vec<(f64, f64)> {
    let drawable = series.points.iter().filter(|point| drawable(chart, **point));
    drawable.map(|(x, y)| (frame.x.at(*x), frame.y.at(*y))).collect()
}

/// Of each column of pixels the first, least, greatest and last point.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let same_column = |a: &(f64, f64), b: &(f64, f64)| a.0.floor() == b.0.floor();
    let mut thin = Vec::with_capacity(points.len());
    for column in points.chunk_by(same_column) {
        if column.len() <= 4 {
            thin.extend_from_slice(column);
            continue;
        }
        let by_height = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let least = column.iter().min_by(by_height).expect("a column has points");
        let greatest = column.iter().max_by(by_height).expect("a column has points");
        thin.extend([column[0], *least, *greatest, column[column.len() - 1]]);
    }
    thin
}

/// A marker on every point of a short series, on some of a long one; each series begins elsewhere,
/// so that markers of lines that lie on each other stay apart.
fn markers(svg: &mut Writer, chart: &Chart, series: &Series, index: usize, frame: &Frame) {
    let points: Vec<_> =
        series.points.iter().filter(|point| drawable(chart, **point)).copied().collect();
    let chosen: Vec<usize> = match points.len() {
        few if few <= MARKERS_ALL_MAX => (0..few).collect(),
        many => {
            let stride = many / MARKERS;
            let others = chart.series.len().max(1);
            let begin = stride * (2 * index + 1) / (2 * others);
            (0..MARKERS).map(|nth| begin + nth * stride).filter(|at| *at < many).collect()
        }
    };
    let arm = if series.arm == Arm::Real { " hollow" } else { "" };
    svg.open("g", &[("class", &format!("{}{arm}", shapes::role_class(series.role)))]);
    for (x, y) in chosen.into_iter().map(|at| points[at]) {
        let shape = shapes::marker(series.role, frame.x.at(x), frame.y.at(y));
        let words = format!(
            "{}: {} at {}",
            series_name(chart, series),
            figure(y, &chart.y.unit),
            figure(x, &chart.x.unit)
        );
        svg.titled("path", &[("class", &"marker"), ("d", &shape)], &words);
    }
    svg.close();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_every_peak() {
        let points: Vec<(f64, f64)> = (0..10_000)
            .map(|index| (f64::from(index) / 100.0, if index == 5_050 { 9.0 } else { 1.0 }))
            .collect();
        let thin = thinned(&points);
        assert!(thin.len() <= 400);
        assert!(thin.iter().any(|point| point.1 == 9.0));
        assert!(thin.windows(2).all(|pair| pair[0].0.floor() <= pair[1].0.floor()));
    }
}
