//! What a run leaves behind, before it is a report: figures by source, digests, what broke.

use crate::metric::{From, Kind, Metric, Quantile, Take};
use crate::models::Results;
use crate::models::results::Result;
use crate::models::series::Series;
use crate::plan::Plan;
use crate::sample::SIMULATED_ONLY;
use crate::story::{Against, Bound, Expect, Figure, Measure, Story, Window};
use crate::units::Millionths;
use std::borrow::Cow;
use std::time::Duration;
use storytime_machine::nanos;
use storytime_reports::model::Arm;

/// A run of all variants of a story on one runtime.
#[derive(Clone, Debug)]
pub struct Run {
    /// Which runtime.
    pub arm: Arm,
    /// Where everything random came from.
    pub seed: u64,
    /// The variants that ran, in the order of the story.
    pub variants: Vec<VariantRun>,
    /// How long it took on the wall.
    pub wall: Duration,
    /// What a reader must know to judge the figures.
    pub notes: Vec<String>,
}

/// A run of one variant.
#[derive(Clone, Debug)]
pub struct VariantRun {
    /// Which, by index.
    pub variant: usize,
    /// What was drawn for it.
    pub plan: Plan,
    /// What was measured.
    pub measured: Measured,
    /// Digest of the whole event trace; 0 on real sockets.
    pub digest: u64,
    /// Events handled.
    pub events: u64,
    /// How far the story's clock came, nanoseconds.
    pub reached_ns: u64,
    /// What broke the run, if anything did.
    pub broken: Option<Breakage>,
    /// The last records of the trace, where they were asked for.
    pub trace: Vec<String>,
}

/// Results by source.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// By load, all its hosts together.
    pub loads: Vec<Results>,
    /// By model.
    pub models: Vec<Results>,
    /// By host, all its programs together.
    pub hosts: Vec<Results>,
}

/// What broke a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakage {
    /// When, on the story's clock, nanoseconds.
    pub at_ns: u64,
    /// At which event.
    pub event: u64,
    /// What broke, in one sentence.
    pub text: String,
}

/// What came out for an expectation or a bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A number.
    Figure(Figure),
    /// A word.
    Word(String),
    /// The source measured nothing: it lost its power, or never ran.
    Nothing,
}

/// An expectation, checked in one variant.
#[derive(Clone, Debug)]
pub struct Check<'a> {
    /// Which expectation.
    pub expect: &'a Expect,
    /// In which variant.
    pub variant: usize,
    /// Whether it held.
    pub holds: bool,
    /// What came out.
    pub outcome: Outcome,
}

impl Run {
    /// Digest over all variants.
    pub fn digest(&self) -> u64 {
        self.variants.iter().fold(0, |state, run| storytime_machine::hash::fold(state, run.digest))
    }

    /// Events of all variants.
    pub fn events(&self) -> u64 {
        self.variants.iter().map(|run| run.events).sum()
    }

    /// Checks every expectation in every variant that ran, but for what real machines do not tell.
    pub fn checks<'a>(&self, story: &'a Story) -> Vec<Check<'a>> {
        let mut checks = Vec::new();
        let told = |expect: &&Expect| {
            self.arm == Arm::Simulated || !SIMULATED_ONLY.contains(&expect.measure.metric.def.name)
        };
        for expect in story.expects.iter().filter(told) {
            for run in self.variants.iter().filter(|run| expect.variants.contains(&run.variant)) {
                let Some(outcome) = self.outcome(story, run, &expect.measure) else { continue };
                let holds = expect.bound.allows(&outcome);
                checks.push(Check { expect, variant: run.variant, holds, outcome });
            }
        }
        checks
    }

    /// Takes a figure of one variant; `None` if it is compared with a variant that did not run on
    /// this runtime.
    fn outcome(&self, story: &Story, run: &VariantRun, measure: &Measure) -> Option<Outcome> {
        if let From::Fit(fit) = measure.metric.from {
            return self.fits(story, fit, run.variant)?.figure(measure.metric.def.name);
        }
        let bucket = |run: &VariantRun| story.variants[run.variant].setup.bucket;
        let now = run.measure(measure, bucket(run));
        let Against::Variant(base) = &measure.against else { return Some(now) };
        let beside = story.beside(base, run.variant)?;
        let other = self.variants.iter().find(|other| other.variant == beside)?;
        Some(quotient(&now, &other.measure(measure, bucket(other))))
    }

    /// The first thing that went wrong, in one line: what broke, or an expectation that failed.
    pub fn first_failure(&self, story: &Story) -> Option<String> {
        for run in &self.variants {
            if let Some(broken) = &run.broken {
                let variant = story.variants[run.variant].name.as_deref().unwrap_or("the run");
                return Some(format!("{variant} broke: {}", broken.text));
            }
        }
        let checks = self.checks(story);
        let failed = checks.iter().find(|check| !check.holds)?;
        let variant = story.variants[failed.variant].name.as_deref();
        let place = variant.map_or(String::new(), |name| format!(" in {name}"));
        Some(format!(
            "expectation {}{place}: measured {}, expected {}",
            failed.expect.name,
            failed.outcome.show(),
            failed.expect.bound.show()
        ))
    }
}

