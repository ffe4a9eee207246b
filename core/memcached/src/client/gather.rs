//! Requests to several servers whose outcomes are gathered: retrievals of many keys, commands to
//! all servers, and fetches that are collected later.

use super::binary::{self, Packet};
use super::key::Key;
use super::outcome::{NotAccepted, Outcome};
use super::pool::{Failure, Piece, Refusal, Request, Shape, Words};
use super::request::{Asked, Keys, Kind, SoFar, Whose};
use super::text::{self, Found};
use super::{Client, DeadServer, Protocol};
use bytes::{Bytes, BytesMut};
use core::fmt::Write as _;
use storytime_machine::Cx;

/// Most keys of one retrieval.
pub const KEYS_MAX: usize = 1 << 20;
/// Most gatherings at once.
pub const GATHERS_MAX: usize = 1 << 16;

/// Outcomes being gathered.
#[derive(Debug)]
pub(super) struct Gather {
    whose: Whose,
    outcomes: Vec<Outcome>,
    /// Shares that have not ended.
    shares: u32,
    servers: bool,
}

/// A command to all servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `flush_all`, after a delay in seconds: each ends as `Done`.
    FlushAll {
        /// Seconds to wait.
        delay: u32,
    },
    /// `version`: each ends as `Text`.
    Version,
    /// `stats` and its argument, perhaps empty: each ends as `Text` with lines, or `Done`.
    Stats(&'a str),
    /// A line of text of the caller's, without its end, that is answered with one line: each ends
    /// as that line says. Not in the binary protocol.
    Line(&'a str),
    /// The same, answered with lines until `END`.
    Lines(&'a str),
}

impl Client {
    /// Asks for several values, each server once: ends as [`Outcome::Many`] when the last server
    /// has answered. Keys of servers that fail are misses or failures, as
    /// [`DeadServer`] says.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn get_many(&mut self, cx: &mut Cx, keys: &[Key<'_>], tag: u64) -> Result<(), NotAccepted> {
        self.start_many(cx, keys, false, Whose::Caller(tag))
    }

    /// The same with versions.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn gets_many(
        &mut self,
        cx: &mut Cx,
        keys: &[Key<'_>],
        tag: u64,
    ) -> Result<(), NotAccepted> {
        self.start_many(cx, keys, true, Whose::Caller(tag))
    }

    pub(super) fn start_many(
        &mut self,
        cx: &mut Cx,
        keys: &[Key<'_>],
        versions: bool,
        whose: Whose,
    ) -> Result<(), NotAccepted> {
        if self.route.is_empty() {
            return Err(NotAccepted::NoServers);
        }
        if keys.len() > KEYS_MAX {
            return Err(NotAccepted::TooManyJobs);
        }
        keys.iter().try_for_each(|key| self.options.prefix.check(key.bytes))?;
        let slot = self.new_gather(whose, keys.len(), Outcome::Miss, false)?;
        let mut shares: Vec<Vec<u32>> = vec![Vec::new(); self.route.len()];
        for (place, key) in (0..).zip(keys) {
            let server = self.place(key).expect("there are servers");
            shares[server].push(place);
        }
        let mut head = core::mem::take(&mut self.head);
        for (server, places) in shares.iter().enumerate().filter(|(_, places)| !places.is_empty()) {
            self.ask_share(cx, slot, server, keys, places, versions, &mut head);
        }
        self.head = head;
        self.counters.requests += 1;
        self.share_ended(cx, slot);
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one server's share of one retrieval")]
    fn ask_share(
        &mut self,
        cx: &mut Cx,
        slot: u32,
        server: usize,
        keys: &[Key<'_>],
        places: &[u32],
        versions: bool,
        head: &mut BytesMut,
    ) {
        let flushed = self.flush_server(cx, server);
        head.clear();
        let prefix = &self.options.prefix;
        let mut share = Keys::default();
        let asked = self.asked.next_slot();
        let bytes = |place: u32| keys[place as usize].bytes;
        let (kind, shape) = match self.options.protocol {
            Protocol::Text => {
                head.extend_from_slice(text::many(versions));
                for &place in places {
                    head.extend_from_slice(b" ");
                    let begin = head.len();
                    prefix.put(bytes(place), head);
                    share.keys.push((crc32fast::hash(&head[begin..]), place));
                }
                head.extend_from_slice(b"\r\n");
                (Kind::Many, Shape::Values)
            }
            Protocol::Binary => {
                for &place in places {
                    share.keys.push((0, place));
                    binary::put_get_quiet(prefix, bytes(place), place, head);
                }
                (Kind::PacketMany, binary::put_noop(asked, head))
            }
        };
        let lane = self.lane(bytes(places[0]));
        let pieces = [Piece::Copy(&head[..])];
        let request = Request { shape, pieces: &pieces, lane, tag: asked.into() };
        let sent = flushed.and_then(|()| self.send(cx, server, &request));
        let whose = Whose::Gather { slot, place: 0 };
        let asked = Asked { whose, kind, so_far: SoFar::Keys(share) };
        self.gather(slot).shares += 1;
        match sent {
            Ok(()) => {
                self.asked.insert(asked);
            }
            Err(why) => {
                self.counters.down += u64::from(why == Refusal::Down);
                self.share_failed(cx, &asked, &Outcome::Failed(Failure::Down));
            }
        }
    }

    /// Tells all servers something: ends as [`Outcome::Servers`] when the last has answered.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn command(
        &mut self,
        cx: &mut Cx,
        command: &Command<'_>,
        tag: u64,
    ) -> Result<(), NotAccepted> {
        let raw = matches!(command, Command::Line(_) | Command::Lines(_));
        if raw && self.options.protocol == Protocol::Binary {
            return Err(NotAccepted::NotInProtocol);
        }
        if self.route.is_empty() {
            return Err(NotAccepted::NoServers);
        }
        let failed = Outcome::Failed(Failure::Down);
        let slot = self.new_gather(Whose::Caller(tag), self.route.len(), failed, true)?;
        let mut head = core::mem::take(&mut self.head);
        for server in 0..self.route.len() {
            let flushed = self.flush_server(cx, server);
            head.clear();
            let asked = self.asked.next_slot();
            let (shape, kind) = self.encode_command(command, asked, &mut head);
            let pieces = [Piece::Copy(&head[..])];
            let request = Request { shape, pieces: &pieces, lane: 0, tag: asked.into() };
            if flushed.and_then(|()| self.send(cx, server, &request)).is_ok() {
                self.gather(slot).shares += 1;
                let whose = Whose::Gather { slot, place: server as u32 };
                self.asked.insert(Asked { whose, kind, so_far: SoFar::Nothing });
            }
        }
        self.head = head;
        self.counters.requests += 1;
        self.share_ended(cx, slot);
        Ok(())
    }

    fn encode_command(
        &self,
        command: &Command<'_>,
        opaque: u32,
        into: &mut BytesMut,
    ) -> (Shape, Kind) {
        if self.options.protocol == Protocol::Binary {
            return match command {
                Command::FlushAll { delay } => {
                    (binary::put_flush(*delay, opaque, into), Kind::PacketDone)
                }
                Command::Stats(sub) => {
                    (binary::put_stat(sub.as_bytes(), opaque, into), Kind::PacketStats)
                }
                _ => (binary::put_version(opaque, into), Kind::PacketText),
            };
        }
        let (line, shape) = match command {
            Command::FlushAll { delay: 0 } => ("flush_all", Shape::Line(Words::Ok)),
            Command::FlushAll { .. } => ("flush_all ", Shape::Line(Words::Ok)),
            Command::Version => ("version", Shape::Line(Words::Version)),
            Command::Stats("") => ("stats", Shape::Lines),
            Command::Stats(_) => ("stats ", Shape::Lines),
            Command::Line(line) => (*line, Shape::Line(Words::Any)),
            Command::Lines(line) => (*line, Shape::Lines),
        };
        into.extend_from_slice(line.as_bytes());
        match command {
            Command::FlushAll { delay } if *delay > 0 => {
                write!(into, "{delay}").expect("buffers of requests grow as needed");
            }
            Command::Stats(sub) => into.extend_from_slice(sub.as_bytes()),
            _ => {}
        }
        into.extend_from_slice(b"\r\n");
        (shape, if shape == Shape::Lines { Kind::Lines } else { Kind::Line })
    }

    /// Makes room for outcomes; the gathering itself counts as a share until all are asked.
    fn new_gather(
        &mut self,
        whose: Whose,
        outcomes: usize,
        at_first: Outcome,
        servers: bool,
    ) -> Result<u32, NotAccepted> {
        let free = self.gathers.iter().position(Option::is_none).unwrap_or(self.gathers.len());
        if free == GATHERS_MAX {
            return Err(NotAccepted::TooManyJobs);
        }
        let gather = Gather { whose, outcomes: vec![at_first; outcomes], shares: 1, servers };
        match self.gathers.get_mut(free) {
            Some(place) => *place = Some(gather),
            None => self.gathers.push(Some(gather)),
        }
        Ok(free as u32)
    }

    /// One server's answer to a command.
    pub(super) fn gathered(&mut self, cx: &mut Cx, slot: u32, place: u32, outcome: Outcome) {
        self.count(&outcome);
        self.gather(slot).outcomes[place as usize] = outcome;
        self.share_ended(cx, slot);
    }

    /// Values of one server's share came.
    pub(super) fn share_came(&mut self, cx: &mut Cx, slot: u32, mut bytes: Bytes, last: bool) {
        let asked = self.asked.get_mut(slot);
        let (Whose::Gather { slot: gather, .. }, SoFar::Keys(share)) =
            (asked.whose, &mut asked.so_far)
        else {
            unreachable!("shares belong to gatherings and have keys");
        };
        let outcomes = &mut self.gathers[gather as usize]
            .as_mut()
            .expect("a gathering lives until its last share ended")
            .outcomes;
        let mut error = None;
        match asked.kind {
            Kind::Many => {
                while let Some(found) = text::next_found(&mut bytes) {
                    match found {
                        Found::Value(crc, value) => {
                            let rest = &share.keys[share.passed..];
                            let at = rest.iter().position(|&(asked, _)| asked == crc);
                            let at = at.expect("the pool holds values against their keys");
                            outcomes[rest[at].1 as usize] = Outcome::Hit(value);
                            share.passed += at + 1;
                        }
                        Found::Error(line) => error = Some(Outcome::Refused(line)),
                        Found::End => {}
                    }
                }
            }
            _ => error = take_packets(&mut bytes, share, outcomes),
        }
        if last {
            let asked = self.asked.remove(slot);
            match error {
                Some(error) => self.share_failed(cx, &asked, &error),
                None => self.share_ended(cx, gather),
            }
        }
    }

    /// A server's share failed: keys without a value are misses or failures.
    pub(super) fn share_failed(&mut self, cx: &mut Cx, asked: &Asked, why: &Outcome) {
        let (Whose::Gather { slot, .. }, SoFar::Keys(share)) = (asked.whose, &asked.so_far) else {
            unreachable!("shares belong to gatherings and have keys");
        };
        if self.options.dead_server == DeadServer::Fail {
            let outcomes = &mut self.gather(slot).outcomes;
            for &(_, place) in &share.keys {
                let outcome = &mut outcomes[place as usize];
                if !matches!(outcome, Outcome::Hit(_)) {
                    *outcome = why.clone();
                }
            }
        }
        self.share_ended(cx, slot);
    }

    fn share_ended(&mut self, cx: &mut Cx, slot: u32) {
        let gather = self.gather(slot);
        gather.shares -= 1;
        if gather.shares > 0 {
            return;
        }
        let gather = self.gathers[slot as usize].take().expect("it was just there");
        if gather.servers {
            return self.settle(cx, gather.whose, Outcome::Servers(gather.outcomes));
        }
        gather.outcomes.iter().for_each(|outcome| self.count(outcome));
        self.settle(cx, gather.whose, Outcome::Many(gather.outcomes));
    }
}

/// Takes the packets of quiet gets, whose opaques are their places.
fn take_packets(bytes: &mut Bytes, share: &Keys, outcomes: &mut [Outcome]) -> Option<Outcome> {
    let mut error = None;
    while let Some(packet) = Packet::next(bytes) {
        let ours = || share.keys.binary_search_by_key(&packet.opaque, |&(_, place)| place).is_ok();
        if packet.is_noop() {
            break;
        }
        if packet.status != 0 {
            error = Some(Outcome::Refused(packet.value));
        } else if ours() {
            let place = packet.opaque as usize;
            outcomes[place] = Outcome::Hit(packet.into_value());
        }
    }
    error
}
