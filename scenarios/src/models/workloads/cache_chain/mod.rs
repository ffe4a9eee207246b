//! Pages that read rows through a chain of caches, each asked when the one before it misses:
//!
//! | level | is the memory of | shared by |
//! |---|---|---|
//! | `globals` | one page | nobody |
//! | `process` | one of the host's processes | the pages that it serves |
//! | `host` | one host | its processes |
//! | `memcached` | the cache servers | everybody |
//!
//! and then the database. What was found is put into the levels before. Some jobs are updates: they
//! change a row and delete it where they can reach it: in their own process, on their own host, in
//! memcached. Copies in other processes and on other hosts stay until they are too old; how many of
//! the rows served were out of date is known from the ledger, and counted.
//!
//! Every key begins with the number of the release. The timeline can tell a load:
//!
//! * `release`: the next number is used from now on, so that nothing cached before is found;
//! * `warm`: each host puts its part of the first `warm_keys` rows into memcached, `warm_rate` a
//!   second all together, in `warm_lanes` on each host, under the number of the next release;
//! * `refill`: the same under the present one;
//! * `close`, `open`: pages are turned away, so that nothing asks the database.
//!
//! With `misses_max` a host asks the database for so many rows at once; a page that needs one more
//! is turned away at once. Rows read by a warm-up count among them.
//!
//! Not modelled: what a page does with its rows; the size of a local cache's own table; a page
//! under way when its process is at work on another (a host's pages are spread over its processes
//! evenly, and do not wait for each other).

mod local;
mod numbers;

pub use numbers::{Level, Numbers};

use crate::diagnostic::Checked;
use crate::fields::Fields;
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, Step, Workload, lock};
use crate::models::database;
use crate::models::keys::Keys;
use crate::read::Parts;
use crate::units::Millionths;
use crate::{app_fields, app_metrics};
use local::{Kept, LocalCache};
use numbers::{LEVELS, VERSION_DIGITS};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_machine::{Rng, Time};
use storytime_memcached::client::Outcome;

/// The stream that draws a row's size is this plus its number.
const SIZES: u64 = storytime_sim::streams::CALLERS + (1 << 33);

/// What nobody in a real site knows: which version each changed row has.
#[derive(Debug, Default)]
pub struct Ledger {
    versions: BTreeMap<u32, u32>,
}

/// The workload.
#[derive(Debug)]
pub struct CacheChain {
    numbers: Numbers,
    keys: Keys,
    part: u32,
    ledger: Arc<Mutex<Ledger>>,
    processes: Vec<LocalCache>,
    host: LocalCache,
    release: u32,
    open: bool,
    /// Rows asked of the database at present.
    asked: u32,
}

/// A page, an update or a warm-up, by what it awaits.
#[derive(Debug)]
pub struct Job {
    process: u32,
    release: u32,
    row: u32,
    /// Rows that the page still needs, the present one included.
    rows_left: u32,
    /// Of a warm-up, when its next row may be asked for.
    turn: Time,
    /// The rows it has, for `globals`.
    globals: Vec<(u32, u32)>,
    awaits: Awaits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    /// memcached's answer.
    Cache,
    /// The row.
    Row,
    /// That the row was stored.
    Stored,
    /// That the row was changed.
    Changed,
    /// That the row was deleted from memcached.
    Deleted,
    /// A warm-up's next turn.
    Turn,
    /// A warm-up's row.
    WarmRow,
    /// That a warm-up's row was stored.
    WarmStored,
}

