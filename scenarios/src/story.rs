//! A story that has been read and checked: plain data, every name resolved to an index.
//!
//! Nothing here can be wrong any more. What is still open are the values that each seed draws
//! (times given as ranges, the first key); [`crate::plan`] draws them.

mod sites;
mod timeline;

pub use sites::{Class, Cluster, Home, Readers};
pub use timeline::{Action, Happening};

use crate::metric::{Metric, Quantile, Take};
use crate::models::kinds::{LoadKind, LoadSpec, ModelKind, ModelSpec};
use crate::program::{CommandLine, Program};
use crate::units::Millionths;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use storytime_sim::{DiskConfig, Link};

/// Most hosts of a story: on real sockets each gets an address of one block of 256.
pub const HOSTS_MAX: usize = 250;
/// Most disks, links, models, loads and happenings of a story, each.
pub const PARTS_MAX: usize = 256;
/// Most variants of a story, each at every point of its sweep: each is a world of its own.
pub const VARIANTS_MAX: usize = 64;
/// Longest run, on the story's own clock: a simulated week.
pub const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Most buckets of a time series.
pub const BUCKETS_MAX: u64 = 10_000;

/// A story, ready to run.
#[derive(Clone, Debug)]
pub struct Story {
    /// What it is about.
    pub card: Card,
    /// The same story with and without the cure, at each point of its sweep; at least one.
    pub variants: Vec<Variant>,
    /// What is swept, if anything is.
    pub sweep: Option<Sweep>,
    /// Laws that are fitted to it.
    pub fits: Vec<Fit>,
    /// What must come out.
    pub expects: Vec<Expect>,
    /// What to draw.
    pub charts: Vec<ChartSpec>,
    /// Which hosts have names, and what they are made of, for the report: those of the first
    /// variant.
    pub profile: Profile,
}

/// A story in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Unique name, as typed after `storytime run`.
    pub id: String,
    /// A heading.
    pub title: String,
    /// Where it was told: `LJ 37`.
    pub source: String,
    /// The question.
    pub asks: String,
    /// What the run must show.
    pub shows: String,
    /// Whether it can run on real sockets.
    pub real: bool,
}

/// Which of a file's sets of values is laid over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// None: the story as written.
    Full,
    /// `[campaign]`: small sizes for many seeds.
    Campaign,
    /// `[real]`: what one machine can carry, in a time a person waits for.
    Real,
}

/// A number that takes several values, each a run of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// What the number is, for axes.
    pub name: String,
    /// What it counts; may be empty.
    pub unit: String,
}

/// One way of running the story.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Its name, with the point of the sweep; `None` if the story has only one way.
    pub name: Option<String>,
    /// Its name without the point.
    pub base: Option<String>,
    /// The point of the sweep.
    pub point: Option<u64>,
    /// Whether it also runs on real sockets, if the story does.
    pub real: bool,
    /// The world it runs in.
    pub setup: Setup,
}

/// One world.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How long it runs.
    pub duration: Duration,
    /// Width of a bucket of the time series.
    pub bucket: Duration,
    /// Where the window of figures begins that name none.
    pub measured_from: Duration,
    /// The hosts.
    pub hosts: Vec<Host>,
    /// The link between hosts that have none of their own.
    pub link: Link,
    /// Links of their own: two hosts and the link, both ways.
    pub links: Vec<(usize, usize, Link)>,
    /// Databases that hold the same data.
    pub clusters: Vec<Cluster>,
    /// Kinds of requests.
    pub classes: Vec<Class>,
    /// Models of servers that are no component of ours.
    pub models: Vec<Model>,
    /// Where the work comes from.
    pub loads: Vec<Load>,
    /// What happens, in the order of the file.
    pub timeline: Vec<Happening>,
    /// Service time of work: name of the kind, picoseconds per unit.
    pub costs: Vec<(String, u64)>,
}

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its address.
    pub ip: IpAddr,
    /// What it is for, in a word.
    pub role: String,
    /// Command lines that its boot starts.
    pub run: Vec<CommandLine>,
    /// Processor cores.
    pub cores: u32,
    /// Memory, bytes; `None` is unlimited.
    pub memory_bytes: Option<u64>,
    /// Its disk, if it has one.
    pub disk: Option<Disk>,
    /// Whether it is switched on at the beginning.
    pub at_boot: bool,
    /// How long after a failure or a kill its programs are started again, if anybody does that.
    pub respawn: Option<Duration>,
    /// Whether it takes part: of several alike, so many as the variant or the sweep says.
    pub used: bool,
}

