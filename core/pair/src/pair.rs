//! One half of a pair: what its owner sees, its marks on disk, and the passing on of events.

use crate::active::{Active, Peer};
use crate::apply::Apply;
use crate::asks::Asks;
use crate::cell::Cell;
use crate::config::PairConfig;
use crate::generation::Standing;
use crate::marks::{self, Marking};
use crate::wire::Half;
use bytes::BytesMut;
use std::collections::VecDeque;
use storytime_machine::{
    AddressError, BindError, Close, Conn, Cx, DiskOp, DiskResult, Endpoint, Gone, IpAddr, Listen,
    Open, Time, Token,
};

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

/// How the other half stands, as the active one sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirror {
    /// Out: this half writes alone, or waits until it may.
    Out,
    /// Its disk is being made equal.
    Resync,
    /// Flushes are on both disks.
    Equal,
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

/// Why a process ends when both halves wrote alone.
pub const SPLIT_BRAIN: &str = "split brain: both halves of the pair have written alone. \
    Keep the one whose data you want, and empty the data directory of the other";
/// Why a process ends when the command lines of the halves contradict each other.
pub const SAME_HALF: &str = "both halves of the pair are the preferred one, or neither is";
/// Why a process ends whose lease has run out.
pub const LEASE_OVER: &str = "the lease has run out: the other half may be active by now";
pub(crate) const SUPERSEDED: &str = "the other half has become active";

/// Timers, connects and the listener, from the base on.
pub(crate) const TICK: u64 = 0;
pub(crate) const LEASE_END: u64 = 1;
pub(crate) const PROMISE_END: u64 = 2;
pub(crate) const TO_PEER: u64 = 0;
pub(crate) const TO_WITNESS: u64 = 1;
const LISTENER: u64 = 0;
/// Disk operations, from the base on.
const SETUP: u64 = 0;
const CELL: u64 = 1;
const ACTIVE_OPS: u64 = 1 << 18;
const APPLY_OPS: u64 = 1 << 19;
/// Connections taken that have not introduced themselves.
pub(crate) const GUESTS_MAX: usize = 8;

/// Where this half stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Directories are made, the mark is read.
    Opening,
    /// For an active half to follow, or for the lease.
    Waiting,
    /// It has the lease; its mark is being written.
    Activating,
    Active,
    /// The owner was told to end.
    Over,
}

/// The connection from the active half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lead {
    pub(crate) conn: Conn,
    pub(crate) standing: Standing,
    pub(crate) acked: u64,
}

/// One half of a pair.
#[derive(Debug)]
pub struct Pair {
    pub(crate) config: PairConfig,
    pub(crate) base: u64,
    pub(crate) half: Half,
    /// Random number of this process.
    pub(crate) life: u64,
    pub(crate) state: State,
    setup: VecDeque<DiskOp>,
    pub(crate) cell: Cell,
    /// As it is durable.
    pub(crate) standing: Standing,
    pub(crate) marking: Option<Marking>,
    events: VecDeque<PairEvent>,
    pub(crate) asks: Asks,
    /// Connections that were hung up and are not gone yet.
    closing: Vec<Conn>,
    // As standby:
    pub(crate) guests: Vec<Conn>,
    pub(crate) lead: Option<Lead>,
    pub(crate) apply: Apply,
    /// Not before this does it ask for the lease: an earlier life may have promised.
    pub(crate) ask_after: Time,
    // As the active half:
    pub(crate) active: Active,
    /// Until when the witness's word counts, and the other half's.
    pub(crate) court_until: Time,
    pub(crate) peer_until: Time,
    pub(crate) heard: Time,
    pub(crate) pings: VecDeque<(u64, Time)>,
    pub(crate) ping: u64,
    pub(crate) was_equal: bool,
    pub(crate) splits: u64,
}

