//! The machine.
//!
//! | module | holds |
//! |---|---|
//! | `session` | a connection: its parser, transaction and replies that wait |
//! | `serve` | requests of connections |
//! | `ahead` | several of them together, as far as they can be |
//! | `replies` | when replies leave |
//! | `turns` | requests that wait for their turn |
//! | `engine`, `host` | content and log together, and for replication |
//! | `log`, `storage` | where records go, and when they are durable |
//! | `gather` | when records go to the disk |
//! | `half` | being one half of an HA pair |
//! | `checkpoint` | the content as pieces in the journal |
//! | `life`, `ends` | recovery and the end; what is done from time to time |
//! | `tokens` | names of timers, listeners and disk operations |
//! | `counters` | what happened, in numbers |
//! | `ask` | what commands ask of the server |
//! | `commands` | commands on the server and on connections |

mod ahead;
mod ask;
mod checkpoint;
mod commands;
mod counters;
mod ends;
mod engine;
mod gather;
mod half;
mod host;
mod life;
mod log;
mod replies;
mod serve;
mod session;
mod tokens;
mod turns;

pub(crate) use commands::COMMANDS;
pub use session::Call;

use crate::Config;
use crate::commands::{Commands, Tally};
use crate::replication::{OtherMaster, Replication, ReplicationOptions};
use crate::resp::Out;
use crate::store::Store;
use ahead::Ahead;
use bytes::BytesMut;
use counters::Counters;
use engine::{Engine, Waiter};
use half::Others;
use replies::Awaits;
use session::Session;
use storytime_journal::Lsn;
use storytime_machine::{
    AddressError, BindError, Boot, Close, Conn, Cx, DiskResult, Endpoint, Exit, Gone, IpAddr,
    Listen, Machine, Open, ResolveError, Time, Token, Work,
};
use turns::Turns;

/// Requests; one unit each.
pub const WORK_REQUESTS: Work = Work { index: 0, name: "dbd_requests" };
/// Rows read; one unit each.
pub const WORK_READS: Work = Work { index: 1, name: "dbd_reads" };
/// Rows written, by clients or by replication; one unit each.
pub const WORK_WRITES: Work = Work { index: 2, name: "dbd_writes" };
/// Connections taken; one unit each.
pub const WORK_CONNECTIONS: Work = Work { index: 3, name: "dbd_connections" };

/// What a peer above the connection limit is told.
const TOO_MANY: &str = "ERR max number of clients reached";

/// Where a server's life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The content is not there yet.
    Loading,
    /// As it should be.
    Serving,
    /// Asked to end: what was promised becomes durable first.
    Stopping,
}

/// A database server.
#[derive(Debug)]
pub struct Database {
    config: Config,
    phase: Phase,
    engine: Engine,
    commands: Commands,
    /// Requests of the connection that is served.
    ahead: Option<Box<Ahead>>,
    /// The reply being made.
    out: Out,
    /// By slot of the connection.
    sessions: Vec<Option<Box<Session>>>,
    /// Connections whose replies wait.
    waiting: Vec<Conn>,
    /// Connections whose requests wait.
    turns: Turns,
    /// The last record that was durable when they were last looked at, and whether anything else
    /// that one of them waits for has come since.
    looked_at: Lsn,
    thing_came: bool,
    counters: Counters,
    /// Where it listens.
    at: Option<Endpoint>,
    /// When it started.
    started: Time,
    /// Whether writes of clients are refused.
    read_only: bool,
    replication: Replication,
    /// The last thing that replication wants an operator to know; `INFO replication` tells it.
    notice: String,
    /// As one half of a pair: where the others are, and whether this half serves.
    others: Others,
    active: bool,
    /// Whether recovery has seen the first piece of a checkpoint.
    restoring: bool,
    /// Whoever's page was just read; kept for its memory.
    there: Vec<Waiter>,
    /// What the reply to the request under way waits for.
    awaits: Awaits,
    /// When something is to be done.
    alarm: Option<Time>,
    /// What a restart forgets of its random name.
    run_id: String,
}

fn replication_options(config: &Config) -> ReplicationOptions {
    ReplicationOptions {
        port: config.port,
        master: config.replica_of.as_ref().map(|place| (place.host.clone(), place.port)),
        master_password: config.password.as_ref().map(|word| word.clone().into()),
        mutual: config.master_master.as_ref().map(|two| OtherMaster {
            host: two.other.host.clone(),
            port: two.other.port,
            server_number: two.server_number,
            servers: two.servers,
        }),
        replicas_to_write: config.replicas_to_write,
        replicas_lag_max: config.replicas_lag_max,
        kept_bytes_max: config.kept_bytes_max,
        ..ReplicationOptions::default()
    }
}