impl Host {
    /// The port of the database that it runs.
    pub fn database_port(&self) -> Option<u16> {
        let programs = self.run.iter().map(|line| &line.program);
        programs.filter(|program| program.name() == "dbd").find_map(Program::port)
    }
}

/// A host's disk.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Its name in the file.
    pub name: String,
    /// What it is like.
    pub config: DiskConfig,
}

/// A model of a server.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Where it runs.
    pub host: usize,
    /// What it models.
    pub spec: Arc<dyn ModelSpec>,
    /// Its kind.
    pub kind: &'static ModelKind,
}

/// A load.
#[derive(Clone, Debug)]
pub struct Load {
    /// Its name.
    pub name: String,
    /// Its processes, each an equal part: the host of each, those of one host side by side.
    pub on: Vec<usize>,
    /// What it does.
    pub spec: Arc<dyn LoadSpec>,
    /// Its kind.
    pub kind: &'static LoadKind,
}

impl Load {
    /// The hosts that carry it, each once.
    pub fn hosts(&self) -> Vec<usize> {
        let mut hosts = self.on.clone();
        hosts.dedup();
        hosts
    }
}

/// A memcached server, as a load's list of caches has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Its host.
    pub host: usize,
    /// Its port.
    pub port: u16,
    /// Its share of the keys, relative to the others'.
    pub weight: u32,
}

/// How a key finds its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// CRC32 of the key, modulo the number of servers.
    Modulo,
    /// Consistent hashing as by ketama.
    Ring,
}

/// When pages are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// An open loop: a Poisson stream that does not wait for answers.
    Open {
        /// Pages per second from all hosts together, in thousandths.
        rate_milli: u64,
    },
    /// A closed loop: each user waits for the page, thinks, and asks for the next one.
    Closed {
        /// Users of all hosts together.
        users: u32,
        /// Mean of the exponentially distributed pause.
        think: Duration,
    },
    /// When another load asks.
    Asked,
}

impl Arrivals {
    /// In a few words: `2000/s`, `100 users`.
    pub fn words(self) -> String {
        match self {
            Self::Open { rate_milli } => Figure::Rate(rate_milli).show(),
            Self::Closed { users, .. } => format!("{users} users"),
            Self::Asked => "when asked".to_owned(),
        }
    }
}

/// Which keys are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skew {
    /// All alike.
    Uniform,
    /// The n-th most popular with a chance proportional to 1/n.
    Zipf,
    /// One after the other, and again from the first.
    Scan,
}

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

impl Story {
    /// The index of a variant by its full name.
    pub fn variant(&self, name: &str) -> Option<usize> {
        self.variants.iter().position(|v| v.name.as_deref() == Some(name))
    }

    /// The indices of a variant at all points of the sweep.
    pub fn variants_called(&self, base: &str) -> Vec<usize> {
        let called = |n: &usize| self.variants[*n].base.as_deref() == Some(base);
        (0..self.variants.len()).filter(called).collect()
    }

    /// The index of the variant `base` at the same point as variant `of`.
    pub fn beside(&self, base: &str, of: usize) -> Option<usize> {
        let point = self.variants[of].point;
        self.variants_called(base).into_iter().find(|&n| self.variants[n].point == point)
    }
}

impl Take {
    /// The quantile, if that is what is taken.
    pub const fn quantile(self) -> Option<Quantile> {
        match self {
            Self::Quantile(q) => Some(q),
            _ => None,
        }
    }
}
