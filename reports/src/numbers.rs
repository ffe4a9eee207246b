//! A chart as a table of numbers, for those who cannot see it or want the figures.
//!
//! Lines have far more points than anybody reads: their table has a row per tick of the
//! horizontal axis and gives each series' last value up to there.

use crate::format::figure;
use crate::model::{Chart, ChartKind, Series};
use crate::svg::{drawable, series_name, x_ticks};
use serde::Serialize;

/// The table: the first column names the row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Numbers {
    /// Headings.
    pub(crate) columns: Vec<String>,
    /// Rows, each as long as `columns`.
    pub(crate) rows: Vec<Vec<String>>,
}

/// The numbers of `chart`; empty where nothing was measured.
pub(crate) fn numbers(chart: &Chart) -> Numbers {
    let mut points = chart.series.iter().flat_map(|series| &series.points);
    if !points.any(|point| drawable(chart, *point)) {
        return Numbers::default();
    }
    let names = chart.series.iter().map(|series| series_name(chart, series));
    let rows = match chart.kind {
        ChartKind::Bars => by_category(chart),
        ChartKind::Lines | ChartKind::Steps => by_tick(chart),
    };
    Numbers { columns: [chart.x.label.clone()].into_iter().chain(names).collect(), rows }
}

fn by_category(chart: &Chart) -> Vec<Vec<String>> {
    let row = |(index, name): (usize, &String)| {
        let value = |series: &Series| {
            let here =
                |point: &&(f64, f64)| point.0.round() == index as f64 && drawable(chart, **point);
            written(chart, series.points.iter().find(here))
        };
        [name.clone()].into_iter().chain(chart.series.iter().map(value)).collect()
    };
    chart.categories.iter().enumerate().map(row).collect()
}

fn by_tick(chart: &Chart) -> Vec<Vec<String>> {
    let row = |tick: &f64| {
        let value = |series: &Series| {
            let before = |point: &&(f64, f64)| point.0 <= *tick && drawable(chart, **point);
            written(chart, series.points.iter().rev().find(before))
        };
        let at = figure(*tick, &chart.x.unit);
        [at].into_iter().chain(chart.series.iter().map(value)).collect()
    };
    x_ticks(chart).iter().map(row).collect()
}

fn written(chart: &Chart, point: Option<&(f64, f64)>) -> String {
    point.map_or_else(|| "–".to_owned(), |(_, y)| figure(*y, &chart.y.unit))
}
