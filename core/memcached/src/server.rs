//! The server machine.

mod behind;
mod life;

use crate::cache::Count;
use crate::config::{Config, Encryption, Listener};
use crate::ops::{Card, Close as Why, Stage, Stamp};
use crate::session::{Link, Session, Stop, Tally};
use crate::shared::{Shared, Traffic};
use crate::speaks::Speaks;
use crate::udp;
use bytes::BytesMut;
use core::sync::atomic::Ordering;
use core::time::Duration;
use life::Phase;
use std::sync::Arc;
use storytime_machine::{
    Addr, BindError, Boot, Close, Conn, Cx, DiskResult, Endpoint, Exit, Gone, Machine, Open,
    Signal, Time, Tls, Token, Work,
};

/// Requests parsed; one unit each.
pub const WORK_REQUESTS: Work = Work { index: 0, name: "memcached_requests" };
/// Keys looked up or stored; one unit each.
pub const WORK_LOOKUPS: Work = Work { index: 1, name: "memcached_lookups" };
/// Bytes taken in and given out; one unit each.
pub const WORK_BYTES: Work = Work { index: 2, name: "memcached_bytes" };

/// Values up to this many bytes are copied into the output at once.
const COPY_BYTES_MAX: usize = 16 << 10;
/// Time between two pieces of background work.
const TICK: Duration = Duration::from_millis(100);
/// Time between two looks at what watchers are to be told.
const WATCH_TICK: Duration = Duration::from_millis(20);
/// Shortest time between two looks for idle connections.
const IDLE_TICK: Duration = Duration::from_secs(1);
/// Timer of the background work.
const TICK_TIMER: Token = Token(0);
/// Timer of connections that wait for something of the server's own.
const WAIT_TIMER: Token = Token(1);
/// Timer of idle connections.
const IDLE_TIMER: Token = Token(2);
/// Timer of a worker that waits for the others.
const LIFE_TIMER: Token = Token(3);
/// What a peer above the connection limit is told.
const TOO_MANY: &[u8] = b"ERROR Too many open connections\r\n";

/// One worker of a memcached server, as a machine.
///
/// Workers that are given the same [`Shared`] serve the same data; each has its own connections. A
/// server's life is that of its `Shared`: one that is to start empty gets a new one.
#[derive(Debug)]
pub struct Server {
    config: Config,
    shared: Arc<Shared>,
    /// Which worker this is; the first one speaks for what all share.
    worker: u32,
    /// Sockets to listen on, by their token, and where each really is.
    listeners: Vec<(Listener, Option<Endpoint>)>,
    /// Those of them that take datagrams, once they are ready.
    sockets: Vec<(Token, udp::Socket)>,
    /// By slot of the connection.
    conns: Vec<Option<Connection>>,
    open: u64,
    /// Connections that go on at the next tick.
    waiting: Vec<Conn>,
    /// When background work is due.
    tick: Option<Time>,
    /// Pieces of background work since there was traffic.
    quiet: u32,
    phase: Phase,
}

#[derive(Debug)]
enum Connection {
    /// Being served.
    Served(Box<Served>),
    /// Told to go, or hung up on.
    Leaving,
}

impl Connection {
    fn served(&self) -> Option<(Conn, &Link)> {
        match self {
            Self::Served(served) => Some((served.conn, &served.link)),
            Self::Leaving => None,
        }
    }
}

/// A connection that is served.
#[derive(Debug)]
struct Served {
    conn: Conn,
    link: Link,
    speaks: Speaks,
}

impl Server {
    /// A worker over a data set.
    pub fn new(config: Config, shared: Arc<Shared>) -> Self {
        let listeners = config.listeners().into_iter().map(|listener| (listener, None)).collect();
        Self {
            config,
            shared,
            worker: 0,
            listeners,
            sockets: Vec::new(),
            conns: Vec::new(),
            open: 0,
            waiting: Vec::new(),
            tick: None,
            quiet: 0,
            phase: Phase::Serving,
        }
    }

    /// A server of one worker with a data set of its own.
    pub fn alone(config: Config) -> Self {
        let shared = Arc::new(Shared::new(&config));
        Self::new(config, shared)
    }

