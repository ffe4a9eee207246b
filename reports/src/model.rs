//! What a run leaves behind: everything that the page, the terminal and `--json` say about it.
//!
//! Whoever runs a story fills in a [`Report`]; the renderings only read it. All instants and
//! lengths are nanoseconds since the start of the run unless an [`Axis`] or [`Unit`] says
//! otherwise. A report is plain data: it can be stored as JSON and rendered again later.
//!
//! Not modelled: raw samples (the caller thins and sums them up), layout, and the date of the run
//! (a report of the same run is the same text on every day, except for its wall times).

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// One run of one story, from its question to its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which story was run, in words.
    pub story: StoryCard,
    /// The command line that repeats this run.
    pub command: String,
    /// The seed that everything random was drawn from.
    pub seed: u64,
    /// Values that the command line put in place of the story's own: name, value.
    pub overrides: Vec<(String, String)>,
    /// The build that ran: version and revision, as the program prints them.
    pub build: String,
    /// What was run: the simulated arm, the real one, or both, in the order to show them.
    pub arms: Vec<ArmResult>,
    /// The hosts of the story.
    pub rack: Vec<HostCard>,
    /// Faults and changes, in the order in which they happened.
    pub timeline: Vec<Moment>,
    /// The pictures, in the order to show them.
    pub charts: Vec<Chart>,
    /// Tables of figures that no picture shows.
    pub tables: Vec<Table>,
    /// Latency percentiles, one row per measured thing.
    pub latencies: Vec<LatencyRow>,
    /// The story's expectations and whether they held.
    pub expectations: Vec<Verdict>,
    /// An invariant or a machine that broke and so ended an arm early.
    pub broken: Option<Broken>,
    /// Remarks a reader must know to judge the figures, e.g. what stands for a power cut.
    pub notes: Vec<String>,
    /// Everything that was drawn from the seed: name, value.
    pub drawn: Vec<(String, String)>,
}

/// A story in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryCard {
    /// Unique name, as typed after `storytime run`.
    pub id: String,
    /// A heading, without a full stop.
    pub title: String,
    /// Where it was told, e.g. `LJ 37`.
    pub source: String,
    /// The question, as one or two sentences.
    pub asks: String,
    /// What the run must show, as one or two sentences.
    pub shows: String,
}

/// Which of the two runtimes something was measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// The deterministic simulator.
    Simulated,
    /// Real processes and sockets on one machine.
    Real,
}

/// One arm's run as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmResult {
    /// Which runtime.
    pub arm: Arm,
    /// Digest of the whole event trace; the real arm has none.
    pub digest: Option<String>,
    /// Events handled: the simulator's events, or the real processes' callbacks.
    pub events: u64,
    /// Length of the run on the story's own clock, in nanoseconds.
    pub simulated_ns: u64,
    /// How long it took on the wall, in nanoseconds.
    pub wall_ns: u64,
}

/// A host of the rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCard {
    /// Its name in the scenario file.
    pub name: String,
    /// Its address; empty where it has none of its own.
    pub ip: String,
    /// What it is for, in a word or two: `cache`, `database`, `load`.
    pub role: String,
    /// Command lines typed on it.
    pub lines: Vec<String>,
    /// What it is made of, e.g. `2 cores`, `disk: 120 IOPS`.
    pub hardware: Vec<String>,
}

/// Something that happened at one moment: a fault, a change, a recovery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When, in nanoseconds since the start.
    pub at_ns: u64,
    /// What, e.g. `cache-4 joins`.
    pub text: String,
    /// The variant it happened in; `None` means in all of them.
    pub variant: Option<String>,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// Unique within the report; letters, digits and dashes.
    pub id: String,
    /// What it shows, e.g. `Hit ratio`.
    pub title: String,
    /// What to look at, as a sentence under the picture.
    pub caption: Option<String>,
    /// The horizontal axis. Bars use its label alone.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// How the points become a picture.
    pub kind: ChartKind,
    /// What is drawn.
    pub series: Vec<Series>,
    /// Vertical lines and bands at moments; not drawn for bars.
    pub marks: Vec<Mark>,
    /// Horizontal lines at figures to compare with, e.g. the talk's.
    pub levels: Vec<Level>,
    /// The names of the groups of bars; empty for the other kinds.
    pub categories: Vec<String>,
}

/// How the points of a chart become a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChartKind {
    /// Points joined by straight lines.
    Lines,
    /// Groups of bars; the `x` of a point is the index of its category.
    Bars,
    /// A value that holds until the next point changes it.
    Steps,
}

/// An axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// What is measured, e.g. `time`.
    pub label: String,
    /// The unit of the points' coordinate.
    pub unit: Unit,
    /// How values are spread along it.
    pub scale: Scale,
    /// Where it must begin; otherwise at the least value (0 for bars).
    pub from: Option<f64>,
    /// Where it must end; otherwise at the greatest value.
    pub to: Option<f64>,
}

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Equal steps.
    #[default]
    Linear,
    /// Equal ratios. Values that are not positive are left out. Bars are always linear.
    Log,
}

/// What a number counts, which decides how it is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Things: `12.3 k`.
    Count,
    /// Things per second: `12.3 k/s`.
    PerSecond,
    /// Seconds: `4.20 ms`.
    Seconds,
    /// Nanoseconds: `4.20 ms`.
    Nanoseconds,
    /// Bytes: `3.10 MB`.
    Bytes,
    /// Bytes per second: `3.10 MB/s`.
    BytesPerSecond,
    /// A share between 0 and 1, written in per cent: `87.5 %`.
    Share,
    /// Anything else, by the name to write after the number: `3 servers`.
    Named(String),
}

