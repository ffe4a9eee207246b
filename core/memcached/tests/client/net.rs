//! An owner with a client in it, servers, and the wires between them.

use bytes::BytesMut;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use storytime_machine::effect::Closing;
use storytime_machine::{
    Boot, Conn, Cx, Drive, Effect, Endpoint, Gone, Machine, Now, Process, Rng, Setup, Time, Token,
    WallTime,
};
use storytime_memcached::client::{
    Client, ClientOptions, FillId, NotAccepted, Outcome, ServerSpec, TooManyServers,
};
use storytime_memcached::{Config, Server};

/// First token of the client; the owner's own lie below.
const BASE: Token = Token(1000);

/// A request to make.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    Get,
    Set,
    Add,
    Delete,
}

/// What the owner is to do in its next step.
type Job = Box<dyn FnOnce(&mut Client, &mut Cx) + Send>;

/// The owner of the client under test. Its jobs are run by the only step that a driver can start
/// without input: a polite stop, which it does not heed.
struct Owner {
    client: Client,
    job: Option<Job>,
    ended: BTreeMap<u64, Outcome>,
    /// Values that the owner is asked for.
    fills: Vec<(u64, FillId)>,
}

impl Owner {
    fn collect(&mut self) {
        while let Some(event) = self.client.next_event() {
            if let Outcome::Fill(id) = event.outcome {
                self.fills.push((event.tag, id));
                continue;
            }
            let before = self.ended.insert(event.tag, event.outcome);
            assert_eq!(before, None, "request {} ended twice", event.tag);
        }
    }

    fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut Client, &mut Cx) -> bool) {
        assert!(what(&mut self.client, cx), "there is no other part");
        self.collect();
    }
}

impl Machine for Owner {
    fn start(&mut self, _cx: &mut Cx, _boot: Boot) {}

    fn stop(&mut self, cx: &mut Cx) {
        let job = self.job.take().expect("a job was left");
        job(&mut self.client, cx);
        self.collect();
    }

    storytime_machine::pass_to_part!(open data eof failed timer);

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        assert!(self.client.owns(conn) && self.client.on_gone(cx, conn, why));
        self.collect();
    }

    fn invariants(&self) {
        self.client.invariants();
    }
}

struct Wire {
    port: u16,
    near: Conn,
    far: Conn,
}

/// Everything.
pub(crate) struct Net {
    owner: Process<Owner>,
    servers: BTreeMap<u16, Process<Server>>,
    wires: Vec<Wire>,
    refusing: BTreeSet<u16>,
    silent: BTreeSet<u16>,
    /// What was sent to silent servers.
    heard: BTreeMap<u16, BytesMut>,
    now: Now,
    connects: usize,
}

/// The server at a port.
pub(crate) fn at(port: u16) -> ServerSpec {
    let node = storytime_memcached::client::Node::new("mc", port);
    ServerSpec { node, at: Endpoint::tcp([127, 0, 0, 1], port) }
}

impl Net {
    pub(crate) fn new(options: ClientOptions, ports: &[u16]) -> Self {
        let client = Client::new(options, BASE);
        let owner = Owner { client, job: None, ended: BTreeMap::new(), fills: Vec::new() };
        let now = Now { mono: Time(1 << 40), wall: WallTime(1_180_000_000 * 1_000_000_000) };
        let mut net = Self {
            owner: Process::new(owner, Setup::new(Rng::new(1, 0))),
            servers: BTreeMap::new(),
            wires: Vec::new(),
            refusing: BTreeSet::new(),
            silent: BTreeSet::new(),
            heard: BTreeMap::new(),
            now,
            connects: 0,
        };
        net.owner.start(now, Boot { host: 0, worker: 0, incarnation: 0 });
        for port in ports.iter().copied().chain([2]) {
            net.add_server(port);
        }
        net.set_servers(ports);
        net
    }

    pub(crate) fn add_server(&mut self, port: u16) {
        let config = Config::from_words(&["-t", "1"]).expect("a good command line");
        let setup = Setup::new(Rng::new(1, u64::from(port)));
        let mut server = Process::new(Server::alone(config), setup);
        server.start(self.now, Boot { host: port.into(), worker: 0, incarnation: 0 });
        self.servers.insert(port, server);
    }