impl Measured {
    /// What a source measured of a metric.
    pub fn get(&self, metric: &Metric) -> Option<Cow<'_, Result>> {
        let name = metric.def.name;
        match &metric.from {
            From::Load(n) => self.loads.get(*n)?.0.get(name).map(Cow::Borrowed),
            From::Model(n) => self.models.get(*n)?.0.get(name).map(Cow::Borrowed),
            // It is no figure of one run.
            From::Fit(_) => None,
            From::Hosts(hosts) => {
                let all = hosts.iter().filter_map(|&n| self.hosts.get(n)?.0.get(name));
                let mut all = all.map(Cow::Borrowed);
                let mut sum = all.next()?;
                all.for_each(|next| sum.to_mut().add(&next));
                Some(sum)
            }
        }
    }
}

impl VariantRun {
    /// A window's beginning and end, nanoseconds from the beginning of the run.
    pub fn window(&self, window: Window) -> (u64, u64) {
        let at = |happening: usize| nanos(self.plan.offset(happening));
        match window {
            Window::Whole => (nanos(self.plan.measured_from), u64::MAX),
            Window::After { happening, length } => {
                (at(happening), at(happening).saturating_add(nanos(length)))
            }
            Window::Before { happening, length } => {
                (at(happening).saturating_sub(nanos(length)), at(happening))
            }
        }
    }

    /// Takes one figure; the comparison with another variant is left to [`Run::checks`].
    pub fn measure(&self, measure: &Measure, bucket: Duration) -> Outcome {
        let (from, to) = self.window(measure.window);
        let figure = |metric: &Metric, from: u64, to: u64| match self.measured.get(metric) {
            Some(result) => match measure.at {
                Some(x) => at_point(&result, x),
                None => take(&result, measure.take, from, to, bucket),
            },
            None => Outcome::Nothing,
        };
        let now = figure(&measure.metric, from, to);
        match &measure.against {
            Against::Nothing | Against::Variant(_) => now,
            Against::Before => {
                let length = to - from;
                let before = figure(&measure.metric, from.saturating_sub(length), from);
                quotient(&now, &before)
            }
            Against::Metric(other) => quotient(&now, &figure(other, from, to)),
        }
    }
}

/// The quotient of two figures of one kind. Of nothing before, a single thing is made, so that a
/// rise from zero is still a number.
fn quotient(now: &Outcome, before: &Outcome) -> Outcome {
    let (Outcome::Figure(now), Outcome::Figure(before)) = (now, before) else {
        return Outcome::Nothing;
    };
    let (now, before) = match (*now, *before) {
        (Figure::Count(a), Figure::Count(b)) | (Figure::Bytes(a), Figure::Bytes(b)) => {
            (a, b.max(1))
        }
        (Figure::Rate(a), Figure::Rate(b)) => (a, b.max(1_000)),
        (Figure::Share(a), Figure::Share(b)) => (a.0, b.0.max(1)),
        (Figure::Time(a), Figure::Time(b)) => (a, b.max(1)),
        _ => return Outcome::Nothing,
    };
    Millionths::of(now, before).map_or(Outcome::Nothing, |q| Outcome::Figure(Figure::Factor(q)))
}

/// The value of a curve at a point.
pub fn at_point(result: &Result, x: u64) -> Outcome {
    let figure = match result {
        Result::Curve(curve) => curve.get(&x).map(|&y| Figure::Count(y)),
        Result::ShareCurve(curve) => {
            curve.get(&x).and_then(|&(part, whole)| Millionths::of(part, whole)).map(Figure::Share)
        }
        _ => None,
    };
    figure.map_or(Outcome::Nothing, Outcome::Figure)
}

/// Takes one figure of a result, from buckets that lie whole in the window.
pub fn take(result: &Result, take: Take, from_ns: u64, to_ns: u64, bucket: Duration) -> Outcome {
    let figure = match (result, take) {
        (Result::Word(word), _) => return Outcome::Word(word.clone()),
        (Result::Count(n), _) => Some(Figure::Count(*n)),
        (Result::Time(ns), _) => Some(Figure::Time(*ns)),
        (Result::Share(part, whole), _) => Millionths::of(*part, *whole).map(Figure::Share),
        (Result::Latency(histogram), Take::Quantile(quantile)) => {
            (!histogram.is_empty()).then(|| Figure::Time(at_quantile(histogram, quantile)))
        }
        (Result::Latency(_), _) => None,
        (Result::Series(series), _) => of_series(series.window(from_ns, to_ns), take, bucket),
        (Result::Shares(parts, wholes), _) => of_shares(parts, wholes, take, from_ns, to_ns),
        (Result::Level(series), _) => {
            of_levels(series.window(from_ns, to_ns), take).map(Figure::Count)
        }
        (Result::Bytes(series), _) => {
            of_levels(series.window(from_ns, to_ns), take).map(Figure::Bytes)
        }
        (Result::Curve(curve), _) => of_curve(curve.values().copied(), take).map(Figure::Count),
        (Result::ShareCurve(curve), _) => of_share_curve(curve.values(), take).map(Figure::Share),
    };
    figure.map_or(Outcome::Nothing, Outcome::Figure)
}