impl Pair {
    /// A half that has not started; its tokens are [`PAIR_TOKENS`](crate::PAIR_TOKENS) consecutive
    /// ones from `base`.
    ///
    /// # Panics
    /// If the configuration makes no sense: see [`PairConfig::assert_valid`].
    pub fn new(config: PairConfig, base: Token) -> Self {
        config.assert_valid();
        let base = base.0;
        assert!(base.checked_add(crate::PAIR_TOKENS).is_some(), "the pair's tokens are numbers");
        let half = if config.prefer_active { Half::First } else { Half::Second };
        Self {
            half,
            life: 0,
            state: State::Opening,
            setup: marks::setup(&config.dirs),
            cell: Cell::new(config.own_dir.clone(), Token(base + CELL)),
            standing: Standing::default(),
            marking: None,
            events: VecDeque::new(),
            asks: Asks::new(config.witness.clone(), Token(base + TO_WITNESS)),
            closing: Vec::new(),
            guests: Vec::new(),
            lead: None,
            apply: Apply::new(config.dirs.clone(), base + APPLY_OPS),
            ask_after: Time::MAX,
            active: Active::new(config.dirs.clone(), config.bug, base + ACTIVE_OPS),
            court_until: Time::ZERO,
            peer_until: Time::ZERO,
            heard: Time::ZERO,
            pings: VecDeque::new(),
            ping: 0,
            was_equal: false,
            splits: 0,
            base,
            config,
        }
    }

    /// Begins: listens, reads its mark, looks for an active half or the lease.
    pub fn start(&mut self, cx: &mut Cx) {
        self.life = cx.rng().u64();
        self.leave(cx); // An earlier life that was killed left the address where it was.
        // An earlier life may just have promised not to ask for the lease.
        self.ask_after = cx.now() + self.config.lease;
        cx.listen(Token(self.base + LISTENER), Listen::at(self.config.listen.clone()));
        cx.after(Token(self.base + TICK), self.config.heartbeat);
        self.next_setup(cx);
    }

    fn next_setup(&mut self, cx: &mut Cx) {
        match self.setup.pop_front() {
            Some(op) => cx.disk(Token(self.base + SETUP), op),
            None => self.cell.open(cx),
        }
    }

    /// What this half is.
    pub const fn role(&self) -> Role {
        match (self.state, &self.lead) {
            (State::Active, _) => Role::Active,
            (State::Waiting, Some(_)) => Role::Standby,
            _ => Role::Undecided,
        }
    }

    /// Whether this half may serve at this moment. A process that was stopped for a while finds out
    /// here: ask at the beginning of each callback, before any answer.
    pub fn serves(&self, now: Time) -> bool {
        self.state == State::Active && now < self.authority()
    }

    /// How the other half stands.
    pub const fn mirror(&self) -> Mirror {
        match self.active.phase() {
            None => Mirror::Out,
            Some(crate::active::Phase::Equal) => Mirror::Equal,
            Some(_) => Mirror::Resync,
        }
    }

    /// What this half's disk says of itself.
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// What happened, in order.
    pub fn next_event(&mut self) -> Option<PairEvent> {
        self.events.pop_front()
    }

    // ---- events of the owner's -----------------------------------------------------------------

    /// Whether a connection is the pair's.
    pub fn owns(&self, conn: Conn) -> bool {
        self.guests.contains(&conn)
            || self.lead.is_some_and(|lead| lead.conn == conn)
            || self.active.conn() == Some(conn)
            || self.asks.is_conn(conn)
            || self.closing.contains(&conn)
    }

    /// Whether a token is the pair's.
    pub const fn owns_token(&self, token: Token) -> bool {
        token.0 >= self.base && token.0 - self.base < crate::PAIR_TOKENS
    }

