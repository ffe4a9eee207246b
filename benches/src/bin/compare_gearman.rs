//! gearmand against gearmand: the same load from the same generator, in turn.
//!
//! The load is `storytime gearman-bench`. Every turn has a server of its own, a child of this
//! program at a loopback address that nobody else has, so that no queue of an earlier turn is in
//! the way. The server has a core to itself and the load has another. Figures are the server's CPU
//! time (user and kernel, from `/proc`) per job, jobs a second, round trips, and resident memory
//! per queued job.
//!
//! `--help` lists the options. A peer that is not there is named and left out.

use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;
use storytime_benches::cpu;
use storytime_benches::spread::Spread;
use storytime_real::{Listening, nobodys_address};

const HELP: &str = "\
compare_gearman: this repository's gearmand against another, same load, in turn

  --ours PROGRAM     the storytime program, which is the load too (default: the one beside this)
  --peer PROGRAM     the gearmand to hold it against (default: /usr/sbin/gearmand)
  --rounds N         turns of each (default 5; rows with a long queue take one)
  --seconds N        length of a turn (default 1)
  --jobs N           length of a long queue (default 1000000)
  --only TEXT        only the rows whose name contains this
  --help             this

  cargo build --release -p storytime && \\
  cargo run --release -p storytime-benches --bin compare_gearman -- --only foreground
";

/// Most rounds, longest turn and longest queue: the whole stays bounded.
const ROUNDS_MAX: u32 = 50;
const SECONDS_MAX: u64 = 30;
const JOBS_MAX: u64 = 10_000_000;
/// Buckets of the peer's hash tables where jobs have unique keys: its usual number is meant for
/// queues of some thousand jobs.
const BUCKETS: &str = "--hashtable-buckets=330000";
/// One thread, as ours.
const ONE_THREAD: &[&str] = &["-t", "1"];

/// One row of the table.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    /// Ours to the peer's, at most, or at least for throughput.
    target: f64,
    measure: Measure,
    /// Words of the load.
    load: &'static [&'static str],
    /// How long the load goes on.
    length: Length,
    /// Words of the peer, and whether both keep jobs on the disk.
    peer: &'static [&'static str],
    durable: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    /// `--seconds`, after a while to warm up.
    Turn,
    /// `--jobs`, in one round.
    Queue,
    /// So many jobs.
    Jobs(u64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// CPU time per job, nanoseconds.
    Cpu,
    /// Jobs a second.
    Throughput,
    /// Round trip, nanoseconds.
    P50,
    P99,
    /// Resident bytes per queued job.
    Memory,
}

