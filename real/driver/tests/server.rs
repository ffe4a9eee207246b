//! What a server does around its machines: several workers on one port, signals, metrics.

#![cfg(not(madsim))]

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use storytime_machine::{
    Addr, BindError, Boot, BytesMut, Conn, Cx, Duration, Endpoint, Exit, Listen, Machine, Open,
    Slots, Token,
};
use storytime_real::{Host, Options, run};

/// Greets with its worker's number, echoes, and ends the server on `q`.
struct Greeter {
    at: Addr,
    slots: Slots,
    worker: u8,
    greeted: u64,
    stubborn: bool,
}

impl Greeter {
    fn at(at: Addr, slots: Slots) -> Self {
        Self { at, slots, worker: 0, greeted: 0, stubborn: false }
    }
}

impl Machine for Greeter {
    fn start(&mut self, cx: &mut Cx, boot: Boot) {
        self.worker = boot.worker as u8;
        cx.listen(Token(1), Listen { slots: self.slots, ..Listen::at(self.at) });
    }

    fn bound(&mut self, cx: &mut Cx, _: Token, result: Result<Endpoint, BindError>) {
        match result {
            Ok(_) => println!("listening"),
            Err(_) => cx.exit(Exit::Failed("no address")),
        }
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        self.greeted += 1;
        cx.tx(conn).expect("just opened").put(&[b'0' + self.worker]);
    }

    fn data(&mut self, cx: &mut Cx, _: Conn, rx: &mut BytesMut) {
        if rx.contains(&b'q') {
            cx.exit(Exit::Stopped);
        }
        rx.clear();
    }

    fn stop(&mut self, cx: &mut Cx) {
        println!("asked to stop");
        if !self.stubborn {
            cx.exit(Exit::Stopped);
        }
    }

    fn signal(&mut self, _: &mut Cx, signal: storytime_machine::Signal) {
        println!("worker {} heard {}", self.worker, signal.as_str());
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        each("greeted", self.greeted);
    }
}

/// An address that is free now; each test has an address of the loopback to itself.
fn free(host: u8) -> SocketAddr {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 78, host], 0)))
        .expect("the loopback is there");
    listener.local_addr().expect("a bound socket has an address")
}

fn connect(at: SocketAddr) -> TcpStream {
    loop {
        match TcpStream::connect(at) {
            Ok(stream) => return stream,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::thread::yield_now(),
            Err(error) => panic!("cannot connect to {at}: {error}"),
        }
    }
}

fn greeting(stream: &mut TcpStream) -> u8 {
    let mut byte = [0];
    stream.read_exact(&mut byte).expect("a greeting");
    byte[0] - b'0'
}

fn serve(options: Options, make: impl Fn(u32) -> Greeter + Send + 'static) -> JoinHandle<Exit> {
    std::thread::spawn(move || {
        run(Host::new("unused"), &options, make).expect("threads and descriptors are left")
    })
}

#[test]
fn workers_share_one_queue_and_one_without_a_free_slot_leaves_it_to_the_others() {
    let at = free(1);
    let options = Options { workers: 3, signals: false, metrics: None };
    let server = serve(options, move |_| Greeter::at(at, Slots::AtMost(1)));
    let mut clients: Vec<TcpStream> = (0..3).map(|_| connect(at)).collect();
    let mut by: Vec<u8> = clients.iter_mut().map(greeting).collect();
    let freed = by[0];
    by.sort_unstable();
    assert_eq!(by, [0, 1, 2], "each worker has one slot");
    let mut waiting = connect(at);
    drop(clients.remove(0));
    assert_eq!(greeting(&mut waiting), freed, "who waited gets the slot that came free");
    waiting.write_all(b"q").expect("the server reads");
    assert_eq!(server.join().expect("no panic"), Exit::Stopped, "one exit ends all workers");
}

