//! The pictures of a report.

use super::variant_name;
use crate::metric::{FigureUnit, Kind, Metric, Take};
use crate::models::results::Result;
use crate::models::series::Series as Counts;
use crate::run::{Outcome, Run, VariantRun, take};
use crate::story::{Action, ChartSpec, Draw, Figure, Story, Window};
use std::collections::{BTreeMap, BTreeSet};
use storytime_machine::nanos;
use storytime_reports::model::{Axis, Chart, ChartKind, Mark, Scale, Series, Unit};

/// Draws one picture from all runs.
pub(super) fn chart(story: &Story, runs: &[&Run], spec: &ChartSpec) -> Chart {
    let mut chart = match &spec.draw {
        Draw::Lines(metrics) => lines(story, runs, spec, metrics),
        Draw::Curves(metrics) => curves(story, runs, spec, metrics),
        Draw::Bars(metrics) => bars(story, runs, spec, metrics),
    };
    for (axis, log) in [(&mut chart.x, spec.log.0), (&mut chart.y, spec.log.1)] {
        if log {
            axis.scale = Scale::Log;
        }
    }
    chart
}

fn blank(spec: &ChartSpec) -> Chart {
    let mut chart = Chart::new(spec.name.clone(), spec.title.clone(), ChartKind::Lines);
    chart.caption = spec.caption.clone();
    chart
}

/// The runs that a picture shows.
fn shown<'a>(run: &'a Run, spec: &'a ChartSpec) -> impl Iterator<Item = &'a VariantRun> {
    run.variants.iter().filter(|variant| spec.variants.contains(&variant.variant))
}

/// What a line is called: by what tells it from the others.
fn line_name(variant: &str, variants: usize, metric: &str, metrics: usize) -> String {
    match (variants > 1, metrics > 1) {
        (_, false) => variant.to_owned(),
        (false, true) => metric.to_owned(),
        (true, true) => format!("{metric}, {variant}"),
    }
}

/// What a metric is called among others: by its label, or by its source where that alone tells it
/// from them.
fn label<'a>(metric: &'a Metric, others: impl Iterator<Item = &'a Metric>) -> String {
    let (label, source) = (metric.def.label, metric.source());
    let (mut all, mut alike) = (0, 0);
    for other in others {
        all += 1;
        alike += usize::from(other.def.label == label);
    }
    match alike {
        0 | 1 => label.to_owned(),
        _ if alike == all => source.to_owned(),
        _ => format!("{label}, {source}"),
    }
}

/// What an axis of several metrics is called: nothing, unless that is the same for all.
fn common_label<'a>(metrics: impl Iterator<Item = &'a Metric>) -> &'static str {
    let labels: BTreeSet<&'static str> = metrics.map(|metric| metric.def.label).collect();
    if labels.len() == 1 { labels.first().copied().unwrap_or_default() } else { "" }
}

/// How many variants a picture shows, whatever the points of the sweep.
fn bases(story: &Story, spec: &ChartSpec) -> usize {
    let bases = spec.variants.iter().map(|&n| story.variants[n].base.as_deref());
    bases.collect::<BTreeSet<_>>().len()
}

fn lines(story: &Story, runs: &[&Run], spec: &ChartSpec, metrics: &[Metric]) -> Chart {
    let mut chart = blank(spec);
    chart.x = Axis::new("time", Unit::Seconds);
    let up = common_label(metrics.iter());
    chart.y = match metrics[0].def.kind {
        Kind::Shares => Axis::new(up, Unit::Share).between(0.0, 1.0),
        Kind::Level => Axis::new(up, Unit::Count),
        Kind::Bytes => Axis::new(up, Unit::Bytes),
        _ => Axis::new(up, Unit::PerSecond),
    };
    for run in runs {
        for (m, metric) in metrics.iter().enumerate() {
            for variant in shown(run, spec) {
                let Some(result) = variant.measured.get(metric) else { continue };
                let name = variant_name(story, variant);
                let place = spec.variants.iter().position(|&n| n == variant.variant);
                let label = label(metric, metrics.iter());
                chart.series.push(Series {
                    name: line_name(&name, spec.variants.len(), &label, metrics.len()),
                    arm: run.arm,
                    points: points(&result),
                    role: (place.unwrap_or(0) * metrics.len() + m) as u8,
                });
            }
        }
    }
    chart.marks = marks(story, runs[0], spec);
    chart
}

