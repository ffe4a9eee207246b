//! A machine whose hosts are given by name: it looks them up, then becomes the machine.

use super::config::{CoordinatorConfig, Known, MoverConfig};
use super::{Coordinator, Mover};
use bytes::BytesMut;
use core::time::Duration;
use std::collections::BTreeSet;
use storytime_machine::{
    BindError, Boot, Conn, Cx, DiskResult, Endpoint, Gone, IpAddr, Machine, Open, ResolveError,
    Token,
};

/// Before a name that was not found is looked up again.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_TIMER: Token = Token(u64::MAX);

/// What a command line describes.
pub trait Described: Clone + Send + 'static {
    /// What it becomes.
    type Machine: Machine;
    /// Names to be looked up first.
    fn names(&self) -> BTreeSet<String>;
    /// The machine, if all names are known.
    fn make(&self, known: &Known) -> Option<Self::Machine>;
}

impl Described for MoverConfig {
    type Machine = Mover;
    fn names(&self) -> BTreeSet<String> {
        Self::names(self)
    }
    fn make(&self, known: &Known) -> Option<Mover> {
        self.options(known).map(Mover::new)
    }
}

impl Described for CoordinatorConfig {
    type Machine = Coordinator;
    fn names(&self) -> BTreeSet<String> {
        Self::names(self)
    }
    fn make(&self, known: &Known) -> Option<Coordinator> {
        self.options(known).map(Coordinator::new)
    }
}

/// The machine.
#[derive(Debug)]
pub struct Named<D: Described> {
    config: D,
    names: Vec<String>,
    known: Known,
    boot: Option<Boot>,
    inner: Option<D::Machine>,
}

impl<D: Described> Named<D> {
    /// A machine that has not started.
    pub fn new(config: D) -> Self {
        let names = config.names().into_iter().collect();
        Self { config, names, known: Known::new(), boot: None, inner: None }
    }

    /// The machine that it became.
    pub const fn inner(&self) -> Option<&D::Machine> {
        self.inner.as_ref()
    }

    fn look_up(&self, cx: &mut Cx) {
        for (at, name) in self.names.iter().enumerate() {
            if !self.known.contains_key(name) {
                cx.resolve(Token(at as u64), name.clone());
            }
        }
    }

    fn begin(&mut self, cx: &mut Cx) {
        if self.inner.is_none()
            && let Some(boot) = self.boot
            && let Some(mut inner) = self.config.make(&self.known)
        {
            inner.start(cx, boot);
            self.inner = Some(inner);
        }
    }
}

impl<D: Described> Machine for Named<D> {
    fn start(&mut self, cx: &mut Cx, boot: Boot) {
        self.boot = Some(boot);
        self.look_up(cx);
        self.begin(cx);
    }

    fn resolved(&mut self, cx: &mut Cx, lookup: Token, result: Result<Vec<IpAddr>, ResolveError>) {
        let name = self.names.get(usize::try_from(lookup.0).unwrap_or(usize::MAX));
        match (name, result.ok().and_then(|ips| ips.first().copied())) {
            (Some(name), Some(ip)) => {
                self.known.insert(name.clone(), ip);
                self.begin(cx);
            }
            _ => cx.after(AGAIN_TIMER, AGAIN),
        }
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        match &mut self.inner {
            _ if timer == AGAIN_TIMER => self.look_up(cx),
            Some(inner) => inner.timer(cx, timer),
            None => {}
        }
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        if let Some(inner) = &mut self.inner {
            inner.open(cx, conn, how);
        }
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        match &mut self.inner {
            Some(inner) => inner.data(cx, conn, rx),
            None => rx.clear(),
        }
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        if let Some(inner) = &mut self.inner {
            inner.eof(cx, conn);
        }
    }

    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        if let Some(inner) = &mut self.inner {
            inner.drained(cx, conn);
        }
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        if let Some(inner) = &mut self.inner {
            inner.gone(cx, conn, why);
        }
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        if let Some(inner) = &mut self.inner {
            inner.failed(cx, connect, why);
        }
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        if let Some(inner) = &mut self.inner {
            inner.disk(cx, op, result);
        }
    }

    fn bound(&mut self, cx: &mut Cx, socket: Token, result: Result<Endpoint, BindError>) {
        if let Some(inner) = &mut self.inner {
            inner.bound(cx, socket, result);
        }
    }

    fn invariants(&self) {
        if let Some(inner) = &self.inner {
            inner.invariants();
        }
    }

    fn memory(&self) -> u64 {
        self.inner.as_ref().map_or(0, Machine::memory)
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        if let Some(inner) = &self.inner {
            inner.counters(each);
        }
    }
}