    /// Does something with the client.
    pub(crate) fn with<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut Client, &mut Cx) -> T + Send + 'static,
    ) -> T {
        let (put, take) = std::sync::mpsc::channel();
        self.owner.machine_mut().job = Some(Box::new(move |client, cx| {
            put.send(job(client, cx)).expect("the test waits for it");
        }));
        self.owner.stop(self.now);
        self.owner.invariants();
        take.recv().expect("a job runs at once")
    }

    pub(crate) fn try_ask(
        &mut self,
        ask: Ask,
        key: &[u8],
        value: &[u8],
        tag: u64,
    ) -> Result<(), NotAccepted> {
        let (key, value) = (key.to_vec(), value.to_vec());
        self.with(move |client, cx| match ask {
            Ask::Get => client.get(cx, &key, tag),
            Ask::Set => client.set(cx, &key, &*value, 0, tag),
            Ask::Add => client.add(cx, &key, &*value, 0, tag),
            Ask::Delete => client.delete(cx, &key, tag),
        })
    }

    pub(crate) fn get(&mut self, key: &[u8], tag: u64) {
        self.try_ask(Ask::Get, key, b"", tag).expect("accepted");
    }

    pub(crate) fn set(&mut self, key: &[u8], value: &[u8], tag: u64) {
        self.try_ask(Ask::Set, key, value, tag).expect("accepted");
    }

    pub(crate) fn add(&mut self, key: &[u8], value: &[u8], tag: u64) {
        self.try_ask(Ask::Add, key, value, tag).expect("accepted");
    }

    pub(crate) fn delete(&mut self, key: &[u8], tag: u64) {
        self.try_ask(Ask::Delete, key, b"", tag).expect("accepted");
    }

    pub(crate) fn try_set_servers(&mut self, servers: &[ServerSpec]) -> Result<(), TooManyServers> {
        let servers = servers.to_vec();
        self.with(move |client, cx| client.set_servers(cx, &servers))
    }

    pub(crate) fn set_servers(&mut self, ports: &[u16]) {
        let servers: Vec<ServerSpec> = ports.iter().copied().map(at).collect();
        self.try_set_servers(&servers).expect("few enough");
    }

    pub(crate) fn client(&self) -> &Client {
        &self.owner.machine().client
    }

    /// Items that a server holds.
    pub(crate) fn items(&self, port: u16) -> u64 {
        self.servers[&port].machine().shared().usage().items
    }

    /// Connects tried so far.
    pub(crate) fn connects(&self) -> usize {
        self.connects
    }

    pub(crate) fn open_connections(&self) -> usize {
        self.owner.conns().len()
    }

    /// A server's port answers connects with a reset.
    pub(crate) fn refuse(&mut self, port: u16) {
        self.refusing.insert(port);
    }

    /// A server is there and says nothing.
    pub(crate) fn silence(&mut self, port: u16) {
        self.silent.insert(port);
    }

    /// What was sent to a silent server since this was last asked.
    pub(crate) fn heard(&mut self, port: u16) -> Vec<u8> {
        self.run_on();
        self.heard.remove(&port).unwrap_or_default().to_vec()
    }

    /// Values that the owner was asked for since this was last asked, and by which request.
    pub(crate) fn fills(&mut self) -> Vec<(u64, FillId)> {
        core::mem::take(&mut self.owner.machine_mut().fills)
    }

    pub(crate) fn heal(&mut self, port: u16) {
        self.refusing.remove(&port);
        self.silent.remove(&port);
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now.mono += time;
        self.owner.tick(self.now);
    }

    /// The connections to a server end.
    pub(crate) fn cut(&mut self, port: u16, why: Gone) {
        let (cut, kept) = self.wires.drain(..).partition(|wire| wire.port == port);
        self.wires = kept;
        let cut: Vec<Wire> = cut;
        for wire in cut {
            self.owner.gone(self.now, wire.near, why);
            self.servers
                .get_mut(&port)
                .expect("a server of that port")
                .gone(self.now, wire.far, why);
        }
        self.owner.invariants();
    }

    /// Bytes arrive as if from a server.
    pub(crate) fn inject(&mut self, port: u16, bytes: &[u8]) {
        let near = self.wires.iter().find(|wire| wire.port == port).expect("connected").near;
        self.owner.rx(near).expect("open").extend_from_slice(bytes);
        self.owner.received(self.now, near);
        self.owner.invariants();
    }

    /// Moves everything until nothing moves, and returns what ended.
    pub(crate) fn run(&mut self) -> BTreeMap<u64, Outcome> {
        self.run_on();
        core::mem::take(&mut self.owner.machine_mut().ended)
    }

    fn run_on(&mut self) {
        while self.connect_all() | self.move_all() | self.close_all() {}
    }

    fn connect_all(&mut self) -> bool {
        let mut moved = false;
        while let Some(effect) = self.owner.next_effect() {
            let Effect::Connect { connect, to, .. } = effect else { continue };
            moved = true;
            self.connects += 1;
            let port = to.port().expect("a TCP port");
            if self.refusing.contains(&port) {
                self.owner.failed(self.now, connect, Gone::Refused);
                continue;
            }
            let peer = Endpoint::tcp([127, 0, 0, 1], 40_000);
            let now = self.now;
            let server = self.servers.get_mut(&port).expect("a server of that port");
            let far = server.accepted(now, Token(0), peer).expect("a free slot");
            let near = self.owner.connected(now, connect).expect("a free slot");
            self.wires.push(Wire { port, near, far });
        }
        self.owner.invariants();
        moved
    }

    fn move_all(&mut self) -> bool {
        let mut moved = false;
        for wire in &self.wires {
            let server = self.servers.get_mut(&wire.port).expect("a server of that port");
            let mut bytes = BytesMut::new();
            if self.silent.contains(&wire.port) {
                let heard = self.heard.entry(wire.port).or_default();
                self.owner.take_output(self.now, wire.near, usize::MAX, heard);
                continue;
            }
            // Small pieces, so that every reply arrives in parts.
            if self.owner.take_output(self.now, wire.near, 700, &mut bytes) > 0 {
                moved = true;
                server.rx(wire.far).expect("open").extend_from_slice(&bytes);
                server.received(self.now, wire.far);
            }
            bytes.clear();
            if server.take_output(self.now, wire.far, 11, &mut bytes) > 0 {
                moved = true;
                if let Some(rx) = self.owner.rx(wire.near) {
                    rx.extend_from_slice(&bytes);
                    self.owner.received(self.now, wire.near);
                }
                self.owner.invariants();
            }
        }
        moved
    }

    fn close_all(&mut self) -> bool {
        let now = self.now;
        let before = self.wires.len();
        let (owner, servers) = (&mut self.owner, &mut self.servers);
        self.wires.retain(|wire| {
            let closing = owner.view(wire.near).map_or(Closing::Abort, |view| view.closing);
            if !matches!(closing, Closing::Abort | Closing::FinThenGone) {
                return true;
            }
            owner.gone(now, wire.near, Gone::Closed);
            let server = servers.get_mut(&wire.port).expect("a server of that port");
            server.gone(now, wire.far, Gone::Closed);
            false
        });
        self.owner.invariants();
        self.wires.len() != before
    }
}
