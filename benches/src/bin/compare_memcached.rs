//! memcached against memcached: the same load from the same generator, in turn.
//!
//! Every server is a child of this program on a loopback port of its own. With one worker it has a
//! core to itself and the load has another; with two, servers and load share both. Figures are the
//! server's CPU time (user and kernel, from `/proc`) per operation, throughput where two workers
//! are meant, round trips of an open loop (counted from when a request was due), and resident
//! memory. A bare epoll echo in the same run shows the floor.
//!
//! `--help` lists the options. Peers that are not there are named and left out.

use std::fmt::Write as _;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use storytime_benches::memcached_load::{Ask, BATCH, KEYS, exchanges, fill};
use storytime_benches::socket_load::{Exchange, Load, Run};
use storytime_benches::spread::Spread;
use storytime_benches::turns::Turns;
use storytime_benches::{cpu, epoll_echo};
use storytime_real::{Listening, nobodys_address};

const HELP: &str = "\
compare_memcached: this repository's memcached against others, same load, in turn

  --ours PROGRAM     the storytime program (default: the one built beside this)
  --peer PROGRAM     a memcached to hold it against; may be given again
                     (default: /usr/bin/memcached)
  --rounds N         turns of each (default 5)
  --seconds N        length of a turn (default 1)
  --only TEXT        only the rows whose name contains this
  --help             this

  cargo build --release -p storytime && \\
  cargo run --release -p storytime-benches --bin compare_memcached -- --only get
";

/// Before each turn: buffers have their size.
const WARM_UP: Duration = Duration::from_millis(200);
/// Items for the figure of memory.
const ITEMS: u64 = 1_000_000;
/// Rate of the open loop, requests a second: well below what every server carries.
const OPEN_RATE: u64 = 20_000;

/// One row of the table.
struct Row {
    name: &'static str,
    /// Ours to the peer's, at most (CPU, memory, latency) or at least (throughput).
    target: f64,
    measure: Measure,
    workers: u32,
    megabytes: u32,
    conns: usize,
    exchanges: fn() -> Arc<[Exchange]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// CPU time per operation, closed loop, nanoseconds.
    Cpu,
    /// Operations a second, closed loop.
    Throughput,
    /// Round trip of an open loop, microseconds.
    P50,
    P99,
    /// Resident bytes per item.
    Memory,
}

const fn row(name: &'static str, target: f64, exchanges: fn() -> Arc<[Exchange]>) -> Row {
    let (measure, workers, megabytes, conns) = (Measure::Cpu, 1, 1024, 8);
    Row { name, target, measure, workers, megabytes, conns, exchanges }
}

const ROWS: [Row; 13] = [
    Row { conns: 50, ..row("single gets, 50 connections", 0.95, || of(Ask::Get, 1)) },
    Row { conns: 50, ..row("single sets, 50 connections", 0.95, || of(Ask::Set, 1)) },
    row("pipelined gets", 0.35, || of(Ask::Get, BATCH)),
    row("multigets, per key", 0.35, || of(Ask::MultiGet, BATCH)),
    row("pipelined meta gets", 0.35, || of(Ask::MetaGet, BATCH)),
    row("pipelined sets", 0.45, || of(Ask::Set, BATCH)),
    row("pipelined sets, 1 KiB", 0.45, || exchanges(Ask::Set, BATCH, KEYS, 1024)),
    Row { megabytes: 64, ..row("pipelined sets, evicting", 0.45, || fill(600_000, 100, 50)) },
    Row { workers: 2, ..row("multigets per key, 2 workers", 0.35, || of(Ask::MultiGet, BATCH)) },
    Row {
        workers: 2,
        measure: Measure::Throughput,
        ..row("multigets, 2 workers", 1.5, || of(Ask::MultiGet, BATCH))
    },
    Row {
        conns: 50,
        measure: Measure::P50,
        ..row("mixed, 20,000 a second: p50", 1.0, || of(Ask::Mixed, 1))
    },
    Row {
        conns: 50,
        measure: Measure::P99,
        ..row("mixed, 20,000 a second: p99", 1.0, || of(Ask::Mixed, 1))
    },
    Row {
        measure: Measure::Memory,
        ..row("memory per 100-byte item", 0.85, || fill(ITEMS, 100, 1000))
    },
];

