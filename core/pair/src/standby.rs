//! A half that is not active: it follows an active one, or asks for the lease.
//!
//! Each heartbeat that it answers is a promise not to ask for the lease for one lease time. So the
//! active half can go on while the witness is away, as long as the two see each other.

use crate::apply::ApplyEvent;
use crate::asks::Sent;
use crate::config::Bug;
use crate::generation::{Generation, Standing};
use crate::marks::Then;
use crate::pair::{GUESTS_MAX, Lead, PROMISE_END, Pair, SAME_HALF, SPLIT_BRAIN, State};
use crate::wire::{Answer, Denial, Frame, Half, Refusal, Ruling, Want, next_frame};
use bytes::BytesMut;
use storytime_machine::{Close, Conn, Cx, Token};

pub(crate) fn send(cx: &mut Cx, conn: Conn, frame: &Frame) {
    if let Some(tx) = cx.tx(conn) {
        let mut bytes = BytesMut::new();
        frame.put(&mut bytes);
        tx.put(&bytes);
    }
}

impl Pair {
    /// Somebody has connected, perhaps the other half. Of too many guests the oldest goes: it has
    /// had the most time to say who it is.
    pub(crate) fn let_in(&mut self, cx: &mut Cx, conn: Conn) {
        if self.guests.len() == GUESTS_MAX {
            let oldest = self.guests.remove(0);
            self.hang_up(cx, oldest);
        }
        self.guests.push(conn);
    }

    /// What comes from a half that says that it is active.
    pub(crate) fn heard_active(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        loop {
            let frame = match next_frame(rx) {
                Ok(None) => break,
                Ok(Some(frame)) => Frame::parse(frame),
                Err(bad) => Err(bad),
            };
            let follows = self.lead.is_some_and(|lead| lead.conn == conn);
            let good = match frame {
                Ok(Frame::Hello { half, standing, .. }) if !follows => {
                    self.greeted(cx, conn, half, standing);
                    true
                }
                Ok(Frame::Ping { number }) if follows => {
                    self.promise(cx);
                    send(cx, conn, &Frame::Pong { number, promised: true });
                    true
                }
                Ok(Frame::Op { seq, op }) if follows => self.apply.push(cx, seq, op),
                _ => false,
            };
            if !good {
                rx.clear();
                cx.close(conn, Close::Abort);
                return;
            }
        }
        self.applied(cx);
    }

    fn greeted(&mut self, cx: &mut Cx, conn: Conn, half: Half, theirs: Standing) {
        let refusal = self.refusal(half, &theirs);
        if let Some(why) = refusal {
            send(cx, conn, &Frame::Refuse(why));
            cx.close(conn, Close::Flush);
            match why {
                Refusal::Split => self.fence_split(cx),
                Refusal::SameHalf => self.fence(cx, SAME_HALF),
                // The newer connection is the live one; this process follows it at the next try.
                Refusal::Busy => {
                    if let Some(lead) = self.lead {
                        cx.close(lead.conn, Close::Abort);
                    }
                }
                Refusal::Stale => {}
            }
            return;
        }
        self.guests.retain(|guest| *guest != conn);
        self.lead = Some(Lead { conn, standing: theirs, acked: 0 });
        self.apply.begin();
        // A grant that is under way would contradict the promises made from here on.
        self.asks.reset(cx);
        self.promise(cx);
        let (half, life, standing) = (self.half, self.life, self.standing);
        send(cx, conn, &Frame::Welcome { half, life, standing });
    }

    /// Will not ask for the lease for one lease time.
    fn promise(&mut self, cx: &mut Cx) {
        self.ask_after = self.ask_after.max(cx.now() + self.config.lease);
        cx.at(Token(self.base + PROMISE_END), self.ask_after);
    }

    fn fence_split(&mut self, cx: &mut Cx) {
        self.splits += 1;
        self.fence(cx, SPLIT_BRAIN);
    }

