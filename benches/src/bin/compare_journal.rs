//! Durable writes: our journal, our database server, Redis and SQLite on the same disk, in turn.
//!
//! Every writer has one write under way: it waits until its record survives a power cut, and writes
//! the next. Ours runs in a process of this program on the real driver, without sockets; the
//! servers are children on loopback ports with a connection for each writer; SQLite is a library in
//! this program, one connection that its writers take in turn, which is the quickest way to share
//! it. Turns alternate, so that a disk that slows down slows all.
//!
//! `--help` lists the options. What is not there is named and left out.

use rusqlite::Connection;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use storytime_benches::journal_writers::Writers;
use storytime_benches::socket_load::{Exchange, Load, Run};
use storytime_benches::spread::Spread;
use storytime_real::{Host, spawn};

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

/// Most rounds and longest turn: the whole stays bounded.
const ROUNDS_MAX: u32 = 50;
const SECONDS_MAX: u64 = 60;
/// Before each turn.
const WARM_UP: Duration = Duration::from_millis(300);
/// How long a server may take to listen.
const START_PATIENCE: Duration = Duration::from_secs(5);
/// Ports of the servers, from here on.
const FIRST_PORT: u16 = 21_000;
/// What a write writes, bytes.
const VALUE_BYTES: usize = 100;
/// Writers at a time.
const WRITERS: [usize; 3] = [1, 8, 64];

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
    rounds: u32,
    length: Duration,
}

impl Options {
    /// `None` if the words were served by printing something.
    fn from_words() -> Result<Option<Self>, String> {
        let beside = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut options = Self {
            dir: std::env::temp_dir(),
            ours: beside.with_file_name("storytime"),
            redis: "/usr/bin/redis-server".into(),
            rounds: 5,
            length: Duration::from_secs(2),
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
                "--rounds" => match value()?.parse() {
                    Ok(rounds @ 1..=ROUNDS_MAX) => options.rounds = rounds,
                    _ => return Err(format!("--rounds: 1 to {ROUNDS_MAX}")),
                },
                "--seconds" => match value()?.parse() {
                    Ok(seconds @ 1..=SECONDS_MAX) => options.length = Duration::from_secs(seconds),
                    _ => return Err(format!("--seconds: 1 to {SECONDS_MAX}")),
                },
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
    Server(Server),
    /// A table of SQLite's.
    Sqlite(Arc<Mutex<Connection>>),
}

impl Side {
    fn turn(&mut self, writers: usize, length: Duration) -> Result<Run, String> {
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
                if run.operations == 0 { Err("the journal failed".into()) } else { Ok(run) }
            }
            Self::Server(server) => {
                let text = |error: std::io::Error| error.to_string();
                let mut load = Load::start(server.at, writers, sets()).map_err(text)?;
                load.run(WARM_UP).map_err(text)?;
                load.run(length).map_err(text)
            }
            Self::Sqlite(connection) => {
                insert(connection, writers, WARM_UP)?;
                insert(connection, writers, length)
            }
        }
    }
}

/// A `SET` of each key of a small set, as redis-benchmark sends it.
fn sets() -> Arc<[Exchange]> {
    let value = "v".repeat(VALUE_BYTES);
    let set = |number: usize| {
        let key = format!("key:{number:06}");
        let (klen, vlen) = (key.len(), value.len());
        let request =
            format!("*3\r\n$3\r\nSET\r\n${klen}\r\n{key}\r\n${vlen}\r\n{value}\r\n").into_bytes();
        Exchange { request, reply: b"+OK\r\n".to_vec(), operations: 1 }
    };
    (0..1000).map(set).collect()
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

/// A server in a process of its own, ended with this handle.
struct Server {
    child: Child,
    at: SocketAddr,
}

impl Server {
    fn start(program: &Path, words: &[&str], port: u16, dir: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(dir).map_err(|error| error.to_string())?;
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        let mut command = Command::new(program);
        command.args(words).args(["--port", &port.to_string(), "--dir"]).arg(dir);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.map_err(|error| format!("{}: {error}", program.display()))?;
        let server = Self { child, at };
        let start = Instant::now();
        while TcpStream::connect(at).is_err() {
            if start.elapsed() > START_PATIENCE {
                return Err(format!("{} does not listen", program.display()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// ---- comparison ---------------------------------------------------------------------------------

/// Figures of one side with so many writers.
#[derive(Default)]
struct Figures {
    per_second: Spread,
    p50: Spread,
    p99: Spread,
}

impl Figures {
    fn add(&mut self, run: &Run) {
        self.per_second.add(run.per_second());
        self.p50.add(run.round_trips.value_at_quantile(0.5) as f64);
        self.p99.add(run.round_trips.value_at_quantile(0.99) as f64);
    }
}

fn sides(options: &Options) -> Result<Vec<(&'static str, Side)>, String> {
    let dir = &options.dir;
    std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let journal = Side::Journal { dir: dir.join("journal"), turns: 0 };
    let mut sides = vec![("journal, in process", journal)];
    match Server::start(&options.ours, &["dbd"], FIRST_PORT, &dir.join("dbd")) {
        Ok(server) => sides.push(("storytime dbd", Side::Server(server))),
        Err(why) => println!("LEFT OUT: storytime dbd: {why}"),
    }
    let words = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
    let quiet = ["--auto-aof-rewrite-percentage", "0", "--bind", "127.0.0.1"];
    let words: Vec<&str> = words.into_iter().chain(quiet).collect();
    match Server::start(&options.redis, &words, FIRST_PORT + 1, &dir.join("redis")) {
        Ok(server) => sides.push(("Redis, appendfsync always", Side::Server(server))),
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
    println!("{} rounds, turns of {:?}; median (min to max)", options.rounds, options.length);
    for writers in WRITERS {
        let mut figures: Vec<Figures> = sides.iter().map(|_| Figures::default()).collect();
        for _ in 0..options.rounds {
            for ((name, side), figures) in sides.iter_mut().zip(&mut figures) {
                let run = side.turn(writers, options.length);
                figures.add(&run.map_err(|why| format!("{name}: {why}"))?);
            }
        }
        let mut text = format!("\n{writers} writers: writes a second; p50 and p99, µs\n");
        let redis = sides.iter().position(|(name, _)| name.starts_with("Redis"));
        for (at, (name, _)) in sides.iter().enumerate() {
            let Figures { per_second, p50, p99 } = &figures[at];
            let _ = write!(text, "  {name:26} {per_second:8.0}   {p50:6.0}   {p99:6.0}");
            if let Some(redis) = redis.filter(|&redis| redis != at) {
                let of_redis = per_second.median() / figures[redis].per_second.median();
                let _ = write!(text, "   {of_redis:.2} of Redis");
            }
            text.push('\n');
        }
        println!("{text}");
    }
    Ok(())
}
