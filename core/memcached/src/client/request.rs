//! Requests under way: how each leaves, and what becomes of what comes back.

use super::binary::{self, Packet};
use super::gather::Gather;
use super::key::{Key, Place};
use super::op::{Op, Verb};
use super::outcome::{Event, NotAccepted, Outcome, Value};
use super::pool::{Failure, PoolEvent, Refusal, Request, Shape};
use super::text::{self, Found};
use super::{Client, DeadServer, ExplicitHash, Protocol};
use bytes::{Bytes, BytesMut};
use storytime_machine::Cx;

/// Who hears how a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The client's owner, with this tag.
    Caller(u64),
    /// One place of a gathering.
    Gather { slot: u32, place: u32 },
    /// A read-through.
    Fill(u32),
    /// A value being stored for a read-through; nobody waits for it.
    Filled,
    /// An update loop.
    Update(u32),
    /// A large value in pieces.
    Large(u32),
    /// A fetch to be collected later.
    Fetch(u32),
}

/// How a reply is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text: at most one value.
    Value,
    /// Text: one line about a value to store.
    Stored,
    /// Text: one line.
    Line,
    /// Text: lines until the last.
    Lines,
    /// A meta reply.
    Meta,
    /// A meta reply with a number.
    MetaNumber,
    /// A meta reply as it came.
    Raw,
    /// Text: values for a gathering.
    Many,
    PacketValue,
    PacketStored(Verb),
    PacketDeleted,
    PacketTouched,
    PacketNumber,
    PacketDone,
    PacketText,
    /// Binary: statistics until the keyless one.
    PacketStats,
    /// Binary: values for a gathering, their opaques its places.
    PacketMany,
}

/// What an encoder says about the request it wrote.
pub(super) struct Encoded {
    pub(super) shape: Shape,
    pub(super) kind: Kind,
    /// What stands behind the value.
    pub(super) tail: &'static [u8],
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) whose: Whose,
    pub(super) kind: Kind,
    /// What of the reply has come.
    pub(super) so_far: SoFar,
}

/// What of a reply has come.
#[derive(Debug, Default)]
pub(super) enum SoFar {
    #[default]
    Nothing,
    /// A value before its end.
    Value(Value),
    /// Lines.
    Lines(BytesMut),
    /// How many of a gathering's keys were passed.
    Keys(Keys),
}

/// The keys of one server's share of a gathering: CRC-32 and place of each.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) keys: Vec<(u32, u32)>,
    pub(super) passed: usize,
}

impl Asked {
    /// A request whose reply's kind is not known yet.
    pub(super) const fn new(whose: Whose) -> Self {
        Self { whose, kind: Kind::Line, so_far: SoFar::Nothing }
    }
}

impl Client {
    /// Sends a request about one key, or answers it at once if its server is down.
    pub(super) fn start(
        &mut self,
        cx: &mut Cx,
        key: &Key<'_>,
        op: &Op<'_>,
        whose: Option<Whose>,
    ) -> Result<(), NotAccepted> {
        self.options.prefix.check(key.bytes)?;
        let quiet = whose.is_none();
        if quiet && !op.is_write() {
            return Err(NotAccepted::NeedsReply);
        }
        if op.value().is_some_and(|value| value.len() > self.options.pool.value_bytes_max) {
            return Err(NotAccepted::ValueTooLarge);
        }
        if self.options.protocol == Protocol::Binary && !binary::has(op, quiet) {
            return Err(NotAccepted::NotInProtocol);
        }
        let server = self.place(key).ok_or(NotAccepted::NoServers)?;
        // Known before anything is sent: what leaves first may end others, which go on asking.
        let slot = whose.map(|whose| self.asked.insert(Asked::new(whose)));
        let mut head = core::mem::take(&mut self.head);
        head.clear();
        let prefix = &self.options.prefix;
        let opaque = slot.unwrap_or(0);
        let encoded = match self.options.protocol {
            Protocol::Text => text::encode(prefix, key.bytes, op, quiet, &mut head),
            Protocol::Binary => binary::encode(prefix, key.bytes, op, quiet, opaque, &mut head),
        };
        if let Some(slot) = slot {
            self.asked.get_mut(slot).kind = encoded.kind;
        }
        let lane = self.lane(key.bytes);
        let pieces = text::pieces(&head, op, encoded.tail);
        let request = Request { shape: encoded.shape, pieces: &pieces, lane, tag: opaque.into() };
        let sent = if self.options.buffer.is_some() && op.is_write() {
            self.hold(cx, server, &request)
        } else {
            self.flush_server(cx, server).and_then(|()| self.send(cx, server, &request))
        };
        self.head = head;
        match (sent, slot) {
            (Ok(()), _) => {}
            (Err(Refusal::Busy), slot) => {
                slot.map(|slot| self.asked.remove(slot));
                return Err(NotAccepted::Busy);
            }
            (Err(Refusal::Down), None) => self.counters.lost_quietly += 1,
            (Err(Refusal::Down), Some(slot)) => {
                let asked = self.asked.remove(slot);
                let outcome = self.when_down(&asked);
                self.settle(cx, asked.whose, outcome);
            }
        }
        self.counters.requests += 1;
        Ok(())
    }

