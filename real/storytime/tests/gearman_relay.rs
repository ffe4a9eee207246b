//! Two job servers with one queue, and their witness, as real processes: the one that serves is
//! killed under load, and the other one has every job that was acknowledged.

mod packets;

use packets::{packet, read};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use storytime_gearman::packet::Kind;
use storytime_real::{Listening, nobodys_address};

/// Longest wait for something that must happen.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks.
const NAP: Duration = Duration::from_millis(50);
/// Submits that are sent without waiting for the first's answer.
const PIPELINED: u64 = 50;
/// Jobs that are acknowledged before the kill.
const JOBS: u64 = 500;

/// Where everybody is.
struct Site {
    folder: PathBuf,
    servers: [SocketAddr; 2],
    relays: [SocketAddr; 2],
    witness: SocketAddr,
}

impl Site {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _none = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder for the test");
        let [servers, relays] = [(); 2].map(|()| [nobodys_address(), nobodys_address()]);
        Self { folder, servers, relays, witness: nobodys_address() }
    }

    fn command(&self, at: SocketAddr, folder: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_storytime"));
        command.arg("--host-ip").arg(at.ip().to_string());
        command.arg("--data-dir").arg(self.folder.join(folder));
        command
    }

    fn witness(&self) -> Listening {
        let mut command = self.command(self.witness, "witness");
        command.args(["witness", "--port", &self.witness.port().to_string()]);
        Listening::start(&mut command, self.witness).unwrap_or_else(|why| panic!("{why}"))
    }

    fn server(&self, nth: usize) -> Listening {
        let at = self.servers[nth];
        let mut command = self.command(at, ["job1", "job2"][nth]);
        command.args(["gearmand", "-p", &at.port().to_string(), "-l", "none"]);
        command.args(["--queue-dir", "queue", "--checkpoint-bytes", "64k"]);
        command.args(["--relay-to", &self.relays[1 - nth].to_string()]);
        command.args(["--relay-listen", &self.relays[nth].port().to_string()]);
        command.args(["--relay-witness", &self.witness.to_string()]);
        command.args(["--relay-first", ["yes", "no"][nth]]);
        Listening::start(&mut command, at).unwrap_or_else(|why| panic!("{why}"))
    }

    /// What a server says to `relay`.
    fn relay(&self, nth: usize) -> String {
        ask(self.servers[nth], "relay").unwrap_or_default()
    }

    fn await_that(&self, nth: usize, wanted: &str) {
        let begun = Instant::now();
        while !self.relay(nth).contains(wanted) {
            assert!(begun.elapsed() < PATIENCE, "{wanted:?}: {:?}", self.relay(nth));
            std::thread::sleep(NAP);
        }
    }
}

/// The answer to a line, up to the dot or the end of its first line.
fn ask(at: SocketAddr, line: &str) -> Option<String> {
    let mut socket = connect(at)?;
    socket.write_all(format!("{line}\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    let mut byte = [0];
    let whole = |answer: &str| answer.ends_with(".\n") || answer.ends_with("\r\n");
    while !whole(&answer) && socket.read_exact(&mut byte).is_ok() {
        answer.push(char::from(byte[0]));
    }
    Some(answer)
}

fn connect(at: SocketAddr) -> Option<TcpStream> {
    let socket = TcpStream::connect(at).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    Some(socket)
}

/// Submits jobs until the server is gone, which is killed when it has acknowledged enough. How many
/// were acknowledged.
fn submit_and_kill(at: SocketAddr, server: Listening) -> u64 {
    let mut socket = connect(at).expect("it serves");
    let (mut sent, mut acknowledged, mut server) = (0, 0, Some(server));
    loop {
        for _ in 0..PIPELINED {
            let data = sent.to_string();
            // A server that is gone is noticed below.
            let _sent = socket.write_all(&packet(Kind::SubmitJobBg, &[b"f", b"", data.as_bytes()]));
            sent += 1;
        }
        if acknowledged >= JOBS {
            drop(server.take());
        }
        for _ in 0..PIPELINED {
            let Some((kind, body)) = read(&mut socket) else { return acknowledged };
            assert_eq!(kind, Kind::JobCreated, "{}", body.escape_ascii());
            assert!(body.starts_with(b"H:relay:"), "names are the same on both");
            acknowledged += 1;
        }
    }
}

/// Does all jobs that there are.
fn work(at: SocketAddr) -> BTreeSet<u64> {
    let mut socket = connect(at).expect("it serves");
    let mut done = BTreeSet::new();
    let say = |socket: &mut TcpStream, packet: &[u8]| socket.write_all(packet).expect("serves");
    say(&mut socket, &packet(Kind::CanDo, &[b"f"]));
    loop {
        say(&mut socket, &packet(Kind::GrabJob, &[]));
        let (kind, body) = read(&mut socket).expect("it serves");
        if kind != Kind::JobAssign {
            return done;
        }
        let mut parts = body.split(|byte| *byte == 0);
        let (handle, data) = (parts.next().expect("a name"), parts.next_back().expect("data"));
        let job = std::str::from_utf8(data).ok().and_then(|text| text.parse().ok());
        done.insert(job.expect("a number"));
        say(&mut socket, &packet(Kind::WorkComplete, &[handle, b""]));
    }
}

#[test]
fn the_other_one_takes_over_with_every_job_that_was_acknowledged() {
    let site = Site::new("gearman-relay");
    let _witness = site.witness();
    let first = site.server(0);
    let _second = site.server(1);
    site.await_that(0, "role\tserves\nother\tequal");
    site.await_that(1, "role\tstands by");
    let acknowledged = submit_and_kill(site.servers[0], first);
    assert!(acknowledged >= JOBS);
    site.await_that(1, "role\tserves");
    let done = work(site.servers[1]);
    let missing: Vec<u64> = (0..acknowledged).filter(|job| !done.contains(job)).collect();
    assert!(missing.is_empty(), "acknowledged and never run: {missing:?}");

    // The first one is back, stands by, and says so; then it is its turn again.
    let _first = site.server(0);
    site.await_that(0, "role\tstands by");
    let mut socket = connect(site.servers[0]).expect("it listens");
    socket.write_all(&packet(Kind::SubmitJobBg, &[b"f", b"", b"x"])).expect("it listens");
    let (kind, body) = read(&mut socket).expect("it answers");
    assert_eq!(kind, Kind::Error);
    assert!(body.starts_with(b"NOT_SERVING\0"), "{}", body.escape_ascii());
    site.await_that(1, "other\tequal");
    assert_eq!(ask(site.servers[1], "relay handover").as_deref(), Some("OK\r\n"));
    site.await_that(0, "role\tserves");
    assert!(work(site.servers[0]).is_empty(), "what was done is over on both");
    let _gone = std::fs::remove_dir_all(&site.folder);
}