    /// A connection is up. True if it is the pair's.
    pub fn on_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool {
        let (Open::Accepted { listener: token, .. } | Open::Connected { connect: token }) = how;
        if !self.owns_token(*token) {
            return false;
        }
        self.check_lease(cx);
        match how {
            Open::Accepted { .. } => self.let_in(cx, conn),
            Open::Connected { connect } if connect.0 == self.base + TO_WITNESS => {
                self.asks.opened(conn);
                self.ask(cx);
            }
            Open::Connected { .. } if self.active.peer == Peer::AwaitConnect => {
                self.introduce(cx, conn);
            }
            _ => self.hang_up(cx, conn),
        }
        true
    }

    /// Resets a connection that is of no use any more.
    pub(crate) fn hang_up(&mut self, cx: &mut Cx, conn: Conn) {
        cx.close(conn, Close::Abort);
        if !self.closing.contains(&conn) {
            self.closing.push(conn);
        }
    }

    /// Bytes arrived. True if the connection is the pair's.
    pub fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        if !self.owns(conn) {
            return false;
        }
        self.check_lease(cx);
        if self.asks.is_conn(conn) {
            while let Some((answer, sent)) = self.asks.next_answer(cx, rx) {
                self.answered(cx, answer, sent);
            }
        } else if self.active.conn() == Some(conn) {
            self.heard_standby(cx, conn, rx);
        } else {
            self.heard_active(cx, conn, rx);
        }
        self.collect(cx);
        true
    }

    /// The peer finished sending. True if the connection is the pair's.
    pub fn on_eof(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        let ours = self.owns(conn);
        if ours {
            cx.close(conn, Close::Abort); // and `on_gone` does the rest
        }
        ours
    }

    /// A connection is gone. True if it was the pair's.
    pub fn on_gone(&mut self, cx: &mut Cx, conn: Conn, _why: Gone) -> bool {
        if !self.owns(conn) {
            return false;
        }
        self.check_lease(cx);
        if self.asks.is_conn(conn) {
            self.asks.gone(conn);
        }
        if self.active.conn() == Some(conn) {
            self.peer_lost(cx);
        }
        if self.lead.is_some_and(|lead| lead.conn == conn) {
            self.lead_lost(cx);
        }
        self.guests.retain(|guest| *guest != conn);
        self.closing.retain(|closing| *closing != conn);
        self.collect(cx);
        true
    }

    /// A connect did not come up. True if it was the pair's.
    pub fn on_failed(&mut self, cx: &mut Cx, connect: Token, _why: Gone) -> bool {
        if !self.owns_token(connect) {
            return false;
        }
        self.check_lease(cx);
        if connect.0 == self.base + TO_WITNESS {
            self.asks.failed();
        } else if self.active.peer == Peer::AwaitConnect {
            self.active.peer = Peer::Away;
        }
        true
    }

    /// A timer came due. True if it is the pair's.
    pub fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        if !self.owns_token(timer) {
            return false;
        }
        self.check_lease(cx);
        if timer.0 == self.base + TICK && self.state != State::Over {
            cx.after(timer, self.config.heartbeat);
            self.tick(cx);
        }
        if timer.0 == self.base + PROMISE_END && self.state == State::Waiting {
            self.tick_waiting(cx);
        }
        self.collect(cx);
        true
    }

    /// A disk operation completed. True if it is the pair's.
    pub fn on_disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) -> bool {
        if !self.owns_token(op) {
            return false;
        }
        self.check_lease(cx);
        if self.cell.owns(op) {
            self.on_cell(cx, result);
        } else if self.active.owns(op) {
            self.active.on_disk(cx, op, result);
        } else if self.apply.owns(op) {
            self.apply.on_disk(cx, op, result);
            self.applied(cx);
            if self.state == State::Waiting && self.lead.is_none() && self.apply.is_idle() {
                self.tick_waiting(cx); // its last work for a lost lead was in the way
            }
        } else if result.is_err() {
            self.fence(cx, "the directories of the pair cannot be made");
        } else {
            self.next_setup(cx);
        }
        self.collect(cx);
        true
    }

    /// A listener is ready, or is not. True if it is the pair's.
    pub fn on_bound(
        &mut self,
        cx: &mut Cx,
        socket: Token,
        result: &Result<Endpoint, BindError>,
    ) -> bool {
        if !self.owns_token(socket) {
            return false;
        }
        if result.is_err() {
            self.fence(cx, "cannot listen for the other half");
        }
        true
    }

    /// An address is this host's, or could not be had. True if it is the pair's.
    pub fn on_addressed(
        &mut self,
        cx: &mut Cx,
        ip: IpAddr,
        result: Result<(), AddressError>,
    ) -> bool {
        if self.config.address != Some(ip) {
            return false;
        }
        if result.is_err() && self.state == State::Active {
            self.fence(cx, "the pair's address cannot be taken");
        }
        true
    }

    // ---- the end -------------------------------------------------------------------------------

    /// Until when this half may be active.
    pub(crate) fn authority(&self) -> Time {
        self.court_until.max(self.peer_until)
    }

    /// Notices that the lease has run out, whoever was late: before anything else is done.
    pub(crate) fn check_lease(&mut self, cx: &mut Cx) {
        if self.state == State::Active && cx.now() >= self.authority() {
            self.fence(cx, LEASE_OVER);
        }
    }

    /// This half must not go on. Nothing is told to the tenant after this.
    pub(crate) fn fence(&mut self, cx: &mut Cx, why: &'static str) {
        if self.state == State::Over {
            return;
        }
        if self.state == State::Active {
            self.leave(cx);
        }
        self.state = State::Over;
        self.events.retain(|event| !matches!(event, PairEvent::Disk(..)));
        self.events.push_back(PairEvent::Fenced(why));
        let lead = self.lead.map(|lead| lead.conn);
        for conn in self.guests.iter().copied().chain(lead).chain(self.active.conn()) {
            cx.close(conn, Close::Abort);
        }
        self.asks.reset(cx);
    }

    /// Passes completions on to the tenant.
    pub(crate) fn collect(&mut self, cx: &mut Cx) {
        if self.active.broken {
            self.drop_peer(cx);
        }
        while let Some((token, result)) = self.active.next_done() {
            if self.state == State::Active {
                self.events.push_back(PairEvent::Disk(token, result));
            }
        }
    }

    /// Tells the owner to serve.
    pub(crate) fn tell_activate(&mut self, cx: &mut Cx) {
        if let Some(ip) = self.config.address {
            cx.take_address(ip);
        }
        self.events.push_back(PairEvent::Activate);
    }

    /// Names and values of the pair's counters.
    pub fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        let counts = &self.active.counts;
        each("pair_active", u64::from(self.state == State::Active));
        each("pair_equal", u64::from(self.mirror() == Mirror::Equal));
        each("pair_epoch", self.standing.current.epoch);
        each("pair_flushes", counts.flushes);
        each("pair_flushes_mirrored", counts.flushes_mirrored);
        each("pair_resyncs", counts.resyncs);
        each("pair_resyncs_quick", counts.resyncs_quick);
        each("pair_blocks_compared", counts.blocks_compared);
        each("pair_blocks_sent", counts.blocks_sent);
        each("pair_peer_lost", counts.peer_lost);
        each("pair_splits", self.splits);
    }

    /// Bytes of memory that the mirror holds, beyond connections' buffers.
    pub fn memory(&self) -> u64 {
        (self.active.stream.queued_bytes() + self.apply.queued_bytes()) as u64
    }

    /// Asserts what must hold between calls.
    pub fn invariants(&self) {
        self.active.invariants();
        self.apply.invariants();
        assert!(
            self.state != State::Active || self.lead.is_none(),
            "an active half follows nobody"
        );
        assert!(
            self.state == State::Active
                || self.active.conn().is_none()
                || self.state == State::Over,
            "only an active half leads"
        );
        assert!(self.guests.len() <= GUESTS_MAX, "guests are bounded");
    }
}