impl Database {
    /// A server that has not started.
    pub fn new(config: Config) -> Self {
        let read_only = config.read_only;
        Self {
            phase: Phase::Loading,
            engine: Engine::new(&config),
            commands: Commands::new(),
            ahead: Some(Box::new(Ahead::new())),
            out: Out::default(),
            sessions: Vec::new(),
            waiting: Vec::new(),
            turns: Turns::default(),
            looked_at: Lsn(0),
            thing_came: false,
            counters: Counters::default(),
            at: None,
            started: Time::ZERO,
            read_only,
            replication: Replication::new(replication_options(&config), tokens::REPLICATION_BASE),
            notice: String::new(),
            others: Others::default(),
            active: false,
            restoring: false,
            there: Vec::new(),
            awaits: Awaits::Nothing,
            alarm: None,
            run_id: String::new(),
            config,
        }
    }

    /// The options.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the content is there and requests are carried out.
    pub fn is_serving(&self) -> bool {
        self.phase == Phase::Serving && !self.replication.is_loading()
    }

    /// Whether all that was written is durable, or cannot be before the disk has room.
    pub fn is_settled(&self) -> bool {
        let log = &self.engine.log;
        log.durable() == log.last() || log.waits_for_space()
    }

    /// The content.
    pub const fn store(&self) -> &Store {
        &self.engine.store
    }

    fn take_session(&mut self, conn: Conn) -> Option<Box<Session>> {
        let place = self.sessions.get_mut(conn.index())?;
        if place.as_ref().is_some_and(|session| session.conn == conn) { place.take() } else { None }
    }

    fn give_back(&mut self, session: Box<Session>) {
        let place = session.conn.index();
        assert!(self.sessions[place].is_none(), "a session is taken once at a time");
        self.sessions[place] = Some(session);
    }

    fn session(&mut self, conn: Conn) -> Option<&mut Session> {
        let session = self.sessions.get_mut(conn.index())?.as_deref_mut()?;
        (session.conn == conn).then_some(session)
    }

    fn count(&mut self, cx: &mut Cx, tally: Tally) {
        cx.work(WORK_READS, tally.reads);
        cx.work(WORK_WRITES, tally.writes);
        let counters = &mut self.counters;
        counters.reads += tally.reads;
        counters.writes += tally.writes;
        counters.hits += tally.hits;
        counters.misses += tally.misses;
    }

    fn listen(&self, cx: &mut Cx) {
        let port = self.config.port;
        let at = self.config.bind.map_or_else(|| Endpoint::any(port), |ip| Endpoint::tcp(ip, port));
        cx.listen(tokens::LISTENER, Listen::at(at));
    }

    fn refuse(&mut self, cx: &mut Cx, conn: Conn) {
        self.counters.rejected_connections += 1;
        cx.reached("dbd: connection refused");
        let mut out = Out { bytes: BytesMut::new(), resp3: false };
        out.error(TOO_MANY);
        if let Some(tx) = cx.tx(conn) {
            tx.put(&out.bytes);
        }
        cx.close(conn, Close::Flush);
    }
}

