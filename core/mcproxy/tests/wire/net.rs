//! A proxy, servers behind it, clients before it, and the wires between them, driven by hand.

use bytes::{Bytes, BytesMut};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use storytime_machine::effect::Closing;
use storytime_machine::{
    Boot, Conn, Drive, Effect, Endpoint, Gone, Now, Process, ResolveError, Rng, Setup, Time, Token,
    WallTime,
};
use storytime_mcproxy::config::{Config, Pool};
use storytime_mcproxy::{Command, Proxy};
use storytime_memcached::client::Node;
use storytime_memcached::{Config as ServerConfig, Server};

struct Wire {
    port: u16,
    near: Conn,
    far: Conn,
}

/// Everything.
pub(crate) struct Net {
    pub(crate) proxy: Process<Proxy>,
    servers: BTreeMap<u16, Process<Server>>,
    wires: Vec<Wire>,
    refusing: BTreeSet<u16>,
    silent: BTreeSet<u16>,
    /// What clients heard and have not told.
    heard: BTreeMap<Conn, BytesMut>,
    listeners: Vec<(Token, Endpoint)>,
    pub(crate) names_down: bool,
    now: Now,
    /// Most bytes that move in one step.
    pub(crate) piece: usize,
    /// Requests that servers were sent, in bytes.
    pub(crate) asked: BytesMut,
}

/// One pool of servers at these ports.
pub(crate) fn pool(name: &str, ports: &[u16]) -> Pool {
    Pool::new(name, ports.iter().map(|&port| Node::new("127.0.0.1", port)).collect())
}

/// A proxy's config from its short form.
pub(crate) fn short(line: &str) -> Config {
    let words: Vec<&str> = line.split_whitespace().collect();
    match Command::from_words(&words) {
        Ok(Command::Serve(config)) => config,
        other => panic!("a short form: {other:?}"),
    }
}

/// One pool of servers at these ports, all keys.
pub(crate) fn simple(ports: &[u16]) -> Config {
    Config { pools: vec![pool("main", ports)], ..Config::default() }
}

impl Net {
    pub(crate) fn new(config: Config, ports: &[u16]) -> Self {
        Self::with(Proxy::new(config).expect("a good config"), ports)
    }

    pub(crate) fn with(proxy: Proxy, ports: &[u16]) -> Self {
        let limits = proxy.config().limits();
        let setup = Setup { limits, ..Setup::new(Rng::new(1, 0)) };
        let now = Now { mono: Time(1 << 40), wall: WallTime(1_180_000_000 * 1_000_000_000) };
        let mut net = Self {
            proxy: Process::new(proxy, setup),
            servers: BTreeMap::new(),
            wires: Vec::new(),
            refusing: BTreeSet::new(),
            silent: BTreeSet::new(),
            heard: BTreeMap::new(),
            listeners: Vec::new(),
            names_down: false,
            now,
            piece: 64 << 10,
            asked: BytesMut::new(),
        };
        ports.iter().for_each(|&port| net.add_server(port));
        net.proxy.start(now, Boot { host: 0, worker: 0, incarnation: 0 });
        net.run();
        net
    }

    pub(crate) fn add_server(&mut self, port: u16) {
        let config = ServerConfig::from_words(&["-t", "1"]).expect("a good command line");
        let setup = Setup::new(Rng::new(1, u64::from(port)));
        let mut server = Process::new(Server::alone(config), setup);
        server.start(self.now, Boot { host: port.into(), worker: 0, incarnation: 0 });
        self.servers.insert(port, server);
    }

    /// A client connects.
    pub(crate) fn open(&mut self) -> Conn {
        let peer = Endpoint::tcp([127, 0, 0, 1], 40_000);
        let listener = self.listeners.first().expect("the proxy listens").0;
        let conn = self.proxy.accepted(self.now, listener, peer).expect("a free slot");
        self.heard.insert(conn, BytesMut::new());
        conn
    }

    /// A client says something; nothing moves yet.
    pub(crate) fn say(&mut self, conn: Conn, bytes: impl AsRef<[u8]>) {
        if let Some(rx) = self.proxy.rx(conn) {
            rx.extend_from_slice(bytes.as_ref());
            self.proxy.received(self.now, conn);
        }
        self.check();
    }