    pub(super) fn send(
        &mut self,
        cx: &mut Cx,
        server: usize,
        request: &Request<'_>,
    ) -> Result<(), Refusal> {
        self.pool.send(cx, self.route[server], request)
    }

    /// Index of the server for a key; `None` without servers.
    pub(super) fn place(&self, key: &Key<'_>) -> Option<usize> {
        let prefix = &self.options.prefix;
        let placed = match key.place {
            Place::Hash(hash) => return self.placement.pick_as(hash, key.bytes),
            Place::Own => key.bytes,
            Place::Master(master) => master,
        };
        if prefix.hashed && !prefix.bytes.is_empty() {
            return self.placement.pick(&[&prefix.bytes, placed].concat());
        }
        self.placement.pick(placed)
    }

    /// Requests about one key keep their order.
    pub(super) fn lane(&self, key: &[u8]) -> u64 {
        if self.options.pool.conns_per_server == 1 { 0 } else { crc32fast::hash(key).into() }
    }

    pub(super) fn when_down(&mut self, asked: &Asked) -> Outcome {
        self.counters.down += 1;
        // An update would take it for somebody who was faster, and try again at once.
        let updates = matches!(asked.whose, Whose::Update(_));
        if updates || self.options.dead_server == DeadServer::Fail {
            return Outcome::Failed(Failure::Down);
        }
        match asked.kind {
            Kind::Value | Kind::PacketValue => Outcome::Miss,
            Kind::Stored | Kind::PacketStored(_) => Outcome::NotStored,
            Kind::Line | Kind::MetaNumber => Outcome::NotFound,
            Kind::PacketDeleted | Kind::PacketTouched | Kind::PacketNumber => Outcome::NotFound,
            Kind::Meta => Outcome::Meta(super::meta::MetaReply::default()),
            Kind::Lines
            | Kind::Raw
            | Kind::Many
            | Kind::PacketDone
            | Kind::PacketText
            | Kind::PacketStats
            | Kind::PacketMany => Outcome::Failed(Failure::Down),
        }
    }

    /// Takes what the pool has to say.
    pub(super) fn pump(&mut self, cx: &mut Cx) {
        while let Some(event) = self.pool.next_event() {
            match event {
                PoolEvent::Reply { tag, bytes, last } => self.reply(cx, tag as u32, bytes, last),
                PoolEvent::Failed { tag, why } => self.request_failed(cx, tag as u32, why),
                PoolEvent::Ejected(_) | PoolEvent::Rejoined(_) => self.place_anew(),
            }
        }
    }

    fn request_failed(&mut self, cx: &mut Cx, slot: u32, why: Failure) {
        let asked = self.asked.remove(slot);
        self.counters.failures += 1;
        if matches!(asked.kind, Kind::Many | Kind::PacketMany) {
            self.share_failed(cx, &asked, &Outcome::Failed(why));
        } else {
            self.settle(cx, asked.whose, Outcome::Failed(why));
        }
    }

    fn reply(&mut self, cx: &mut Cx, slot: u32, mut bytes: Bytes, last: bool) {
        let asked = self.asked.get_mut(slot);
        let outcome = match asked.kind {
            Kind::Value => read_value(&mut asked.so_far, &mut bytes),
            Kind::Stored | Kind::Line => Some(text::line(&bytes)),
            Kind::Meta => Some(text::meta(&bytes)),
            Kind::MetaNumber => Some(text::meta_number(&bytes)),
            Kind::Raw => Some(Outcome::Text(bytes)),
            Kind::Lines => read_lines(&mut asked.so_far, bytes, last),
            Kind::PacketStats => read_stats(&mut asked.so_far, bytes, last),
            Kind::Many | Kind::PacketMany => return self.share_came(cx, slot, bytes, last),
            kind => Packet::next(&mut bytes).map(|packet| packet.outcome(kind)),
        };
        if !last {
            return;
        }
        let asked = self.asked.remove(slot);
        let outcome = outcome.expect("the pool says that a reply is whole");
        self.settle(cx, asked.whose, outcome);
    }

