//! One process on the operating system: what its sockets, files and ends leave behind.

#![cfg(not(madsim))]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use storytime_machine::{
    BindError, Boot, Bytes, BytesMut, Conn, Cx, DiskError, DiskOk, DiskOp, DiskResult, Duration,
    Endpoint, Exit, FileId, IpAddr, Listen, Machine, Open, Slots, Token,
};
use storytime_real::{Ending, Handle, Host, spawn};

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("storytime-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary directory is writable");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory that stays behind harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Listens, and does to a connection what it is told.
struct Server {
    at: Endpoint,
    bound: Option<Result<Endpoint, BindError>>,
    on_open: fn(&mut Cx, Conn),
}

impl Server {
    fn at(at: impl Into<Endpoint>, on_open: fn(&mut Cx, Conn)) -> Self {
        Self { at: at.into(), bound: None, on_open }
    }
}

impl Machine for Server {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.listen(Token(1), Listen::at(self.at.clone()));
    }

    fn bound(&mut self, _: &mut Cx, _: Token, result: Result<Endpoint, BindError>) {
        self.bound = Some(result);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        (self.on_open)(cx, conn);
    }
}

/// What the machine was told of its listener.
fn bound(handle: &Handle<Server>) -> Result<Endpoint, BindError> {
    loop {
        if let Some(result) = handle.with_machine(|server| server.bound.clone()) {
            return result;
        }
        std::thread::yield_now();
    }
}

fn loopback(name: &str) -> Host {
    let mut host = Host::new(name);
    host.ip = Some(IpAddr::from([127, 0, 79, 1]));
    host
}

fn dial(handle: &Handle<Server>) -> TcpStream {
    let Ok(Endpoint::Tcp(at)) = bound(handle) else { panic!("not listening on TCP") };
    TcpStream::connect(at).expect("it listens")
}

#[test]
fn the_wildcard_stands_for_the_hosts_own_address() {
    let mut handle = spawn(loopback("unused"), Server::at(Endpoint::any(0), |_, _| {})).unwrap();
    let Ok(Endpoint::Tcp(at)) = bound(&handle) else { panic!("not listening on TCP") };
    assert_eq!(at.ip(), IpAddr::from([127, 0, 79, 1]));
    assert!(at.port() > 0, "port 0 is replaced");
    handle.stop();
    assert_eq!(handle.wait(), Ending::Exited(Exit::Stopped));
}

#[test]
fn a_killed_process_hears_nothing_and_its_sockets_close() {
    let server = Server::at(Endpoint::any(0), |cx, conn| cx.tx(conn).unwrap().put(b"hello"));
    let mut handle = spawn(loopback("unused"), server).unwrap();
    let mut client = dial(&handle);
    let mut hello = [0; 5];
    client.read_exact(&mut hello).unwrap();
    handle.kill();
    assert_eq!(handle.wait(), Ending::Killed);
    assert_eq!(client.read(&mut hello).unwrap(), 0, "the operating system closed it");
    assert_eq!(handle.exit(), None);
    assert_eq!(handle.counters()["driver_bytes_out"], 5, "it can be looked at after its end");
}

#[test]
fn a_machines_panic_reaches_whoever_waits() {
    let server = Server::at(Endpoint::any(0), |_, _| panic!("a bug"));
    let mut handle = spawn(loopback("unused"), server).unwrap();
    let _client = dial(&handle);
    let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| handle.wait()));
    assert!(waited.is_err());
}

#[test]
fn output_beyond_its_cap_costs_the_connection_not_the_process() {
    let mut host = loopback("unused");
    (host.limits.tx_low, host.limits.tx_high, host.limits.tx_bytes_max) = (1, 2, 1 << 20);
    let flood = |cx: &mut Cx, conn| cx.tx(conn).unwrap().push(Bytes::from(vec![0; 2 << 20]));
    let mut handle = spawn(host, Server::at(Endpoint::any(0), flood)).unwrap();
    for _ in 0..2 {
        let mut all = Vec::new();
        let error = dial(&handle).read_to_end(&mut all).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    assert_eq!(handle.counters()["driver_breaches"], 2);
    handle.stop();
    assert_eq!(handle.wait(), Ending::Exited(Exit::Stopped));
}

#[test]
fn a_stale_unix_socket_is_replaced_and_removed_at_the_end() {
    let scratch = Scratch::new("unix");
    let path = scratch.0.join("socket");
    drop(UnixListener::bind(&path).unwrap());
    let serve = || spawn(Host::new(&scratch.0), Server::at(Endpoint::unix("socket"), |_, _| {}));
    let mut first = serve().unwrap();
    assert!(bound(&first).is_ok(), "nobody listened on the old one");
    UnixStream::connect(&path).unwrap();
    let second = serve().unwrap();
    assert_eq!(bound(&second), Err(BindError::InUse), "a live one is not stolen");
    drop(second);
    assert!(path.exists(), "and its file stays");
    first.stop();
    first.wait();
    assert!(!path.exists());
    std::fs::write(&path, "precious").unwrap();
    assert_eq!(bound(&serve().unwrap()), Err(BindError::InUse), "a file is never replaced");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

/// Closes its listener as soon as it is there and opens it again under the same token.
struct Reopens {
    bound: Vec<Endpoint>,
}

impl Machine for Reopens {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.listen(Token(1), Listen::at(Endpoint::any(0)));
    }

    fn bound(&mut self, cx: &mut Cx, listener: Token, result: Result<Endpoint, BindError>) {
        let at = result.expect("the old one is closed before the new one opens");
        self.bound.push(at.clone());
        if self.bound.len() == 1 {
            cx.unlisten(listener);
            cx.listen(listener, Listen { slots: Slots::AtMost(1), ..Listen::at(at) });
        }
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        cx.tx(conn).unwrap().put(b"hello");
    }
}

#[test]
fn a_listener_may_be_closed_and_opened_again_in_one_go() {
    let mut handle = spawn(loopback("unused"), Reopens { bound: Vec::new() }).unwrap();
    while handle.with_machine(|machine| machine.bound.len()) < 2 {
        assert_eq!(handle.wait_for(Duration::from_millis(1)), None, "it goes on");
    }
    let at = handle.with_machine(|machine| machine.bound[1].clone());
    let Endpoint::Tcp(at) = at else { panic!("not listening on TCP") };
    let mut hello = [0; 5];
    TcpStream::connect(at).unwrap().read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"hello");
    handle.stop();
    assert_eq!(handle.wait(), Ending::Exited(Exit::Stopped));
}

