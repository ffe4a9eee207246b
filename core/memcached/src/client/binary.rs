//! Requests and replies in the binary protocol. It has no meta commands.

use super::key::Prefix;
use super::op::{Count, Op, Verb};
use super::outcome::{Outcome, Value};
use super::pool::Shape;
use super::pool::frame::HEADER_BYTES;
use super::request::{Encoded, Kind};
use bytes::{BufMut as _, Bytes, BytesMut};
use core::fmt::Write as _;

/// First byte of a request.
const REQUEST: u8 = 0x80;
/// Expiry that means: store no number where none is.
const NO_INITIAL: u32 = u32::MAX;

const GET: u8 = 0x00;
const GETQ: u8 = 0x09;
const NOOP: u8 = 0x0a;
const VERSION: u8 = 0x0b;
const STAT: u8 = 0x10;
const FLUSH: u8 = 0x08;

const OK: u16 = 0;
const NOT_FOUND: u16 = 1;
const EXISTS: u16 = 2;
const NOT_STORED: u16 = 5;

/// A request's header: extras and value are counted, the key is written behind them.
struct Header {
    opcode: u8,
    extras_bytes: u8,
    value_bytes: usize,
    opaque: u32,
    cas: u64,
}

impl Header {
    const fn new(opcode: u8, opaque: u32) -> Self {
        Self { opcode, extras_bytes: 0, value_bytes: 0, opaque, cas: 0 }
    }

    fn put(&self, key_bytes: usize, into: &mut BytesMut) {
        let body = key_bytes + usize::from(self.extras_bytes) + self.value_bytes;
        into.put_u8(REQUEST);
        into.put_u8(self.opcode);
        into.put_u16(u16::try_from(key_bytes).expect("keys were checked to be short"));
        into.put_u8(self.extras_bytes);
        into.put_slice(&[0; 3]);
        into.put_u32(u32::try_from(body).expect("values were checked to be short"));
        into.put_u32(self.opaque);
        into.put_u64(self.cas);
    }
}

/// Opcodes with and without a reply, how long the extras are, and what comes back.
fn describe(op: &Op<'_>) -> ((u8, u8), u8, Kind) {
    match op {
        Op::Get | Op::Gets => ((GET, GETQ), 0, Kind::PacketValue),
        Op::GetAndTouch { .. } | Op::GetsAndTouch { .. } => ((0x1d, 0x1e), 4, Kind::PacketValue),
        Op::Store(store) => match store.verb {
            Verb::Set | Verb::Cas(_) => ((0x01, 0x11), 8, Kind::PacketStored(store.verb)),
            Verb::Add => ((0x02, 0x12), 8, Kind::PacketStored(store.verb)),
            Verb::Replace => ((0x03, 0x13), 8, Kind::PacketStored(store.verb)),
            Verb::Append => ((0x0e, 0x19), 0, Kind::PacketStored(store.verb)),
            Verb::Prepend => ((0x0f, 0x1a), 0, Kind::PacketStored(store.verb)),
        },
        Op::Delete => ((0x04, 0x14), 0, Kind::PacketDeleted),
        Op::Count(Count { down: false, .. }) => ((0x05, 0x15), 20, Kind::PacketNumber),
        Op::Count(Count { down: true, .. }) => ((0x06, 0x16), 20, Kind::PacketNumber),
        // There is no quiet touch; `has` says so.
        Op::Touch { .. } => ((0x1c, 0x1c), 4, Kind::PacketTouched),
        Op::MetaGet(_) | Op::MetaSet(..) | Op::MetaDelete(_) | Op::MetaArithmetic(_) => {
            unreachable!("meta commands were refused before")
        }
    }
}

/// Whether the binary protocol has this request.
pub(super) const fn has(op: &Op<'_>, quiet: bool) -> bool {
    !(op.is_meta() || quiet && matches!(op, Op::Touch { .. }))
}

/// Writes a request up to its value, and says what comes back.
pub(super) fn encode(
    prefix: &Prefix,
    key: &[u8],
    op: &Op<'_>,
    quiet: bool,
    opaque: u32,
    into: &mut BytesMut,
) -> Encoded {
    let ((loud_opcode, quiet_opcode), extras_bytes, kind) = describe(op);
    let opcode = if quiet { quiet_opcode } else { loud_opcode };
    let value_bytes = op.value().map_or(0, super::pool::Piece::len);
    let cas = match op {
        Op::Store(store) => match store.verb {
            Verb::Cas(version) => version,
            _ => 0,
        },
        _ => 0,
    };
    let header = Header { extras_bytes, value_bytes, cas, ..Header::new(opcode, opaque) };
    header.put(prefix.bytes.len() + key.len(), into);
    let before = into.len();
    match op {
        Op::Store(store) if extras_bytes > 0 => {
            into.put_u32(store.flags);
            into.put_i32(store.exptime);
        }
        Op::Touch { exptime } | Op::GetAndTouch { exptime } | Op::GetsAndTouch { exptime } => {
            into.put_i32(*exptime);
        }
        Op::Count(count) => {
            into.put_u64(count.by);
            into.put_u64(count.initial.map_or(0, |initial| initial.number));
            into.put_u32(count.initial.map_or(NO_INITIAL, |initial| initial.exptime));
        }
        _ => {}
    }
    assert_eq!(into.len() - before, usize::from(extras_bytes), "extras are as long as announced");
    prefix.put(key, into);
    let shape = if quiet { Shape::Quiet } else { Shape::Packet { opcode, opaque } };
    Encoded { shape, kind, tail: b"" }
}

