//! The numbers of a cache chain, read from a load's fields.

use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{BYTES, DURATION, Fields, RATE, SHARE, unknown};
use crate::models::app::LANES_MAX;
use crate::models::{KEYS_MAX, PAGES_MAX};
use crate::read::work;
use crate::story::Skew;
use crate::units::Millionths;
use std::time::Duration;

/// Longest lifetime of an item that is no date, seconds: thirty days.
const EXPTIME_MAX: u64 = 2_592_000;
/// Longest value, bytes.
const VALUE_BYTES_MAX: u64 = 1_000_000;
/// Shortest value, bytes: a version of ten digits.
const VALUE_BYTES_MIN: u64 = 10;
/// Digits of a version at the front of a value.
pub(super) const VERSION_DIGITS: usize = 10;

/// A level of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The page's own variables.
    Globals,
    /// The process's memory.
    Process,
    /// Memory that a host's processes share.
    Host,
    /// The cache servers.
    Memcached,
}

/// The levels by name, and the metric of each.
pub(super) const LEVELS: &[(&str, Level, &str)] = &[
    ("globals", Level::Globals, "globals_ratio"),
    ("process", Level::Process, "process_ratio"),
    ("host", Level::Host, "host_ratio"),
    ("memcached", Level::Memcached, "memcached_ratio"),
];

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    pub(super) chain: Vec<Level>,
    pub(super) keys: u32,
    pub(super) skew: Skew,
    /// Rows that one page reads, one after the other.
    pub(super) rows: u32,
    /// Processes of a host.
    pub(super) processes: u32,
    pub(super) process_bytes: u64,
    pub(super) host_bytes: u64,
    /// How long a value stays in a process or on a host; `None` for ever.
    pub(super) local_ttl: Option<Duration>,
    /// Lifetime in memcached, seconds; 0 for ever.
    pub(super) exptime: u32,
    /// Shortest and longest value, bytes; each row has its own.
    pub(super) value_bytes: (u64, u64),
    /// The share of jobs that change a row.
    pub(super) updates: Millionths,
    /// Rows that a host asks the database for at once.
    pub(super) misses_max: u32,
    pub(super) warm_keys: u32,
    /// Rows that a host warms up at once.
    pub(super) warm_lanes: u32,
    /// Rows per second of all hosts together, in thousandths.
    pub(super) warm_rate_milli: u64,
    /// Hosts that share a warm-up.
    pub(super) hosts: u32,
}

/// Reads them.
pub(super) fn read(fields: &Fields<'_>) -> Checked<Numbers> {
    let forever = Duration::ZERO;
    let ttl = fields.quantity("local_ttl", DURATION, Some(forever))?;
    let keys = fields.integer("keys", 1..=KEYS_MAX, None)?;
    Ok(Numbers {
        chain: chain(fields)?,
        keys: keys as u32,
        skew: fields.choice("skew", work::SKEWS, None)?,
        rows: fields.integer("rows", 1..=1_000, Some(1))? as u32,
        processes: fields.integer("process_caches", 1..=10_000, Some(1))? as u32,
        process_bytes: fields.quantity("process_memory", BYTES, Some(0))?,
        host_bytes: fields.quantity("host_memory", BYTES, Some(0))?,
        local_ttl: Some(ttl).filter(|ttl| *ttl != forever),
        exptime: fields.integer("exptime", 0..=EXPTIME_MAX, Some(0))? as u32,
        value_bytes: value(fields)?,
        updates: updates(fields)?,
        misses_max: fields.integer("misses_max", 1..=PAGES_MAX, Some(PAGES_MAX))? as u32,
        warm_keys: fields.integer("warm_keys", 1..=keys, Some(keys))? as u32,
        warm_lanes: fields.integer("warm_lanes", 1..=u64::from(LANES_MAX), Some(1))? as u32,
        warm_rate_milli: fields.quantity("warm_rate", RATE, Some(100_000))?.max(1),
        hosts: fields.texts("on", "")?.len().max(1) as u32,
    })
}

fn chain(fields: &Fields<'_>) -> Checked<Vec<Level>> {
    let mut found: Vec<Level> = Vec::new();
    for word in fields.texts("chain", "a list of levels, such as [\"host\", \"memcached\"]")? {
        let level = LEVELS.iter().position(|(name, ..)| *name == word.text);
        let names = LEVELS.iter().map(|(name, ..)| *name);
        let level = LEVELS[level.ok_or_else(|| unknown(&word, "level", names.clone()))?].1;
        if found.last().is_some_and(|last| *last as u8 >= level as u8) {
            let title = "a chain goes from the nearest cache to the farthest";
            let names: Vec<&str> = names.collect();
            return Err(Diagnostic::at(&word.span, title, "is nearer than the one before it")
                .help(format!("the order is {}", names.join(", ")))
                .into());
        }
        found.push(level);
    }
    Ok(found)
}

fn value(fields: &Fields<'_>) -> Checked<(u64, u64)> {
    let (least, most) = fields.range("value", BYTES, None)?;
    if least < VALUE_BYTES_MIN || most > VALUE_BYTES_MAX {
        let at = &fields.required("value", "")?.span;
        let title = "values of a length that cannot be made";
        let label = format!("expected {VALUE_BYTES_MIN} to {VALUE_BYTES_MAX} bytes");
        return Err(Diagnostic::at(at, title, label).into());
    }
    Ok((least, most))
}

fn updates(fields: &Fields<'_>) -> Checked<Millionths> {
    let share = fields.quantity("updates", SHARE, Some(Millionths(0)))?;
    if share > Millionths::ONE {
        let at = &fields.required("updates", "")?.span;
        let title = "more updates than jobs";
        return Err(Diagnostic::at(at, title, "expected at most 100%").into());
    }
    Ok(share)
}
