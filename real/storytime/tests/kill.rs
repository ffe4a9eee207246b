//! The real server is killed under load, again and again: nothing it acknowledged is lost.
//!
//! A few times here; `STORYTIME_KILLS=200` for more.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use storytime_real::{Listening, nobodys_address};

/// Kills, unless `STORYTIME_KILLS` says another number.
const KILLS: u32 = 3;
/// Clients that write at a time.
const CLIENTS: usize = 8;
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Shortest time under load before a kill.
const LOAD: Duration = Duration::from_millis(120);

fn start(at: SocketAddr, data_dir: &Path) -> Listening {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storytime"));
    command.arg("--data-dir").arg(data_dir).args(["dbd", "--bind", &at.ip().to_string()]);
    // Checkpoints are made all the time, so that kills hit them, too.
    command.args(["--port", &at.port().to_string(), "--checkpoint-bytes", "64k"]);
    // While it recovers it says LOADING.
    let serves = || ask(at, "GET nothing").is_some_and(|reply| reply.starts_with('$'));
    Listening::start_when(&mut command, at, serves).unwrap_or_else(|why| panic!("{why}"))
}

/// The first line of a reply.
fn ask(at: SocketAddr, request: &str) -> Option<String> {
    let mut socket = TcpStream::connect(at).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.write_all(format!("{request}\r\n").as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line).ok()?;
    Some(line.trim_end().to_owned())
}

/// Appends to its list until the server is gone; how far it asked, and how far that was
/// acknowledged.
fn write(at: SocketAddr, client: usize, from: u64) -> (u64, u64) {
    let (mut asked, mut acknowledged) = (from, from);
    let Ok(mut socket) = TcpStream::connect(at) else { return (asked, acknowledged) };
    let _ = socket.set_read_timeout(Some(PATIENCE));
    let mut replies = BufReader::new(socket.try_clone().expect("a socket has two sides"));
    loop {
        asked += 1;
        let twins = format!("PUT log {asked} v PUT twin {asked} v");
        if socket.write_all(format!("ROW.BATCH {client} {twins}\r\n").as_bytes()).is_err() {
            return (asked, acknowledged);
        }
        let mut lines = [String::new(), String::new(), String::new()];
        for line in &mut lines {
            if !replies.read_line(line).is_ok_and(|bytes| bytes > 0) {
                return (asked, acknowledged);
            }
        }
        assert_eq!(lines[0], "*2\r\n");
        acknowledged = asked;
    }
}

fn count(at: SocketAddr, request: &str) -> u64 {
    let reply = ask(at, request).expect("the server answers");
    reply.trim_start_matches(':').parse().unwrap_or_else(|_| panic!("{request}: {reply}"))
}

#[test]
fn a_server_that_is_killed_under_load_keeps_what_it_acknowledged() {
    let kills = std::env::var("STORYTIME_KILLS").ok().and_then(|n| n.parse().ok());
    let kills = kills.unwrap_or(KILLS);
    let data_dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("kill");
    let _none = std::fs::remove_dir_all(&data_dir);
    std::fs::create_dir_all(&data_dir).expect("a folder for the test");
    let at = nobodys_address();
    let mut last = [0; CLIENTS];
    for kill in 0..kills {
        let server = start(at, &data_dir);
        let books: Vec<_> = std::thread::scope(|scope| {
            let writers = last.iter().enumerate();
            let writers =
                writers.map(|(client, &from)| scope.spawn(move || write(at, client, from)));
            let writers: Vec<_> = writers.collect();
            std::thread::sleep(LOAD + Duration::from_millis(u64::from(kill) * 7 % 60));
            drop(server);
            writers.into_iter().map(|writer| writer.join().expect("it does not panic")).collect()
        });
        let _server = start(at, &data_dir);
        for (client, (asked, acknowledged)) in books.into_iter().enumerate() {
            let rows = count(at, &format!("ROW.COUNT log {client}"));
            let twins = count(at, &format!("ROW.COUNT twin {client}"));
            assert_eq!(rows, twins, "client {client}: a batch is there whole");
            let there = acknowledged..=asked;
            assert!(there.contains(&rows), "kill {kill}, client {client}: {rows} of {there:?}");
            last[client] = rows;
        }
    }
    let batches = last.iter().sum::<u64>();
    println!("{kills} kills, {batches} batches kept, each of two rows");
    assert!(batches > 0, "something was written");
}
