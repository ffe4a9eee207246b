//! A story that has been read and checked: plain data, every name resolved to an index.
//!
//! Nothing here can be wrong any more. What is still open are the values that each seed draws
//! (times given as ranges, the first key); [`crate::plan`] draws them.

mod figures;
pub mod files;
pub mod picture;
mod sites;
mod timeline;

pub use figures::{Against, Bound, ChartSpec, Draw, Expect, Figure, Fit, Measure, Window};
pub use sites::{Class, Cluster, Home, Readers};
pub use timeline::{Action, Happening};

use crate::metric::{Quantile, Take};
use crate::models::kinds::{LoadKind, LoadSpec, ModelKind, ModelSpec};
use crate::program::{CommandLine, Program};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use storytime_machine::Rng;
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
    /// What lies on hosts.
    pub files: Vec<files::File>,
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

    /// The port of the job server that it runs.
    pub fn job_server_port(&self) -> Option<u16> {
        let programs = self.run.iter().map(|line| &line.program);
        programs.filter(|program| program.name() == "gearmand").find_map(Program::port)
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
    /// An open loop: a stream that does not wait for answers.
    Open {
        /// Pages per second from all hosts together, in thousandths.
        rate_milli: u64,
        /// How long one comes behind the other.
        gaps: Gaps,
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

/// The times between the jobs of an open loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gaps {
    /// As of many people who know nothing of each other: a Poisson stream.
    Random,
    /// All alike, on each host.
    Even,
}

impl Gaps {
    /// The time before the first job.
    pub fn first(self, rng: &mut Rng, mean: Duration) -> Duration {
        match self {
            Self::Random => rng.exponential(mean),
            Self::Even => rng.duration(Duration::ZERO, mean),
        }
    }

    /// The time between a job and the next.
    pub fn next(self, rng: &mut Rng, mean: Duration) -> Duration {
        match self {
            Self::Random => rng.exponential(mean),
            Self::Even => mean,
        }
    }
}

impl Arrivals {
    /// In a few words: `2000/s`, `100 users`.
    pub fn words(self) -> String {
        match self {
            Self::Open { rate_milli, .. } => Figure::Rate(rate_milli).show(),
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
