//! Charts of bars: one group per category, bars lying down so that names have room.
//!
//! Not modelled: stacked bars, and bars on a logarithmic axis.

use super::legend::Legend;
use super::measure;
use super::ruler::{Ruler, drawable, y_range};
use super::shapes;
use super::writer::{Anchor, Px, Writer};
use super::{Canvas, axis_title, series_name};
use crate::format::figure;
use crate::model::{Arm, Chart, Scale, Series};

/// Thickness of a bar, space between bars of a group, between groups, and of a line of text, in
/// pixels.
const BAR: f64 = 17.0;
const BAR_GAP: f64 = 4.0;
const GROUP_GAP: f64 = 20.0;
const LINE: f64 = 18.0;

/// Widest column of category names on a wide canvas, in pixels.
const NAMES_WIDTH_MAX: f64 = 240.0;

/// Where everything goes.
struct Frame {
    ruler: Ruler,
    left: f64,
    right: f64,
    top: f64,
    height: f64,
    bottom: f64,
    groups: Vec<Group>,
    legend: Legend,
}

/// One category's place.
struct Group {
    name: Vec<String>,
    name_y: f64,
    bars_y: f64,
}

/// Draws `chart`.
pub(crate) fn draw(svg: &mut Writer, chart: &Chart, canvas: Canvas, key: &str) {
    let frame = Frame::new(chart, canvas);
    shapes::define_patterns(svg, chart, key);
    frame.legend.draw(svg, chart, key);
    axis(svg, chart, &frame);
    for (index, group) in frame.groups.iter().enumerate() {
        for (nth, line) in group.name.iter().enumerate() {
            let y = group.name_y + nth as f64 * LINE;
            match canvas {
                Canvas::Wide => svg.text((frame.left - 12.0, y), "label", Anchor::End, line),
                Canvas::Narrow => svg.text((frame.left + 6.0, y), "name", Anchor::Start, line),
            }
        }
        for (nth, series) in chart.series.iter().enumerate() {
            let top = group.bars_y + nth as f64 * (BAR + BAR_GAP);
            bar(svg, chart, series, index, top, &frame, key);
        }
    }
    let (x, top) = (frame.ruler.at(0.0), frame.top - 6.0);
    svg.line("zero", (x, top), (x, frame.bottom));
    levels(svg, chart, &frame);
}

/// The height of the picture in pixels.
pub(crate) fn height(chart: &Chart, canvas: Canvas) -> f64 {
    Frame::new(chart, canvas).height
}

impl Frame {
    fn new(chart: &Chart, canvas: Canvas) -> Self {
        let legend = Legend::new(chart, canvas.width());
        let names = chart.categories.iter().map(|name| measure::width(name));
        let left = match canvas {
            Canvas::Wide => names.fold(0.0, f64::max).min(NAMES_WIDTH_MAX).ceil() + 14.0,
            Canvas::Narrow => 2.0,
        };
        let values = chart.series.iter().flat_map(|series| &series.points);
        let room = values
            .filter(|point| drawable(chart, **point))
            .map(|(_, y)| measure::width(&figure(*y, &chart.y.unit)))
            .fold(0.0, f64::max);
        let right = (canvas.width() - room - 12.0).max(left + 60.0);
        let level_lines = if chart.levels.is_empty() { 0.0 } else { LINE };
        let top = legend.height() + level_lines + 8.0;
        let bars = chart.series.len() as f64 * (BAR + BAR_GAP) - BAR_GAP;
        let mut y = top;
        let groups = chart.categories.iter().map(|name| {
            let group = Group::new(name, canvas, left, y, bars.max(0.0));
            y += group.height(bars.max(0.0)) + GROUP_GAP;
            group
        });
        let groups: Vec<Group> = groups.collect();
        let bottom = (y - GROUP_GAP).max(top) + 8.0;
        let about = if canvas == Canvas::Wide { 7 } else { 4 };
        let ticks = y_range(chart).ticks(Scale::Linear, &chart.y.unit, about);
        Self {
            ruler: Ruler::new(ticks, Scale::Linear, left, right),
            left,
            right,
            top,
            height: bottom + 48.0,
            bottom,
            groups,
            legend,
        }
    }
}

