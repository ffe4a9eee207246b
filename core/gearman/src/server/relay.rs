//! Relay: two job servers that share a durable queue, one of which serves.
//!
//! # Shape
//!
//! With `--relay-to` the journal of the queue lies on a [`Pair`]: its disk operations go to both
//! hosts' disks. A background job is acknowledged, and handed out, when its record is durable, and
//! a flush of a pair is over when *both* disks have it, or when it is recorded, here and at the
//! witness, that the other one was left behind and may not take over (`--relay-alone accept`). With
//! `--relay-alone refuse` new jobs are refused meanwhile, and what was not acknowledged yet waits
//! until both have it.
//!
//! The one that stands by takes connections and tells them `NOT_SERVING`: clients and workers that
//! know both servers go to the other one. When its witness grants it the lease it recovers the
//! queue from its own disk and serves. Every acknowledged job is then handed out at least once:
//! those whose end is not in the journal run again. Handles are the same on both (`H:relay:1`), so
//! a client that asks after a job is understood by either.
//!
//! A server whose lease has run out ends at once, and whoever supervises it starts it again: it
//! comes back as the one that stands by, is brought up to date, or refuses with the pair's reason
//! if both wrote alone. `relay handover` has the one that serves do so on purpose, once the other
//! one has everything. There is no command that makes a server serve without the witness's word:
//! that is how brains are split.
//!
//! What is lost with a server's death is what was never promised: jobs that somebody waits for, and
//! how often a job lost its worker.
//!
//! # Rejected
//!
//! * *Shipping the queue's records* as the database's replicas do: it needs histories that are told
//!   apart, snapshots and catching up, all of which the pair does once beneath any journal; and a
//!   replica that applies records keeps a second engine alive for nothing.
//! * *Two servers without a witness*: neither can tell a dead peer from a cut cable, so every
//!   take-over by hand or by a time-out may be one too many.
//! * *A standby that does not listen*: clients find out sooner from a word than from a time-out,
//!   and an operator can ask it what it is.
//!
//! Not modelled: more than two servers; encryption between them, and to the witness (`--ssl` is for
//! clients: the relay's ports belong on a private network).

use super::out::Fault;
use super::{Gearmand, Phase, tokens};
use crate::config::{Relay, Verbosity};
use crate::engine::Peer;
use crate::packet::{self, Kind};
use bytes::{BufMut as _, Bytes, BytesMut};
use core::fmt::Write as _;
use core::time::Duration;
use storytime_machine::{Close, Cx, Endpoint, Exit, IpAddr, ResolveError, Time, Token};
use storytime_pair::{LEASE_OVER, Mirror, Pair, PairConfig, PairEvent, Role, Storages};

/// Pause before a name is looked up again.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(1);
/// Why the one that serves ends when it is told to.
const HANDED_OVER: &str = "handed over: the other job server serves; started again, this one \
    stands by";
/// Said to whoever wants something of the one that stands by.
const STANDS_BY: Fault<'_> = Fault {
    code: packet::NOT_SERVING,
    danga: "not_serving",
    text: "this job server stands by, ask the other one of its relay",
};
const REFUSED: &[u8] = b"ERR NOT_SERVING this+job+server+stands+by\r\n";

/// The other job server and the witness, in this order.
const OTHERS: usize = 2;

/// What is known of the others.
#[derive(Debug, Default)]
pub(super) struct Standby {
    found: [Option<Endpoint>; OTHERS],
    /// How the other one stood, when it was last looked at.
    mirror: Option<Mirror>,
    /// Peers that were told to ask the other one.
    pub(super) turned_away: u64,
}

impl Gearmand {
    pub(super) fn pair(&mut self) -> Option<&mut Pair> {
        self.log.as_mut().and_then(|log| log.pair())
    }

