//! From runs to a [`Report`]: the rack, the pictures, the verdicts.

use crate::metric::{FigureUnit, Kind, Metric};
use crate::models::results::Result;
use crate::models::series::Series as Counts;
use crate::run::{Outcome, Run, VariantRun, take};
use crate::story::{ChartSpec, Draw, Figure, Host, Setup, Story, Window};
use crate::units::show_duration;
use std::collections::BTreeSet;
use storytime_machine::nanos;
use storytime_reports::model::{
    Arm, ArmResult, Axis, Broken, Chart, ChartKind, HostCard, LatencyRow, Mark, Moment,
    Percentiles, Report, Series, StoryCard, Unit, Verdict,
};

/// What the program knows and a run does not.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The command line that repeats the run.
    pub command: String,
    /// Version and revision.
    pub build: String,
    /// The values of `--set`: key, value.
    pub overrides: Vec<(String, String)>,
}

/// Builds the report of a story's runs: the simulated one, the real one, or both.
///
/// # Panics
/// If there is no run.
pub fn report(story: &Story, runs: &[&Run], context: &Context) -> Report {
    let first = runs.first().expect("a report is about at least one run");
    let card = &story.card;
    Report {
        story: StoryCard {
            id: card.id.clone(),
            title: card.title.clone(),
            source: card.source.clone(),
            asks: card.asks.clone(),
            shows: card.shows.clone(),
        },
        command: context.command.clone(),
        seed: first.seed,
        overrides: context.overrides.clone(),
        build: context.build.clone(),
        arms: runs.iter().map(|run| arm(run)).collect(),
        rack: rack(&story.variants[0].setup),
        timeline: timeline(story, first),
        charts: story.charts.iter().map(|spec| chart(story, runs, spec)).collect(),
        tables: Vec::new(),
        latencies: latencies(story, runs),
        expectations: runs.iter().flat_map(|run| verdicts(story, run)).collect(),
        broken: runs.iter().find_map(|run| broken(story, run)),
        notes: notes(runs),
        drawn: drawn(story, first),
    }
}

fn arm(run: &Run) -> ArmResult {
    let reached = run.variants.iter().map(|v| v.reached_ns).max().unwrap_or(0);
    ArmResult {
        arm: run.arm,
        digest: (run.arm == Arm::Simulated).then(|| format!("{:016x}", run.digest())),
        events: run.events(),
        simulated_ns: reached,
        wall_ns: nanos(run.wall),
    }
}

fn rack(setup: &Setup) -> Vec<HostCard> {
    let card = |(n, host): (usize, &Host)| HostCard {
        name: host.name.clone(),
        ip: host.ip.to_string(),
        role: host.role.clone(),
        lines: host.run.iter().map(|line| line.text.clone()).chain(typed(setup, n)).collect(),
        hardware: hardware(setup, n, host),
    };
    setup.hosts.iter().enumerate().map(card).collect()
}

/// Command lines that somebody types on a host during the story.
fn typed(setup: &Setup, host: usize) -> impl Iterator<Item = String> {
    setup.timeline.iter().filter_map(move |happening| match &happening.action {
        crate::story::Action::Run(on, line) if *on == host => Some(line.text.clone()),
        _ => None,
    })
}

fn hardware(setup: &Setup, n: usize, host: &Host) -> Vec<String> {
    let mut parts = Vec::new();
    if host.cores > 1 {
        parts.push(format!("{} cores", host.cores));
    }
    if let Some(disk) = &host.disk {
        let config = &disk.config;
        parts.push(format!("disk {}: {} IOPS, {}", disk.name, config.iops, config.profile));
    }
    for model in setup.models.iter().filter(|model| model.host == n) {
        parts.push(format!("model {}: {}", model.name, model.spec.words()));
    }
    parts.extend(setup.loads.iter().filter(|load| load.on.contains(&n)).map(load_words));
    parts
}

