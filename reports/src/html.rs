//! A report as one page that needs nothing else: no network, no fonts, no scripts.
//!
//! The words and the order of the page stand in `templates/*.html`, its looks in
//! `templates/*.css`; this module turns a [`Report`] into what the templates fill in.
//!
//! Not modelled: a page over several runs, and anything that moves.

use crate::format::{duration, figure, grouped, sentence};
use crate::model::{Arm, Cell, Chart, LatencyRow, Mark, Moment, Report, Table, Verdict};
use crate::numbers::{Numbers, numbers};
use crate::svg::{self, Canvas};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

/// Moments that the page lists; of more it gives the number.
const MOMENTS_SHOWN_MAX: usize = 200;

/// The templates by the name they include each other with.
const TEMPLATES: [(&str, &str); 10] = [
    ("page.html", include_str!("templates/page.html")),
    ("verdict.html", include_str!("templates/verdict.html")),
    ("charts.html", include_str!("templates/charts.html")),
    ("expectations.html", include_str!("templates/expectations.html")),
    ("comparison.html", include_str!("templates/comparison.html")),
    ("tables.html", include_str!("templates/tables.html")),
    ("latencies.html", include_str!("templates/latencies.html")),
    ("rack.html", include_str!("templates/rack.html")),
    ("timeline.html", include_str!("templates/timeline.html")),
    ("run.html", include_str!("templates/run.html")),
];

/// The page's looks: colours, pictures, everything else.
const CSS: &str = concat!(
    include_str!("templates/tokens.css"),
    include_str!("templates/chart.css"),
    include_str!("templates/page.css")
);

/// All that the templates see.
#[derive(Serialize)]
struct PageView<'a> {
    css: &'static str,
    report: &'a Report,
    holds: bool,
    verdict: String,
    /// The first digest among the arms.
    digest: Option<&'a str>,
    expectations: Vec<ExpectationView<'a>>,
    failed: Vec<ExpectationView<'a>>,
    any_talk: bool,
    charts: Vec<ChartView<'a>>,
    comparison: Vec<ComparisonView<'a>>,
    tables: Vec<TableView<'a>>,
    latencies: Vec<LatencyView<'a>>,
    timeline: &'a [Moment],
    timeline_left_out: u64,
}

/// The whole page of `report`.
pub fn page(report: &Report) -> String {
    let environment = environment();
    let page = environment.get_template("page.html").expect("the page is one of our templates");
    let expectation = |verdict| ExpectationView::new(report, verdict);
    let failed = report.expectations.iter().filter(|verdict| !verdict.holds);
    let shown = report.timeline.len().min(MOMENTS_SHOWN_MAX);
    let view = PageView {
        css: CSS,
        report,
        holds: report.holds(),
        verdict: sentence(&report.verdict()),
        digest: report.arms.iter().find_map(|arm| arm.digest.as_deref()),
        expectations: report.expectations.iter().map(expectation).collect(),
        failed: failed.map(expectation).collect(),
        any_talk: report.expectations.iter().any(|verdict| verdict.talk.is_some()),
        charts: report.charts.iter().enumerate().map(ChartView::new).collect(),
        comparison: comparison(report),
        tables: report.tables.iter().map(TableView::new).collect(),
        latencies: latencies(report),
        timeline: &report.timeline[..shown],
        timeline_left_out: (report.timeline.len() - shown) as u64,
    };
    page.render(Serde(&view)).expect("the templates use what they are given, whatever it holds")
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the default delimiters are valid"));
    environment.add_filter("duration", duration);
    environment.add_filter("grouped", grouped);
    environment.add_filter("sentence", |phrase: String| sentence(&phrase));
    for (name, source) in TEMPLATES {
        environment.add_template(name, source).expect("our templates are well-formed");
    }
    environment
}

/// An expectation as the page shows it.
#[derive(Serialize)]
struct ExpectationView<'a> {
    /// The sentence, or the name where there is none.
    title: &'a str,
    name: &'a str,
    /// Whether the title is a sentence, so that the name is worth a line of its own.
    says: bool,
    #[serde(rename = "where")]
    place: String,
    holds: bool,
    measured: &'a str,
    bound: &'a str,
    talk: Option<&'a str>,
}

impl<'a> ExpectationView<'a> {
    fn new(report: &Report, verdict: &'a Verdict) -> Self {
        Self {
            title: verdict.says.as_deref().unwrap_or(&verdict.name),
            name: &verdict.name,
            says: verdict.says.is_some(),
            place: place(report, verdict.variant.as_deref(), verdict.arm),
            holds: verdict.holds,
            measured: &verdict.measured,
            bound: &verdict.bound,
            talk: verdict.talk.as_deref(),
        }
    }
}

/// Variant and arm, the arm only where the run had more than one.
pub(crate) fn place(report: &Report, variant: Option<&str>, arm: Arm) -> String {
    let arm = if report.arms.len() > 1 { Some(arm.word()) } else { None };
    [variant, arm].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A chart as the page shows it.
#[derive(Serialize)]
struct ChartView<'a> {
    title: &'a str,
    caption: Option<&'a str>,
    wide: String,
    narrow: String,
    /// What numbered marks stand for; empty where the picture itself says it.
    marks: Vec<MarkView<'a>>,
    numbered_wide: bool,
    numbered_narrow: bool,
    numbers: Numbers,
}