    /// Whether this server may say anything of jobs at this moment of its monotonic clock.
    pub fn serves(&self, now: Time) -> bool {
        let pair = self.log.as_ref().and_then(|log| log.look_pair());
        self.phase.has_jobs() && pair.is_none_or(|pair| pair.serves(now))
    }

    /// Stands by, whatever follows. The pair begins when the others are found.
    pub(super) fn begin_relay(&mut self, cx: &mut Cx) {
        self.phase = Phase::Following;
        self.begin_to_listen(cx);
        for nth in 0..OTHERS {
            self.look_up(cx, nth);
        }
    }

    fn look_up(&mut self, cx: &mut Cx, nth: usize) {
        let Some(relay) = &self.config.relay else { return };
        let place = if nth == 0 { &relay.other } else { &relay.witness };
        match place.host.parse::<IpAddr>() {
            Ok(ip) => {
                let at = Endpoint::tcp(ip, place.port);
                self.found(cx, nth, at);
            }
            Err(_) => cx.resolve(tokens::other(nth), place.host.clone()),
        }
    }

    /// A look-up ended; true if it was the relay's.
    pub(super) fn other_resolved(
        &mut self,
        cx: &mut Cx,
        lookup: Token,
        result: &Result<Vec<IpAddr>, ResolveError>,
    ) -> bool {
        let Some(nth) = tokens::nth_other(lookup, OTHERS) else { return false };
        let Some(relay) = &self.config.relay else { return false };
        let port = if nth == 0 { relay.other.port } else { relay.witness.port };
        match result.as_ref().ok().and_then(|ips| ips.first()) {
            Some(&ip) => self.found(cx, nth, Endpoint::tcp(ip, port)),
            None => cx.after(lookup, LOOK_UP_AGAIN),
        }
        true
    }

    fn found(&mut self, cx: &mut Cx, nth: usize, at: Endpoint) {
        self.standby.found[nth] = Some(at);
        let [Some(other), Some(witness)] = &self.standby.found else { return };
        let (Some(Relay { listen, first, bug, .. }), Some(log)) =
            (&self.config.relay, &mut self.log)
        else {
            return;
        };
        let dir = log.dir().clone();
        let config = PairConfig {
            prefer_active: *first,
            own_dir: Bytes::from([&dir[..], b"-relay"].concat()),
            dirs: vec![dir],
            bug: *bug,
            ..PairConfig::new(Endpoint::any(*listen), other.clone(), witness.clone())
        };
        let mut pair = Pair::new(config, tokens::PAIR_BASE);
        pair.start(cx);
        log.set_storage(Storages::Pair(Box::new(pair)));
    }