fn of(ask: Ask, batch: usize) -> Arc<[Exchange]> {
    exchanges(ask, batch, KEYS, 100)
}

fn main() -> ExitCode {
    match Options::from_words().and_then(|options| options.map_or(Ok(()), |o| compare(&o))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("compare_memcached: {what}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    ours: PathBuf,
    peers: Vec<PathBuf>,
    turns: Turns,
    only: String,
}

impl Options {
    /// `None` if the words were served by printing something, or by being the echo.
    fn from_words() -> Result<Option<Self>, String> {
        let beside = std::env::current_exe().map_err(|e| e.to_string())?;
        let (ours, turns) = (beside.with_file_name("storytime"), Turns::new(5, 1));
        let mut options = Self { ours, peers: vec![], turns, only: String::new() };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => {
                    print!("{HELP}");
                    return Ok(None);
                }
                "echo" => return serve_echo().map(|()| None),
                "--ours" => options.ours = value()?.into(),
                "--peer" => options.peers.push(value()?.into()),
                "--only" => options.only = value()?,
                _ if options.turns.take(&word, &mut value)? => {}
                _ => return Err(format!("{word}: unknown; --help lists what there is")),
            }
        }
        if options.peers.is_empty() {
            options.peers.push("/usr/bin/memcached".into());
        }
        Ok(Some(options))
    }
}

// ---- servers ------------------------------------------------------------------------------------

fn serve_echo() -> Result<(), String> {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    epoll_echo::serve(|at| println!("{at}")).map_err(|error| error.to_string())
}

/// memcached, or this repository's program as memcached.
fn memcached(program: &PathBuf, ours: bool, row: &Row) -> Result<Listening, String> {
    let at = nobodys_address();
    let mut command = Command::new(program);
    if ours {
        command.arg("memcached");
    }
    command.args(["-l", &at.ip().to_string(), "-p", &at.port().to_string()]);
    command.args(["-U", "0", "-u", "root", "-t", &row.workers.to_string()]);
    command.args(["-m", &row.megabytes.to_string()]);
    Listening::start(&mut command, at)
}

fn echo() -> Result<Listening, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    Listening::announced(Command::new(program).arg("echo"))
}

/// Resident memory, bytes.
fn resident(server: &Listening) -> std::io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kib.ok_or(std::io::ErrorKind::InvalidData)? << 10)
}

// ---- comparison ---------------------------------------------------------------------------------

/// Server, its load, and what it measured so far.
struct Side {
    name: String,
    server: Listening,
    load: Load,
    figures: Spread,
}

impl Side {
    fn turn(&mut self, row: &Row, length: Duration) -> std::io::Result<f64> {
        if matches!(row.measure, Measure::P50 | Measure::P99) {
            self.load.run_at(OPEN_RATE, WARM_UP)?;
            let run = self.load.run_at(OPEN_RATE, length)?;
            let quantile = if row.measure == Measure::P50 { 0.5 } else { 0.99 };
            return Ok(run.round_trips.value_at_quantile(quantile) as f64);
        }
        self.load.run(WARM_UP)?;
        let before = cpu::used_by(self.server.id())?;
        let run: Run = self.load.run(length)?;
        let used = cpu::used_by(self.server.id())? - before;
        if row.measure == Measure::Throughput {
            return Ok(run.per_second());
        }
        Ok(used.as_nanos() as f64 / run.operations.max(1) as f64)
    }
}

fn compare(options: &Options) -> Result<(), String> {
    let peers: Vec<&PathBuf> = options.peers.iter().filter(|peer| peer.exists()).collect();
    for missing in options.peers.iter().filter(|peer| !peer.exists()) {
        println!("LEFT OUT: {} is not there; install it or give --peer", missing.display());
    }
    if !options.ours.exists() {
        return Err(format!(
            "{} is not there; build it: cargo build --release -p storytime",
            options.ours.display()
        ));
    }
    let Turns { rounds, length } = options.turns;
    println!("{rounds} rounds, turns of {length:?}; median (min to max)");
    for row in ROWS.iter().filter(|row| row.name.contains(&options.only)) {
        let named = |path: &PathBuf| path.display().to_string();
        let mut sides = vec![side("ours".into(), &options.ours, true, row)?];
        for peer in &peers {
            sides.push(side(named(peer), peer, false, row)?);
        }
        if matches!(row.measure, Measure::Cpu) {
            sides.push(floor(row)?);
        }
        println!("{}", compared(row, &mut sides, options).map_err(|error| error.to_string())?);
    }
    Ok(())
}