/// Writes every byte that it receives to a file, each with an operation of its own.
struct Scribe {
    file: Option<FileId>,
    at: u64,
    waiting: u64,
    most_waiting: u64,
    server: Server,
}

impl Scribe {
    const BYTES: usize = 20_000;
}

impl Machine for Scribe {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.disk(Token(0), DiskOp::Open { path: path("log"), create: true });
    }

    fn bound(&mut self, cx: &mut Cx, token: Token, result: Result<Endpoint, BindError>) {
        self.server.bound(cx, token, result);
    }

    fn data(&mut self, cx: &mut Cx, _: Conn, rx: &mut BytesMut) {
        let file = self.file.expect("it listens only with a file");
        while !rx.is_empty() {
            let data = rx.split_to(1).freeze();
            cx.disk(Token(1), DiskOp::Write { file, at: self.at, data });
            self.at += 1;
            self.waiting += 1;
        }
        self.most_waiting = self.most_waiting.max(self.waiting);
    }

    fn disk(&mut self, cx: &mut Cx, _: Token, result: DiskResult) {
        match result.expect("the directory is writable") {
            DiskOk::File { file, .. } => {
                self.file = Some(file);
                cx.listen(Token(1), Listen::at(self.server.at.clone()));
            }
            _ => {
                self.waiting -= 1;
                if self.waiting == 0 && self.at == Self::BYTES as u64 {
                    cx.exit(Exit::Stopped);
                }
            }
        }
    }
}

#[test]
fn a_disk_that_falls_behind_holds_up_its_writers_and_no_byte_is_lost() {
    let scratch = Scratch::new("scribe");
    let mut host = Host::new(&scratch.0);
    host.limits.rx_bytes_max = 512;
    let server = Server::at(Endpoint::tcp(IpAddr::from([127, 0, 79, 1]), 0), |_, _| {});
    let scribe = Scribe { file: None, at: 0, waiting: 0, most_waiting: 0, server };
    let mut handle = spawn(host, scribe).unwrap();
    let at = loop {
        match handle.with_machine(|scribe| scribe.server.bound.clone()) {
            Some(Ok(Endpoint::Tcp(at))) => break at,
            _ => std::thread::yield_now(),
        }
    };
    let bytes: Vec<u8> = (0..Scribe::BYTES).map(|i| i as u8).collect();
    TcpStream::connect(at).unwrap().write_all(&bytes).unwrap();
    assert_eq!(handle.wait_for(Duration::from_secs(60)), Some(Ending::Exited(Exit::Stopped)));
    assert_eq!(std::fs::read(scratch.0.join("log")).unwrap(), bytes);
    let most = handle.with_machine(|scribe| scribe.most_waiting);
    assert!(most <= 1024 + 512, "{most} operations waited at once");
}

/// Carries out operations one after the other; `File` results stand for [`Clerk::FILE`].
struct Clerk {
    ops: Vec<DiskOp>,
    file: Option<FileId>,
    results: Vec<DiskResult>,
}

impl Clerk {
    const FILE: FileId = FileId(u32::MAX);

    fn next(&mut self, cx: &mut Cx) {
        let Some(mut op) = self.ops.get(self.results.len()).cloned() else {
            return cx.exit(Exit::Stopped);
        };
        if let DiskOp::Write { file, .. } | DiskOp::Read { file, .. } | DiskOp::Sync { file } =
            &mut op
        {
            *file = self.file.unwrap_or(Self::FILE);
        }
        cx.disk(Token(1), op);
    }
}