/// The named entries of the timeline that happen in a variant shown, in the order of time; once for
/// each time at which an entry does.
fn marks(story: &Story, run: &Run, spec: &ChartSpec) -> Vec<Mark> {
    let Some(first) = shown(run, spec).next() else { return Vec::new() };
    let timeline = |variant: usize| &story.variants[variant].setup.timeline;
    let all: BTreeSet<_> = shown(run, spec).map(|v| base(story, v)).collect();
    let mut marks: Vec<(u64, Mark)> = Vec::new();
    for (n, happening) in timeline(first.variant).iter().enumerate() {
        let Some(name) = &happening.name else { continue };
        // What a load is told reads worse than what it is for, and a mark says nothing else.
        let text = match happening.action {
            Action::Tell { .. } | Action::Mark => name,
            _ => &happening.text,
        };
        let mut times: BTreeMap<u64, BTreeSet<_>> = BTreeMap::new();
        for variant in shown(run, spec).filter(|v| timeline(v.variant)[n].active) {
            let at = nanos(variant.plan.offset(n));
            times.entry(at).or_default().insert(base(story, variant));
        }
        for (at, bases) in times {
            let names: Vec<&str> = bases.iter().map(|(_, name)| *name).collect();
            let label = if bases == all || names.is_empty() {
                text.clone()
            } else {
                format!("{text} ({})", names.join(", "))
            };
            marks.push((at, Mark { x: seconds(at), until: None, label }));
        }
    }
    marks.sort_by_key(|(at, _)| *at);
    marks.into_iter().map(|(_, mark)| mark).collect()
}

/// The variant of a run, whatever the point of the sweep: its first place in the file, and its
/// name.
fn base<'a>(story: &'a Story, run: &VariantRun) -> (usize, &'a str) {
    let base = story.variants[run.variant].base.as_deref();
    let place = story.variants.iter().position(|variant| variant.base.as_deref() == base);
    (place.unwrap_or(run.variant), base.unwrap_or_default())
}

fn curves(story: &Story, runs: &[&Run], spec: &ChartSpec, metrics: &[(Metric, Take)]) -> Chart {
    let mut chart = blank(spec);
    let (first, first_take) = &metrics[0];
    let up = common_label(metrics.iter().map(|(metric, _)| metric));
    chart.y = Axis::new(up, unit_of(first.def.kind.unit(*first_take)));
    chart.x = match (first.def.kind.along(), &story.sweep) {
        (Some(along), _) => Axis::new(along, Unit::Count),
        (None, Some(sweep)) if sweep.unit.is_empty() => Axis::new(&*sweep.name, Unit::Count),
        (None, Some(sweep)) => Axis::new(&*sweep.name, Unit::Named(sweep.unit.clone())),
        (None, None) => Axis::new("", Unit::Count),
    };
    let swept = first.def.kind.along().is_none();
    for run in runs {
        for (m, (metric, take_what)) in metrics.iter().enumerate() {
            let mut lines: Vec<Series> = Vec::new();
            for variant in shown(run, spec) {
                let of = &story.variants[variant.variant];
                let name = match (&of.base, swept) {
                    (Some(base), true) => base.clone(),
                    (None, true) => story.card.id.clone(),
                    (_, false) => variant_name(story, variant),
                };
                let more = points_of_curve(story, variant, metric, *take_what, spec.window);
                let label = label(metric, metrics.iter().map(|(metric, _)| metric));
                let name = line_name(&name, bases(story, spec), &label, metrics.len());
                match lines.iter_mut().find(|line| line.name == name) {
                    Some(line) => line.points.extend(more),
                    None => {
                        let role = (lines.len() * metrics.len() + m) as u8;
                        lines.push(Series { name, arm: run.arm, points: more, role });
                    }
                }
            }
            chart.series.extend(lines);
        }
        if let Some(fit) = spec.fit {
            chart.series.extend(laws(story, run, fit));
        }
    }
    chart
}

/// Points of a law's curve.
const LAW_POINTS: u32 = 40;
/// Laws have colours of their own, from this role on.
const LAW_ROLE: u8 = 4;

/// The fitted laws, from the first of their points to the last.
fn laws(story: &Story, run: &Run, fit: usize) -> Vec<Series> {
    let mut series = Vec::new();
    for variant in &run.variants {
        let Some(fitted) = run.fits(story, fit, variant.variant) else { continue };
        let ends = fitted.points.first().zip(fitted.points.last());
        let (Some(law), Some((first, last))) = (fitted.law, ends) else { continue };
        let at = |n: u32| first.0 + (last.0 - first.0) * f64::from(n) / f64::from(LAW_POINTS);
        let points = (0..=LAW_POINTS).map(at).map(|n| (n, law.at(n))).collect();
        let name = match &story.variants[variant.variant].base {
            Some(base) => format!("law, {base}"),
            None => "law".to_owned(),
        };
        let role = LAW_ROLE + series.len() as u8;
        series.push(Series { name, arm: run.arm, points, role });
    }
    series
}

