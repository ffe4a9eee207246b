//! The server machine.

use crate::config::Config;
use crate::session::{Link, Session, Stop, Tally};
use crate::shared::{Shared, Traffic};
use crate::store::Count;
use crate::{binary, text};
use bytes::BytesMut;
use core::sync::atomic::Ordering;
use std::sync::Arc;
use storytime_machine::{
    Boot, Close, Conn, Cx, Endpoint, Exit, Gone, Machine, Now, Open, Token, Work,
};

/// Requests parsed; one unit each.
pub const WORK_REQUESTS: Work = Work { index: 0, name: "memcached_requests" };
/// Keys looked up or stored; one unit each.
pub const WORK_LOOKUPS: Work = Work { index: 1, name: "memcached_lookups" };
/// Bytes taken in and given out; one unit each.
pub const WORK_BYTES: Work = Work { index: 2, name: "memcached_bytes" };

/// Values up to this many bytes are copied into the output at once.
const COPY_BYTES_MAX: usize = 16 << 10;
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
    /// By slot of the connection.
    conns: Vec<Option<Connection>>,
    open: u64,
}

#[derive(Debug)]
enum Connection {
    /// Being served.
    Served(Box<Served>),
    /// Told to go, or hung up on.
    Leaving,
}

/// A connection that is served.
#[derive(Debug)]
struct Served {
    link: Link,
    speaks: Speaks,
}

/// What a connection speaks.
#[derive(Debug)]
enum Speaks {
    /// Not known before its first byte.
    AwaitFirstByte,
    /// Text.
    Text(text::State),
    /// Binary.
    Binary(binary::State),
}

impl Speaks {
    /// Gives back what the connection had set aside.
    fn abandon(self, shared: &Shared) {
        match self {
            Self::AwaitFirstByte => {}
            Self::Text(state) => state.abandon(shared),
            Self::Binary(state) => state.abandon(shared),
        }
    }

    /// Eats what it can.
    fn serve(&mut self, session: &mut Session<'_>, rx: &mut BytesMut) -> Stop {
        if let Self::AwaitFirstByte = self {
            *self = match rx.first() {
                None => return Stop::AwaitInput,
                Some(&binary::REQUEST_MAGIC) => Self::Binary(binary::State::default()),
                Some(_) => Self::Text(text::State::default()),
            };
        }
        match self {
            Self::AwaitFirstByte => unreachable!("decided above"),
            Self::Text(state) => text::serve(state, session, rx),
            Self::Binary(state) => binary::serve(state, session, rx),
        }
    }
}

impl Server {
    /// A worker over a data set.
    pub const fn new(config: Config, shared: Arc<Shared>) -> Self {
        Self { config, shared, worker: 0, conns: Vec::new(), open: 0 }
    }

    /// A server of one worker with a data set of its own.
    pub fn alone(config: Config) -> Self {
        let shared = Arc::new(Shared::new(&config));
        Self::new(config, shared)
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
        if before >= u64::from(self.config.connections_max) {
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
        let id = Traffic::get(&traffic.connections_total);
        let listener = usize::try_from(listener.0).expect("tokens of listeners count from 0");
        let card = Arc::default();
        let link = Link { id, peer, listener, authenticated: false, card };
        Connection::Served(Box::new(Served { link, speaks: Speaks::AwaitFirstByte }))
    }

    /// Ends the service of a connection; what it had set aside is given back.
    fn leave(&mut self, conn: Conn) {
        let Some(Some(place)) = self.conns.get_mut(conn.index()) else { return };
        if let Connection::Served(served) = core::mem::replace(place, Connection::Leaving) {
            served.speaks.abandon(&self.shared);
            self.shared.traffic.connections.fetch_sub(1, Ordering::Relaxed);
            self.open -= 1;
        }
    }
}

impl Machine for Server {
    fn start(&mut self, cx: &mut Cx, boot: Boot) {
        self.worker = boot.worker;
        let now = Now { mono: cx.now(), wall: cx.wall_clock() };
        self.shared.start(now, cx.rng());
        for (token, at) in (0..).zip(self.config.endpoints()) {
            cx.listen(Token(token), self.config.listener(at));
        }
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
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let Some(Some(Connection::Served(served))) = self.conns.get_mut(conn.index()) else {
            rx.clear();
            return;
        };
        let epoch = self.shared.epoch();
        let (now, tx_high) = (epoch.seconds(cx.now()), cx.limits().tx_high);
        let Some(tx) = cx.tx(conn) else { return rx.clear() };
        let before = (rx.len(), tx.pending());
        let (shared, config, tally) = (&*self.shared, &self.config, Tally::default());
        let Served { link, speaks } = &mut **served;
        let copy_bytes_max = COPY_BYTES_MAX;
        let mut session =
            Session { shared, config, tx, epoch, now, tx_high, copy_bytes_max, tally, link };
        let stop = speaks.serve(&mut session, rx);
        let (tally, put) = (session.tally, (session.tx.pending() - before.1) as u64);
        let eaten = (before.0 - rx.len()) as u64;
        Traffic::add(&shared.traffic.bytes_read, eaten);
        Traffic::add(&shared.traffic.bytes_written, put);
        cx.work(WORK_REQUESTS, tally.requests);
        cx.work(WORK_LOOKUPS, tally.lookups);
        cx.work(WORK_BYTES, eaten + put);
        match stop {
            Stop::AwaitInput => {}
            Stop::SlowReader => {
                Traffic::add(&shared.traffic.slow_readers, 1);
                cx.reached("memcached: slow reader");
                cx.pause(conn, true);
            }
            Stop::AwaitTick => cx.pause(conn, true),
            Stop::Shutdown { .. } => cx.exit(Exit::Stopped),
            Stop::HangUp => {
                self.leave(conn);
                cx.close(conn, Close::Flush);
            }
        }
    }

    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        cx.pause(conn, false);
    }

    fn gone(&mut self, _cx: &mut Cx, conn: Conn, _why: Gone) {
        self.leave(conn);
        if let Some(place) = self.conns.get_mut(conn.index()) {
            *place = None;
        }
    }

    fn bound(
        &mut self,
        cx: &mut Cx,
        _socket: Token,
        result: Result<storytime_machine::Endpoint, storytime_machine::BindError>,
    ) {
        if result.is_err() {
            cx.exit(Exit::Failed("memcached: cannot listen; is the port taken? try another -p"));
        }
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
        let (stats, usage, traffic) =
            (self.shared.stats(), self.shared.usage(), &self.shared.traffic);
        for &count in Count::ALL {
            each(count.name(), stats.get(count));
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
    }
}