    /// A client says something, and everything moves until nothing does.
    pub(crate) fn send(&mut self, conn: Conn, bytes: impl AsRef<[u8]>) -> String {
        self.say(conn, bytes);
        self.run();
        self.hear(conn)
    }

    /// What a client has heard since it was last asked.
    pub(crate) fn hear(&mut self, conn: Conn) -> String {
        String::from_utf8_lossy(&self.hear_bytes(conn)).into_owned()
    }

    pub(crate) fn hear_bytes(&mut self, conn: Conn) -> Bytes {
        self.heard.get_mut(&conn).map_or_else(Bytes::new, |heard| heard.split().freeze())
    }

    /// Whether the proxy has closed its side, or the connection is gone.
    pub(crate) fn has_hung_up(&self, conn: Conn) -> bool {
        self.proxy.view(conn).is_none_or(|view| view.closing != Closing::No)
    }

    pub(crate) fn eof(&mut self, conn: Conn) {
        self.proxy.eof(self.now, conn);
        self.check();
    }

    /// A client's connection is reset.
    pub(crate) fn drop_client(&mut self, conn: Conn) {
        self.heard.remove(&conn);
        self.proxy.gone(self.now, conn, Gone::Reset);
        self.check();
    }

    /// A client whose output nobody takes.
    pub(crate) fn stop_reading(&mut self, conn: Conn) {
        self.heard.remove(&conn);
    }

    pub(crate) fn go_on_reading(&mut self, conn: Conn) {
        self.heard.insert(conn, BytesMut::new());
    }

    pub(crate) fn reads_from(&self, conn: Conn) -> bool {
        self.proxy.view(conn).is_some_and(|view| view.read)
    }

    /// The proxy is asked to stop.
    pub(crate) fn stop(&mut self) {
        self.proxy.stop(self.now);
        self.check();
    }

    pub(crate) fn has_exited(&self) -> bool {
        self.proxy.exit().is_some()
    }

    /// A server's port answers connects with a reset, and its connections end.
    pub(crate) fn refuse(&mut self, port: u16) {
        self.refusing.insert(port);
        self.cut(port);
    }

    /// A server is there and says nothing.
    pub(crate) fn silence(&mut self, port: u16) {
        self.silent.insert(port);
    }

    pub(crate) fn heal(&mut self, port: u16) {
        self.refusing.remove(&port);
        self.silent.remove(&port);
    }

    fn cut(&mut self, port: u16) {
        let (cut, kept): (Vec<_>, Vec<_>) =
            self.wires.drain(..).partition(|wire| wire.port == port);
        self.wires = kept;
        for wire in cut {
            self.proxy.gone(self.now, wire.near, Gone::Reset);
            let server = self.servers.get_mut(&port).expect("a server of that port");
            server.gone(self.now, wire.far, Gone::Reset);
        }
        self.check();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now.mono += time;
        self.now.wall = self.now.wall + time;
        self.proxy.tick(self.now);
        self.check();
        self.run();
    }

