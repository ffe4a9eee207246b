//! The active half: its lease, its heartbeats, and the other half at the end of a connection.

use crate::active::{Peer, Phase};
use crate::asks::{CONNECT_TIMEOUT, Sent};
use crate::config::Bug;
use crate::generation::Generation;
use crate::marks::Then;
use crate::pair::{LEASE_END, LEASE_OVER, Pair, SAME_HALF, SUPERSEDED, State, TO_PEER};
use crate::standby::send;
use crate::wire::{Answer, Ask, Frame, Refusal, Ruling, Want, next_frame};
use bytes::BytesMut;
use storytime_machine::{Conn, Cx, Token};

/// Heartbeats without an answer that are remembered.
const PINGS_MAX: usize = 64;

impl Pair {
    pub(crate) fn tick(&mut self, cx: &mut Cx) {
        match self.state {
            State::Opening | State::Over => {}
            State::Waiting => self.tick_waiting(cx),
            State::Activating => self.ask(cx),
            State::Active => {
                self.ask(cx);
                self.tick_peer(cx);
            }
        }
    }

    // ---- the witness ---------------------------------------------------------------------------

    /// Asks the witness for what this half wants of it.
    pub(crate) fn ask(&mut self, cx: &mut Cx) {
        match self.state {
            State::Opening | State::Over => {}
            State::Waiting => self.tick_waiting(cx),
            State::Activating => self.ask_for(cx, Want::Lease),
            State::Active => {
                let forgets = self.config.bug == Some(Bug::NoBehindMark) && self.was_equal;
                let equal = self.active.phase() == Some(Phase::Equal);
                let want = if equal || forgets { Want::KeepBoth } else { Want::KeepAlone };
                self.ask_for(cx, want);
            }
        }
    }

    pub(crate) fn ask_for(&mut self, cx: &mut Cx, want: Want) {
        let (half, life, lease) = (self.half, self.life, self.config.lease);
        self.asks.ask(cx, Ask { seq: 0, half, life, lease, standing: self.standing, want });
    }

    /// The witness has answered.
    pub(crate) fn answered(&mut self, cx: &mut Cx, answer: Answer, sent: Sent) {
        match (self.state, answer.ruling) {
            (State::Opening | State::Over, _) => {}
            (State::Waiting | State::Activating, _) => self.answered_waiting(cx, answer, sent),
            (State::Active, Ruling::Denied(_)) => self.fence(cx, SUPERSEDED),
            (State::Active, Ruling::Granted { epoch, both }) => {
                self.court_until = self.court_until.max(sent.at + self.config.trusted());
                self.set_lease_end(cx);
                if both { self.recorded_equal(cx) } else { self.recorded_alone(cx, epoch, sent) }
            }
        }
    }

    /// The other half counts as equal: the mark of having written alone can go.
    fn recorded_equal(&mut self, cx: &mut Cx) {
        let equal = self.active.phase() == Some(Phase::Equal);
        if equal && self.standing.since.is_some() && self.marking.is_none() {
            let joined = self.standing.following(self.standing.current, true);
            self.mark(cx, joined, Then::Equal);
        }
    }

    /// The other half counts as left behind. With a mark of that on the own disk, flushes need no
    /// longer wait for it.
    fn recorded_alone(&mut self, cx: &mut Cx, epoch: u64, sent: Sent) {
        let marks = self.marking.is_some_and(|marking| marking.then == Then::GoAlone);
        let streams = matches!(self.active.peer, Peer::Follows { .. });
        if self.active.alone || streams || marks || !self.asks.is_after_both(sent) {
            return;
        }
        let current = Generation { epoch, id: cx.rng().u64() };
        self.mark(cx, self.standing.alone(current), Then::GoAlone);
    }

    fn set_lease_end(&self, cx: &mut Cx) {
        cx.at(Token(self.base + LEASE_END), self.authority());
    }

    /// The mark is durable: serve, if the lease still runs.
    pub(crate) fn activate(&mut self, cx: &mut Cx) {
        if cx.now() >= self.authority() {
            return self.fence(cx, LEASE_OVER);
        }
        assert!(self.lead.is_none() && self.apply.is_idle(), "the mirror is at rest");
        self.state = State::Active;
        self.set_lease_end(cx);
        self.tell_activate(cx);
        self.connect_peer(cx);
    }

    /// This host gives the address up: it does not serve, or the process is about to end.
    pub fn leave(&self, cx: &mut Cx) {
        if let Some(ip) = self.config.address {
            cx.release_address(ip);
        }
    }

    // ---- the other half ------------------------------------------------------------------------