    /// Whether this is the worker that speaks for what all of them share.
    pub const fn speaks_for_all(&self) -> bool {
        self.worker == 0
    }

    /// What all workers share.
    pub const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The options.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    fn take_in(&mut self, cx: &mut Cx, conn: Conn, listener: Token, peer: Endpoint) -> Connection {
        let traffic = &self.shared.traffic;
        let before = traffic.connections.fetch_add(1, Ordering::Relaxed);
        if before >= u64::from(self.config.connections_max) && self.config.turn_away {
            traffic.connections.fetch_sub(1, Ordering::Relaxed);
            Traffic::add(&traffic.connections_rejected, 1);
            cx.reached("memcached: connection turned away");
            if let Some(tx) = cx.tx(conn) {
                tx.put(TOO_MANY);
            }
            cx.close(conn, Close::Flush);
            return Connection::Leaving;
        }
        Traffic::add(&traffic.connections_total, 1);
        self.open += 1;
        let listener = usize::try_from(listener.0).expect("tokens of listeners count from 0");
        let (options, at) = &self.listeners[listener];
        match options.encryption {
            Encryption::None => {}
            Encryption::Default => cx.start_tls(conn, Tls::Server),
            Encryption::Basic => cx.start_tls(conn, Tls::ServerAsking { certificate: false }),
            Encryption::Mutual => cx.start_tls(conn, Tls::ServerAsking { certificate: true }),
        }
        let now = self.shared.seconds(cx.now());
        let card = Card::new(peer.clone(), at.clone(), false, now);
        let (id, card) = self.shared.ops.cards.enter(card);
        self.shared.ops.hub.connection(stamp(cx), &peer, id, None);
        let speaks = Speaks::of(options.protocol);
        let link = Link::new(id, peer, listener, card);
        Connection::Served(Box::new(Served { conn, link, speaks }))
    }

    /// Ends the service of a connection; what it had set aside is given back.
    fn leave(&mut self, cx: &mut Cx, conn: Conn, why: Why) {
        let Some(Some(place)) = self.conns.get_mut(conn.index()) else { return };
        if let Connection::Served(served) = core::mem::replace(place, Connection::Leaving) {
            let Served { link, speaks, .. } = *served;
            speaks.abandon(&self.shared);
            self.shared.ops.cards.leave(link.id);
            self.shared.ops.hub.connection(stamp(cx), &link.peer, link.id, Some(why));
            self.shared.traffic.connections.fetch_sub(1, Ordering::Relaxed);
            self.open -= 1;
            self.share_slots(cx);
        }
    }

    /// Serves a connection what it sent, or, with nothing in `rx`, what it waits for. Whether it
    /// can go on at once.
    fn serve(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        let Some(Some(Connection::Served(served))) = self.conns.get_mut(conn.index()) else {
            rx.clear();
            return false;
        };
        if !matches!(self.phase, Phase::Serving) {
            cx.pause(conn, true);
            return false;
        }
        let (epoch, now) = (self.shared.epoch(), self.shared.seconds(cx.now()));
        let (wall, tx_high) = (cx.wall_clock(), cx.limits().tx_high);
        let Some(tx) = cx.tx(conn) else {
            rx.clear();
            return false;
        };
        let before = (rx.len(), tx.pending());
        let (shared, config, tally) = (&*self.shared, &self.config, Tally::default());
        let Served { link, speaks, .. } = &mut **served;
        link.card.set_stage(Stage::Parse);
        let copy_bytes_max = COPY_BYTES_MAX;
        let mut session = Session {
            shared,
            config,
            tx,
            epoch,
            now,
            wall,
            tx_high,
            copy_bytes_max,
            requests_max: config.requests_per_turn_max.into(),
            tally,
            link,
        };
        let stop = speaks.serve(&mut session, rx);
        let (tally, put) = (session.tally, (session.tx.pending() - before.1) as u64);
        if tally.requests > 0 {
            link.card.set_last_command(now);
        }
        link.card.set_stage(speaks.stage(stop));
        let eaten = (before.0 - rx.len()) as u64;
        Traffic::add(&shared.traffic.bytes_read, eaten);
        Traffic::add(&shared.traffic.bytes_written, put);
        cx.work(WORK_REQUESTS, tally.requests);
        cx.work(WORK_LOOKUPS, tally.lookups);
        cx.work(WORK_BYTES, eaten + put);
        shared.tell_evictions(stamp(cx));
        self.stop(cx, conn, stop)
    }

