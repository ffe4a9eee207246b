//! A pool inside an owner, and peers that say what the test tells them to.

use bytes::BytesMut;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use storytime_machine::effect::Closing;
use storytime_machine::{
    Boot, Conn, Cx, Drive, Effect, Endpoint, Gone, Machine, Now, Process, Rng, Setup, Time, Token,
    WallTime,
};
use storytime_memcached::client::pool::{
    Piece, Pool, PoolEvent, PoolOptions, Refusal, Request, ServerId, Shape,
};

/// What the owner is to do in its next step.
type Job = Box<dyn FnOnce(&mut Pool, &mut Cx) + Send>;

/// The owner of the pool under test. Its jobs are run by the only step that a driver can start
/// without input: a polite stop, which it does not heed.
struct Owner {
    pool: Pool,
    job: Option<Job>,
    events: Vec<PoolEvent>,
}

impl Owner {
    fn collect(&mut self) {
        while let Some(event) = self.pool.next_event() {
            self.events.push(event);
        }
    }

    fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut Pool, &mut Cx) -> bool) {
        assert!(what(&mut self.pool, cx), "there is no other part");
        self.collect();
    }
}

impl Machine for Owner {
    fn start(&mut self, _cx: &mut Cx, _boot: Boot) {}

    fn stop(&mut self, cx: &mut Cx) {
        let job = self.job.take().expect("a job was left");
        job(&mut self.pool, cx);
        self.collect();
    }

    storytime_machine::pass_to_part!(open data eof failed timer);

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        assert!(self.pool.owns(conn) && self.pool.on_gone(cx, conn, why));
        self.collect();
    }

    fn invariants(&self) {
        self.pool.invariants();
    }
}

/// The pool, and a peer at each port.
pub(crate) struct Rig {
    owner: Process<Owner>,
    /// Connections in the order in which they were made.
    conns: BTreeMap<u16, Vec<Conn>>,
    refusing: BTreeSet<u16>,
    now: Now,
    pub(crate) connects: usize,
}

impl Rig {
    pub(crate) fn new(options: PoolOptions) -> Self {
        let owner = Owner { pool: Pool::new(options, Token(7)), job: None, events: Vec::new() };
        let now = Now { mono: Time(1 << 40), wall: WallTime(1_180_000_000 * 1_000_000_000) };
        let mut rig = Self {
            owner: Process::new(owner, Setup::new(Rng::new(1, 0))),
            conns: BTreeMap::new(),
            refusing: BTreeSet::new(),
            now,
            connects: 0,
        };
        rig.owner.start(now, Boot { host: 0, worker: 0, incarnation: 0 });
        rig
    }

    fn job<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut Pool, &mut Cx) -> T + Send + 'static,
    ) -> T {
        let (put, take) = std::sync::mpsc::channel();
        let job: Job = Box::new(move |pool, cx| {
            put.send(job(pool, cx)).expect("the test waits for it");
        });
        self.owner.machine_mut().job = Some(job);
        self.owner.stop(self.now);
        self.settle();
        take.recv().expect("a job runs at once")
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.owner.machine().pool
    }

    pub(crate) fn add(&mut self, port: u16) -> ServerId {
        let at = Endpoint::tcp([127, 0, 0, 1], port);
        self.job(|pool, cx| pool.add(cx.now(), at)).expect("few enough")
    }

    pub(crate) fn remove(&mut self, server: ServerId) {
        self.job(move |pool, cx| pool.remove(cx, server));
    }

    pub(crate) fn send(
        &mut self,
        server: ServerId,
        head: &str,
        shape: Shape,
        tag: u64,
    ) -> Result<(), Refusal> {
        let head = head.to_owned();
        self.job(move |pool, cx| {
            let pieces = [Piece::Copy(head.as_bytes())];
            pool.send(cx, server, &Request { shape, pieces: &pieces, lane: tag, tag })
        })
    }

    /// What has happened since this was last asked, in words: replies as `tag:bytes`, with `+` if
    /// more follows.
    pub(crate) fn events(&mut self) -> Vec<String> {
        let events = core::mem::take(&mut self.owner.machine_mut().events);
        let words = |event| match event {
            PoolEvent::Reply { tag, bytes, last } => {
                let more = if last { "" } else { "+" };
                format!("{tag}:{}{more}", String::from_utf8_lossy(&bytes))
            }
            PoolEvent::Failed { tag, why } => format!("{tag} {why}"),
            PoolEvent::Ejected(server) => format!("ejected {}", server.index()),
            PoolEvent::Rejoined(server) => format!("rejoined {}", server.index()),
        };
        events.into_iter().map(words).collect()
    }

    pub(crate) fn refuse(&mut self, port: u16, on: bool) {
        if on {
            self.refusing.insert(port);
        } else {
            self.refusing.remove(&port);
        }
    }

    /// What the nth connection to a port has sent since this was last asked.
    pub(crate) fn sent(&mut self, port: u16, n: usize) -> String {
        let conn = self.conns[&port][n];
        let mut bytes = BytesMut::new();
        self.owner.take_output(self.now, conn, usize::MAX, &mut bytes);
        String::from_utf8(bytes.to_vec()).expect("tests speak text")
    }

    /// The peer says something on the nth connection to a port.
    pub(crate) fn say(&mut self, port: u16, n: usize, bytes: &[u8]) {
        let conn = self.conns[&port][n];
        self.owner.rx(conn).expect("open").extend_from_slice(bytes);
        self.owner.received(self.now, conn);
        self.settle();
    }

    /// Connections to a port that were made, and are still there.
    pub(crate) fn open(&self, port: u16) -> usize {
        self.conns.get(&port).map_or(0, Vec::len)
    }

    pub(crate) fn cut(&mut self, port: u16, why: Gone) {
        for conn in self.conns.remove(&port).unwrap_or_default() {
            self.owner.gone(self.now, conn, why);
        }
        self.settle();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now.mono += time;
        self.owner.tick(self.now);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(effect) = self.owner.next_effect() {
            let Effect::Connect { connect, to, .. } = effect else { continue };
            self.connects += 1;
            let port = to.port().expect("a TCP port");
            if self.refusing.contains(&port) {
                self.owner.failed(self.now, connect, Gone::Refused);
            } else {
                let conn = self.owner.connected(self.now, connect).expect("a free slot");
                self.conns.entry(port).or_default().push(conn);
            }
        }
        let (owner, now) = (&mut self.owner, self.now);
        for conns in self.conns.values_mut() {
            conns.retain(|&conn| {
                let closing = owner.view(conn).map_or(Closing::Abort, |view| view.closing);
                let closed = matches!(closing, Closing::Abort | Closing::FinThenGone);
                if closed {
                    owner.gone(now, conn, Gone::Closed);
                }
                !closed
            });
        }
        self.owner.invariants();
    }
}