    /// Why an active half is not followed.
    fn refusal(&self, half: Half, theirs: &Standing) -> Option<Refusal> {
        let mine = &self.standing;
        if half == self.half {
            return Some(Refusal::SameHalf);
        }
        if self.state == State::Opening || self.state == State::Over {
            return Some(Refusal::Busy);
        }
        if theirs.current.epoch < mine.current.epoch {
            return Some(Refusal::Stale);
        }
        if self.state != State::Waiting || self.lead.is_some() {
            return Some(Refusal::Busy);
        }
        if !theirs.may_overwrite(mine) {
            return Some(Refusal::Split);
        }
        let busy = !self.apply.is_idle() || self.marking.is_some();
        busy.then_some(Refusal::Busy)
    }

    /// What the standby's side of the mirror wants.
    pub(crate) fn applied(&mut self, cx: &mut Cx) {
        while let Some(event) = self.apply.next_event() {
            let Some(lead) = self.lead else { continue };
            match event {
                ApplyEvent::Begin if self.config.bug == Some(Bug::JoinsEarly) => {
                    let equal = self.standing.following(lead.standing.current, true);
                    self.mark(cx, equal, Then::Begin);
                    send(cx, lead.conn, &Frame::InSync);
                }
                ApplyEvent::Begin => {
                    let torn = self.standing.following(self.standing.current, false);
                    self.mark(cx, torn, Then::Begin);
                }
                ApplyEvent::Checked { seq, same } => {
                    send(cx, lead.conn, &Frame::Checked { seq, same });
                }
                ApplyEvent::Finished => {
                    let equal = self.standing.following(lead.standing.current, true);
                    self.mark(cx, equal, Then::Finish);
                }
                ApplyEvent::Failed(why) => return self.fence(cx, why),
            }
        }
        if let Some(lead) = &mut self.lead
            && self.apply.applied() > lead.acked
        {
            lead.acked = self.apply.applied();
            send(cx, lead.conn, &Frame::Ack { seq: lead.acked });
        }
    }

    /// The mark that the mirror waits for is durable.
    pub(crate) fn follower_marked(&mut self, cx: &mut Cx, then: Then) {
        self.apply.marked(cx);
        self.applied(cx);
        if then == Then::Finish
            && let Some(lead) = self.lead
        {
            send(cx, lead.conn, &Frame::InSync);
        }
    }

    pub(crate) fn lead_lost(&mut self, cx: &mut Cx) {
        self.lead = None;
        self.apply.abandon(cx);
    }

    /// A heartbeat without being active, or the end of a promise: asks for the lease, if nobody
    /// leads.
    pub(crate) fn tick_waiting(&mut self, cx: &mut Cx) {
        if cx.now() < self.ask_after {
            return;
        }
        if let Some(lead) = self.lead {
            self.hang_up(cx, lead.conn);
            self.lead_lost(cx);
        }
        if self.apply.is_idle() && self.marking.is_none() {
            self.ask_for(cx, Want::Lease);
        }
    }

    /// The witness has answered a half that waits.
    pub(crate) fn answered_waiting(&mut self, cx: &mut Cx, answer: Answer, sent: Sent) {
        let until = sent.at + self.config.trusted();
        match answer.ruling {
            Ruling::Granted { epoch, .. } if self.lead.is_none() && cx.now() < until => {
                let early = self.config.bug == Some(Bug::JoinsEarly);
                assert!(self.standing.consistent || early, "only an equal half is granted it");
                self.court_until = self.court_until.max(until);
                if self.state == State::Waiting && self.marking.is_none() {
                    self.state = State::Activating;
                    let current = Generation { epoch, id: cx.rng().u64() };
                    self.mark(cx, self.standing.activated(current), Then::Activate);
                }
            }
            Ruling::Denied(Denial::Split) => self.fence_split(cx),
            _ => {}
        }
    }
}
