//! `storytime mc load`: a load generator.
//!
//! In an open loop (`--rate`) requests have a time at which they should leave, whatever became of
//! those before, and that is where their latency begins: a server that stalls is charged for every
//! request that should have come meanwhile (no coordinated omission). In a closed loop each
//! connection keeps a number of requests under way, and latency begins when a request is handed to
//! its connection.
//!
//! Not modelled: several threads (start several), arrivals other than evenly spaced ones.

mod generator;
mod report;
mod value;

use super::args::Named;
use crate::progress::Progress;
use crate::serve::print;
use crate::{FAILED, OK};
use clap::{Args, ValueEnum};
use generator::{Generator, Plan};
use std::time::Duration;
use storytime_machine::Limits;
use storytime_memcached::client::ClientOptions;
use storytime_real::{Ending, Host, spawn};
use storytime_scenarios::story::Skew;
use storytime_scenarios::units;

/// Most connections.
const CONNECTIONS_MAX: u32 = 10_000;
/// Most requests under way on a connection.
const PIPELINE_MAX: u32 = 1000;
/// Most keys of one get.
const MULTIGET_MAX: u32 = 10_000;
/// Largest value, bytes.
const VALUE_BYTES_MAX: u64 = 1 << 20;

/// What to do to the servers.
#[derive(Args, Clone, Debug)]
pub(crate) struct LoadOptions {
    /// Connections to each server
    #[arg(short, long, default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(CONNECTIONS_MAX)))]
    connections: u32,
    /// Requests under way on a connection
    #[arg(long, default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(PIPELINE_MAX)))]
    pipeline: u32,
    /// Requests a second in all, as 20000 (open loop); without it a closed loop
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: Option<u64>,
    /// How long, as 10s or 2min
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// End after so many requests
    #[arg(long, value_name = "N")]
    ops: Option<u64>,
    /// Requests at the beginning that are not measured, as 1s
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    warmup: Duration,
    /// Gets and sets, as 9:1
    #[arg(long, value_name = "GETS:SETS", default_value = "9:1", value_parser = ratio)]
    ratio: (u32, u32),
    /// Keys of one get
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MULTIGET_MAX)))]
    multiget: u32,
    /// How many keys there are
    #[arg(long, value_name = "N", default_value_t = 10_000,
        value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    keys: u32,
    /// Which keys are asked for: uniform, or zipf (the n-th 1/n as often as the first)
    #[arg(long, value_enum, default_value_t = SkewName::Uniform, hide_possible_values = true)]
    skew: SkewName,
    /// Bytes of a value, as 100 or 100-1000
    #[arg(long, value_name = "RANGE", default_value = "100", value_parser = sizes)]
    value_bytes: (u32, u32),
    /// Store every key before measuring
    #[arg(long)]
    fill: bool,
    /// Look at every byte of every value
    #[arg(long)]
    verify: bool,
    /// One JSON object in place of the table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SkewName {
    Uniform,
    Zipf,
}

fn duration(text: &str) -> Result<Duration, String> {
    units::duration(text).ok_or_else(|| "expected a time such as 500ms, 10s or 2min".to_owned())
}

fn ratio(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once(':');
    let both = parts.and_then(|(gets, sets)| Some((gets.parse().ok()?, sets.parse().ok()?)));
    both.filter(|&(gets, sets)| gets <= 1_000_000 && sets <= 1_000_000 && gets + sets > 0)
        .ok_or_else(|| "expected gets and sets such as 9:1, 1:0 or 0:1".to_owned())
}

fn sizes(text: &str) -> Result<(u32, u32), String> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let both = low.parse().ok().zip(high.parse().ok());
    both.filter(|&(low, high): &(u32, u32)| low <= high && u64::from(high) <= VALUE_BYTES_MAX)
        .ok_or_else(|| format!("expected bytes such as 100 or 100-1000, up to {VALUE_BYTES_MAX}"))
}

/// Runs the load and prints what was measured. Errors and wrong values fail.
pub(crate) fn run(
    host: Host,
    mut client: ClientOptions,
    servers: &[Named],
    options: &LoadOptions,
) -> u8 {
    client.pool.value_bytes_max = VALUE_BYTES_MAX as usize;
    let skew = match options.skew {
        SkewName::Uniform => Skew::Uniform,
        SkewName::Zipf => Skew::Zipf,
    };
    let plan = Plan {
        connections: options.connections,
        pipeline: options.pipeline,
        rate: options.rate,
        duration: options.duration,
        ops_max: options.ops.unwrap_or(u64::MAX),
        warmup: options.warmup,
        gets: options.ratio.0,
        sets: options.ratio.1,
        multiget: options.multiget,
        keys: options.keys,
        skew,
        value_bytes: options.value_bytes,
        fill: options.fill,
        verify: options.verify,
    };
    let specs = servers.iter().map(|server| server.spec.clone()).collect();
    // A different run each time: the system's clock is chance enough for keys.
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = since.map_or(0, |since| since.as_nanos() as u64);
    let limits = Limits { rx_bytes_max: 4 << 20, ..Limits::default() };
    let host = Host { limits, seed, ..host };
    let mut handle = match spawn(host, Generator::new(plan, client, specs)) {
        Ok(handle) => handle,
        Err(why) => {
            eprintln!("mc: {why}");
            return FAILED;
        }
    };
    let mut progress = Progress::new(!options.json);
    let ending = loop {
        if let Some(ending) = handle.wait_for(Duration::from_millis(500)) {
            break ending;
        }
        progress.say(&handle.with_machine(|generator| generator.progress()));
    };
    progress.clear();
    let measured = handle.with_machine(|generator| generator.take_measured());
    print(&if options.json { report::json(&measured) } else { report::table(&measured) });
    let well = measured.errors == 0 && measured.wrong == 0 && measured.answered > 0;
    if let Some(why) = measured.first_error.as_ref().filter(|_| !well) {
        eprintln!("mc: the first error: {why}");
    }
    if well && matches!(ending, Ending::Exited(_)) { OK } else { FAILED }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_and_sizes_say_what_they_expect() {
        assert_eq!(ratio("9:1"), Ok((9, 1)));
        assert_eq!(sizes("100"), Ok((100, 100)));
        assert_eq!(sizes("0-1048576"), Ok((0, 1 << 20)));
        for wrong in ["", "9", "0:0", "a:b"] {
            assert!(ratio(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "9-1", "a", "1-1048577"] {
            assert!(sizes(wrong).is_err(), "{wrong}");
        }
    }
}
