//! Durable writes: our journal, our database server, Redis and SQLite on the same disk, in turn.
//!
//! Every writer has one write under way: it waits until its record survives a power cut, and writes
//! the next. The journal runs in a process of this program on the real driver, without sockets; the
//! servers are children on loopback ports with a connection for each writer, or with a few that
//! carry the requests of several, as clients do that pipeline; SQLite is a library in this program,
//! one connection that its writers take in turn, which is the quickest way to share it. Turns
//! alternate, so that a disk that slows down slows all. Beside what was written in a second: the
//! CPU time of the servers for each write, user and system.
//!
//! `--help` lists the options. What is not there is named and left out.

use rusqlite::Connection;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use storytime_benches::cpu;
use storytime_benches::journal_writers::Writers;
use storytime_benches::socket_load::{Exchange, Load, Run};
use storytime_benches::spread::Spread;
use storytime_benches::turns::Turns;
use storytime_real::{Host, Listening, nobodys_address, spawn};

const HELP: &str = "\
compare_journal: durable writes a second and their latency, same disk, in turn

  --dir DIR          where the files go (default: the system's directory for such)
  --ours PROGRAM     the storytime program (default: the one built beside this)
  --redis PROGRAM    a redis-server (default: /usr/bin/redis-server)
  --rounds N         turns of each (default 5)
  --seconds N        length of a turn (default 2)
  --help             this

  cargo build --release -p storytime && \\
  cargo run --release -p storytime-benches --bin compare_journal
";

/// Before each turn.
const WARM_UP: Duration = Duration::from_millis(300);
/// What a write writes, bytes.
const VALUE_BYTES: usize = 100;
/// The loads.
const SHAPES: [Shape; 4] = [
    Shape { conns: 1, batch: 1 },
    Shape { conns: 8, batch: 1 },
    Shape { conns: 64, batch: 1 },
    Shape { conns: 4, batch: 16 },
];

/// How many connections, and how many writes are under way on each.
#[derive(Clone, Copy)]
struct Shape {
    conns: usize,
    batch: usize,
}

impl Shape {
    const fn writers(self) -> usize {
        self.conns * self.batch
    }
}

fn main() -> ExitCode {
    match Options::from_words().and_then(|options| options.map_or(Ok(()), |o| compare(&o))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("compare_journal: {what}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    dir: PathBuf,
    ours: PathBuf,
    redis: PathBuf,
    turns: Turns,
}

impl Options {
    /// `None` if the words were served by printing something.
    fn from_words() -> Result<Option<Self>, String> {
        let beside = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut options = Self {
            dir: std::env::temp_dir(),
            ours: beside.with_file_name("storytime"),
            redis: "/usr/bin/redis-server".into(),
            turns: Turns::new(5, 2),
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => {
                    print!("{HELP}");
                    return Ok(None);
                }
                "--dir" => options.dir = value()?.into(),
                "--ours" => options.ours = value()?.into(),
                "--redis" => options.redis = value()?.into(),
                _ if options.turns.take(&word, &mut value)? => {}
                _ => return Err(format!("{word}: unknown; --help lists what there is")),
            }
        }
        options.dir.push(format!("compare-journal-{}", std::process::id()));
        Ok(Some(options))
    }
}

// ---- sides --------------------------------------------------------------------------------------

/// What is measured.
enum Side {
    /// The journal alone, on the real driver; a directory for each turn.
    Journal { dir: PathBuf, turns: u32 },
    /// A server with Redis's protocol.
    Server(Listening),
    /// A table of SQLite's.
    Sqlite(Arc<Mutex<Connection>>),
}

impl Side {
    /// Whether requests can be sent before the reply to the last one.
    const fn pipelines(&self) -> bool {
        matches!(self, Self::Server(_))
    }

    /// What was written, and the CPU time that a server took for it.
    fn turn(&mut self, shape: Shape, length: Duration) -> Result<(Run, Duration), String> {
        let writers = shape.writers();
        match self {
            Self::Journal { dir, turns } => {
                *turns += 1;
                let dir = dir.join(turns.to_string());
                let host = Host::new(&dir);
                let machine = Writers::new(writers, VALUE_BYTES, WARM_UP, length);
                let mut handle = spawn(host, machine).map_err(|error| error.to_string())?;
                handle.wait();
                let run = handle.with_machine(|machine| machine.run().clone());
                drop(handle);
                let _ = std::fs::remove_dir_all(dir);
                if run.operations == 0 {
                    return Err("the journal failed".into());
                }
                Ok((run, Duration::ZERO))
            }
            Self::Server(server) => served(server, shape, length).map_err(|why| why.to_string()),
            Self::Sqlite(connection) => {
                insert(connection, writers, WARM_UP)?;
                Ok((insert(connection, writers, length)?, Duration::ZERO))
            }
        }
    }
}

fn served(server: &Listening, shape: Shape, length: Duration) -> std::io::Result<(Run, Duration)> {
    let mut load = Load::start(server.at(), shape.conns, sets(shape.batch))?;
    load.run(WARM_UP)?;
    let before = cpu::used_by(server.id())?;
    let run = load.run(length)?;
    Ok((run, cpu::used_by(server.id())? - before))
}

/// A `SET` of each key of a small set, as redis-benchmark sends it, so many in one piece.
fn sets(batch: usize) -> Arc<[Exchange]> {
    let value = "v".repeat(VALUE_BYTES);
    let set = |number: usize| {
        let key = format!("key:{number:06}");
        let (klen, vlen) = (key.len(), value.len());
        format!("*3\r\n$3\r\nSET\r\n${klen}\r\n{key}\r\n${vlen}\r\n{value}\r\n")
    };
    let piece = |first: usize| {
        let request: String = (first..first + batch).map(set).collect();
        let reply = b"+OK\r\n".repeat(batch);
        Exchange { request: request.into_bytes(), reply, operations: batch as u64 }
    };
    (0..1000).step_by(batch).map(piece).collect()
}

/// Writers that each insert a row in a transaction of its own, again and again.
fn insert(
    connection: &Arc<Mutex<Connection>>,
    writers: usize,
    length: Duration,
) -> Result<Run, String> {
    let start = Instant::now();
    let threads: Vec<_> = (0..writers)
        .map(|_| {
            let connection = Arc::clone(connection);
            std::thread::spawn(move || -> Result<Run, rusqlite::Error> {
                let (value, mut run) = ([b'v'; VALUE_BYTES], Run::new());
                while start.elapsed() < length {
                    let since = Instant::now();
                    let connection = connection.lock().expect("no writer panics");
                    let mut insert =
                        connection.prepare_cached("INSERT INTO records (value) VALUES (?1)")?;
                    insert.execute([&value[..]])?;
                    run.answered(1, since.elapsed());
                }
                Ok(run)
            })
        })
        .collect();
    let mut all = Run::new();
    for thread in threads {
        let run = thread.join().expect("no writer panics").map_err(|error| error.to_string())?;
        all.add(&run);
    }
    all.length = start.elapsed();
    Ok(all)
}

fn sqlite(dir: &Path) -> Result<Side, rusqlite::Error> {
    let connection = Connection::open(dir.join("records.sqlite"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("CREATE TABLE records (id INTEGER PRIMARY KEY, value BLOB)")?;
    Ok(Side::Sqlite(Arc::new(Mutex::new(connection))))
}

/// This repository's server; its files are where Redis's would be.
fn dbd(program: &Path, dir: &Path) -> Result<Side, String> {
    let at = nobodys_address();
    let mut command = Command::new(program);
    command.arg("--data-dir").arg(dir).arg("dbd");
    command.args(["--bind", &at.ip().to_string(), "--port", &at.port().to_string()]);
    Listening::start(command.args(["--appendfsync", "always"]), at).map(Side::Server)
}

fn redis(program: &Path, dir: &Path) -> Result<Side, String> {
    let at = nobodys_address();
    std::fs::create_dir_all(dir).map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["--bind", &at.ip().to_string(), "--port", &at.port().to_string()]);
    command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
    command.args(["--auto-aof-rewrite-percentage", "0", "--dir"]).arg(dir);
    Listening::start(&mut command, at).map(Side::Server)
}

// ---- comparison ---------------------------------------------------------------------------------

/// Figures of one side with so many writers.
#[derive(Default)]
struct Figures {
    per_second: Spread,
    p50: Spread,
    p99: Spread,
    /// Nanoseconds of a server's CPU time for each write.
    cpu: Spread,
}

impl Figures {
    fn add(&mut self, run: &Run, used: Duration) {
        self.per_second.add(run.per_second());
        self.p50.add(run.round_trips.value_at_quantile(0.5) as f64);
        self.p99.add(run.round_trips.value_at_quantile(0.99) as f64);
        self.cpu.add(used.as_nanos() as f64 / run.operations.max(1) as f64);
    }
}

fn sides(options: &Options) -> Result<Vec<(&'static str, Side)>, String> {
    let dir = &options.dir;
    std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let journal = Side::Journal { dir: dir.join("journal"), turns: 0 };
    let mut sides = vec![("journal, in process", journal)];
    match dbd(&options.ours, &dir.join("dbd")) {
        Ok(side) => sides.push(("storytime dbd", side)),
        Err(why) => println!("LEFT OUT: storytime dbd: {why}"),
    }
    match redis(&options.redis, &dir.join("redis")) {
        Ok(side) => sides.push(("Redis, appendfsync always", side)),
        Err(why) => println!("LEFT OUT: Redis: {why}; install it or give --redis"),
    }
    sides.push(("SQLite, WAL, FULL", sqlite(dir).map_err(|error| error.to_string())?));
    Ok(sides)
}

fn compare(options: &Options) -> Result<(), String> {
    let compared = sides(options).and_then(|mut sides| measure(options, &mut sides));
    let _ = std::fs::remove_dir_all(&options.dir);
    compared
}

fn measure(options: &Options, sides: &mut [(&'static str, Side)]) -> Result<(), String> {
    let Turns { rounds, length } = options.turns;
    println!("{rounds} rounds, turns of {length:?}; median (min to max)");
    for shape in SHAPES {
        let pipelines = shape.batch > 1;
        let sides = sides.iter_mut().filter(|(_, side)| !pipelines || side.pipelines());
        let mut figures: Vec<_> = sides.map(|side| (side, Figures::default())).collect();
        for _ in 0..rounds {
            for ((name, side), figures) in &mut figures {
                let turn = side.turn(shape, length);
                let (run, used) = turn.map_err(|why| format!("{name}: {why}"))?;
                figures.add(&run, used);
            }
        }
        let figures: Vec<_> = figures.into_iter().map(|((name, _), all)| (*name, all)).collect();
        println!("{}", table(shape, &figures));
    }
    Ok(())
}

fn table(shape: Shape, figures: &[(&str, Figures)]) -> String {
    let Shape { conns, batch } = shape;
    let writers = shape.writers();
    let mut text = format!(
        "\n{writers} writers, {batch} on each of {conns} connections: \
         writes a second; p50 and p99, µs; server CPU, ns\n"
    );
    let redis = figures.iter().find(|(name, _)| name.starts_with("Redis"));
    for (name, Figures { per_second, p50, p99, cpu }) in figures {
        let _ = write!(text, "  {name:26} {per_second:8.0}   {p50:6.0}   {p99:6.0}");
        if cpu.max() > 0.0 {
            let _ = write!(text, "   {cpu:6.0}");
        }
        if let Some((_, redis)) = redis.filter(|(redis, _)| redis != name) {
            let of_redis = per_second.median() / redis.per_second.median();
            let _ = write!(text, "   {of_redis:.2} of Redis");
        }
        text.push('\n');
    }
    text
}
