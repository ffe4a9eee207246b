//! One half of a pair.

use crate::PairConfig;
use bytes::BytesMut;
use storytime_journal::Storage;
use storytime_machine::{Conn, Cx, DiskOp, DiskResult, Endpoint, Gone, IpAddr, Open, Token};

/// What this half is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Not decided yet.
    Undecided,
    /// Serves; its storage may be used.
    Active,
    /// Takes what the active half writes.
    Standby,
}

/// What a pair tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PairEvent {
    /// This half is active now: mount, recover, serve.
    Activate,
    /// This half must not serve any longer: the process ends (and comes back as standby).
    Fenced(&'static str),
    /// A disk operation that was submitted through this storage completed.
    Disk(Token, DiskResult),
}

/// One half of a pair.
#[derive(Debug)]
pub struct Pair {
    config: PairConfig,
}

#[allow(clippy::todo, missing_docs, unused_variables)]
impl Pair {
    pub fn new(config: PairConfig, base: Token) -> Self {
        let _ = base;
        Self { config }
    }
    pub fn start(&mut self, cx: &mut Cx) {
        todo!("{:?}", self.config)
    }
    pub fn role(&self) -> Role {
        todo!()
    }
    pub fn next_event(&mut self) -> Option<PairEvent> {
        todo!()
    }
    pub fn owns(&self, conn: Conn) -> bool {
        todo!()
    }
    pub fn owns_token(&self, token: Token) -> bool {
        todo!()
    }
    pub fn on_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool {
        todo!()
    }
    pub fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        todo!()
    }
    pub fn on_eof(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        todo!()
    }
    pub fn on_gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) -> bool {
        todo!()
    }
    pub fn on_failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) -> bool {
        todo!()
    }
    pub fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        todo!()
    }
    pub fn on_disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) -> bool {
        todo!()
    }
    pub fn on_bound(
        &mut self,
        cx: &mut Cx,
        socket: Token,
        result: &Result<Endpoint, storytime_machine::BindError>,
    ) -> bool {
        todo!()
    }
    pub fn on_addressed(
        &mut self,
        cx: &mut Cx,
        ip: IpAddr,
        result: Result<(), storytime_machine::AddressError>,
    ) -> bool {
        todo!()
    }
    pub fn invariants(&self) {}
}

impl Storage for Pair {
    fn submit(&mut self, cx: &mut Cx, token: Token, op: DiskOp) {
        let _ = (cx, token, op);
    }
}
