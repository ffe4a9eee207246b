//! A picture in words, for those who listen to the page.

use super::ruler::drawable;
use super::series_name;
use crate::format::figure;
use crate::model::{Chart, ChartKind, Series};

/// Categories that are read out one by one; of more, only the ends are.
const CATEGORIES_READ_MAX: usize = 12;

/// What `chart` shows, in a few sentences.
pub(crate) fn describe(chart: &Chart) -> String {
    let mut sentences: Vec<String> = chart.series.iter().map(|series| one(chart, series)).collect();
    let moments = chart.marks.iter().filter(|mark| mark.x.is_finite());
    sentences.extend(
        moments.map(|mark| format!("Marked at {}: {}.", figure(mark.x, &chart.x.unit), mark.label)),
    );
    let levels = chart.levels.iter().filter(|level| level.y.is_finite());
    sentences.extend(
        levels
            .map(|level| format!("Drawn at {}: {}.", figure(level.y, &chart.y.unit), level.label)),
    );
    sentences.join(" ")
}

fn one(chart: &Chart, series: &Series) -> String {
    let name = series_name(chart, series);
    let points: Vec<(f64, f64)> =
        series.points.iter().copied().filter(|point| drawable(chart, *point)).collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return format!("{name}: nothing was measured.");
    };
    let value = |y: f64| figure(y, &chart.y.unit);
    let place = |x: f64| match chart.kind {
        ChartKind::Bars => category(chart, x),
        ChartKind::Lines | ChartKind::Steps => figure(x, &chart.x.unit),
    };
    if chart.kind == ChartKind::Bars && points.len() <= CATEGORIES_READ_MAX {
        let bars: Vec<String> =
            points.iter().map(|(x, y)| format!("{} {}", place(*x), value(*y))).collect();
        return format!("{name}: {}.", bars.join(", "));
    }
    let low = points.iter().min_by(|a, b| a.1.total_cmp(&b.1)).expect("there is a first point");
    let high = points.iter().max_by(|a, b| a.1.total_cmp(&b.1)).expect("there is a first point");
    format!(
        "{name}: from {} to {}, lowest {} at {}, highest {} at {}.",
        value(first.1),
        value(last.1),
        value(low.1),
        place(low.0),
        value(high.1),
        place(high.0)
    )
}

/// The name of a bar's category.
pub(crate) fn category(chart: &Chart, x: f64) -> String {
    let index = x.round();
    let known = if index >= 0.0 { chart.categories.get(index as usize) } else { None };
    known.cloned().unwrap_or_else(|| format!("group {index}"))
}