impl Workload for CacheChain {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "cache-chain";
    const FIELDS: &'static [&'static str] = app_fields![
        "chain",
        "keys",
        "skew",
        "rows",
        "process_caches",
        "process_memory",
        "host_memory",
        "local_ttl",
        "exptime",
        "value",
        "updates",
        "misses_max",
        "warm_keys",
        "warm_lanes",
        "warm_rate",
    ];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("reads", Series, "rows read"),
        ("hit_ratio", Shares, "hit ratio"),
        ("globals_ratio", Shares, "hits in the page's own memory"),
        ("process_ratio", Shares, "hits in the process"),
        ("host_ratio", Shares, "hits on the host"),
        ("memcached_ratio", Shares, "hits in memcached"),
        ("query_cache_ratio", Shares, "hits in the database's query cache"),
        ("out_of_date", Shares, "rows served out of date"),
        ("local_memory", Bytes, "memory of processes and hosts"),
        ("changed", Series, "rows changed"),
        ("turned_away", Series, "pages turned away"),
        ("warmed", Series, "rows warmed up"),
    ];
    const NEEDS_DATABASE: bool = true;
    const VERBS: &'static [&'static str] = &["release", "warm", "refill", "close", "open"];

    fn read(fields: &Fields<'_>, _parts: &Parts<'_>) -> Checked<Numbers> {
        numbers::read(fields)
    }

    fn new(numbers: Numbers, part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        let process = |_| LocalCache::new(numbers.process_bytes);
        Self {
            keys: Keys::new(numbers.skew, numbers.keys),
            part,
            ledger,
            processes: (0..numbers.processes).map(process).collect(),
            host: LocalCache::new(numbers.host_bytes),
            release: 0,
            open: true,
            asked: 0,
            numbers,
        }
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let row = self.keys.draw(hands.rng());
        let mut job = Job {
            process: hands.rng().below(u64::from(self.numbers.processes)) as u32,
            release: self.release,
            row,
            rows_left: self.numbers.rows,
            turn: hands.now(),
            globals: Vec::new(),
            awaits: Awaits::Cache,
        };
        if !self.open {
            hands.count("turned_away", 1);
            return Step::Failed;
        }
        if hands.rng().below(Millionths::ONE.0) < self.numbers.updates.0 {
            job.awaits = Awaits::Changed;
            hands.update(&self.key(hands, job.release, row));
            return Step::Await(job);
        }
        self.read_row(hands, job)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, mut job: Job, came: Came) -> Step<Job> {
        match (job.awaits, came) {
            (Awaits::Cache, Came::Cache(Outcome::Hit(value))) => {
                let kept = self.kept(hands, job.row, version_of(&value.data));
                self.found(hands, job, Some(Level::Memcached), kept)
            }
            (Awaits::Cache, Came::Cache(_)) => self.ask_database(hands, job),
            (Awaits::Row, Came::Row(row)) => {
                self.asked -= 1;
                match row {
                    Some(row) => self.row_came(hands, job, row.first().copied()),
                    None => Self::missed(hands),
                }
            }
            (Awaits::Stored, Came::Cache(_)) => self.next_row(hands, job),
            (Awaits::Changed, Came::Row(Some(_))) => self.changed(hands, job),
            (Awaits::Changed, Came::Row(None)) => Step::Failed,
            (Awaits::Deleted, Came::Cache(_)) => Step::Done,
            (Awaits::Turn, Came::Woke) => self.warm_next(hands, job),
            (Awaits::WarmRow, Came::Row(row)) => {
                self.asked -= 1;
                if row.is_none() {
                    return self.warm_later(hands, job);
                }
                job.awaits = Awaits::WarmStored;
                let version = self.newest(job.row);
                self.store(hands, &job, version);
                Step::Await(job)
            }
            (Awaits::WarmStored, Came::Cache(_)) => {
                hands.count("warmed", 1);
                job.row += self.numbers.hosts * self.numbers.warm_lanes;
                self.warm_later(hands, job)
            }
            (awaits, came) => unreachable!("{awaits:?} does not await {came:?}"),
        }
    }

    fn lanes(&self, verb: &'static str) -> u32 {
        if matches!(verb, "warm" | "refill") { self.numbers.warm_lanes } else { 1 }
    }

    fn told(&mut self, hands: &mut Hands<'_>, verb: &'static str) -> Step<Job> {
        let release = match verb {
            "release" => {
                self.release += 1;
                return Step::Done;
            }
            "close" | "open" => {
                self.open = verb == "open";
                return Step::Done;
            }
            "warm" => self.release + 1,
            _ => self.release,
        };
        let job = Job {
            process: 0,
            release,
            row: self.part * self.numbers.warm_lanes + hands.lane(),
            rows_left: 0,
            turn: hands.now(),
            globals: Vec::new(),
            awaits: Awaits::Turn,
        };
        self.warm_next(hands, job)
    }
}