    fn connect_peer(&mut self, cx: &mut Cx) {
        if self.active.peer == Peer::Away && self.active.alone {
            self.active.peer = Peer::AwaitConnect;
            let timeout = CONNECT_TIMEOUT.min(self.config.peer_timeout);
            cx.connect(Token(self.base + TO_PEER), self.config.peer.clone(), timeout);
        }
    }

    /// The connection to the other half is up.
    pub(crate) fn introduce(&mut self, cx: &mut Cx, conn: Conn) {
        if self.state != State::Active {
            self.active.peer = Peer::Away;
            return self.hang_up(cx, conn);
        }
        self.active.peer = Peer::AwaitWelcome { conn };
        self.heard = cx.now();
        let (half, life, standing) = (self.half, self.life, self.standing);
        send(cx, conn, &Frame::Hello { half, life, standing });
    }

    fn tick_peer(&mut self, cx: &mut Cx) {
        let now = cx.now();
        let silent = now.since(self.heard) > self.config.peer_timeout;
        let stuck = self.active.is_stuck(now, self.config.flush_timeout);
        match self.active.peer {
            Peer::Away => self.connect_peer(cx),
            Peer::AwaitConnect => {}
            _ if silent || stuck => self.drop_peer(cx),
            Peer::AwaitWelcome { .. } => {}
            Peer::Follows { conn, .. } => {
                self.ping += 1;
                if self.pings.len() == PINGS_MAX {
                    self.pings.pop_front();
                }
                self.pings.push_back((self.ping, now));
                send(cx, conn, &Frame::Ping { number: self.ping });
            }
        }
    }

    /// Gives the other half up.
    pub(crate) fn drop_peer(&mut self, cx: &mut Cx) {
        if let Some(conn) = self.active.conn() {
            self.hang_up(cx, conn);
            self.peer_lost(cx);
        }
    }

    /// Its connection is gone. What it may lack has to be recorded before anything else.
    pub(crate) fn peer_lost(&mut self, cx: &mut Cx) {
        self.pings.clear();
        self.active.lost(cx);
        if self.state == State::Active && !self.active.alone {
            self.ask(cx);
        }
    }

    /// What comes from the other half.
    pub(crate) fn heard_standby(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        self.heard = cx.now();
        while self.active.conn() == Some(conn) {
            let frame = match next_frame(rx) {
                Ok(None) => return,
                Ok(Some(frame)) => Frame::parse(frame),
                Err(bad) => Err(bad),
            };
            let good = frame.is_ok_and(|frame| self.standby_says(cx, conn, frame));
            if !good {
                self.drop_peer(cx);
            }
        }
        rx.clear();
    }

    /// One frame. False ends the connection.
    fn standby_says(&mut self, cx: &mut Cx, conn: Conn, frame: Frame) -> bool {
        let follows = self.active.phase().is_some();
        match frame {
            Frame::Welcome { half, life, standing } if !follows => {
                self.welcomed(cx, conn, half == self.half, life, standing)
            }
            Frame::Refuse(why) if !follows => {
                match why {
                    Refusal::Stale => self.fence(cx, SUPERSEDED),
                    Refusal::SameHalf => self.fence(cx, SAME_HALF),
                    Refusal::Split => self.splits += 1,
                    Refusal::Busy => {}
                }
                false
            }
            Frame::Pong { number, promised } => {
                self.ponged(cx, number, promised);
                true
            }
            Frame::Ack { seq } if follows => {
                let sane = self.active.acked(seq);
                self.active.advance(cx);
                self.active.pump(cx);
                sane
            }
            Frame::Checked { seq, same } if follows => self.active.checked(cx, seq, same),
            Frame::InSync if follows => {
                self.active.equal();
                self.was_equal = true;
                self.ask(cx);
                true
            }
            _ => false,
        }
    }

    fn welcomed(
        &mut self,
        cx: &mut Cx,
        conn: Conn,
        same_half: bool,
        life: u64,
        theirs: crate::Standing,
    ) -> bool {
        if same_half {
            self.fence(cx, SAME_HALF);
            return false;
        }
        if !self.standing.may_overwrite(&theirs) {
            self.splits += 1;
            return false;
        }
        self.active.follows(cx, conn, life);
        self.tick_peer(cx);
        true
    }

    /// A heartbeat was answered: perhaps with the promise not to ask for the lease.
    fn ponged(&mut self, cx: &mut Cx, number: u64, promised: bool) {
        while let Some(&(sent_number, at)) = self.pings.front()
            && sent_number <= number
        {
            self.pings.pop_front();
            if sent_number == number && promised {
                self.peer_until = self.peer_until.max(at + self.config.trusted());
                self.set_lease_end(cx);
            }
        }
    }
}
