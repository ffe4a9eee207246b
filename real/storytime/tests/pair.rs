//! A database pair and its witness as real processes: the active half is killed under load, and the
//! other one has everything that was acknowledged.
//!
//! On one machine every loopback address is local already, so nothing can be moved: a script stands
//! in for the command that moves it, and notes who took it.

#![cfg(target_os = "linux")]

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use storytime_real::Running;

/// Clients that write at a time.
const CLIENTS: u64 = 4;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const NAP: Duration = Duration::from_millis(20);
/// Longer than the lease that a half takes over with.
const LEASE: Duration = Duration::from_millis(3_500);
/// Time under load before the kill, once each client has been answered.
const LOAD: Duration = Duration::from_millis(300);
/// The address that moves.
const FLOATING: &str = "127.77.250.9";

/// The hosts: the witness and the two halves, each at a loopback address of its own.
const WITNESS: Ipv4Addr = Ipv4Addr::new(127, 77, 250, 1);
const HALVES: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 77, 250, 2), Ipv4Addr::new(127, 77, 250, 3)];

/// Ports of the clients, of the mirror and of the witness.
struct Ports([u16; 3]);

impl Ports {
    /// Free ones: all are taken before any is given back.
    fn free() -> Self {
        let hosts = [HALVES[0], HALVES[0], WITNESS];
        let taken = hosts.map(|host| TcpListener::bind((host, 0)).expect("a free port"));
        Self(taken.map(|listener| listener.local_addr().expect("it is bound").port()))
    }
}

fn start(folder: &Path, host: Ipv4Addr, line: &str) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storytime"));
    command.arg("--host-ip").arg(host.to_string());
    command.arg("--data-dir").arg(folder.join(host.to_string()));
    command.arg("--address-command").arg(script(folder, host));
    command.args(line.split(' ')).stdin(Stdio::null()).stdout(Stdio::null());
    Running(command.spawn().expect("the program starts"))
}

/// Notes in a log what it was asked to do on behalf of a host.
fn script(folder: &Path, host: Ipv4Addr) -> PathBuf {
    let path = folder.join(format!("move-{host}"));
    if !path.exists() {
        let log = log(folder);
        let text = format!("#!/bin/sh\necho \"{host} $1 $2\" >> '{}'\n", log.display());
        std::fs::write(&path, text).expect("the folder can be written");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, executable).expect("it is ours");
    }
    path
}

fn log(folder: &Path) -> PathBuf {
    folder.join("moves")
}

fn start_half(folder: &Path, ports: &Ports, half: usize) -> Running {
    let Ports([clients, mirror, witness]) = ports;
    let (other, prefer) = (HALVES[1 - half], ["yes", "no"][half]);
    let line = format!(
        "dbd --port {clients} --pair {other}:{mirror} --pair-listen {mirror} \
         --witness {WITNESS}:{witness} --address {FLOATING} --prefer-active {prefer}"
    );
    start(folder, HALVES[half], &line)
}

/// The lines of a reply; none if there is no such server, or it ends.
fn ask(at: SocketAddr, request: &str) -> Option<Vec<String>> {
    let mut socket = TcpStream::connect(at).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.write_all(format!("{request}\r\nQUIT\r\n").as_bytes()).ok()?;
    let lines = BufReader::new(socket).lines().map_while(Result::ok);
    Some(lines.collect::<Vec<_>>()).filter(|lines| !lines.is_empty())
}

fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(NAP);
    }
}

/// Whether there is a server, and it has recovered.
fn serves(at: SocketAddr) -> bool {
    ask(at, "ROW.COUNT log 0").is_some_and(|lines| lines[0].starts_with(':'))
}

fn is_equal(at: SocketAddr) -> bool {
    ask(at, "INFO").is_some_and(|lines| lines.iter().any(|line| line == "pair_equal:1"))
}

/// Whoever took the address last.
fn holder(folder: &Path) -> Option<String> {
    let moves = std::fs::read_to_string(log(folder)).ok()?;
    let taken = moves.lines().rev().find_map(|line| line.split_once(" take "));
    let (host, ip) = taken?;
    assert_eq!(ip, FLOATING);
    Some(host.to_owned())
}

/// Writes rows until the server is gone; how far it asked, and how far that was acknowledged. It is
/// counted among the `answered` with the first.
fn write(at: SocketAddr, client: u64, answered: &AtomicU64) -> (u64, u64) {
    let (mut asked, mut acknowledged) = (0, 0);
    let mut socket = TcpStream::connect(at).expect("the active half serves");
    socket.set_read_timeout(Some(PATIENCE)).expect("a patience");
    let mut replies = BufReader::new(socket.try_clone().expect("a socket has two sides"));
    loop {
        asked += 1;
        let request = format!("ROW.PUT log {client} {asked} v\r\n");
        let mut line = String::new();
        let sent = socket.write_all(request.as_bytes()).is_ok();
        if !sent || !replies.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            return (asked, acknowledged);
        }
        assert!(line.starts_with(':'), "{line}");
        acknowledged = asked;
        if asked == 1 {
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn the_other_half_takes_over_with_everything_that_was_acknowledged() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pair");
    let _none = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    let ports = Ports::free();
    let Ports([clients, _, witness]) = ports;
    let at = HALVES.map(|host| SocketAddr::from((host, clients)));

    let _witness = start(&folder, WITNESS, &format!("witness --port {witness}"));
    let mut first = start_half(&folder, &ports, 0);
    let mut second = start_half(&folder, &ports, 1);
    await_that("the preferred half serves, and both disks are equal", || {
        is_equal(at[0]) && serves(at[0])
    });
    assert_eq!(holder(&folder), Some(HALVES[0].to_string()), "it took the address");
    assert!(ask(at[1], "PING").is_none(), "the standby serves nobody");

    let answered = &AtomicU64::new(0);
    let books: Vec<(u64, u64)> = std::thread::scope(|scope| {
        let writers: Vec<_> =
            (0..CLIENTS).map(|n| scope.spawn(move || write(at[0], n, answered))).collect();
        await_that("writes are answered", || answered.load(Ordering::Relaxed) == CLIENTS);
        std::thread::sleep(LOAD);
        first.0.kill().expect("it is ours");
        writers.into_iter().map(|writer| writer.join().expect("it does not panic")).collect()
    });
    await_that("the other half serves", || serves(at[1]));
    assert_eq!(holder(&folder), Some(HALVES[1].to_string()), "and took the address");
    for (client, &(asked, acknowledged)) in (0..CLIENTS).zip(&books) {
        let count = ask(at[1], &format!("ROW.COUNT log {client}")).expect("it serves");
        let rows: u64 = count[0].trim_start_matches(':').parse().expect("a count");
        assert!((acknowledged..=asked).contains(&rows), "{rows} of {acknowledged}..={asked}");
        assert!(acknowledged > 0, "something was written");
    }

    std::thread::sleep(LEASE);
    assert!(serves(at[1]), "its lease is renewed");
    drop(first);
    let _first = start_half(&folder, &ports, 0);
    await_that("the first half is equal again", || is_equal(at[1]));
    assert!(ask(at[0], "PING").is_none(), "as the standby");

    let pid = i32::try_from(second.0.id()).ok().and_then(Pid::from_raw).expect("it runs");
    kill_process(pid, Signal::TERM).expect("it is ours");
    second.0.wait().expect("it ends");
    let moves = std::fs::read_to_string(log(&folder)).expect("addresses were moved");
    let last = moves.lines().rfind(|line| line.starts_with(&HALVES[1].to_string()));
    assert_eq!(last, Some(&*format!("{} release {FLOATING}", HALVES[1])), "it gave it up");
}
