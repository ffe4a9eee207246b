//! The real job server is killed under load, again and again: every job that it acknowledged runs.
//!
//! A few times here; `STORYTIME_KILLS=200` for more.

mod packets;

use packets::{packet, read};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use storytime_gearman::packet::Kind;
use storytime_real::{Listening, nobodys_address};

/// Kills, unless `STORYTIME_KILLS` says another number.
const KILLS: u32 = 3;
/// Workers at a time.
const WORKERS: usize = 2;
/// Jobs that are acknowledged and not done: with more the client pauses, with fewer the workers do.
const IN_FLIGHT: u64 = 10_000;
/// Submits that are sent without waiting for the first's answer.
const PIPELINED: u64 = 1_000;
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Shortest time under load before a kill.
const LOAD: Duration = Duration::from_millis(200);

/// What is known of all lives together.
#[derive(Default)]
struct Book {
    /// Jobs are numbered from 0: so many were submitted.
    submitted: AtomicU64,
    acknowledged: Mutex<Vec<u64>>,
    /// How often each job was done.
    done: Mutex<BTreeMap<u64, u32>>,
}

impl Book {
    fn in_flight(&self) -> u64 {
        let acknowledged = lock(&self.acknowledged).len() as u64;
        acknowledged.saturating_sub(lock(&self.done).len() as u64)
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(at: SocketAddr, data_dir: &Path) -> Listening {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storytime"));
    command.arg("--data-dir").arg(data_dir).arg("gearmand");
    command.args(["-L", &at.ip().to_string(), "-p", &at.port().to_string()]);
    // Checkpoints are made all the time, so that kills hit them, too.
    command.args(["--queue-dir", "queue", "--checkpoint-bytes", "64k"]);
    Listening::start(&mut command, at).unwrap_or_else(|why| panic!("{why}"))
}

fn connect(at: SocketAddr) -> Option<TcpStream> {
    let socket = TcpStream::connect(at).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.set_nodelay(true).ok()?;
    Some(socket)
}

/// Submits jobs until the server is gone.
fn submit(at: SocketAddr, book: &Book) -> Option<()> {
    let mut socket = connect(at)?;
    loop {
        let first = book.submitted.load(Ordering::Relaxed);
        let jobs: Vec<u64> = (first..first + PIPELINED).collect();
        book.submitted.store(first + PIPELINED, Ordering::Relaxed);
        let packets = jobs.iter().flat_map(|job| {
            let (key, data) = (format!("key{job}"), job.to_string());
            packet(Kind::SubmitJobBg, &[b"f", key.as_bytes(), data.as_bytes()])
        });
        socket.write_all(&packets.collect::<Vec<u8>>()).ok()?;
        for job in jobs {
            let (kind, body) = read(&mut socket)?;
            assert_eq!(kind, Kind::JobCreated, "{}", body.escape_ascii());
            lock(&book.acknowledged).push(job);
        }
        while book.in_flight() > IN_FLIGHT {
            pause(&mut socket)?;
        }
    }
}

/// Nothing is asked of the server for a moment, but whether it is there.
fn pause(socket: &mut TcpStream) -> Option<()> {
    std::thread::sleep(Duration::from_millis(1));
    socket.write_all(&packet(Kind::EchoReq, &[b""])).ok()?;
    read(socket).map(drop)
}

/// Does jobs until there are none, or the server is gone; leaves so many in flight.
fn work(at: SocketAddr, book: &Book, leave: u64) -> Option<()> {
    let mut socket = connect(at)?;
    socket.write_all(&packet(Kind::CanDo, &[b"f"])).ok()?;
    loop {
        while book.in_flight() < leave {
            pause(&mut socket)?;
        }
        socket.write_all(&packet(Kind::GrabJob, &[])).ok()?;
        match read(&mut socket)? {
            (Kind::JobAssign, body) => {
                let mut parts = body.split(|byte| *byte == 0);
                let (handle, data) = (parts.next()?, parts.next_back()?);
                let job = std::str::from_utf8(data).ok().and_then(|text| text.parse().ok());
                *lock(&book.done).entry(job.expect("a number")).or_default() += 1;
                socket.write_all(&packet(Kind::WorkComplete, &[handle, b""])).ok()?;
            }
            _ => return Some(()),
        }
    }
}

#[test]
fn every_acknowledged_job_runs_however_often_the_server_is_killed() {
    let kills = std::env::var("STORYTIME_KILLS").ok().and_then(|n| n.parse().ok());
    let kills: u32 = kills.unwrap_or(KILLS);
    let data_dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gearman-kill");
    let _none = std::fs::remove_dir_all(&data_dir);
    std::fs::create_dir_all(&data_dir).expect("a folder for the test");
    let (at, book) = (nobodys_address(), Book::default());
    let mut most = 0;
    for kill in 0..kills {
        let server = start(at, &data_dir);
        std::thread::scope(|scope| {
            scope.spawn(|| submit(at, &book));
            for _ in 0..WORKERS {
                scope.spawn(|| while work(at, &book, IN_FLIGHT).is_some() {});
            }
            std::thread::sleep(LOAD + Duration::from_millis(u64::from(kill) * 7 % 60));
            most = most.max(book.in_flight());
            drop(server);
        });
    }
    let _server = start(at, &data_dir);
    assert_eq!(work(at, &book, 0), Some(()), "the server outlives the last jobs");
    let (acknowledged, done) = (lock(&book.acknowledged), lock(&book.done));
    let lost: Vec<u64> =
        acknowledged.iter().copied().filter(|job| !done.contains_key(job)).collect();
    let submitted = book.submitted.load(Ordering::Relaxed);
    let twice = done.values().filter(|times| **times > 1).count();
    println!(
        "{kills} kills: {submitted} jobs submitted, {} acknowledged, up to {most} in flight, \
         {} done, {twice} of them more than once",
        acknowledged.len(),
        done.len(),
    );
    assert!(lost.is_empty(), "acknowledged and never done: {lost:?}");
    assert!(done.keys().all(|job| *job < submitted), "no job is invented");
    assert!(!acknowledged.is_empty(), "something was submitted");
}
