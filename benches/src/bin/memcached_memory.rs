//! What memcached holds in memory, as the kernel counts it (`VmRSS`, `VmHWM` of `/proc`), in three
//! cases that are known to be hard: value sizes that shift, readers that are slow while others
//! overwrite what they read, and connections that say nothing for long.
//!
//! The server is a child of this program. Memory of the kernel (socket buffers) is not counted.
//! Connections are small beside a huge page of 2 MiB, of which the kernel hands out some to a
//! growing heap as it sees fit; so that case runs without them (`MIMALLOC_ALLOW_THP=0`, which
//! servers with another allocator ignore). Exit status 1 if a bound does not hold.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;
use storytime_real::{Listening, nobodys_address};

const HELP: &str = "\
memcached_memory: what memcached holds in memory, against its bounds

  [PROGRAM]   the storytime program, or a memcached (default: the one built beside this)

  cargo build --release -p storytime && \\
  cargo run --release -p storytime-benches --bin memcached_memory
";

/// How long a server may take to listen, and to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of values in the case of shifting sizes.
const SHIFTED_BYTES: usize = 3 << 30;
/// The sizes, in their order; each gets an equal share of the bytes, as far as that is many items.
const SIZES: [usize; 16] = [
    100, 400, 1500, 6000, 30_000, 100_000, 400_000, 900_000, 200_000, 50_000, 8000, 1000, 200,
    700_000, 3000, 60,
];
/// Most items of one size in a round.
const ITEMS_MAX: usize = 200_000;
/// Rounds through the sizes.
const ROUNDS: usize = 2;
/// Requests in one packet, bytes.
const BATCH_BYTES: usize = 256 << 10;
/// Readers that are slow, and what each of them reads.
const READERS: usize = 200;
const READ_KEYS: usize = 4;
const READ_BYTES: usize = 50_000_000;
/// How often every key is overwritten meanwhile.
const OVERWRITES: u8 = 3;
/// Connections that are idle.
const IDLE: usize = 10_000;
/// Memory of an idle connection, at most, bytes.
const IDLE_BYTES_MAX: u64 = 2048;

/// What may be resident with `-m megabytes`: a quarter more, and 24 MB. KiB.
const fn bound_kib(megabytes: u64) -> u64 {
    megabytes * 1024 * 5 / 4 + 24 * 1024
}

struct Server(Listening);

impl Server {
    fn start(program: &PathBuf, options: &str, huge_pages: bool) -> Self {
        let at = nobodys_address();
        let mut command = Command::new(program);
        if program.ends_with("storytime") {
            command.arg("memcached");
        }
        let words = format!("-l {} -U 0 -u root -t 2 -p {} {options}", at.ip(), at.port());
        command.args(words.split_whitespace());
        command.envs((!huge_pages).then_some(("MIMALLOC_ALLOW_THP", "0")));
        Self(Listening::start(&mut command, at).unwrap_or_else(|why| panic!("{why}")))
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.0.at()).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time above zero");
        stream
    }

    /// A figure of the process's memory, KiB.
    fn kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()));
        let status = status.expect("the server runs, on Linux");
        let line = status.lines().find(|line| line.starts_with(name)).expect("a known figure");
        let figure = line.split_whitespace().nth(1).expect("a figure behind its name");
        figure.parse().expect("a number of KiB")
    }
}

/// A line of the table. Whether the bound holds.
fn told(name: &str, figure: u64, bound: u64, unit: &str) -> bool {
    let verdict = if figure <= bound { "holds" } else { "BROKEN" };
    println!("{name:<44} {figure:>9} {unit}, at most {bound:>9}: {verdict}");
    figure <= bound
}

/// Stores items of one size; how many were refused.
fn store(stream: &mut TcpStream, size: usize, count: usize) -> u64 {
    let value = "v".repeat(size);
    let per_batch = (BATCH_BYTES / (size + 40)).clamp(1, 200);
    let mut replies = BufReader::new(stream.try_clone().expect("a second handle"));
    let (mut refused, mut line) = (0, String::new());
    for first in (0..count).step_by(per_batch) {
        let batch = first..count.min(first + per_batch);
        let request = |n| format!("set key:{size}:{n} 0 0 {size}\r\n{value}\r\n");
        let requests: String = batch.clone().map(request).collect();
        stream.write_all(requests.as_bytes()).expect("the server takes requests");
        for _ in batch {
            line.clear();
            replies.read_line(&mut line).expect("the server answers");
            refused += u64::from(line != "STORED\r\n");
        }
    }
    refused
}

