//! The summary after a run, for a terminal of 60 to 120 columns.
//!
//! Verdicts are words and signs before they are colours. No line is longer than the width asked
//! for, except for the command and the path, which are there to be copied.
//!
//! Not modelled: the width and the colours of the terminal at hand; the caller knows them.

mod paint;
mod spark;

use crate::format::{duration, figure, grouped, sentence};
use crate::html::place;
use crate::model::{Chart, ChartKind, Report, Series, Verdict};
use crate::svg::{drawable, series_name, y_range};
use paint::{Ink, Painter, clean, columns, cut, fit, fit_right, wrap};

/// Series or bars of one chart that the summary shows; the page has all.
const ROWS_MAX: usize = 12;

/// Expectations that hold and are listed; those that fail all are.
const HOLDING_MAX: usize = 20;

/// The summary of `report`, whose page lies at `page` (empty: there is none), in lines of at most
/// `width` columns.
pub fn summary(report: &Report, page: &str, width: usize, colour: bool) -> String {
    let width = width.clamp(paint::WIDTH_MIN, paint::WIDTH_MAX);
    let mut summary = Summary { out: String::new(), width, painter: Painter { colour } };
    summary.heading(report);
    summary.expectations(report);
    for chart in &report.charts {
        summary.chart(chart);
    }
    summary.latencies(report);
    summary.notes(report);
    summary.footer(report, page);
    summary.out
}

/// Columns that bars get at least, before names do.
const BAR_CELLS_MIN: usize = 14;

/// A summary under construction.
struct Summary {
    out: String,
    width: usize,
    painter: Painter,
}

impl Summary {
    /// The widest that names beside a sparkline or bar may become, and values behind one.
    fn most(&self) -> usize {
        self.width * 2 / 5
    }