impl Machine for Clerk {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        self.next(cx);
    }

    fn disk(&mut self, cx: &mut Cx, _: Token, result: DiskResult) {
        if let Ok(DiskOk::File { file, .. }) = result {
            self.file = Some(file);
        }
        self.results.push(result);
        self.next(cx);
    }
}

fn carry_out(dir: &Path, ops: Vec<DiskOp>) -> Vec<DiskResult> {
    let clerk = Clerk { ops, file: None, results: Vec::new() };
    let mut handle = spawn(Host::new(dir), clerk).unwrap();
    assert_eq!(handle.wait_for(Duration::from_secs(30)), Some(Ending::Exited(Exit::Stopped)));
    handle.with_machine(|clerk| clerk.results.clone())
}

fn path(path: &'static str) -> Bytes {
    Bytes::from_static(path.as_bytes())
}

#[test]
fn files_are_real_files_beneath_the_data_directory() {
    let scratch = Scratch::new("files");
    let dir = scratch.0.join("made/when/needed");
    let data = Bytes::from_static(b"bytes");
    let results = carry_out(
        &dir,
        vec![
            DiskOp::MakeDir { path: path("log") },
            DiskOp::MakeDir { path: path("log") },
            DiskOp::Open { path: path("log/1"), create: true },
            DiskOp::Write { file: Clerk::FILE, at: 3, data },
            DiskOp::Sync { file: Clerk::FILE },
            DiskOp::Read { file: Clerk::FILE, at: 0, len: 100 },
            DiskOp::Rename { from: path("log/1"), to: path("log/2") },
            DiskOp::SyncDir { path: path("log") },
            DiskOp::List { path: path("log") },
        ],
    );
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(results[5], Ok(DiskOk::Data(Bytes::from_static(b"\0\0\0bytes"))));
    assert_eq!(results[8], Ok(DiskOk::Names(vec![path("2")])));
    assert_eq!(std::fs::read(dir.join("log/2")).unwrap(), b"\0\0\0bytes");
}

#[test]
fn no_path_leads_out_of_the_data_directory() {
    let scratch = Scratch::new("escape");
    let dir = scratch.0.join("data");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(scratch.0.join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink("../secret", dir.join("link")).unwrap();
    std::os::unix::fs::symlink("..", dir.join("up")).unwrap();
    let results = carry_out(
        &dir,
        vec![
            DiskOp::Open { path: path("../secret"), create: false },
            DiskOp::Open { path: path("link"), create: false },
            DiskOp::Open { path: path("up/secret"), create: false },
            DiskOp::Unlink { path: path("up/secret") },
            DiskOp::Rename { from: path("up/secret"), to: path("mine") },
            DiskOp::List { path: path("up") },
            DiskOp::Sync { file: Clerk::FILE },
        ],
    );
    assert!(results.iter().all(|r| *r == Err(DiskError::Invalid)), "{results:?}");
    assert_eq!(std::fs::read(scratch.0.join("secret")).unwrap(), b"secret");
}

#[test]
fn errors_of_the_operating_system_are_told_in_the_contracts_words() {
    let scratch = Scratch::new("errors");
    std::fs::write(scratch.0.join("file"), "").unwrap();
    std::fs::create_dir(scratch.0.join("dir")).unwrap();
    let results = carry_out(
        &scratch.0,
        vec![
            DiskOp::Open { path: path("none"), create: false },
            DiskOp::List { path: path("none") },
            DiskOp::Unlink { path: path("none") },
            DiskOp::Rename { from: path("none"), to: path("other") },
            DiskOp::Open { path: path("dir"), create: true },
            DiskOp::MakeDir { path: path("file") },
            DiskOp::Open { path: path("file/inside"), create: true },
        ],
    );
    let (missing, wrong) = results.split_at(4);
    assert!(missing.iter().all(|r| *r == Err(DiskError::NotFound)), "{missing:?}");
    assert!(wrong.iter().all(|r| *r == Err(DiskError::Invalid)), "{wrong:?}");
}

/// Sets a timer when it is called, and tells when it came.
#[derive(Default)]
struct Called {
    steps: Vec<&'static str>,
}

impl Machine for Called {
    fn start(&mut self, _: &mut Cx, _: Boot) {
        self.steps.push("start");
    }

    fn timer(&mut self, cx: &mut Cx, _: Token) {
        self.steps.push("timer");
        cx.exit(Exit::Stopped);
    }
}

#[test]
fn a_call_from_outside_is_a_step_like_any_other() {
    let mut handle = spawn(Host::new("unused"), Called::default()).expect("a thread");
    let control = handle.control();
    let asked = std::thread::spawn(move || {
        control.call(|called, cx| {
            called.steps.push("call");
            cx.after(Token(0), Duration::from_millis(1));
            called.steps.len()
        })
    });
    assert_eq!(asked.join().expect("it does not panic"), Some(2));
    assert_eq!(handle.wait(), Ending::Exited(Exit::Stopped));
    assert_eq!(handle.with_machine(|called| called.steps.clone()), ["start", "call", "timer"]);
    assert_eq!(handle.call(|called, _| called.steps.len()), None, "it has ended");
}