/// One line, or one bar per category.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What it is, without the arm: usually the variant, e.g. `modulo`.
    pub name: String,
    /// Where it was measured: simulated series are drawn solid, real ones dashed.
    pub arm: Arm,
    /// Points in ascending `x`, in the axes' units. Points that are not finite are left out.
    pub points: Vec<(f64, f64)>,
    /// Which colour and marker. Both arms of one variant share a role; roles repeat after 8.
    pub role: u8,
}

/// A moment, or a span of time, marked in a chart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Where on the horizontal axis.
    pub x: f64,
    /// Where a span ends; `None` for a moment.
    pub until: Option<f64>,
    /// What happened.
    pub label: String,
}

/// A figure to compare with, drawn across a chart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Where on the vertical axis.
    pub y: f64,
    /// What it is, e.g. `1 − 1/(n+1)`.
    pub label: String,
}

/// A table of figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Unique within the report; letters, digits and dashes.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// Column headings. The first column names the row.
    pub columns: Vec<String>,
    /// Rows, each as long as `columns`; missing cells stay empty.
    pub rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number, written as its unit asks.
    Number(f64, Unit),
}

/// Latency percentiles of one measured thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyRow {
    /// What was timed, e.g. `page`.
    pub name: String,
    /// Where it was measured.
    pub arm: Arm,
    /// The variant; `None` if the story has none.
    pub variant: Option<String>,
    /// The percentiles.
    pub summary: Percentiles,
}

/// Percentiles of a latency histogram, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many values were recorded.
    pub count: u64,
    /// Half of the values were at most this.
    pub p50: u64,
    /// 90 % of the values were at most this.
    pub p90: u64,
    /// 99 % of the values were at most this.
    pub p99: u64,
    /// 99.9 % of the values were at most this.
    pub p999: u64,
    /// The greatest value.
    pub max: u64,
}

impl Percentiles {
    /// Sums up a histogram of nanoseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            count: histogram.len(),
            p50: histogram.value_at_quantile(0.5),
            p90: histogram.value_at_quantile(0.9),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        }
    }
}

/// An expectation and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Its name in the scenario file.
    pub name: String,
    /// The expectation as a sentence, where the file has one.
    pub says: Option<String>,
    /// Where it was measured.
    pub arm: Arm,
    /// The variant it was measured in; `None` if it is about the run as a whole.
    pub variant: Option<String>,
    /// Whether it held.
    pub holds: bool,
    /// What was measured, with its unit.
    pub measured: String,
    /// What was allowed, with its unit, e.g. `at least 95.0 %`.
    pub bound: String,
    /// The figure that the talk gave, if it gave one.
    pub talk: Option<String>,
}

/// An invariant or a machine that broke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// Where it broke.
    pub arm: Arm,
    /// When, in nanoseconds since the start.
    pub at_ns: u64,
    /// At which event, counted from the start of the run.
    pub event: u64,
    /// What broke, in one sentence.
    pub text: String,
}

impl Arm {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::Real => "real",
        }
    }
}

impl Axis {
    /// A linear axis that fits its values.
    pub fn new(label: impl Into<String>, unit: Unit) -> Self {
        Self { label: label.into(), unit, scale: Scale::Linear, from: None, to: None }
    }

    /// The same axis with fixed ends.
    #[must_use]
    pub fn between(mut self, from: f64, to: f64) -> Self {
        assert!(from < to, "an axis runs from its lower to its upper end");
        self.from = Some(from);
        self.to = Some(to);
        self
    }
}

impl Chart {
    /// An empty chart.
    pub fn new(id: impl Into<String>, title: impl Into<String>, kind: ChartKind) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            caption: None,
            x: Axis::new("", Unit::Count),
            y: Axis::new("", Unit::Count),
            kind,
            series: Vec::new(),
            marks: Vec::new(),
            levels: Vec::new(),
            categories: Vec::new(),
        }
    }
}

impl Report {
    /// Whether every expectation held and nothing broke: the run's exit status is 0. A run that
    /// checked nothing shows nothing, so it does not hold either.
    pub fn holds(&self) -> bool {
        self.broken.is_none() && !self.expectations.is_empty() && self.failed() == 0
    }

    /// How many expectations failed.
    pub fn failed(&self) -> usize {
        self.expectations.iter().filter(|verdict| !verdict.holds).count()
    }

    /// The verdict on the run in one line, without a full stop.
    pub fn verdict(&self) -> String {
        let (failed, all) = (self.failed(), self.expectations.len());
        let expectations = match (failed, all) {
            (_, 0) => "no expectation was checked".to_owned(),
            (0, 1) => "the one expectation holds".to_owned(),
            (0, _) => format!("all {all} expectations hold"),
            (1, 1) => "the one expectation fails".to_owned(),
            (1, _) => format!("1 of {all} expectations fails"),
            (_, _) => format!("{failed} of {all} expectations fail"),
        };
        match &self.broken {
            None => expectations,
            Some(_) => format!("the run broke; {expectations}"),
        }
    }

    /// The result of one arm, if it was run.
    pub fn arm(&self, arm: Arm) -> Option<&ArmResult> {
        self.arms.iter().find(|result| result.arm == arm)
    }
}