impl Group {
    fn new(name: &str, canvas: Canvas, left: f64, y: f64, bars: f64) -> Self {
        let lines = match canvas {
            Canvas::Wide => measure::wrap(name, left - 14.0, 2),
            Canvas::Narrow => measure::wrap(name, canvas.width() - 4.0, 2),
        };
        let text = lines.len() as f64 * LINE;
        match canvas {
            // Text and bars share a middle line.
            Canvas::Wide => {
                let tall = text.max(bars);
                let name_y = y + (tall - text) / 2.0 + 13.5;
                Self { name: lines, name_y, bars_y: y + (tall - bars) / 2.0 }
            }
            Canvas::Narrow => Self { name: lines, name_y: y + 12.0, bars_y: y + text },
        }
    }

    fn height(&self, bars: f64) -> f64 {
        let text = self.name.len() as f64 * LINE;
        // Side by side the taller one counts, one below the other both do.
        let top = (self.name_y - 13.5).min(self.bars_y);
        (self.bars_y + bars).max(self.name_y - 13.5 + text) - top
    }
}

fn axis(svg: &mut Writer, chart: &Chart, frame: &Frame) {
    svg.open("g", &[("class", &"axis")]);
    let mut free_from = f64::NEG_INFINITY;
    for (value, label) in frame.ruler.ticks.at.iter().zip(&frame.ruler.ticks.labels) {
        let x = frame.ruler.at(*value);
        svg.line("grid", (x, frame.top - 6.0), (x, frame.bottom));
        let half = measure::width(label) / 2.0;
        let middle = x.max(half);
        if middle - half > free_from {
            svg.text((middle, frame.bottom + 18.0), "tick", Anchor::Middle, label);
            free_from = middle + half + 6.0;
        }
    }
    let title = axis_title(&chart.y, &frame.ruler.ticks.symbol);
    svg.text((frame.right, frame.bottom + 40.0), "title", Anchor::End, &title);
    svg.close();
}

fn bar(
    svg: &mut Writer,
    chart: &Chart,
    series: &Series,
    category: usize,
    top: f64,
    frame: &Frame,
    key: &str,
) {
    let of_category = |point: &&(f64, f64)| point.0.round() == category as f64;
    let mut drawn = series.points.iter().filter(|point| drawable(chart, **point));
    let middle = top + BAR / 2.0 + 4.5;
    let Some((_, value)) = drawn.find(of_category) else {
        svg.text((frame.ruler.at(0.0) + 6.0, middle), "tick", Anchor::Start, "not measured");
        return;
    };
    let written = figure(*value, &chart.y.unit);
    let (zero, end) = (frame.ruler.at(0.0), frame.ruler.at(*value));
    let (from, to) = (zero.min(end), zero.max(end));
    let (x, y, width, height) = (Px(from), Px(top), Px((to - from).max(1.0)), Px(BAR));
    let arm = if series.arm == Arm::Real { " real" } else { "" };
    let class = format!("bar {}{arm}", shapes::role_class(series.role));
    let name = chart.categories.get(category).map_or("", String::as_str);
    svg.titled(
        "rect",
        &[
            ("class", &class),
            ("x", &x),
            ("y", &y),
            ("width", &width),
            ("height", &height),
            ("fill", &shapes::fill(key, series.role)),
        ],
        &format!("{name}, {}: {written}", series_name(chart, series)),
    );
    svg.text((to + 7.0, middle), "value", Anchor::Start, &written);
}

fn levels(svg: &mut Writer, chart: &Chart, frame: &Frame) {
    let mut free_from = f64::NEG_INFINITY;
    let mut levels: Vec<_> = chart
        .levels
        .iter()
        .filter(|level| level.y.is_finite() && frame.ruler.covers(level.y))
        .collect();
    levels.sort_by(|a, b| a.y.total_cmp(&b.y));
    for level in levels {
        let x = frame.ruler.at(level.y);
        svg.line("level", (x, frame.top - 10.0), (x, frame.bottom));
        let half = measure::width(&level.label) / 2.0;
        let middle = x.min(frame.right + 40.0 - half).max(half);
        if middle - half > free_from {
            svg.text((middle, frame.top - 14.0), "level-label", Anchor::Middle, &level.label);
            free_from = middle + half + 8.0;
        }
    }
}