    /// A line of painted pieces.
    fn line(&mut self, pieces: &[(Ink, &str)]) {
        let mut line = String::new();
        for (ink, text) in pieces {
            line.push_str(&self.painter.paint(*ink, text));
        }
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn blank(&mut self) {
        self.out.push('\n');
    }

    fn heading(&mut self, report: &Report) {
        let (ink, sign) = outcome(report.holds());
        let verdict = format!("{sign} {}", sentence(&report.verdict()));
        let story = clean(&format!("{} · {}", report.story.id, report.story.source));
        let room = self.width.saturating_sub(columns(&verdict));
        match columns(&story) + 2 <= room {
            true => self.line(&[(ink, &verdict), (Ink::Dim, &fit_right(&story, room))]),
            false => {
                self.line(&[(ink, &verdict)]);
                self.line(&[(Ink::Dim, &format!("  {}", cut(&story, self.width - 2)))]);
            }
        }
        for line in wrap(&clean(&report.story.title), self.width - 2) {
            self.line(&[(Ink::Bold, &format!("  {line}"))]);
        }
        if let Some(broken) = &report.broken {
            let text = format!(
                "Broke at {} (event {}, {}): {}",
                duration(broken.at_ns),
                grouped(broken.event),
                broken.arm.word(),
                clean(&broken.text)
            );
            for line in wrap(&text, self.width - 2) {
                self.line(&[(Ink::Bad, &format!("  {line}"))]);
            }
        }
        self.blank();
    }

    /// In one line each where all fit; else under their sentences, each said once.
    fn expectations(&mut self, report: &Report) {
        let mut holding = 0;
        let shown = report.expectations.iter().filter(|verdict| {
            holding += usize::from(verdict.holds);
            !verdict.holds || holding <= HOLDING_MAX
        });
        let mut rows: Vec<Row> = shown.map(|verdict| Row::new(report, verdict)).collect();
        let titles: Vec<String> = rows.iter().map(|row| row.title.clone()).collect();
        rows.sort_by_key(|row| titles.iter().position(|title| *title == row.title));
        let widest = |of: fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let what = widest(|row| columns(&row.what()));
        let measured = widest(|row| columns(&row.measured));
        let bound = widest(|row| columns(&row.bound));
        let talk = widest(|row| columns(&row.talk));
        let one_line = Row::INDENT + what + 2 + measured + 2 + bound + 2 + talk <= self.width;
        let mut said = "";
        for row in &rows {
            if one_line {
                self.row_in_one_line(row, [what, measured, bound]);
            } else {
                self.row_under_its_title(row, row.title != said);
                said = &row.title;
            }
        }
        let left_out = report.expectations.len() - rows.len();
        if left_out > 0 {
            self.line(&[(
                Ink::Dim,
                &format!("    … and {} more that hold", grouped(left_out as u64)),
            )]);
        }
        if !rows.is_empty() {
            self.blank();
        }
    }

    fn row_in_one_line(&mut self, row: &Row, [what, measured, bound]: [usize; 3]) {
        let (measured, bound) = (fit_right(&row.measured, measured), fit(&row.bound, bound));
        let figures = format!("  {measured}  {bound}  {}", row.talk);
        let (ink, head) = row.head();
        let what = fit(&row.what(), what);
        self.line(&[(ink, &head), (Ink::Plain, &what), (Ink::Plain, &figures)]);
    }

    fn row_under_its_title(&mut self, row: &Row, fresh: bool) {
        if fresh {
            for line in wrap(&row.title, self.width - 2) {
                self.line(&[(Ink::Plain, "  "), (Ink::Plain, &line)]);
            }
        }
        let figures = [row.place.as_str(), &row.measured, &row.bound, &row.talk];
        let figures: Vec<&str> = figures.into_iter().filter(|text| !text.is_empty()).collect();
        let (ink, mut head) = row.head();
        for line in wrap(&figures.join(" · "), self.width - Row::INDENT - 2) {
            self.line(&[(ink, "  "), (ink, &head), (Ink::Dim, &line)]);
            head = " ".repeat(Row::INDENT);
        }
    }

    fn chart(&mut self, chart: &Chart) {
        let drawn = |series: &Series| series.points.iter().any(|point| drawable(chart, *point));
        if !chart.series.iter().any(drawn) {
            return;
        }
        self.line(&[(Ink::Bold, &format!("  {}", cut(&clean(&chart.title), self.width - 2)))]);
        let left_out = match chart.kind {
            ChartKind::Bars => self.bars(chart),
            ChartKind::Lines | ChartKind::Steps => self.sparks(chart),
        };
        if left_out > 0 {
            self.line(&[(Ink::Dim, &format!("    … and {} more", grouped(left_out as u64)))]);
        }
        self.blank();
    }

    /// One line per series: its name, its course, its least and greatest value.
    fn sparks(&mut self, chart: &Chart) -> usize {
        let rows: Vec<(String, &Series, String)> = chart
            .series
            .iter()
            .take(ROWS_MAX)
            .map(|series| (clean(&series_name(chart, series)), series, reach(chart, series)))
            .collect();
        let most = self.most();
        let names = rows.iter().map(|row| columns(&row.0)).max().unwrap_or(0).min(most);
        let reaches = rows.iter().map(|row| columns(&row.2)).max().unwrap_or(0).min(most);
        let cells = self.width.saturating_sub(4 + names + 2 + 2 + reaches).max(1);
        for (name, series, reach) in &rows {
            self.line(&[
                (Ink::Plain, &format!("    {}  ", fit(name, names))),
                (Ink::Role(series.role), &spark::spark(chart, series, cells)),
                (Ink::Dim, &format!("  {}", cut(reach, reaches))),
            ]);
        }
        chart.series.len() - rows.len()
    }

    /// One line per category and series: both names, the bar, the value.
    fn bars(&mut self, chart: &Chart) -> usize {
        let range = y_range(chart);
        let greatest = range.from.abs().max(range.to.abs());
        let rows = bar_rows(chart);
        let widest = |of: fn(&BarRow) -> &str| rows.iter().map(|row| columns(of(row))).max();
        let names = widest(|row| &row.name).unwrap_or(0).min(self.width / 5);
        let values = widest(|row| &row.value).unwrap_or(0).min(self.width / 4);
        // Room for the bars comes first, then for the categories' names.
        let room = self.width.saturating_sub(4 + 2 + names + 2 + 1 + values);
        let categories = widest(|row| &row.category).unwrap_or(0);
        let categories = categories.min(room.saturating_sub(BAR_CELLS_MIN)).min(self.most());
        let cells = room.saturating_sub(categories).max(1);
        for row in rows.iter().take(ROWS_MAX) {
            self.line(&[
                (Ink::Plain, &format!("    {}  ", fit(&row.category, categories))),
                (Ink::Dim, &format!("{}  ", fit(&row.name, names))),
                (Ink::Role(row.role), &spark::bar(row.size / greatest, cells)),
                (Ink::Plain, &format!(" {}", cut(&row.value, values))),
            ]);
        }
        rows.len().saturating_sub(ROWS_MAX)
    }

    fn latencies(&mut self, report: &Report) {
        let measured: Vec<_> =
            report.latencies.iter().filter(|row| row.summary.count > 0).collect();
        if measured.is_empty() {
            return;
        }
        let name = |row: &&crate::model::LatencyRow| {
            let place = place(report, row.variant.as_deref(), row.arm);
            clean(&if place.is_empty() {
                row.name.clone()
            } else {
                format!("{} · {place}", row.name)
            })
        };
        // Three columns of figures with their headings' widths; the name gets what is left.
        let cell = 10;
        let names = measured.iter().map(|row| columns(&name(row))).max().unwrap_or(0);
        let names = names.min(self.width.saturating_sub(4 + 3 * cell)).max(8);
        let heading: String = ["p50", "p99", "max"].map(|text| fit_right(text, cell)).concat();
        self.line(&[(Ink::Bold, &fit("  Latency", names + 4)), (Ink::Dim, &heading)]);
        for row in measured.iter().take(ROWS_MAX) {
            let summary = row.summary;
            let cells = [summary.p50, summary.p99, summary.max];
            let cells: String = cells.map(|ns| fit_right(&duration(ns), cell)).concat();
            self.line(&[(Ink::Plain, &format!("    {}{cells}", fit(&name(row), names)))]);
        }
        let left_out = measured.len().saturating_sub(ROWS_MAX);
        if left_out > 0 {
            self.line(&[(Ink::Dim, &format!("    … and {} more", grouped(left_out as u64)))]);
        }
        self.blank();
    }

    fn notes(&mut self, report: &Report) {
        for note in &report.notes {
            for (nth, line) in wrap(&clean(note), self.width - 8).iter().enumerate() {
                let head = if nth == 0 { "  note  " } else { "        " };
                self.line(&[(Ink::Bold, head), (Ink::Plain, line)]);
            }
        }
        if !report.notes.is_empty() {
            self.blank();
        }
    }

    fn footer(&mut self, report: &Report, page: &str) {
        for arm in &report.arms {
            let mut facts = vec![format!(
                "{} {} in {}",
                duration(arm.simulated_ns),
                arm.arm.word(),
                duration(arm.wall_ns)
            )];
            // Real processes count none.
            if arm.events > 0 {
                facts.push(format!("{} events", grouped(arm.events)));
            }
            facts.extend(arm.digest.as_ref().map(|digest| {
                format!("digest {}", clean(digest).chars().take(16).collect::<String>())
            }));
            let text = format!("  {}", facts.join(" · "));
            self.line(&[(Ink::Dim, &cut(&text, self.width))]);
        }
        if !page.is_empty() {
            self.line(&[(Ink::Dim, "  report  "), (Ink::Plain, &clean(page))]);
        }
        self.line(&[(Ink::Dim, "  repeat  "), (Ink::Plain, &clean(&report.command))]);
    }
}

/// A bar in words.
struct BarRow {
    /// The category, named on its first bar alone.
    category: String,
    name: String,
    role: u8,
    size: f64,
    value: String,
}

/// All bars of a chart, category by category.
fn bar_rows(chart: &Chart) -> Vec<BarRow> {
    let mut rows = Vec::with_capacity(chart.categories.len() * chart.series.len());
    for (index, category) in chart.categories.iter().enumerate() {
        for (nth, series) in chart.series.iter().enumerate() {
            let here =
                |point: &&(f64, f64)| point.0.round() == index as f64 && drawable(chart, **point);
            let value = series.points.iter().find(here).map(|point| point.1);
            let written =
                value.map_or_else(|| "–".to_owned(), |value| figure(value, &chart.y.unit));
            rows.push(BarRow {
                category: if nth == 0 { clean(category) } else { String::new() },
                name: clean(&series_name(chart, series)),
                role: series.role,
                size: value.map_or(0.0, f64::abs),
                value: clean(&written),
            });
        }
    }
    rows
}

/// An expectation in words.
struct Row {
    holds: bool,
    title: String,
    /// Variant and runtime, where there are several.
    place: String,
    measured: String,
    bound: String,
    talk: String,
}

impl Row {
    /// Columns before the words: `  ✓ holds  `.
    const INDENT: usize = 11;