fn load_words(load: &crate::story::Load) -> String {
    format!("load {}: {}", load.name, load.spec.words(load.on.len()))
}

/// What happens is the same in all variants unless their times differ.
fn timeline(story: &Story, run: &Run) -> Vec<Moment> {
    let mut moments = Vec::new();
    let plans: BTreeSet<_> = run.variants.iter().map(|v| v.plan.at.clone()).collect();
    for variant in &run.variants {
        let of = &story.variants[variant.variant];
        let name = if plans.len() > 1 { of.name.clone() } else { None };
        for n in variant.plan.order() {
            moments.push(Moment {
                at_ns: nanos(variant.plan.offset(n)),
                text: of.setup.timeline[n].text.clone(),
                variant: name.clone(),
            });
        }
        if plans.len() == 1 {
            break;
        }
    }
    moments.sort_by_key(|moment| moment.at_ns);
    moments
}

fn variant_name(story: &Story, run: &VariantRun) -> String {
    story.variants[run.variant].name.clone().unwrap_or_else(|| story.card.id.clone())
}

fn chart(story: &Story, runs: &[&Run], spec: &ChartSpec) -> Chart {
    match &spec.draw {
        Draw::Lines(metric) => lines(story, runs, spec, metric),
        Draw::Bars(metrics) => bars(story, runs, spec, metrics),
    }
}

fn lines(story: &Story, runs: &[&Run], spec: &ChartSpec, metric: &Metric) -> Chart {
    let mut chart = Chart::new(spec.name.clone(), spec.title.clone(), ChartKind::Lines);
    chart.caption = spec.caption.clone();
    chart.x = Axis::new("time", Unit::Seconds);
    chart.y = match metric.def.kind {
        Kind::Shares => Axis::new(metric.def.label, Unit::Share).between(0.0, 1.0),
        _ => Axis::new(metric.def.label, Unit::PerSecond),
    };
    for run in runs {
        for variant in &run.variants {
            let Some(result) = variant.measured.get(metric) else { continue };
            let points = points(result);
            chart.series.push(Series {
                name: variant_name(story, variant),
                arm: run.arm,
                points,
                role: variant.variant as u8,
            });
        }
    }
    chart.marks = marks(story, runs[0]);
    chart
}

/// The named entries of the timeline, once each.
fn marks(story: &Story, run: &Run) -> Vec<Mark> {
    let Some(variant) = run.variants.first() else { return Vec::new() };
    let timeline = &story.variants[variant.variant].setup.timeline;
    let named = timeline.iter().enumerate().filter(|(_, happening)| happening.name.is_some());
    let mark = |(n, happening): (usize, &crate::story::Happening)| Mark {
        x: seconds(nanos(variant.plan.offset(n))),
        until: None,
        label: happening.text.clone(),
    };
    named.map(mark).collect()
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// Points in the middle of their buckets: rates per second, or shares.
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
        _ => Vec::new(),
    }
}

fn bars(
    story: &Story,
    runs: &[&Run],
    spec: &ChartSpec,
    metrics: &[(Metric, crate::metric::Take)],
) -> Chart {
    let mut chart = Chart::new(spec.name.clone(), spec.title.clone(), ChartKind::Bars);
    chart.caption = spec.caption.clone();
    let unit = metrics.first().map(|(metric, take)| metric.def.kind.unit(*take));
    chart.y = Axis::new("", unit_of(unit.unwrap_or(FigureUnit::Count)));
    let shown: BTreeSet<usize> =
        runs.iter().flat_map(|run| run.variants.iter().map(|v| v.variant)).collect();
    let names = shown.iter().map(|&n| story.variants[n].name.clone());
    chart.categories = names.map(|name| name.unwrap_or_else(|| story.card.id.clone())).collect();
    for run in runs {
        for (role, (metric, take)) in metrics.iter().enumerate() {
            let mut points = Vec::new();
            for variant in &run.variants {
                let category = shown.iter().position(|&n| n == variant.variant);
                let bucket = story.variants[variant.variant].setup.bucket;
                if let (Some(category), Some(value)) =
                    (category, bar(variant, metric, *take, bucket))
                {
                    points.push((category as f64, value));
                }
            }
            let name = metric.def.label.to_owned();
            chart.series.push(Series { name, arm: run.arm, points, role: role as u8 });
        }
    }
    chart
}

