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
use storytime_benches::turns::Turns;
use storytime_real::{Listening, nobodys_address};

const HELP: &str = "\
compare_gearman: this repository's gearmand against another, same load, in turn

  --ours PROGRAM     the storytime program, which is the load too (default: the one beside this)
  --peer PROGRAM     the gearmand to hold it against (default: /usr/sbin/gearmand)
  --rounds N         turns of each, in turn (default 5; with a long queue at most 3)
  --seconds N        length of a turn (default 1)
  --jobs N           length of a long queue (default 1000000)
  --dir FOLDER       where durable queues are, on a real disk (default: the system's for
                     temporary files)
  --only TEXT        only the rows whose name contains this
  --help             this

  cargo build --release -p storytime && \\
  cargo run --release -p storytime-benches --bin compare_gearman -- --only foreground
";

/// Longest queue, and most rounds with one: the whole stays bounded.
const JOBS_MAX: u64 = 10_000_000;
const LONG_ROUNDS_MAX: u32 = 3;
/// Buckets of the peer's hash tables where jobs have unique keys: its usual number is meant for
/// queues of some thousand jobs.
const BUCKETS: &str = "--hashtable-buckets=330000";
/// One thread, as ours.
const ONE_THREAD: &[&str] = &["-t", "1"];

/// A load, and what is measured of it.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    /// Each with ours to the peer's, at most, or at least for throughput.
    figures: &'static [(Measure, f64)],
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
    /// `--jobs`.
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

use Measure::{Cpu, Memory, P50, P99, Throughput};

impl Measure {
    /// From what the load says.
    fn of(self, said: &Value) -> Option<f64> {
        let figure = match self {
            Cpu => &said["server_cpu_ns_per_job"],
            Throughput => &said["jobs_per_second"],
            P50 => &said["times"]["p50_ns"],
            P99 => &said["times"]["p99_ns"],
            Memory => &said["server_bytes_per_job"],
        };
        figure.as_f64()
    }

    /// Its unit, and which way is better.
    const fn unit(self) -> (&'static str, &'static str) {
        match self {
            Cpu => ("ns of CPU per job", "at most"),
            Throughput => ("jobs a second", "at least"),
            P50 => ("p50, ns", "at most"),
            P99 => ("p99, ns", "at most"),
            Memory => ("bytes of resident memory per job", "at most"),
        }
    }
}

const fn row(
    name: &'static str,
    figures: &'static [(Measure, f64)],
    load: &'static [&'static str],
) -> Row {
    Row { name, figures, load, length: Length::Turn, peer: ONE_THREAD, durable: false }
}

const UNIQUE: &[&str] = &["-t", "1", BUCKETS];
const ALONE: &[&str] = &["submit", "--depth", "100"];
const ALONE_UNIQUE: &[&str] = &["submit", "--depth", "100", "--unique"];
const PIPELINED: &[&str] = &["submit", "--connections", "8", "--depth", "100"];
const PIPELINED_UNIQUE: &[&str] = &["submit", "--connections", "8", "--depth", "100", "--unique"];
const DURABLE: &[&str] = &["submit", "--connections", "8", "--depth", "8", "--unique"];
const EIGHT: &[&str] = &["foreground", "--clients", "8", "--workers", "8"];
const DEEP: &[&str] = &["foreground", "--clients", "8", "--depth", "16", "--workers", "8"];
const ONE: &[&str] = &["foreground", "--clients", "1", "--workers", "1"];
const DRAIN: &[&str] = &["drain", "--workers", "8", "--unique"];