impl Machine for Database {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.started = cx.now();
        self.engine.store = Store::new(cx.rng().u64());
        self.run_id = (0..5).map(|_| format!("{:08x}", cx.rng().u64() as u32)).collect();
        match self.config.pair.clone() {
            Some(places) => self.begin_half(cx, &places),
            None => self.recover(cx),
        }
    }

    fn stop(&mut self, cx: &mut Cx) {
        self.end(cx);
        self.settle(cx);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        let pairs = self.pair().is_some_and(|pair| pair.on_open(cx, conn, &how));
        if pairs || self.replication.on_open(cx, conn, &how) {
            return self.settle(cx);
        }
        let Open::Accepted { peer, .. } = how else {
            unreachable!("only parts connect, and they take what is theirs first");
        };
        cx.work(WORK_CONNECTIONS, 1);
        if self.counters.connections >= u64::from(self.config.clients_max) {
            return self.refuse(cx, conn);
        }
        self.counters.connections += 1;
        self.counters.total_connections += 1;
        let id = self.counters.total_connections;
        if self.sessions.len() <= conn.index() {
            self.sessions.resize_with(conn.index() + 1, || None);
        }
        assert!(self.sessions[conn.index()].is_none(), "a slot is freed before it is used again");
        let knows_password = self.config.password.is_none();
        let session = Session::new(conn, id, peer, knows_password, cx.now());
        self.sessions[conn.index()] = Some(Box::new(session));
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let pairs = self.pair().is_some_and(|pair| pair.on_data(cx, conn, rx));
        if !self.may_answer(cx) {
            return;
        }
        if !pairs && !self.replication.on_data(cx, &mut self.engine, conn, rx) {
            self.serve(cx, conn, rx);
        }
        self.settle(cx);
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        let pairs = self.pair().is_some_and(|pair| pair.on_eof(cx, conn));
        if pairs || self.replication.on_eof(cx, &mut self.engine, conn) {
            self.settle(cx);
        } else {
            self.hang_up_after_replies(cx, conn);
        }
    }

    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        if self.replication.on_drained(cx, &mut self.engine, conn) {
            self.settle(cx);
        } else {
            self.resume(cx, conn);
        }
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        let pairs = self.pair().is_some_and(|pair| pair.on_gone(cx, conn, why));
        if pairs || self.replication.on_gone(cx, &mut self.engine, conn, why) {
            self.settle(cx);
        } else {
            self.forget(conn);
        }
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        let pairs = self.pair().is_some_and(|pair| pair.on_failed(cx, connect, why));
        if !pairs {
            self.replication.on_failed(cx, connect, why);
        }
        self.settle(cx);
    }

    fn resolved(&mut self, cx: &mut Cx, lookup: Token, result: Result<Vec<IpAddr>, ResolveError>) {
        if !self.other_resolved(cx, lookup, &result) {
            self.replication.on_resolved(cx, lookup, &result);
        }
        self.settle(cx);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        let pairs = self.pair().is_some_and(|pair| pair.on_timer(cx, timer));
        if pairs || self.look_up_again(cx, timer) {
            // Theirs.
        } else if timer == tokens::ALARM {
            self.alarm(cx);
        } else if timer == tokens::COMMIT {
            self.engine.log.commit_now(cx);
        } else if let Some(pages) = self.engine.pages.as_mut().filter(|pages| pages.owns(timer)) {
            pages.on_timer(cx);
        } else {
            let known = self.replication.on_timer(cx, &mut self.engine, timer);
            assert!(known, "no timer {timer:?} is set");
        }
        self.settle(cx);
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        if tokens::is_pairs(op) {
            if let Some(pair) = self.pair() {
                pair.on_disk(cx, op, result);
            }
        } else if self.engine.pages.as_ref().is_some_and(|pages| pages.owns(op)) {
            self.page_done(cx, op, result);
        } else if self.engine.log.on_disk(cx, op, result) {
            self.hear_journal(cx);
            if self.engine.wants_reset_piece() {
                self.replication.resume(cx, &mut self.engine);
            }
        }
        self.settle(cx);
    }

    fn addressed(&mut self, cx: &mut Cx, ip: IpAddr, result: Result<(), AddressError>) {
        if let Some(pair) = self.pair() {
            pair.on_addressed(cx, ip, result);
        }
        self.settle(cx);
    }

    fn bound(&mut self, cx: &mut Cx, socket: Token, result: Result<Endpoint, BindError>) {
        if self.pair().is_some_and(|pair| pair.on_bound(cx, socket, &result)) {
            return self.settle(cx);
        }
        match result {
            Ok(at) => self.at = Some(at),
            Err(_) => cx.exit(Exit::Failed("cannot listen; is the port taken? try another --port")),
        }
    }

    fn invariants(&self) {
        self.engine.invariants();
        self.replication.invariants();
        let open = self.sessions.iter().flatten().count() as u64;
        assert_eq!(open, self.counters.connections, "connections are counted");
        for session in self.sessions.iter().flatten() {
            session.invariants();
        }
        self.turns_invariants();
    }

    fn memory(&self) -> u64 {
        let held = self.sessions.iter().flatten().map(|session| session.memory() as u64);
        let connections = self.counters.connections * self.config.connection_bytes;
        let content = self.engine.store.bytes() + self.engine.store.snapshot_bytes();
        content + self.replication.memory() + connections + held.sum::<u64>()
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        self.each_counter(each);
        self.engine.log.pair_counters(each);
    }
}