fn at_quantile(histogram: &hdrhistogram::Histogram<u64>, quantile: Quantile) -> u64 {
    match quantile {
        Quantile::P50 => histogram.value_at_quantile(0.5),
        Quantile::P90 => histogram.value_at_quantile(0.9),
        Quantile::P99 => histogram.value_at_quantile(0.99),
        Quantile::P999 => histogram.value_at_quantile(0.999),
        Quantile::Max => histogram.max(),
    }
}

fn of_series(counts: &[u64], take: Take, bucket: Duration) -> Option<Figure> {
    let per_second = |count: u64, buckets: u64| {
        let ns = u128::from(nanos(bucket)) * u128::from(buckets);
        let milli = (u128::from(count) * 1_000_000_000_000).checked_div(ns)?;
        u64::try_from(milli).ok().map(Figure::Rate)
    };
    let total: u64 = counts.iter().sum();
    match take {
        Take::Total => Some(Figure::Count(total)),
        Take::Rate => per_second(total, counts.len() as u64),
        Take::Peak => per_second(*counts.iter().max()?, 1),
        Take::Trough => per_second(*counts.iter().min()?, 1),
        Take::Quantile(_) | Take::Last => None,
    }
}

fn of_levels(levels: &[u64], take: Take) -> Option<u64> {
    match take {
        Take::Last => levels.last().copied(),
        Take::Peak => levels.iter().max().copied(),
        Take::Trough => levels.iter().min().copied(),
        Take::Total | Take::Rate | Take::Quantile(_) => None,
    }
}

fn of_curve(values: impl Iterator<Item = u64>, take: Take) -> Option<u64> {
    match take {
        Take::Total => Some(values.sum()),
        Take::Peak => values.max(),
        Take::Trough => values.min(),
        Take::Last | Take::Rate | Take::Quantile(_) => None,
    }
}

fn of_share_curve<'a>(
    mut values: impl Iterator<Item = &'a (u64, u64)>,
    take: Take,
) -> Option<Millionths> {
    let share = |&(part, whole): &(u64, u64)| Millionths::of(part, whole);
    match take {
        Take::Total => {
            let sum = values.fold((0, 0), |sum, (part, whole)| (sum.0 + part, sum.1 + whole));
            share(&sum)
        }
        Take::Peak => values.filter_map(share).max(),
        Take::Trough => values.filter_map(share).min(),
        Take::Last | Take::Rate | Take::Quantile(_) => values.next().and(None),
    }
}

fn of_shares(
    parts: &Series,
    wholes: &Series,
    take: Take,
    from_ns: u64,
    to_ns: u64,
) -> Option<Figure> {
    let (parts, wholes) = (parts.window(from_ns, to_ns), wholes.window(from_ns, to_ns));
    let mut shares = parts.iter().zip(wholes).filter_map(|(p, w)| Millionths::of(*p, *w));
    let share = match take {
        Take::Total => Millionths::of(parts.iter().sum(), wholes.iter().sum()),
        Take::Peak => shares.max(),
        Take::Trough => shares.min(),
        Take::Last | Take::Rate | Take::Quantile(_) => shares.next().filter(|_| false),
    };
    share.map(Figure::Share)
}

impl Outcome {
    /// For people.
    pub fn show(&self) -> String {
        match self {
            Self::Figure(figure) => figure.show(),
            Self::Word(word) => word.clone(),
            Self::Nothing => "nothing was measured".to_owned(),
        }
    }
}

impl Bound {
    /// Whether an outcome is within it. Nothing measured is never within a bound.
    pub fn allows(&self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (Self::Word(expected), Outcome::Word(word)) => expected == word,
            (Self::Range(low, high), Outcome::Figure(figure)) => {
                low.is_none_or(|low| low <= *figure) && high.is_none_or(|high| *figure <= high)
            }
            _ => false,
        }
    }

    /// For people: `at least 95.0 %`.
    pub fn show(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Range(Some(low), Some(high)) if low == high => format!("exactly {}", low.show()),
            Self::Range(Some(low), Some(high)) => format!("{} to {}", low.show(), high.show()),
            Self::Range(Some(low), None) => format!("at least {}", low.show()),
            Self::Range(None, Some(high)) => format!("at most {}", high.show()),
            Self::Range(None, None) => "anything".to_owned(),
        }
    }
}

/// What kind a result has (a curve: along nothing in particular), to check a model's results
/// against its table of metrics.
pub const fn kind_of(result: &Result) -> Kind {
    match result {
        Result::Series(_) => Kind::Series,
        Result::Shares(..) => Kind::Shares,
        Result::Latency(_) => Kind::Latency,
        Result::Count(_) => Kind::Count,
        Result::Share(..) => Kind::Share,
        Result::Word(_) => Kind::Word,
        Result::Time(_) => Kind::Time,
        Result::Level(_) => Kind::Level,
        Result::Bytes(_) => Kind::Bytes,
        Result::Curve(_) => Kind::Curve(""),
        Result::ShareCurve(_) => Kind::ShareCurve(""),
    }
}