const ROWS: [Row; 13] = [
    row("submit, 1 × 100 in flight", &[(Cpu, 0.6), (Throughput, 2.0)], ALONE),
    Row { peer: UNIQUE, ..row("submit, 1 × 100, unique keys", &[(Cpu, 0.5)], ALONE_UNIQUE) },
    row("submit, 8 × 100 in flight", &[(Cpu, 0.6), (Throughput, 2.0)], PIPELINED),
    Row {
        peer: UNIQUE,
        ..row("submit, 8 × 100, unique keys", &[(Cpu, 0.5), (Throughput, 2.0)], PIPELINED_UNIQUE)
    },
    row("foreground, 8 clients, 8 workers", &[(Cpu, 0.5), (Throughput, 2.0), (P99, 1.0)], EIGHT),
    row("foreground, 8 × 16 in flight, 8 workers", &[(Cpu, 0.5), (Throughput, 2.0)], DEEP),
    row("foreground, 100 idle workers", &[(Cpu, 0.1)], &["foreground", "--workers", "100"]),
    row("foreground, 1,000 idle workers", &[(Cpu, 0.1)], &["foreground", "--workers", "1000"]),
    row("foreground, 1 client, 1 worker", &[(P50, 1.0), (P99, 1.0), (Cpu, 0.5)], ONE),
    Row {
        peer: UNIQUE,
        length: Length::Jobs(1000),
        ..row("drain, 1,000 jobs", &[(Cpu, 0.5)], DRAIN)
    },
    Row {
        peer: UNIQUE,
        length: Length::Queue,
        ..row("drain, a long queue", &[(Cpu, 0.5), (Throughput, 2.0)], DRAIN)
    },
    Row {
        length: Length::Queue,
        ..row("resident memory, a long queue", &[(Memory, 0.35)], PIPELINED)
    },
    Row {
        durable: true,
        ..row("durable submits, 8 × 8 in flight", &[(Throughput, 30.0)], DURABLE)
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
    turns: Turns,
    jobs: u64,
    /// Where durable queues are.
    dir: PathBuf,
    only: String,
}

impl Options {
    /// `None` if the words were served by printing something.
    fn from_words() -> Result<Option<Self>, String> {
        let beside = std::env::current_exe().map_err(|e| e.to_string())?;
        let (ours, peer) = (beside.with_file_name("storytime"), "/usr/sbin/gearmand".into());
        let (turns, dir) = (Turns::new(5, 1), std::env::temp_dir());
        let mut options = Self { ours, peer, turns, jobs: 1_000_000, dir, only: String::new() };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            if word == "--help" || word == "-h" {
                print!("{HELP}");
                return Ok(None);
            }
            let value = words.next().ok_or_else(|| format!("{word}: unknown, or needs a value"))?;
            if options.turns.take(&word, || Ok(value.clone()))? {
                continue;
            }
            match word.as_str() {
                "--ours" => options.ours = value.into(),
                "--peer" => options.peer = value.into(),
                "--only" => options.only = value,
                "--dir" => options.dir = value.into(),
                "--jobs" => match value.parse() {
                    Ok(jobs @ 1..=JOBS_MAX) => options.jobs = jobs,
                    _ => return Err(format!("--jobs: 1 to {JOBS_MAX}")),
                },
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
    /// As the row names them.
    figures: Vec<Spread>,
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
    let Turns { rounds, length } = options.turns;
    let jobs = options.jobs;
    println!("{rounds} rounds, turns of {length:?}, queues of {jobs}; median (min to max)");
    for row in ROWS.iter().filter(|row| row.name.contains(&options.only)) {
        let of = |program, ours, name: &str| Side {
            name: name.to_owned(),
            program,
            ours,
            figures: vec![Spread::new(); row.figures.len()],
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
    let most = if row.length == Length::Queue { LONG_ROUNDS_MAX } else { u32::MAX };
    for _ in 0..options.turns.rounds.min(most) {
        for side in &mut *sides {
            let said = turn(row, side, options).map_err(|why| format!("{}: {why}", side.name))?;
            for (&(measure, _), spread) in row.figures.iter().zip(&mut side.figures) {
                let figure = measure.of(&said).ok_or("the load told no such figure")?;
                spread.add(figure);
            }
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

/// Starts a server on its core, runs the load on the other, and returns what that says.
fn turn(row: &Row, side: &Side<'_>, options: &Options) -> Result<Value, String> {
    let shown = |error: std::io::Error| error.to_string();
    let folder = options.dir.join(format!("compare-gearman-{}", std::process::id()));
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
            let seconds = options.turns.length.as_secs();
            load.args(["--warmup", "200ms", "--duration"]).arg(format!("{seconds}s"))
        }
        Length::Queue => load.arg("--jobs").arg(options.jobs.to_string()),
        Length::Jobs(jobs) => load.arg("--jobs").arg(jobs.to_string()),
    };
    let ran = load.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(shown)?;
    if !ran.status.success() {
        return Err("the load failed".to_owned());
    }
    let said: Value = serde_json::from_slice(&ran.stdout).map_err(|why| why.to_string())?;
    if said["refused"] != 0 {
        return Err(format!("{} jobs were refused", said["refused"]));
    }
    Ok(said)
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
    let mut text = String::new();
    for (at, (measure, target)) in row.figures.iter().enumerate() {
        let (unit, better) = measure.unit();
        let _ = writeln!(text, "\n{}, {unit}", row.name);
        let ours = sides[0].figures[at].median();
        for (nth, side) in sides.iter().enumerate() {
            let _ = write!(text, "  {:28} {:10.0}", side.name, side.figures[at]);
            if nth > 0 {
                let _ = write!(text, "   ours is {:.2} of it", ours / side.figures[at].median());
            }
            text.push('\n');
        }
        let _ = write!(text, "  target: {better} {target} of the peer's");
    }
    text
}
