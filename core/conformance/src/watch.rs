//! A machine around every machine on stage: it fails the scene when the driver tells a connection's
//! events in an order that the contract rules out.

use crate::kit::fail;
use std::collections::BTreeMap;
use storytime_machine::{
    AddressError, BindError, Boot, BytesMut, Conn, Cx, DiskResult, Endpoint, Gone, IpAddr, Machine,
    Open, ResolveError, Signal, Token,
};

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    Open,
    Eof,
}

/// A machine under watch.
pub(crate) struct Watched<M> {
    inner: M,
    conns: BTreeMap<Conn, Seen>,
    started: bool,
}

impl<M: Machine> Watched<M> {
    pub(crate) const fn new(inner: M) -> Self {
        Self { inner, conns: BTreeMap::new(), started: false }
    }

    /// Whether the connection is open; fails the scene if not.
    fn expect_open(&self, cx: &mut Cx, conn: Conn, why: &'static str) -> bool {
        let open = self.conns.contains_key(&conn);
        if !open {
            fail(cx, why);
        }
        open
    }
}

impl<M: Machine> Machine for Watched<M> {
    fn start(&mut self, cx: &mut Cx, boot: Boot) {
        if core::mem::replace(&mut self.started, true) {
            return fail(cx, "the driver started a process twice");
        }
        self.inner.start(cx, boot);
    }

    fn stop(&mut self, cx: &mut Cx) {
        self.inner.stop(cx);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        if self.conns.insert(conn, Seen::Open).is_some() {
            return fail(cx, "the driver opened a connection that is open");
        }
        self.inner.open(cx, conn, how);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        if self.conns.get(&conn) == Some(&Seen::Eof) {
            return fail(cx, "the driver told data after eof");
        }
        if rx.is_empty() {
            return fail(cx, "the driver told data and there is none");
        }
        if self.expect_open(cx, conn, "the driver told data of a connection that is not open") {
            self.inner.data(cx, conn, rx);
        }
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        if self.expect_open(cx, conn, "the driver told eof of a connection that is not open") {
            if self.conns.insert(conn, Seen::Eof) == Some(Seen::Eof) {
                return fail(cx, "the driver told eof twice");
            }
            self.inner.eof(cx, conn);
        }
    }

    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        if self.expect_open(cx, conn, "the driver told drained of a connection that is not open") {
            self.inner.drained(cx, conn);
        }
    }

    fn secured(&mut self, cx: &mut Cx, conn: Conn) {
        if self.expect_open(cx, conn, "the driver told secured of a connection that is not open") {
            self.inner.secured(cx, conn);
        }
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        if self.conns.remove(&conn).is_none() {
            return fail(cx, "the driver told gone of a connection that is not open");
        }
        self.inner.gone(cx, conn, why);
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        self.inner.failed(cx, connect, why);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        self.inner.timer(cx, timer);
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        self.inner.disk(cx, op, result);
    }

    fn resolved(&mut self, cx: &mut Cx, lookup: Token, result: Result<Vec<IpAddr>, ResolveError>) {
        self.inner.resolved(cx, lookup, result);
    }

    fn addressed(&mut self, cx: &mut Cx, ip: IpAddr, result: Result<(), AddressError>) {
        self.inner.addressed(cx, ip, result);
    }

    fn signal(&mut self, cx: &mut Cx, signal: Signal) {
        self.inner.signal(cx, signal);
    }

    fn bound(&mut self, cx: &mut Cx, socket: Token, result: Result<Endpoint, BindError>) {
        self.inner.bound(cx, socket, result);
    }

    fn datagram(
        &mut self,
        cx: &mut Cx,
        socket: Token,
        from: storytime_machine::Addr,
        bytes: &[u8],
    ) {
        self.inner.datagram(cx, socket, from, bytes);
    }

    fn invariants(&self) {
        self.inner.invariants();
    }

    fn memory(&self) -> u64 {
        self.inner.memory()
    }
}