const fn row(name: &'static str, target: f64, load: &'static [&'static str]) -> Row {
    let (measure, length, peer) = (Measure::Cpu, Length::Turn, ONE_THREAD);
    Row { name, target, measure, load, length, peer, durable: false }
}

const UNIQUE: &[&str] = &["-t", "1", BUCKETS];
const PIPELINED: &[&str] = &["submit", "--connections", "8", "--depth", "100"];
const PIPELINED_UNIQUE: &[&str] = &["submit", "--connections", "8", "--depth", "100", "--unique"];
const EIGHT: &[&str] = &["foreground", "--clients", "8", "--workers", "8"];
const DEEP: &[&str] = &["foreground", "--clients", "8", "--depth", "16", "--workers", "8"];
const ONE: &[&str] = &["foreground", "--clients", "1", "--workers", "1"];
const DRAIN: &[&str] = &["drain", "--workers", "8", "--unique"];

const ROWS: [Row; 15] = [
    row("submit, 1 connection, 100 in flight", 0.6, &["submit", "--depth", "100"]),
    row("submit, 8 connections × 100 in flight", 0.6, PIPELINED),
    Row { peer: UNIQUE, ..row("submit, 8 × 100, unique keys", 0.5, PIPELINED_UNIQUE) },
    row("foreground, 8 clients, 8 workers", 0.5, EIGHT),
    row("foreground, 8 × 16 in flight, 8 workers", 0.5, DEEP),
    Row {
        measure: Measure::Throughput,
        ..row("foreground, 8 × 16 in flight, 8 workers: jobs a second", 2.0, DEEP)
    },
    row("foreground, 100 idle workers", 0.1, &["foreground", "--workers", "100"]),
    row("foreground, 1,000 idle workers", 0.1, &["foreground", "--workers", "1000"]),
    Row { measure: Measure::P50, ..row("foreground, 1 client, 1 worker: p50", 1.0, ONE) },
    Row { measure: Measure::P99, ..row("foreground, 1 client, 1 worker: p99", 1.0, ONE) },
    Row { peer: UNIQUE, length: Length::Jobs(1000), ..row("drain, 1,000 jobs", 0.5, DRAIN) },
    Row { peer: UNIQUE, length: Length::Queue, ..row("drain, a long queue", 0.5, DRAIN) },
    Row {
        measure: Measure::Memory,
        length: Length::Queue,
        ..row("memory per queued job", 0.35, PIPELINED)
    },
    Row {
        measure: Measure::Memory,
        length: Length::Queue,
        peer: UNIQUE,
        ..row("memory per queued job, unique keys", 0.35, PIPELINED_UNIQUE)
    },
    Row {
        measure: Measure::Throughput,
        durable: true,
        ..row(
            "durable submits, 64 in flight: jobs a second",
            30.0,
            &["submit", "--connections", "8", "--depth", "8", "--unique"],
        )
    },
];

fn main() -> ExitCode {
    match Options::from_words().and_then(|options| options.map_or(Ok(()), |o| compare(&o))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("compare_gearman: {what}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    ours: PathBuf,
    peer: PathBuf,
    rounds: u32,
    seconds: u64,
    jobs: u64,
    only: String,
}

impl Options {
    /// `None` if the words were served by printing something.
    fn from_words() -> Result<Option<Self>, String> {
        let beside = std::env::current_exe().map_err(|e| e.to_string())?;
        let (ours, peer) = (beside.with_file_name("storytime"), "/usr/sbin/gearmand".into());
        let only = String::new();
        let mut options = Self { ours, peer, rounds: 5, seconds: 1, jobs: 1_000_000, only };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            if word == "--help" || word == "-h" {
                print!("{HELP}");
                return Ok(None);
            }
            let value = words.next().ok_or_else(|| format!("{word}: unknown, or needs a value"))?;
            let number = |most: u64| match value.parse() {
                Ok(number) if (1..=most).contains(&number) => Ok(number),
                _ => Err(format!("{word}: 1 to {most}")),
            };
            match word.as_str() {
                "--ours" => options.ours = value.into(),
                "--peer" => options.peer = value.into(),
                "--only" => options.only = value,
                "--rounds" => options.rounds = number(ROUNDS_MAX.into())? as u32,
                "--seconds" => options.seconds = number(SECONDS_MAX)?,
                "--jobs" => options.jobs = number(JOBS_MAX)?,
                _ => return Err(format!("{word}: unknown; --help lists what there is")),
            }
        }
        Ok(Some(options))
    }
}

/// One of the servers, and what was measured so far.
struct Side<'a> {
    name: String,
    program: &'a Path,
    ours: bool,
    figures: Spread,
}

fn compare(options: &Options) -> Result<(), String> {
    if !options.ours.exists() {
        let ours = options.ours.display();
        return Err(format!("{ours} is not there; build it: cargo build --release -p storytime"));
    }
    let peer = options.peer.exists();
    if !peer {
        println!("LEFT OUT: {} is not there; install it or give --peer", options.peer.display());
    }
    let (rounds, seconds, jobs) = (options.rounds, options.seconds, options.jobs);
    println!("{rounds} rounds, turns of {seconds} s, queues of {jobs}; median (min to max)");
    for row in ROWS.iter().filter(|row| row.name.contains(&options.only)) {
        let of = |program, ours, name: &str| Side {
            name: name.to_owned(),
            program,
            ours,
            figures: Spread::new(),
        };
        let mut sides = vec![of(options.ours.as_path(), true, "ours")];
        if peer {
            sides.push(of(options.peer.as_path(), false, &options.peer.display().to_string()));
        }
        match measured(row, &mut sides, options) {
            Ok(()) => println!("{}", table(row, &sides)),
            Err(why) => println!("\n{}: NOT MEASURED: {why}", row.name),
        }
    }
    Ok(())
}

fn measured(row: &Row, sides: &mut [Side<'_>], options: &Options) -> Result<(), String> {
    let rounds = if row.length == Length::Queue { 1 } else { options.rounds };
    for _ in 0..rounds {
        for side in &mut *sides {
            let figure = turn(row, side, options).map_err(|why| format!("{}: {why}", side.name))?;
            side.figures.add(figure);
        }
    }
    Ok(())
}

/// A folder that goes with its turn.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder that stays behind harms nobody.
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// Starts a server on its core, runs the load on the other, and reads what it measured.
fn turn(row: &Row, side: &Side<'_>, options: &Options) -> Result<f64, String> {
    let shown = |error: std::io::Error| error.to_string();
    let folder = std::env::temp_dir().join(format!("compare-gearman-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(shown)?;
    let scratch = Scratch(folder);
    place(0).map_err(shown)?;
    let server = server(row, side, &scratch)?;
    place(1).map_err(shown)?;
    let (at, pid) = (server.at().to_string(), server.id().to_string());
    let mut load = Command::new(&options.ours);
    load.args(["gearman-bench", "--json", "--server", &at, "--pid", &pid]).args(row.load);
    match row.length {
        Length::Turn => {
            load.args(["--warmup", "200ms", "--duration"]).arg(format!("{}s", options.seconds))
        }
        Length::Queue => load.arg("--jobs").arg(options.jobs.to_string()),
        Length::Jobs(jobs) => load.arg("--jobs").arg(jobs.to_string()),
    };
    let ran = load.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(shown)?;
    if !ran.status.success() {
        return Err("the load failed".to_owned());
    }
    let said: Value = serde_json::from_slice(&ran.stdout).map_err(|why| why.to_string())?;
    let figure = match row.measure {
        Measure::Cpu => &said["server_cpu_ns_per_job"],
        Measure::Throughput => &said["jobs_per_second"],
        Measure::P50 => &said["times"]["p50_ns"],
        Measure::P99 => &said["times"]["p99_ns"],
        Measure::Memory => &said["server_bytes_per_job"],
    };
    if said["refused"] != 0 {
        return Err(format!("{} jobs were refused", said["refused"]));
    }
    figure.as_f64().ok_or_else(|| "the load told no such figure".to_owned())
}

fn server(row: &Row, side: &Side<'_>, scratch: &Scratch) -> Result<Listening, String> {
    let at = nobodys_address();
    let mut command = Command::new(side.program);
    if side.ours {
        command.arg("gearmand");
    }
    command.args(["-L", &at.ip().to_string(), "-p", &at.port().to_string()]);
    command.args(["--log-file=none", "--config-file=/dev/null"]);
    let queue = scratch.0.join("queue");
    match (row.durable, side.ours) {
        (false, true) => &mut command,
        (false, false) => command.args(row.peer),
        (true, true) => command.arg("--queue-dir").arg(queue),
        (true, false) => {
            command.args(row.peer).args(["--queue-type=libsqlite3", "--libsqlite3-db"]).arg(queue)
        }
    };
    Listening::start(command.stderr(Stdio::null()).current_dir(&scratch.0), at)
}

/// Pins this thread, and what it starts, to one of two cores.
fn place(which: usize) -> std::io::Result<()> {
    static CORES: OnceLock<Option<[usize; 2]>> = OnceLock::new();
    // Asked before the first pinning, which narrows what this process may use.
    match CORES.get_or_init(|| cpu::two_cores().ok().flatten()) {
        Some(cores) => cpu::pin_to(&cores[which..=which]),
        None => Ok(()),
    }
}

fn table(row: &Row, sides: &[Side<'_>]) -> String {
    let (unit, better) = match row.measure {
        Measure::Cpu => ("ns of CPU per job", "at most"),
        Measure::Throughput => ("a second", "at least"),
        Measure::P50 | Measure::P99 => ("ns", "at most"),
        Measure::Memory => ("bytes of resident memory", "at most"),
    };
    let mut text = format!("\n{}, {unit}\n", row.name);
    let ours = sides[0].figures.median();
    for (at, side) in sides.iter().enumerate() {
        let _ = write!(text, "  {:28} {:10.0}", side.name, side.figures);
        if at > 0 {
            let _ = write!(text, "   ours is {:.2} of it", ours / side.figures.median());
        }
        text.push('\n');
    }
    let _ = write!(text, "  target: {better} {} of the peer's", row.target);
    text
}