fn shifting_sizes(program: &PathBuf) -> bool {
    let server = Server::start(program, "-m 64", true);
    let (mut stream, mut refused, mut bytes) = (server.connect(), 0, 0);
    while bytes < SHIFTED_BYTES {
        for size in SIZES {
            let count = (SHIFTED_BYTES / SIZES.len() / ROUNDS / size).min(ITEMS_MAX);
            refused += store(&mut stream, size, count);
            bytes += size * count;
        }
    }
    let peak = told("shifting sizes, -m 64: peak", server.kib("VmHWM"), bound_kib(64), "KiB");
    told("shifting sizes, -m 64: refused", refused, 0, "   ") & peak
}

/// Sends a value of one letter.
fn overwrite(stream: &mut TcpStream, key: usize, letter: u8) {
    let head = format!("set big{key} 0 0 {READ_BYTES}\r\n");
    stream.write_all(head.as_bytes()).expect("the server takes requests");
    stream.write_all(&vec![letter; READ_BYTES]).expect("the server takes requests");
    stream.write_all(b"\r\n").expect("the server takes requests");
    let mut reply = [0; 8];
    stream.read_exact(&mut reply).expect("the server answers");
    assert_eq!(&reply, b"STORED\r\n");
}

/// Reads one value to its end; whether all of it is the first letter.
fn read_whole(stream: TcpStream) -> bool {
    let mut replies = BufReader::with_capacity(256 << 10, stream);
    let mut line = String::new();
    replies.read_line(&mut line).expect("the server answers");
    let (mut left, mut whole) = (READ_BYTES, line.starts_with("VALUE "));
    while left > 0 {
        let piece = replies.fill_buf().expect("the server goes on");
        let len = piece.len().min(left);
        assert!(len > 0, "the server hung up");
        whole &= piece[..len].iter().all(|&byte| byte == b'0');
        replies.consume(len);
        left -= len;
    }
    let mut end = [0; 7];
    replies.read_exact(&mut end).expect("the server answers");
    whole && &end == b"\r\nEND\r\n"
}

fn slow_readers(program: &PathBuf) -> bool {
    let server = Server::start(program, "-m 512 -I 64m", true);
    let mut writer = server.connect();
    (0..READ_KEYS).for_each(|key| overwrite(&mut writer, key, b'0'));
    let readers: Vec<TcpStream> = (0..READERS).map(|_| server.connect()).collect();
    for (at, mut reader) in readers.iter().enumerate() {
        let request = format!("get big{}\r\n", at % READ_KEYS);
        reader.write_all(request.as_bytes()).expect("the server takes requests");
        // It has begun, and goes no further than the socket's buffers.
        reader.peek(&mut [0]).expect("the server answers");
    }
    for letter in 1..=OVERWRITES {
        (0..READ_KEYS).for_each(|key| overwrite(&mut writer, key, b'0' + letter));
    }
    let torn = readers.into_iter().map(read_whole).filter(|whole| !whole).count();
    let peak = server.kib("VmHWM");
    let whole = told("200 slow readers of 50 MB: torn values", torn as u64, 0, "   ");
    told("200 slow readers of 50 MB, -m 512: peak", peak, bound_kib(512), "KiB") & whole
}

fn idle_connections(program: &PathBuf) -> bool {
    let server = Server::start(program, "-m 64 -c 11000", false);
    let ask = |mut stream: TcpStream| {
        stream.write_all(b"get nothing\r\n").expect("the server takes requests");
        stream.read_exact(&mut [0; 5]).expect("the server answers");
        stream
    };
    let _warm: Vec<TcpStream> = (0..50).map(|_| ask(server.connect())).collect();
    let before = server.kib("VmRSS");
    let _idle: Vec<TcpStream> = (0..IDLE).map(|_| ask(server.connect())).collect();
    let grown = server.kib("VmRSS").saturating_sub(before) * 1024 / IDLE as u64;
    told("10,000 idle connections: each", grown, IDLE_BYTES_MAX, "B  ")
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let program = match words.next() {
        Some(word) if word == "--help" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some(word) => PathBuf::from(word),
        None => {
            std::env::current_exe().expect("this program is a file").with_file_name("storytime")
        }
    };
    if !program.exists() {
        eprintln!("{} is not there; build it first, or name another", program.display());
        return ExitCode::FAILURE;
    }
    let held = [shifting_sizes(&program), slow_readers(&program), idle_connections(&program)];
    if held.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
