//! From runs to a [`Report`]: the rack, the verdicts; `charts` has the pictures.

mod charts;

use crate::models::results::Result;
use crate::run::{Run, VariantRun};
use crate::story::{Against, Host, Setup, Story, Window};
use crate::units::show_duration;
use charts::chart;
use storytime_machine::nanos;
use storytime_reports::model::{
    Arm, ArmResult, Broken, Cell, HostCard, LatencyRow, Moment, Percentiles, Report, StoryCard,
    Table, Unit, Verdict,
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
        tables: fit_tables(story, runs),
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
    let hosts = load.hosts().len();
    let words = format!("load {}: {}", load.name, load.spec.words(hosts));
    match load.on.len() / hosts {
        1 => words,
        processes => format!("{words}, {processes} processes on each"),
    }
}

/// What happens is the same in all variants unless their times differ, or some happen in one only.
fn timeline(story: &Story, run: &Run) -> Vec<Moment> {
    let setup = |variant: &VariantRun| &story.variants[variant.variant].setup;
    let happen = |variant: &VariantRun| -> Vec<_> {
        let timeline = &setup(variant).timeline;
        variant.plan.at.iter().zip(timeline).map(|(at, h)| (*at, h.active)).collect()
    };
    let alike = run.variants.windows(2).all(|pair| happen(&pair[0]) == happen(&pair[1]));
    let mut moments = Vec::new();
    for variant in &run.variants[..if alike { 1 } else { run.variants.len() }] {
        let timeline = &setup(variant).timeline;
        for n in variant.plan.order().into_iter().filter(|&n| timeline[n].active) {
            moments.push(Moment {
                at_ns: nanos(variant.plan.offset(n)),
                text: timeline[n].text.clone(),
                variant: story.variants[variant.variant].name.clone().filter(|_| !alike),
            });
        }
    }
    moments.sort_by_key(|moment| moment.at_ns);
    moments
}

fn variant_name(story: &Story, run: &VariantRun) -> String {
    story.variants[run.variant].name.clone().unwrap_or_else(|| story.card.id.clone())
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

/// The fitted laws, a row for each variant.
fn fit_tables(story: &Story, runs: &[&Run]) -> Vec<Table> {
    const COLUMNS: [&str; 6] = [
        "law of growth",
        "one carries (λ)",
        "contention (σ)",
        "coherency (κ)",
        "most at",
        "worst doubling",
    ];
    let number = |value: Option<f64>, unit: Unit| match value {
        Some(value) => Cell::Number(value, unit),
        None => Cell::Text("none".to_owned()),
    };
    let mut tables = Vec::new();
    for (n, fit) in story.fits.iter().enumerate() {
        let mut rows = Vec::new();
        for (run, variant) in runs.iter().flat_map(|run| run.variants.iter().map(move |v| (run, v)))
        {
            let Some(fitted) = run.fits(story, n, variant.variant) else { continue };
            let base = story.variants[variant.variant].base.as_ref();
            let name = base.map_or_else(|| story.card.id.clone(), Clone::clone);
            let name = if runs.len() > 1 { format!("{name}, {}", run.arm.word()) } else { name };
            rows.push(vec![
                Cell::Text(name),
                number(fitted.law.map(|law| law.lambda), Unit::PerSecond),
                number(fitted.law.map(|law| law.contention), Unit::Share),
                number(fitted.law.map(|law| law.coherency), Unit::Share),
                number(fitted.law.and_then(|law| law.peak()), Unit::Count),
                number(fitted.efficiency, Unit::Share),
            ]);
        }
        tables.push(Table {
            id: format!("fit-{}", fit.name),
            title: format!("Universal scalability law: {}", fit.metric.text),
            columns: COLUMNS.map(str::to_owned).to_vec(),
            rows,
        });
    }
    tables
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
    let measure = &check.expect.measure;
    match (&measure.against, measure.window) {
        (Against::Before, Window::After { happening, length }) => {
            let name = timeline[happening].name.as_deref().unwrap_or("the change");
            format!("{bound} of the {} before {name}", show_duration(nanos(length)))
        }
        (Against::Metric(other), _) => format!("{bound} of {}", other.text),
        (Against::Variant(base), _) => format!("{bound} of {base}"),
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