#[test]
fn counters_of_all_workers_are_summed_behind_the_metrics_endpoint() {
    let (at, metrics) = (free(2), free(3));
    let options = Options { workers: 2, signals: false, metrics: Some(metrics) };
    let server = serve(options, move |_| Greeter::at(at, Slots::Unlimited));
    let mut clients: Vec<TcpStream> = (0..5).map(|_| connect(at)).collect();
    clients.iter_mut().for_each(|client| {
        greeting(client);
    });
    let ask = |request: &[u8]| {
        let mut scrape = connect(metrics);
        scrape.write_all(request).expect("the endpoint reads");
        let mut text = String::new();
        scrape.read_to_string(&mut text).expect("text until the end");
        text
    };
    let text = ask(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("\nstorytime_greeted 5\n"), "{text}");
    assert!(text.contains("\nstorytime_driver_connections_live 5\n"), "{text}");
    assert!(text.contains("\nstorytime_driver_bytes_out 5\n"), "{text}");
    assert!(ask(b"GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
    clients[0].write_all(b"q").expect("the server reads");
    assert_eq!(server.join().expect("no panic"), Exit::Stopped);
}

#[test]
fn a_server_that_cannot_listen_says_so() {
    let taken =
        TcpListener::bind(SocketAddr::from(([127, 0, 78, 4], 0))).expect("the loopback is there");
    let at = taken.local_addr().expect("a bound socket has an address");
    let options = Options { workers: 2, signals: false, metrics: None };
    let server = serve(options, move |_| Greeter::at(at, Slots::Unlimited));
    assert_eq!(server.join().expect("no panic"), Exit::Failed("no address"));
}

/// The child's variable: its address, and whether its machine ignores a polite request.
const CHILD: &str = "STORYTIME_TEST_CHILD";

/// Not a test of its own: the process that the tests below send signals to.
#[test]
fn child() {
    let Ok(wish) = std::env::var(CHILD) else { return };
    let (at, stubborn) = wish.split_once(' ').expect("set by the tests below");
    let (at, stubborn) = (at.parse().expect("an address"), stubborn == "stubborn");
    let options = Options { workers: 2, ..Options::default() };
    let make = |_| Greeter { stubborn, ..Greeter::at(at, Slots::Unlimited) };
    let exit = run(Host::new("unused"), &options, make).expect("descriptors are left");
    std::process::exit(if exit == Exit::Stopped { 0 } else { 1 });
}

fn start_child(at: SocketAddr, temper: &str) -> (Child, impl FnMut(&str)) {
    let mut child = Command::new(std::env::current_exe().expect("we run"))
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, format!("{at} {temper}"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("we can run ourselves");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut await_line = move |wanted: &str| {
        let found = lines.any(|line| line.expect("text").contains(wanted));
        assert!(found, "the child did not say: {wanted}");
    };
    // Signal handlers are in place before the machines start; both workers listen.
    await_line("listening");
    await_line("listening");
    (child, await_line)
}

fn send(child: &Child, signal: Signal) {
    let pid = Pid::from_child(child);
    kill_process(pid, signal).expect("the child runs");
}

#[test]
fn sigterm_ends_a_server_gracefully() {
    let (mut child, mut await_line) = start_child(free(5), "polite");
    send(&child, Signal::TERM);
    await_line("asked to stop");
    assert_eq!(child.wait().expect("our child").code(), Some(0));
}

#[test]
fn every_worker_hears_of_the_signals_that_end_nothing() {
    let (mut child, mut await_line) = start_child(free(9), "polite");
    send(&child, Signal::HUP);
    await_line("heard SIGHUP");
    await_line("heard SIGHUP");
    send(&child, Signal::USR1);
    await_line("heard SIGUSR1");
    assert!(child.try_wait().expect("our child").is_none(), "it serves on");
    send(&child, Signal::TERM);
    await_line("asked to stop");
    assert_eq!(child.wait().expect("our child").code(), Some(0));
}

#[test]
fn a_second_signal_ends_a_server_at_once() {
    let (mut child, mut await_line) = start_child(free(6), "stubborn");
    send(&child, Signal::INT);
    await_line("asked to stop");
    std::thread::sleep(Duration::from_millis(20));
    assert!(child.try_wait().expect("our child").is_none(), "it goes on after the first");
    send(&child, Signal::TERM);
    assert_eq!(child.wait().expect("our child").code(), Some(1));
}