    /// What follows from the end of a piece of service. Whether the connection can go on at once.
    fn stop(&mut self, cx: &mut Cx, conn: Conn, stop: Stop) -> bool {
        match stop {
            Stop::AwaitInput => return true,
            Stop::SlowReader => {
                Traffic::add(&self.shared.traffic.slow_readers, 1);
                cx.reached("memcached: slow reader");
                cx.pause(conn, true);
            }
            Stop::Yield => {
                Traffic::add(&self.shared.ops.counters.yields, 1);
                cx.pause(conn, true);
                cx.pause(conn, false);
            }
            // It goes on reading, to hear when its peer is gone.
            Stop::AwaitTick => {
                if !self.waiting.contains(&conn) {
                    self.waiting.push(conn);
                    cx.after(WAIT_TIMER, WATCH_TICK);
                }
            }
            Stop::Shutdown { graceful } => {
                self.leave(cx, conn, Why::Shutdown);
                cx.close(conn, Close::Flush);
                if !graceful {
                    cx.exit(Exit::Stopped);
                } else if !self.shared.ops.surroundings().end_gracefully() {
                    self.end_gracefully(cx);
                }
            }
            Stop::HangUp => {
                let quit = self.conns[conn.index()].as_ref().and_then(Connection::served);
                let quit = quit.is_some_and(|(_, link)| link.quit);
                self.leave(cx, conn, if quit { Why::Normal } else { Why::Error });
                cx.close(conn, Close::Flush);
            }
        }
        false
    }
}

/// Now, for the lines of watchers.
const fn stamp(cx: &Cx) -> Stamp {
    Stamp { micros: cx.wall_clock().0 / 1000 }
}

impl Machine for Server {
    fn start(&mut self, cx: &mut Cx, boot: Boot) {
        self.begin(cx, boot);
    }

    fn stop(&mut self, cx: &mut Cx) {
        self.end(cx);
    }

    fn signal(&mut self, cx: &mut Cx, signal: Signal) {
        match signal {
            Signal::Reload if self.worker == 0 => {
                self.shared.reload(self.shared.seconds(cx.now()));
            }
            Signal::Reload => {}
            Signal::User1 => self.end_gracefully(cx),
        }
    }

    fn disk(&mut self, cx: &mut Cx, _op: Token, result: DiskResult) {
        self.disk_done(cx, result);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        let Open::Accepted { listener, peer } = how else {
            unreachable!("a server connects to nobody");
        };
        let taken = self.take_in(cx, conn, listener, peer);
        if self.conns.len() <= conn.index() {
            self.conns.resize_with(conn.index() + 1, || None);
        }
        assert!(self.conns[conn.index()].is_none(), "a slot is freed before it is used again");
        self.conns[conn.index()] = Some(taken);
        self.share_slots(cx);
        if self.open == 1 {
            self.close_idle(cx);
        }
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        self.serve(cx, conn, rx);
        self.stir(cx);
    }