/// The version at the front of a value.
fn version_of(value: &[u8]) -> u32 {
    let digits = value.get(..VERSION_DIGITS).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.trim_start().parse().ok()).unwrap_or(0)
}

impl CacheChain {
    fn key(&self, hands: &Hands<'_>, release: u32, row: u32) -> String {
        hands.key(&format!("{release}:row:{row}"))
    }

    /// The size of a row's value: its own, in every run.
    fn value_bytes(&self, row: u32) -> u64 {
        let (least, most) = self.numbers.value_bytes;
        least + Rng::new(u64::from(row), SIZES).below(most - least + 1)
    }

    fn kept(&self, hands: &Hands<'_>, row: u32, version: u32) -> Kept {
        let expires = self.numbers.local_ttl.map_or(Time::MAX, |ttl| hands.now() + ttl);
        Kept { version, bytes: self.value_bytes(row) as u32, expires }
    }

    /// The version that a row has at present, as nobody in a real site knows.
    fn newest(&self, row: u32) -> u32 {
        lock(&self.ledger).versions.get(&row).copied().unwrap_or(0)
    }

    fn has(&self, level: Level) -> bool {
        self.numbers.chain.contains(&level)
    }

    // ---- pages ----------------------------------------------------------------------------------

    fn read_row(&mut self, hands: &mut Hands<'_>, mut job: Job) -> Step<Job> {
        hands.count("reads", 1);
        let (key, now) = ((job.release, job.row), hands.now());
        if self.has(Level::Globals)
            && let Some(&(_, version)) = job.globals.iter().find(|(row, _)| *row == job.row)
        {
            let kept = self.kept(hands, job.row, version);
            return self.found(hands, job, Some(Level::Globals), kept);
        }
        if self.has(Level::Process)
            && let Some(kept) = self.processes[job.process as usize].get(key, now)
        {
            return self.found(hands, job, Some(Level::Process), kept);
        }
        if self.has(Level::Host)
            && let Some(kept) = self.host.get(key, now)
        {
            return self.found(hands, job, Some(Level::Host), kept);
        }
        if self.has(Level::Memcached) {
            job.awaits = Awaits::Cache;
            hands.get(&self.key(hands, job.release, job.row));
            return Step::Await(job);
        }
        self.ask_database(hands, job)
    }

    fn ask_database(&mut self, hands: &mut Hands<'_>, mut job: Job) -> Step<Job> {
        if self.asked >= self.numbers.misses_max {
            hands.count("turned_away", 1);
            return Self::missed(hands);
        }
        self.asked += 1;
        job.awaits = Awaits::Row;
        hands.query(&self.key(hands, job.release, job.row));
        Step::Await(job)
    }

    /// No cache had the row, and the database does not give it.
    fn missed(hands: &mut Hands<'_>) -> Step<Job> {
        hands.share("hit_ratio", 0, 1);
        Step::Failed
    }

    fn row_came(&mut self, hands: &mut Hands<'_>, job: Job, first: Option<u8>) -> Step<Job> {
        let cached = first == Some(database::ROW_CACHED);
        hands.share("query_cache_ratio", u64::from(cached), 1);
        let kept = self.kept(hands, job.row, self.newest(job.row));
        self.found(hands, job, None, kept)
    }