fn bar(
    run: &VariantRun,
    metric: &Metric,
    take_what: crate::metric::Take,
    bucket: std::time::Duration,
) -> Option<f64> {
    let result = run.measured.get(metric)?;
    match take(result, take_what, 0, u64::MAX, bucket) {
        Outcome::Figure(figure) => Some(number(figure)),
        _ => None,
    }
}

/// A figure in the unit of [`unit_of`].
fn number(figure: Figure) -> f64 {
    match figure {
        Figure::Count(n) | Figure::Time(n) => n as f64,
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
    }
}

/// Every histogram that holds anything, by load and model.
fn latencies(story: &Story, runs: &[&Run]) -> Vec<LatencyRow> {
    let mut rows = Vec::new();
    for run in runs {
        for variant in &run.variants {
            let of = &story.variants[variant.variant];
            let loads = of.setup.loads.iter().map(|load| &load.name).zip(&variant.measured.loads);
            let models = of.setup.models.iter().map(|m| &m.name).zip(&variant.measured.models);
            for (source, results) in loads.chain(models) {
                for (name, result) in &results.0 {
                    if let Result::Latency(histogram) = result
                        && !histogram.is_empty()
                    {
                        rows.push(LatencyRow {
                            name: format!("{source}.{name}"),
                            arm: run.arm,
                            variant: of.name.clone(),
                            summary: Percentiles::of(histogram),
                        });
                    }
                }
            }
        }
    }
    rows
}

fn verdicts(story: &Story, run: &Run) -> Vec<Verdict> {
    let checks = run.checks(story);
    let verdict = |check: &crate::run::Check<'_>| Verdict {
        name: check.expect.name.clone(),
        says: check.expect.says.clone(),
        arm: run.arm,
        variant: story.variants[check.variant].name.clone(),
        holds: check.holds,
        measured: check.outcome.show(),
        bound: bound_words(story, check),
        talk: check.expect.talk.clone(),
    };
    checks.iter().map(verdict).collect()
}

/// The bound, and what it is compared with.
fn bound_words(story: &Story, check: &crate::run::Check<'_>) -> String {
    let bound = check.expect.bound.show();
    let timeline = &story.variants[check.variant].setup.timeline;
    match check.expect.measure.window {
        Window::After { happening, length } if check.expect.measure.against_before => {
            let name = timeline[happening].name.as_deref().unwrap_or("the change");
            format!("{bound} of the {} before {name}", show_duration(nanos(length)))
        }
        _ => bound,
    }
}

fn broken(story: &Story, run: &Run) -> Option<Broken> {
    run.variants.iter().find_map(|variant| {
        let broken = variant.broken.as_ref()?;
        let text = match &story.variants[variant.variant].name {
            Some(name) => format!("{name}: {}", broken.text),
            None => broken.text.clone(),
        };
        Some(Broken { arm: run.arm, at_ns: broken.at_ns, event: broken.event, text })
    })
}

fn notes(runs: &[&Run]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for note in runs.iter().flat_map(|run| &run.notes) {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    notes
}

fn drawn(story: &Story, run: &Run) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for variant in &run.variants {
        for (name, value) in &variant.plan.drawn {
            match all.iter().find(|(known, _)| known == name) {
                Some((_, known)) if known == value => {}
                Some(_) => {
                    all.push((format!("{name} ({})", variant_name(story, variant)), value.clone()));
                }
                None => all.push((name.clone(), value.clone())),
            }
        }
    }
    all
}