    fn new(report: &Report, verdict: &Verdict) -> Self {
        let talk = verdict.talk.as_ref().map(|talk| clean(&format!("talk: {talk}")));
        Self {
            holds: verdict.holds,
            title: clean(verdict.says.as_deref().unwrap_or(&verdict.name)),
            place: clean(&place(report, verdict.variant.as_deref(), verdict.arm)),
            measured: clean(&verdict.measured),
            bound: clean(&format!("asked for {}", verdict.bound)),
            talk: talk.unwrap_or_default(),
        }
    }

    /// Title and place.
    fn what(&self) -> String {
        match self.place.as_str() {
            "" => self.title.clone(),
            place => format!("{} · {place}", self.title),
        }
    }

    fn head(&self) -> (Ink, String) {
        let (ink, sign) = outcome(self.holds);
        let word = if self.holds { "holds" } else { "FAILS" };
        (ink, format!("  {sign} {word}  "))
    }
}

fn outcome(holds: bool) -> (Ink, &'static str) {
    if holds { (Ink::Good, "✓") } else { (Ink::Bad, "✗") }
}

/// The least and the greatest value of a series.
fn reach(chart: &Chart, series: &Series) -> String {
    let values = series.points.iter().filter(|point| drawable(chart, **point)).map(|point| point.1);
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    match low <= high {
        true => {
            let unit = &chart.y.unit;
            clean(&format!("{} … {}", figure(low, unit), figure(high, unit)))
        }
        false => "not measured".to_owned(),
    }
}