/// Starts a server on its core and a load on the other.
fn side(name: String, program: &PathBuf, ours: bool, row: &Row) -> Result<Side, String> {
    let shown = |error: std::io::Error| format!("{name}: {error}");
    place(row, 0).map_err(shown)?;
    let server = memcached(program, ours, row)?;
    place(row, 1).map_err(shown)?;
    let exchanges = (row.exchanges)();
    let empty = resident(&server).map_err(shown)?;
    let keys = match row.measure {
        Measure::Memory => Arc::clone(&exchanges),
        _ => fill(KEYS, 100, 100),
    };
    Load::start(server.at(), 1, keys).and_then(|mut load| load.each_once()).map_err(shown)?;
    let mut figures = Spread::new();
    if row.measure == Measure::Memory {
        let full = resident(&server).map_err(shown)?;
        figures.add((full - empty) as f64 / ITEMS as f64);
    }
    let load = Load::start(server.at(), row.conns, exchanges).map_err(shown)?;
    Ok(Side { name, server, load, figures })
}

/// The bare echo under batches of the same number of messages.
fn floor(row: &Row) -> Result<Side, String> {
    let shown = |error: std::io::Error| format!("echo: {error}");
    let first = (row.exchanges)()[0].clone();
    let bytes = first.request.len().max(first.reply.len()) / first.operations as usize;
    let exchange = Exchange::echo(first.operations as usize, bytes);
    place(row, 0).map_err(shown)?;
    let server = echo()?;
    place(row, 1).map_err(shown)?;
    let load = Load::start(server.at(), row.conns, [exchange].into()).map_err(shown)?;
    Ok(Side { name: "bare epoll echo".into(), server, load, figures: Spread::new() })
}

/// Pins this thread, and what it starts, to one of two cores; where two workers are measured, to
/// none.
fn place(row: &Row, which: usize) -> std::io::Result<()> {
    static CORES: OnceLock<Option<[usize; 2]>> = OnceLock::new();
    // Asked before the first pinning, which narrows what this process may use.
    match CORES.get_or_init(|| cpu::two_cores().ok().flatten()) {
        Some(cores) if row.workers == 1 => cpu::pin_to(&cores[which..=which]),
        Some(cores) => cpu::pin_to(cores),
        None => Ok(()),
    }
}

fn compared(row: &Row, sides: &mut [Side], options: &Options) -> std::io::Result<String> {
    if row.measure != Measure::Memory {
        for _ in 0..options.turns.rounds {
            for side in &mut *sides {
                let figure = side.turn(row, options.turns.length).map_err(|error| {
                    std::io::Error::new(error.kind(), format!("{}: {error}", side.name))
                })?;
                side.figures.add(figure);
            }
        }
    }
    let (unit, better) = match row.measure {
        Measure::Cpu => ("ns of CPU per operation", "at most"),
        Measure::Throughput => ("operations a second", "at least"),
        Measure::P50 | Measure::P99 => ("µs", "at most"),
        Measure::Memory => ("bytes of resident memory", "at most"),
    };
    let mut text = format!("\n{}, {unit}\n", row.name);
    let ours = sides[0].figures.median();
    for (at, side) in sides.iter().enumerate() {
        let name = side.name.rsplit('/').take(3).collect::<Vec<_>>();
        let name = name.into_iter().rev().collect::<Vec<_>>().join("/");
        let _ = write!(text, "  {name:28} {:10.0}", side.figures);
        if at > 0 {
            let _ = write!(text, "   ours is {:.2} of it", ours / side.figures.median());
        }
        text.push('\n');
    }
    let _ = write!(text, "  target: {better} {} of a memcached's", row.target);
    Ok(text)
}