    /// A row was found, in a level or in the database: it goes into the levels before.
    fn found(
        &mut self,
        hands: &mut Hands<'_>,
        mut job: Job,
        at: Option<Level>,
        kept: Kept,
    ) -> Step<Job> {
        hands.share("hit_ratio", u64::from(at.is_some()), 1);
        for &(_, level, metric) in LEVELS.iter().filter(|(_, level, _)| self.has(*level)) {
            hands.share(metric, u64::from(at == Some(level)), 1);
        }
        let newest = self.newest(job.row);
        hands.share("out_of_date", u64::from(kept.version < newest), 1);
        let (key, before) =
            ((job.release, job.row), |level| at.is_none_or(|at| at as u8 > level as u8));
        if self.has(Level::Globals) && before(Level::Globals) {
            job.globals.push((job.row, kept.version));
        }
        if self.has(Level::Process) && before(Level::Process) {
            self.processes[job.process as usize].put(key, kept);
            self.note_memory(hands);
        }
        if self.has(Level::Host) && before(Level::Host) {
            self.host.put(key, kept);
            self.note_memory(hands);
        }
        if self.has(Level::Memcached) && at.is_none() {
            job.awaits = Awaits::Stored;
            self.store(hands, &job, kept.version);
            return Step::Await(job);
        }
        self.next_row(hands, job)
    }

    fn store(&self, hands: &mut Hands<'_>, job: &Job, version: u32) {
        let mut value = format!("{version:VERSION_DIGITS$}").into_bytes();
        value.resize(self.value_bytes(job.row) as usize, b'.');
        let key = self.key(hands, job.release, job.row);
        hands.set(&key, &value, self.numbers.exptime);
    }

    fn next_row(&mut self, hands: &mut Hands<'_>, mut job: Job) -> Step<Job> {
        job.rows_left -= 1;
        if job.rows_left == 0 {
            return Step::Done;
        }
        job.row = self.keys.draw(hands.rng());
        self.read_row(hands, job)
    }

    fn note_memory(&self, hands: &mut Hands<'_>) {
        let processes: u64 = self.processes.iter().map(LocalCache::bytes).sum();
        hands.level("local_memory", processes + self.host.bytes());
    }

    // ---- updates --------------------------------------------------------------------------------

    fn changed(&mut self, hands: &mut Hands<'_>, mut job: Job) -> Step<Job> {
        hands.count("changed", 1);
        *lock(&self.ledger).versions.entry(job.row).or_default() += 1;
        let key = (job.release, job.row);
        self.processes[job.process as usize].remove(key);
        self.host.remove(key);
        if !self.has(Level::Memcached) {
            return Step::Done;
        }
        job.awaits = Awaits::Deleted;
        hands.delete(&self.key(hands, job.release, job.row));
        Step::Await(job)
    }

    // ---- warm-ups -------------------------------------------------------------------------------

    fn warm_next(&mut self, hands: &mut Hands<'_>, mut job: Job) -> Step<Job> {
        if job.row >= self.numbers.warm_keys {
            return Step::Done;
        }
        self.asked += 1;
        job.awaits = Awaits::WarmRow;
        hands.query(&self.key(hands, job.release, job.row));
        Step::Await(job)
    }

    /// The next row of a warm-up, after a pause that keeps the rate.
    fn warm_later(&self, hands: &mut Hands<'_>, mut job: Job) -> Step<Job> {
        let lanes = u128::from(self.numbers.hosts) * u128::from(self.numbers.warm_lanes);
        let gap = 1_000_000_000_000 * lanes / u128::from(self.numbers.warm_rate_milli);
        let gap = Duration::from_nanos(u64::try_from(gap).unwrap_or(u64::MAX));
        // A lane that is slower than its rate does not catch up.
        job.turn = (job.turn + gap).max(hands.now());
        job.awaits = Awaits::Turn;
        hands.pause(job.turn.since(hands.now()));
        Step::Await(job)
    }
}