    /// A timer came due; true if it is the relay's.
    pub(super) fn relay_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        match tokens::nth_other(timer, OTHERS) {
            Some(nth) if self.config.relay.is_some() => {
                self.look_up(cx, nth);
                true
            }
            _ => self.pair().is_some_and(|pair| pair.on_timer(cx, timer)),
        }
    }

    /// Whether this server may answer anybody: one whose lease is over may not, and ends.
    #[inline]
    pub(super) fn may_answer(&mut self, cx: &mut Cx) -> bool {
        if self.config.relay.is_none() || self.phase == Phase::Following {
            return true;
        }
        let now = cx.now();
        let over = self.pair().is_some_and(|pair| !pair.serves(now));
        if over {
            cx.exit(Exit::Failed(LEASE_OVER));
        }
        !over
    }

    /// Everything that the pair has to tell.
    pub(super) fn hear_relay(&mut self, cx: &mut Cx) {
        if self.config.relay.is_none() {
            return;
        }
        while let Some(event) = self.pair().and_then(Pair::next_event) {
            match event {
                PairEvent::Activate => self.take_over(cx),
                PairEvent::Fenced(why) => {
                    self.around.say(Verbosity::Error, format_args!("relay: {why}"));
                    return cx.exit(Exit::Failed(why));
                }
                PairEvent::Disk(op, result) => self.disk_done(cx, op, result),
            }
        }
        self.note_mirror();
        // What waited for both disks may have them.
        self.hear_log(cx);
    }

    /// This server has the lease: it recovers the queue from its own disk.
    fn take_over(&mut self, cx: &mut Cx) {
        assert_eq!(self.phase, Phase::Following, "it is granted the lease once");
        self.around.say(Verbosity::Notice, format_args!("relay: this job server takes over"));
        cx.reached("gearmand: took over");
        self.phase = Phase::Recovering;
        if let Some(log) = &mut self.log {
            log.open(cx);
        }
    }

    /// Tells the operator when the other one is lost or made equal.
    fn note_mirror(&mut self) {
        if !self.phase.has_jobs() {
            return;
        }
        let Some(mirror) = self.pair().map(|pair| pair.mirror()) else { return };
        if self.standby.mirror.replace(mirror) == Some(mirror) {
            return;
        }
        let (level, what) = match mirror {
            Mirror::Out => {
                (Verbosity::Warning, "the other job server is away: the queue is on one disk")
            }
            Mirror::Resync => (Verbosity::Notice, "the other job server is brought up to date"),
            Mirror::Equal => (Verbosity::Notice, "the queue is on both disks"),
        };
        self.around.say(level, format_args!("relay: {what}"));
    }

    /// A packet to a server that does not serve. True if that was all there is to say.
    pub(super) fn turn_away(&mut self, cx: &mut Cx, from: Peer, kind: Kind) -> bool {
        if self.phase.has_jobs() || matches!(kind, Kind::EchoReq | Kind::SetClientId) {
            return false;
        }
        self.standby.turned_away += 1;
        let (_, mut wire) = self.split(cx);
        wire.error(from, STANDS_BY);
        // So that it asks the other one, and does not wait here.
        if let Some(conn) = self.sessions.at(from.0 as usize).map(|session| session.conn) {
            self.hang_up(cx, conn, Close::Flush);
        }
        true
    }

    /// A line about jobs, to a server that has none. True if it was answered.
    pub(super) fn turn_line_away(&self, out: &mut BytesMut) -> bool {
        let away = !self.phase.has_jobs();
        if away {
            out.put_slice(REFUSED);
        }
        away
    }

    /// `relay`: what this server is, and how the other one stands.
    pub(super) fn say_relay(&mut self, out: &mut BytesMut) {
        let serves = self.phase.has_jobs();
        let Some(pair) = self.pair() else {
            out.put_slice(match self.config.relay {
                Some(_) => b"role\tundecided\n.\n",
                None => b"ERR NO_RELAY\r\n",
            });
            return;
        };
        let role = match pair.role() {
            Role::Active if serves => "serves",
            Role::Active => "recovers",
            Role::Standby => "stands by",
            Role::Undecided => "undecided",
        };
        let mirror = match pair.mirror() {
            _ if pair.role() != Role::Active => "-",
            Mirror::Out => "out",
            Mirror::Resync => "resync",
            Mirror::Equal => "equal",
        };
        let epoch = pair.standing().current.epoch;
        write!(out, "role\t{role}\nother\t{mirror}\nepoch\t{epoch}\n.\n").expect("memory grows");
    }

    /// `relay handover`: ends, for the other one to serve.
    pub(super) fn hand_over(&mut self, out: &mut BytesMut) {
        let serves = self.phase.has_jobs();
        let answer: &[u8] = match self.pair().map(|pair| pair.mirror()) {
            None => b"ERR NO_RELAY\r\n",
            Some(_) if !serves => b"ERR NOT_SERVING ask+the+one+that+serves\r\n",
            Some(Mirror::Out | Mirror::Resync) => {
                b"ERR NOT_EQUAL the+other+one+has+not+got+everything\r\n"
            }
            Some(Mirror::Equal) => {
                self.stopping = Some(Exit::Failed(HANDED_OVER));
                b"OK\r\n"
            }
        };
        out.put_slice(answer);
    }
}
