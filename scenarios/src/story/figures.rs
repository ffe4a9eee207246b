//! What a story measures, expects and draws.

use crate::metric::{Metric, Take};
use crate::units::Millionths;
use std::time::Duration;

/// Something that must come out.
#[derive(Clone, Debug)]
pub struct Expect {
    /// Its name.
    pub name: String,
    /// The expectation as a sentence.
    pub says: Option<String>,
    /// The variants it is about, by index.
    pub variants: Vec<usize>,
    /// What is measured.
    pub measure: Measure,
    /// What is allowed.
    pub bound: Bound,
    /// The talk's figure, in words.
    pub talk: Option<String>,
}

/// How one figure is taken from a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Which metric.
    pub metric: Metric,
    /// What of it.
    pub take: Take,
    /// When.
    pub window: Window,
    /// Of a curve, the value here.
    pub at: Option<u64>,
    /// What it is divided by.
    pub against: Against,
}

/// The universal scalability law, fitted to a metric along the sweep in each variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Its name, which stands before the dot of its metrics.
    pub name: String,
    /// What grows.
    pub metric: Metric,
    /// What of it.
    pub take: Take,
    /// When.
    pub window: Window,
    /// The variants, by index.
    pub variants: Vec<usize>,
}

/// What a figure is divided by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against {
    /// Nothing.
    Nothing,
    /// The same in the equally long window before the entry of the timeline.
    Before,
    /// The same of another metric.
    Metric(Metric),
    /// The same in another variant, at the same point of the sweep.
    Variant(String),
}

/// Which part of a run is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// All of it.
    Whole,
    /// From an entry of the timeline on.
    After {
        /// Which entry.
        happening: usize,
        /// For how long.
        length: Duration,
    },
    /// Up to an entry of the timeline.
    Before {
        /// Which entry.
        happening: usize,
        /// For how long.
        length: Duration,
    },
}

/// What a figure may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Numbers from the first to the second, both included; a missing end is open.
    Range(Option<Figure>, Option<Figure>),
    /// This word.
    Word(String),
}

/// A number with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Things.
    Count(u64),
    /// Things per second, in thousandths.
    Rate(u64),
    /// A share of a whole.
    Share(Millionths),
    /// A quotient of two figures of one kind.
    Factor(Millionths),
    /// A length of time, nanoseconds.
    Time(u64),
    /// An amount of memory.
    Bytes(u64),
}

/// A picture to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartSpec {
    /// Unique within the story; letters, digits and dashes.
    pub name: String,
    /// Its heading.
    pub title: String,
    /// A sentence under it.
    pub caption: Option<String>,
    /// What is drawn.
    pub draw: Draw,
    /// The variants that are drawn, by index.
    pub variants: Vec<usize>,
    /// Which part of the run bars and curves are taken from.
    pub window: Window,
    /// Whether equal ratios are equal steps, across and up.
    pub log: (bool, bool),
    /// The law that is drawn beside the points, by index.
    pub fit: Option<usize>,
}

/// What a picture draws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Draw {
    /// Metrics of one unit over time, a line for each metric and variant.
    Lines(Vec<Metric>),
    /// Metrics of one unit along a curve, or along the sweep; a line for each metric and variant.
    Curves(Vec<(Metric, Take)>),
    /// Groups of bars, a group for each variant and a bar for each metric.
    Bars(Vec<(Metric, Take)>),
}