    /// Items that a server holds.
    pub(crate) fn holds(&mut self, port: u16, key: &str) -> Option<String> {
        let server = self.servers.get_mut(&port).expect("a server of that port");
        let peer = Endpoint::tcp([127, 0, 0, 1], 50_000);
        let conn = server.accepted(self.now, Token(0), peer).expect("a free slot");
        let rx = server.rx(conn).expect("open");
        rx.extend_from_slice(format!("get {key}\r\n").as_bytes());
        server.received(self.now, conn);
        let mut out = BytesMut::new();
        server.take_output(self.now, conn, usize::MAX, &mut out);
        server.gone(self.now, conn, Gone::Closed);
        let reply = String::from_utf8_lossy(&out).into_owned();
        reply.split("\r\n").nth(1).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// Says something to a server without the proxy.
    pub(crate) fn directly(&mut self, port: u16, bytes: &[u8]) -> Vec<u8> {
        let server = self.servers.get_mut(&port).expect("a server of that port");
        let peer = Endpoint::tcp([127, 0, 0, 1], 50_000);
        let conn = server.accepted(self.now, Token(0), peer).expect("a free slot");
        server.rx(conn).expect("open").extend_from_slice(bytes);
        server.received(self.now, conn);
        let mut out = BytesMut::new();
        while server.take_output(self.now, conn, usize::MAX, &mut out) > 0 {
            server.tick(self.now);
        }
        server.gone(self.now, conn, Gone::Closed);
        out.to_vec()
    }

    pub(crate) fn counter(&self, name: &str) -> u64 {
        let mut found = None;
        self.proxy.counters(&mut |each, value| {
            if each == name {
                found = Some(value);
            }
        });
        found.expect("a counter of that name")
    }

    pub(crate) fn connections(&self) -> usize {
        self.wires.len()
    }

    fn check(&mut self) {
        self.proxy.invariants();
        assert_eq!(self.proxy.take_breach(), None, "the proxy keeps its byte caps");
    }

    /// Moves everything until nothing moves.
    pub(crate) fn run(&mut self) {
        while self.carry_out() | self.move_all() | self.answer_clients() | self.close_all() {}
    }

    fn carry_out(&mut self) -> bool {
        let (now, mut moved) = (self.now, false);
        while let Some(effect) = self.proxy.next_effect() {
            moved = true;
            match effect {
                Effect::Connect { connect, to, .. } => self.connect(connect, &to),
                Effect::Listen { listener, listen } => {
                    self.listeners.push((listener, listen.at.clone()));
                    self.proxy.bound(now, listener, Ok(listen.at));
                }
                Effect::Unlisten { listener } => self.listeners.retain(|(l, _)| *l != listener),
                Effect::Resolve { lookup, .. } if self.names_down => {
                    self.proxy.resolved(now, lookup, Err(ResolveError::Unavailable));
                }
                Effect::Resolve { lookup, .. } => {
                    self.proxy.resolved(now, lookup, Ok(vec![[127, 0, 0, 1].into()]));
                }
                _ => {}
            }
            self.check();
        }
        moved
    }

    fn connect(&mut self, connect: Token, to: &Endpoint) {
        let port = to.port().expect("a TCP port");
        if self.refusing.contains(&port) {
            return self.proxy.failed(self.now, connect, Gone::Refused);
        }
        let peer = Endpoint::tcp([127, 0, 0, 1], 40_000);
        let server = self.servers.get_mut(&port).expect("a server of that port");
        let far = server.accepted(self.now, Token(0), peer).expect("a free slot");
        let near = self.proxy.connected(self.now, connect).expect("a free slot");
        self.wires.push(Wire { port, near, far });
    }

    fn move_all(&mut self) -> bool {
        let (now, mut moved) = (self.now, false);
        for at in 0..self.wires.len() {
            let Wire { port, near, far } = self.wires[at];
            let server = self.servers.get_mut(&port).expect("a server of that port");
            let mut bytes = BytesMut::new();
            if self.silent.contains(&port) {
                continue;
            }
            if self.proxy.take_output(now, near, self.piece, &mut bytes) > 0 {
                moved = true;
                self.asked.extend_from_slice(&bytes);
                server.rx(far).expect("open").extend_from_slice(&bytes);
                server.received(now, far);
            }
            bytes.clear();
            if server.take_output(now, far, self.piece, &mut bytes) > 0 {
                moved = true;
                if let Some(rx) = self.proxy.rx(near) {
                    rx.extend_from_slice(&bytes);
                    self.proxy.received(now, near);
                }
                self.check();
            }
        }
        moved
    }

    fn answer_clients(&mut self) -> bool {
        let (now, mut moved) = (self.now, false);
        for (&conn, heard) in &mut self.heard {
            moved |= self.proxy.take_output(now, conn, self.piece, heard) > 0;
        }
        self.proxy.tick(now);
        self.check();
        moved
    }

    fn close_all(&mut self) -> bool {
        let (now, before) = (self.now, self.wires.len());
        let (proxy, servers) = (&mut self.proxy, &mut self.servers);
        self.wires.retain(|wire| {
            let closing = proxy.view(wire.near).map_or(Closing::Abort, |view| view.closing);
            if !matches!(closing, Closing::Abort | Closing::FinThenGone) {
                return true;
            }
            proxy.gone(now, wire.near, Gone::Closed);
            let server = servers.get_mut(&wire.port).expect("a server of that port");
            server.gone(now, wire.far, Gone::Closed);
            false
        });
        self.check();
        self.wires.len() != before
    }
}