    /// Counts an outcome.
    pub(super) const fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Hit(_) => self.counters.hits += 1,
            Outcome::Miss => self.counters.misses += 1,
            Outcome::Refused(_) => self.counters.refused += 1,
            _ => {}
        }
    }

    /// Tells whoever asked.
    pub(super) fn settle(&mut self, cx: &mut Cx, whose: Whose, outcome: Outcome) {
        if !matches!(whose, Whose::Gather { .. }) {
            self.count(&outcome);
        }
        match whose {
            Whose::Caller(tag) => self.events.push_back(Event { tag, outcome }),
            Whose::Gather { slot, place } => self.gathered(cx, slot, place, outcome),
            Whose::Fill(slot) => self.fill_read(slot, outcome),
            Whose::Filled => {}
            Whose::Update(slot) => self.update_step(cx, slot, outcome),
            Whose::Large(slot) => self.large_step(cx, slot, outcome),
            Whose::Fetch(slot) => self.fetched(slot, outcome),
        }
    }

    /// A gathering that is under way.
    pub(super) fn gather(&mut self, slot: u32) -> &mut Gather {
        self.gathers[slot as usize].as_mut().expect("a gathering lives until its last share ended")
    }

    /// Placement for a hash of the caller's choice.
    pub fn server_of_hash(&self, hash: ExplicitHash) -> Option<usize> {
        self.placement.pick_by_hash(hash)
    }

    /// Index in the list of the server that a key goes to now; `None` without servers.
    pub fn server_of<'k>(&self, key: impl Into<Key<'k>>) -> Option<usize> {
        self.place(&key.into())
    }
}

fn read_value(so_far: &mut SoFar, bytes: &mut Bytes) -> Option<Outcome> {
    let mut outcome = None;
    while let Some(found) = text::next_found(bytes) {
        match found {
            Found::Value(_, value) => *so_far = SoFar::Value(value),
            Found::Error(line) => outcome = Some(Outcome::Refused(line)),
            Found::End => {
                outcome = Some(match core::mem::take(so_far) {
                    SoFar::Value(value) => Outcome::Hit(value),
                    _ => Outcome::Miss,
                });
            }
        }
    }
    outcome
}

/// Lines longer than this in total are cut: statistics of a server with very many classes.
const LINES_BYTES_MAX: usize = 16 << 20;

fn lines_of(so_far: &mut SoFar) -> &mut BytesMut {
    if !matches!(so_far, SoFar::Lines(_)) {
        *so_far = SoFar::Lines(BytesMut::new());
    }
    match so_far {
        SoFar::Lines(lines) => lines,
        _ => unreachable!("it was just made so"),
    }
}

fn read_lines(so_far: &mut SoFar, bytes: Bytes, last: bool) -> Option<Outcome> {
    let mut body = &bytes[..];
    let mut end = None;
    if last {
        let whole = body.trim_ascii_end();
        let begin = memchr::memrchr(b'\n', whole).map_or(0, |at| at + 1);
        end = Some(text::line(&bytes.slice(begin..)));
        body = &bytes[..begin];
    }
    let lines = lines_of(so_far);
    let room = LINES_BYTES_MAX - lines.len();
    lines.extend_from_slice(&body[..body.len().min(room)]);
    match end? {
        refused @ Outcome::Refused(_) => Some(refused),
        // RESET, OK.
        done @ Outcome::Done if lines.is_empty() => Some(done),
        _ => Some(Outcome::Text(core::mem::take(lines).freeze())),
    }
}

fn read_stats(so_far: &mut SoFar, mut bytes: Bytes, last: bool) -> Option<Outcome> {
    let lines = lines_of(so_far);
    let mut refused = None;
    while let Some(packet) = Packet::next(&mut bytes) {
        if packet.status != 0 {
            refused = Some(Outcome::Refused(packet.value));
        } else if !packet.key.is_empty() && lines.len() < LINES_BYTES_MAX {
            packet.put_stat_line(lines);
        }
    }
    if !last {
        return None;
    }
    Some(refused.unwrap_or_else(|| Outcome::Text(core::mem::take(lines).freeze())))
}
