//! Laws of growth, fitted to what a sweep measured.

use crate::run::{Outcome, Run, VariantRun, take};
use crate::story::{Figure, Story};
use crate::units::Millionths;
use storytime_reports::usl::{self, Usl};

/// A law fitted to one variant's points.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The points: of the sweep, and what was measured there, per second or as a number.
    pub points: Vec<(f64, f64)>,
    /// The law; none if there are too few points.
    pub law: Option<Usl>,
    /// The efficiency of the worst doubling; none if no point is twice another.
    pub efficiency: Option<f64>,
}

impl Fitted {
    /// A figure by its name; `Some(Nothing)` if the points do not give it.
    pub fn figure(&self, name: &str) -> Option<Outcome> {
        let value = match name {
            "contention" => self.law.map(|law| law.contention),
            "coherency" => self.law.map(|law| law.coherency),
            "efficiency" => self.efficiency,
            _ => return None,
        };
        let share = |value: f64| Figure::Share(Millionths((value * 1e6).round() as u64));
        Some(value.map_or(Outcome::Nothing, |value| Outcome::Figure(share(value))))
    }
}

impl Run {
    /// The law of one variant, by the run at its last point; `None` at the others, so that each is
    /// told once.
    pub fn fits(&self, story: &Story, fit: usize, variant: usize) -> Option<Fitted> {
        let spec = &story.fits[fit];
        let base = &story.variants[variant].base;
        let of_base = |n: usize| story.variants[n].base == *base && spec.variants.contains(&n);
        let runs: Vec<_> = self.variants.iter().filter(|run| of_base(run.variant)).collect();
        if runs.last()?.variant != variant {
            return None;
        }
        let point = |run: &&VariantRun| {
            let of = &story.variants[run.variant];
            let (from, to) = run.window(spec.window);
            let result = run.measured.get(&spec.metric)?;
            let figure = match take(&result, spec.take, from, to, of.setup.bucket) {
                Outcome::Figure(Figure::Rate(milli)) => milli as f64 / 1e3,
                Outcome::Figure(Figure::Count(n)) => n as f64,
                _ => return None,
            };
            Some((of.point? as f64, figure))
        };
        let points: Vec<(f64, f64)> = runs.iter().filter_map(point).collect();
        let (law, efficiency) = (Usl::fit(&points), usl::efficiency(&points));
        Some(Fitted { points, law, efficiency })
    }
}