/// A line of the list of numbered marks.
#[derive(Serialize)]
struct MarkView<'a> {
    at: String,
    label: &'a str,
}

impl<'a> ChartView<'a> {
    fn new((index, chart): (usize, &'a Chart)) -> Self {
        let key = format!("c{index}");
        let numbered_wide = svg::numbers_marks(chart, Canvas::Wide);
        let numbered_narrow = svg::numbers_marks(chart, Canvas::Narrow);
        let listed = if numbered_wide || numbered_narrow { &chart.marks[..] } else { &[] };
        let view =
            |mark: &'a Mark| MarkView { at: figure(mark.x, &chart.x.unit), label: &mark.label };
        Self {
            title: &chart.title,
            caption: chart.caption.as_deref(),
            wide: svg::draw(chart, Canvas::Wide, &key),
            narrow: svg::draw(chart, Canvas::Narrow, &key),
            marks: listed.iter().map(view).collect(),
            numbered_wide,
            numbered_narrow,
            numbers: numbers(chart),
        }
    }
}

/// A table as the page shows it.
#[derive(Serialize)]
struct TableView<'a> {
    title: &'a str,
    columns: Vec<ColumnView<'a>>,
    rows: Vec<Vec<String>>,
}

/// A column of a table; figures stand to the right.
#[derive(Serialize)]
struct ColumnView<'a> {
    title: &'a str,
    figures: bool,
}

impl<'a> TableView<'a> {
    fn new(table: &'a Table) -> Self {
        let figures = |column: usize| {
            column > 0
                && table.rows.iter().any(|row| matches!(row.get(column), Some(Cell::Number(..))))
        };
        let columns = table.columns.iter().enumerate();
        let row = |row: &Vec<Cell>| {
            (0..table.columns.len())
                .map(|column| row.get(column).map_or_else(String::new, cell))
                .collect()
        };
        Self {
            title: &table.title,
            columns: columns
                .map(|(index, title)| ColumnView { title, figures: figures(index) })
                .collect(),
            rows: table.rows.iter().map(row).collect(),
        }
    }
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Number(value, unit) => figure(*value, unit),
    }
}

/// One thing measured on both arms.
#[derive(Serialize)]
struct ComparisonView<'a> {
    name: String,
    variant: Option<&'a str>,
    simulated: String,
    real: String,
}

/// Whatever was measured on both arms: expectations first, then latencies.
fn comparison(report: &Report) -> Vec<ComparisonView<'_>> {
    let simulated = report.expectations.iter().filter(|verdict| verdict.arm == Arm::Simulated);
    let verdicts = simulated.filter_map(|here| {
        let same = |there: &&Verdict| {
            there.arm == Arm::Real && there.name == here.name && there.variant == here.variant
        };
        let there = report.expectations.iter().find(same)?;
        Some(ComparisonView {
            name: here.says.clone().unwrap_or_else(|| here.name.clone()),
            variant: here.variant.as_deref(),
            simulated: here.measured.clone(),
            real: there.measured.clone(),
        })
    });
    let simulated = report.latencies.iter().filter(|row| row.arm == Arm::Simulated);
    let latencies = simulated.filter_map(|here| {
        let same = |there: &&LatencyRow| {
            there.arm == Arm::Real && there.name == here.name && there.variant == here.variant
        };
        let there = report.latencies.iter().find(same)?;
        let two = |row: &LatencyRow| {
            format!("{} / {}", duration(row.summary.p50), duration(row.summary.p99))
        };
        Some(ComparisonView {
            name: format!("{}, p50 / p99", here.name),
            variant: here.variant.as_deref(),
            simulated: two(here),
            real: two(there),
        })
    });
    verdicts.chain(latencies).collect()
}

/// A row of percentiles as the page shows it.
#[derive(Serialize)]
struct LatencyView<'a> {
    name: &'a str,
    #[serde(rename = "where")]
    place: String,
    count: u64,
    cells: [String; 5],
    strip: String,
}

fn latencies(report: &Report) -> Vec<LatencyView<'_>> {
    let measured = || report.latencies.iter().filter(|row| row.summary.count > 0);
    let least = measured().map(|row| row.summary.p50).min().unwrap_or(0);
    let greatest = measured().map(|row| row.summary.max).max().unwrap_or(0);
    let view = |row: &'_ LatencyRow| {
        let summary = row.summary;
        let cells = [summary.p50, summary.p90, summary.p99, summary.p999, summary.max];
        let empty = summary.count == 0;
        (
            cells.map(|ns| if empty { "–".to_owned() } else { duration(ns) }),
            if empty { String::new() } else { svg::strip(&summary, least, greatest) },
        )
    };
    let rows = report.latencies.iter().map(|row| {
        let (cells, strip) = view(row);
        let place = place(report, row.variant.as_deref(), row.arm);
        LatencyView { name: &row.name, place, count: row.summary.count, cells, strip }
    });
    rows.collect()
}