/// A curve's points, or the one point that a run adds to the curve of a sweep.
fn points_of_curve(
    story: &Story,
    run: &VariantRun,
    metric: &Metric,
    take_what: Take,
    window: Window,
) -> Vec<(f64, f64)> {
    let of = &story.variants[run.variant];
    match run.measured.get(metric).as_deref() {
        Some(Result::Curve(curve)) => curve.iter().map(|(&x, &y)| (x as f64, y as f64)).collect(),
        Some(Result::ShareCurve(curve)) => {
            let share = |part: u64, whole: u64| part as f64 / whole as f64;
            let there = curve.iter().filter(|(_, (_, whole))| *whole > 0);
            there.map(|(&x, &(part, whole))| (x as f64, share(part, whole))).collect()
        }
        _ => of
            .point
            .zip(bar(run, metric, take_what, window, of.setup.bucket))
            .map(|(point, value)| (point as f64, value))
            .into_iter()
            .collect(),
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// Points in the middle of their buckets: rates per second, or shares. Levels stand at the ends.
fn points(result: &Result) -> Vec<(f64, f64)> {
    let middle = |n: usize, series: &Counts| seconds(series.bucket_ns()) * (n as f64 + 0.5);
    match result {
        Result::Series(series) => {
            let rate = |count: u64| count as f64 / seconds(series.bucket_ns());
            let counts = series.counts().iter().enumerate();
            counts.map(|(n, &count)| (middle(n, series), rate(count))).collect()
        }
        Result::Shares(parts, wholes) => {
            let pairs = parts.counts().iter().zip(wholes.counts()).enumerate();
            pairs
                .filter(|(_, (_, whole))| **whole > 0)
                .map(|(n, (&part, &whole))| (middle(n, parts), part as f64 / whole as f64))
                .collect()
        }
        Result::Level(series) | Result::Bytes(series) => {
            let end = |n: usize| seconds(series.bucket_ns()) * (n as f64 + 1.0);
            series.counts().iter().enumerate().map(|(n, &level)| (end(n), level as f64)).collect()
        }
        _ => Vec::new(),
    }
}

fn bars(story: &Story, runs: &[&Run], spec: &ChartSpec, metrics: &[(Metric, Take)]) -> Chart {
    let mut chart = Chart::new(spec.name.clone(), spec.title.clone(), ChartKind::Bars);
    chart.caption = spec.caption.clone();
    let unit = metrics.first().map(|(metric, take)| metric.def.kind.unit(*take));
    chart.y = Axis::new("", unit_of(unit.unwrap_or(FigureUnit::Count)));
    let ran = runs.iter().flat_map(|run| run.variants.iter().map(|v| v.variant));
    let shown: BTreeSet<usize> = ran.filter(|n| spec.variants.contains(n)).collect();
    let names = shown.iter().map(|&n| story.variants[n].name.clone());
    chart.categories = names.map(|name| name.unwrap_or_else(|| story.card.id.clone())).collect();
    for run in runs {
        for (role, (metric, take)) in metrics.iter().enumerate() {
            let mut points = Vec::new();
            for variant in &run.variants {
                let category = shown.iter().position(|&n| n == variant.variant);
                let bucket = story.variants[variant.variant].setup.bucket;
                if let (Some(category), Some(value)) =
                    (category, bar(variant, metric, *take, spec.window, bucket))
                {
                    points.push((category as f64, value));
                }
            }
            let name = label(metric, metrics.iter().map(|(metric, _)| metric));
            chart.series.push(Series { name, arm: run.arm, points, role: role as u8 });
        }
    }
    chart
}

fn bar(
    run: &VariantRun,
    metric: &Metric,
    take_what: Take,
    window: Window,
    bucket: std::time::Duration,
) -> Option<f64> {
    let result = run.measured.get(metric)?;
    let (from, to) = run.window(window);
    match take(&result, take_what, from, to, bucket) {
        Outcome::Figure(figure) => Some(number(figure)),
        _ => None,
    }
}

/// A figure in the unit of [`unit_of`].
fn number(figure: Figure) -> f64 {
    match figure {
        Figure::Count(n) | Figure::Time(n) | Figure::Bytes(n) => n as f64,
        Figure::Rate(milli) => milli as f64 / 1e3,
        Figure::Share(share) | Figure::Factor(share) => share.0 as f64 / 1e6,
    }
}

fn unit_of(unit: FigureUnit) -> Unit {
    match unit {
        FigureUnit::Count | FigureUnit::Word => Unit::Count,
        FigureUnit::Rate => Unit::PerSecond,
        FigureUnit::Share => Unit::Share,
        FigureUnit::Factor => Unit::Named("x".to_owned()),
        FigureUnit::Time => Unit::Nanoseconds,
        FigureUnit::Bytes => Unit::Bytes,
    }
}