/// Writes a quiet get; its index comes back as the opaque.
pub(super) fn put_get_quiet(prefix: &Prefix, key: &[u8], index: u32, into: &mut BytesMut) {
    Header::new(GETQ, index).put(prefix.bytes.len() + key.len(), into);
    prefix.put(key, into);
}

/// Writes the no-op that ends quiet requests.
pub(super) fn put_noop(opaque: u32, into: &mut BytesMut) -> Shape {
    Header::new(NOOP, opaque).put(0, into);
    Shape::PacketsUntil { opcode: NOOP, opaque }
}

/// Writes a request for the version.
pub(super) fn put_version(opaque: u32, into: &mut BytesMut) -> Shape {
    Header::new(VERSION, opaque).put(0, into);
    Shape::Packet { opcode: VERSION, opaque }
}

/// Writes a request for statistics.
pub(super) fn put_stat(sub: &[u8], opaque: u32, into: &mut BytesMut) -> Shape {
    Header::new(STAT, opaque).put(sub.len(), into);
    into.put_slice(sub);
    Shape::PacketsUntilKeyless { opcode: STAT, opaque }
}

/// Writes a flush after a delay in seconds.
pub(super) fn put_flush(delay: u32, opaque: u32, into: &mut BytesMut) -> Shape {
    Header { extras_bytes: 4, ..Header::new(FLUSH, opaque) }.put(0, into);
    into.put_u32(delay);
    Shape::Packet { opcode: FLUSH, opaque }
}

/// A reply packet, taken apart.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) opcode: u8,
    pub(super) status: u16,
    pub(super) opaque: u32,
    pub(super) cas: u64,
    pub(super) extras: Bytes,
    pub(super) key: Bytes,
    pub(super) value: Bytes,
}

impl Packet {
    /// Takes a packet off the front of a reply, whose packets are whole.
    pub(super) fn next(reply: &mut Bytes) -> Option<Self> {
        let header = *reply.first_chunk::<HEADER_BYTES>()?;
        let word = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|n| header[at + n]));
        let body_bytes = word(8) as usize;
        let key_bytes = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let extras_bytes = usize::from(header[4]);
        let whole = HEADER_BYTES.checked_add(body_bytes)?;
        if reply.len() < whole || key_bytes + extras_bytes > body_bytes {
            return None;
        }
        let mut body = reply.split_to(whole).slice(HEADER_BYTES..);
        let extras = body.split_to(extras_bytes);
        let key = body.split_to(key_bytes);
        let cas = (u64::from(word(16)) << 32) | u64::from(word(20));
        let status = u16::from_be_bytes([header[6], header[7]]);
        Some(Self { opcode: header[1], status, opaque: word(12), cas, extras, key, value: body })
    }

    /// Whether it ends quiet requests.
    pub(super) const fn is_noop(&self) -> bool {
        self.opcode == NOOP
    }

    /// The value of a hit.
    pub(super) fn into_value(self) -> Value {
        let flags = self.extras.first_chunk().map_or(0, |flags| u32::from_be_bytes(*flags));
        Value { data: self.value, flags, cas: self.cas }
    }

    /// What it says, as an answer to this kind of request.
    pub(super) fn outcome(self, kind: Kind) -> Outcome {
        match (kind, self.status) {
            (Kind::PacketValue, OK) => Outcome::Hit(self.into_value()),
            (Kind::PacketValue, NOT_FOUND) => Outcome::Miss,
            (Kind::PacketStored(_), OK) => Outcome::Stored,
            (Kind::PacketStored(Verb::Add), EXISTS)
            | (Kind::PacketStored(Verb::Replace), NOT_FOUND)
            | (Kind::PacketStored(_), NOT_STORED) => Outcome::NotStored,
            (Kind::PacketStored(_) | Kind::PacketDeleted | Kind::PacketNumber, EXISTS) => {
                Outcome::Exists
            }
            (Kind::PacketDeleted, OK) => Outcome::Deleted,
            (Kind::PacketTouched, OK) => Outcome::Touched,
            (Kind::PacketDone, OK) => Outcome::Done,
            (Kind::PacketText, OK) => Outcome::Text(self.value),
            (Kind::PacketNumber, OK) => match self.value.first_chunk() {
                Some(number) => Outcome::Number(u64::from_be_bytes(*number)),
                None => Outcome::Refused(Bytes::from_static(b"a count without a number")),
            },
            (_, NOT_FOUND) => Outcome::NotFound,
            _ => Outcome::Refused(self.value),
        }
    }

    /// Writes a statistic as the text protocol has it.
    pub(super) fn put_stat_line(&self, into: &mut BytesMut) {
        into.extend_from_slice(b"STAT ");
        into.extend_from_slice(&self.key);
        into.extend_from_slice(b" ");
        into.extend_from_slice(&self.value);
        into.write_str("\r\n").expect("buffers of replies grow as needed");
    }
}