    fn datagram(&mut self, cx: &mut Cx, token: Token, from: Addr, bytes: &[u8]) {
        let shared = Arc::clone(&self.shared);
        let traffic = &shared.traffic;
        Traffic::add(&traffic.bytes_read, bytes.len() as u64);
        let Some(frame) = udp::Frame::read(bytes) else {
            Traffic::add(&traffic.datagrams_dropped, 1);
            return cx.reached("memcached: datagram dropped");
        };
        let found = self.sockets.iter_mut().find(|(socket, _)| *socket == token);
        let (_, socket) = found.expect("a socket is bound before it takes datagrams");
        let udp::Socket { link, protocol, rx, tx } = socket;
        link.peer = Endpoint::Tcp(from);
        let (epoch, now, wall) = (shared.epoch(), shared.seconds(cx.now()), cx.wall_clock());
        link.card.set_last_command(now);
        let (shared, config, tally) = (&*shared, &self.config, Tally::default());
        let (tx_high, copy_bytes_max) = (udp::REPLY_BYTES_MAX, udp::REPLY_BYTES_MAX);
        let mut session = Session {
            shared,
            config,
            tx,
            epoch,
            now,
            wall,
            tx_high,
            copy_bytes_max,
            requests_max: u64::MAX,
            tally,
            link,
        };
        let (stop, reply) = udp::answer(frame, *protocol, &mut session, rx);
        let (tally, mut put) = (session.tally, 0);
        for datagram in reply {
            put += datagram.len() as u64;
            cx.send_to(token, from, datagram).expect("replies are cut into short datagrams");
        }
        Traffic::add(&traffic.bytes_written, put);
        cx.work(WORK_REQUESTS, tally.requests);
        cx.work(WORK_LOOKUPS, tally.lookups);
        cx.work(WORK_BYTES, bytes.len() as u64 + put);
        shared.tell_evictions(stamp(cx));
        if let Stop::Shutdown { .. } = stop {
            cx.exit(Exit::Stopped);
        }
        self.stir(cx);
    }

    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        if self.serve(cx, conn, &mut BytesMut::new()) {
            cx.pause(conn, false);
        }
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        match timer {
            TICK_TIMER => self.work_behind(cx),
            WAIT_TIMER => self.serve_waiting(cx),
            IDLE_TIMER => self.close_idle(cx),
            LIFE_TIMER => self.look_at_others(cx),
            other => unreachable!("no timer {other:?} is set"),
        }
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        if why == Gone::Misbehaved {
            Traffic::add(&self.shared.ops.counters.tls_failures, 1);
        }
        let why = if why == Gone::Closed { Why::Normal } else { Why::Error };
        self.leave(cx, conn, why);
        self.waiting.retain(|&waiting| waiting != conn);
        if let Some(place) = self.conns.get_mut(conn.index()) {
            *place = None;
        }
    }

    fn bound(&mut self, cx: &mut Cx, socket: Token, result: Result<Endpoint, BindError>) {
        let Ok(at) = result else {
            cx.exit(Exit::Failed("cannot listen; is the port taken? try another -p"));
            return;
        };
        let token = usize::try_from(socket.0).expect("tokens of listeners count from 0");
        let (listener, really) = &mut self.listeners[token];
        *really = Some(at.clone());
        if self.worker != 0 {
            return;
        }
        let now = self.shared.seconds(cx.now());
        let card = Card::new(at.clone(), None, listener.udp, now);
        let (id, card) = self.shared.ops.cards.enter(card);
        if listener.udp {
            let link = Link::new(id, at, token, card);
            self.sockets.push((socket, udp::Socket::new(link, listener.protocol)));
        }
        self.tell_sockets();
    }

    fn invariants(&self) {
        assert!(
            self.open <= Traffic::get(&self.shared.traffic.connections),
            "the workers' connections add up"
        );
        if self.worker == 0 {
            self.shared.invariants();
        }
    }

    fn memory(&self) -> u64 {
        let conns = (self.conns.capacity() * size_of::<Option<Connection>>()) as u64;
        if self.worker == 0 { conns + self.shared.memory() } else { conns }
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        if self.worker != 0 {
            return;
        }
        let ((counts, usage), traffic) = (self.shared.totals(), &self.shared.traffic);
        for &count in Count::ALL {
            each(count.name(), counts.get(count));
        }
        each("curr_items", usage.items);
        each("bytes", usage.bytes);
        each("limit_maxbytes", usage.bytes_max);
        each("curr_connections", Traffic::get(&traffic.connections));
        each("total_connections", Traffic::get(&traffic.connections_total));
        each("rejected_connections", Traffic::get(&traffic.connections_rejected));
        each("bytes_read", Traffic::get(&traffic.bytes_read));
        each("bytes_written", Traffic::get(&traffic.bytes_written));
        each("slow_readers", Traffic::get(&traffic.slow_readers));
        each("datagrams_dropped", Traffic::get(&traffic.datagrams_dropped));
    }
}
