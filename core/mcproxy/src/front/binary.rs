//! Binary requests.
//!
//! Not served: SASL, which ends at a server.

use super::{Action, Bounds, Dress, Effect, ForAll, KEY_BYTES_MAX, Miss, Request, Tongue, What};
use bytes::{Buf, Bytes, BytesMut};
use storytime_memcached::client::pool::Shape;

/// Bytes of a packet's header.
pub(crate) const HEADER_BYTES: usize = 24;
/// First byte of a request.
pub(crate) const REQUEST: u8 = 0x80;
/// First byte of a reply.
const RESPONSE: u8 = 0x81;
/// Largest body of a packet that may be meant, bytes.
const BODY_BYTES_MAX: usize = 1 << 30;

pub(crate) const OK: u16 = 0;
pub(crate) const NOT_FOUND: u16 = 1;
pub(crate) const TOO_LARGE: u16 = 3;
const INVALID: u16 = 4;
const UNKNOWN: u16 = 0x81;
/// A server could not be asked.
pub(crate) const TEMPORARY_FAILURE: u16 = 0x86;

const GET: u8 = 0x00;
const SET: u8 = 0x01;
const DELETE: u8 = 0x04;
const QUIT: u8 = 0x07;
const FLUSH: u8 = 0x08;
const NOOP: u8 = 0x0a;
const VERSION: u8 = 0x0b;
const GETK: u8 = 0x0c;
const STAT: u8 = 0x10;
const QUITQ: u8 = 0x17;
const FLUSHQ: u8 = 0x18;

/// What a connection awaits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Binary {
    /// A packet.
    AwaitPacket,
    /// The rest of a body that nobody wants.
    Swallow { left: usize },
}

/// The numbers of a header.
#[derive(Clone, Copy, Debug)]
struct Header {
    opcode: u8,
    key: usize,
    extras: usize,
    body: usize,
    opaque: [u8; 4],
}

impl Header {
    fn of(bytes: &[u8; HEADER_BYTES]) -> Self {
        let [_, opcode, key0, key1, extras, _, _, _, b0, b1, b2, b3, o0, o1, o2, o3, ..] = *bytes;
        Self {
            opcode,
            key: usize::from(u16::from_be_bytes([key0, key1])),
            extras: usize::from(extras),
            body: u32::from_be_bytes([b0, b1, b2, b3]) as usize,
            opaque: [o0, o1, o2, o3],
        }
    }

    const fn value(&self) -> usize {
        self.body - self.extras - self.key
    }

    fn reply(&self, status: u16) -> Bytes {
        status_packet(self.opcode, self.opaque, status)
    }
}

/// What an opcode asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Family {
    Get,
    Touch,
    GetAndTouch,
    Store,
    Extend,
    Count,
    Delete,
    Flush,
    Stat,
    Plain,
}

/// The opcode that is always answered, what it does, and what its quiet form hides.
fn judge(opcode: u8) -> Option<(u8, Family, Option<u16>)> {
    let loud = match opcode {
        0x09 => GET,
        0x0d => GETK,
        0x11..=0x16 => opcode - 0x10,
        QUITQ => QUIT,
        FLUSHQ => FLUSH,
        0x19 | 0x1a => opcode - 0x0b,
        0x1e | 0x24 => opcode - 1,
        other => other,
    };
    let family = match loud {
        GET | GETK => Family::Get,
        SET | 0x02 | 0x03 => Family::Store,
        DELETE => Family::Delete,
        0x05 | 0x06 => Family::Count,
        FLUSH => Family::Flush,
        QUIT | NOOP | VERSION => Family::Plain,
        0x0e | 0x0f => Family::Extend,
        STAT => Family::Stat,
        0x1c => Family::Touch,
        0x1d | 0x23 => Family::GetAndTouch,
        _ => return None,
    };
    let hidden = match family {
        Family::Get | Family::GetAndTouch => NOT_FOUND,
        _ => OK,
    };
    Some((loud, family, (loud != opcode).then_some(hidden)))
}

impl Family {
    /// Whether extras, key and value are as they must be.
    const fn fits(self, header: &Header) -> bool {
        let (extras, key, value) = (header.extras, header.key > 0, header.value());
        match self {
            Self::Get | Self::Delete => extras == 0 && key && value == 0,
            Self::Touch | Self::GetAndTouch => extras == 4 && key && value == 0,
            Self::Store => extras == 8 && key,
            Self::Extend => extras == 0 && key,
            Self::Count => extras == 20 && key && value == 0,
            Self::Flush => (extras == 0 || extras == 4) && !key && value == 0,
            Self::Stat => extras == 0 && value == 0,
            Self::Plain => extras == 0 && !key && value == 0,
        }
    }
}

impl Binary {
    /// Eats one request, or as much of one as there is.
    pub(crate) fn step(&mut self, rx: &mut BytesMut, bounds: &Bounds) -> Action {
        if let Self::Swallow { left } = self {
            let eaten = (*left).min(rx.len());
            rx.advance(eaten);
            *left -= eaten;
            if *left > 0 {
                return Action::Await;
            }
            *self = Self::AwaitPacket;
            return Action::Ate;
        }
        if rx.first().is_some_and(|&b| b != REQUEST) {
            return Action::HangUp;
        }
        let Some(bytes) = rx.first_chunk::<HEADER_BYTES>() else { return Action::Await };
        let header = Header::of(bytes);
        if header.key + header.extras > header.body {
            return Action::Farewell(header.reply(UNKNOWN));
        }
        if header.key > KEY_BYTES_MAX || header.body > BODY_BYTES_MAX {
            return Action::Farewell(header.reply(INVALID));
        }
        let Some((loud, family, hides)) = judge(header.opcode) else {
            *self = Self::Swallow { left: header.body };
            rx.advance(HEADER_BYTES);
            return Action::Reply(header.reply(UNKNOWN));
        };
        if !family.fits(&header) {
            return Action::Farewell(header.reply(INVALID));
        }
        if header.value() > bounds.value_bytes_max {
            return self.too_large(rx, header, loud);
        }
        let whole = HEADER_BYTES + header.body;
        if rx.len() < whole {
            return Action::Await;
        }
        // A server sees the loud opcode, and an opaque that is set when the request leaves.
        rx[1] = loud;
        rx[12..16].fill(0);
        let wire = rx.split_to(whole).freeze();
        let dress = Dress::Packet { opcode: header.opcode, opaque: header.opaque, hides };
        match family {
            Family::Plain => plain(&header, loud, bounds),
            Family::Flush | Family::Stat => for_all(&header, family, wire, dress),
            _ => Action::Ask(keyed(&header, loud, family, wire), dress),
        }
    }

    /// Throws a value away. The old one must not be read as if it were the new one.
    fn too_large(&mut self, rx: &mut BytesMut, header: Header, loud: u8) -> Action {
        let key_end = HEADER_BYTES + header.extras + header.key;
        if rx.len() < key_end {
            return Action::Await;
        }
        *self = Self::Swallow { left: header.value() };
        let head = rx.split_to(key_end).freeze();
        if loud != SET {
            return Action::Reply(header.reply(TOO_LARGE));
        }
        let Header { opcode, opaque, .. } = header;
        let key = &head[key_end - header.key..];
        Action::Ask(delete(key), Dress::PacketInstead { opcode, opaque, status: TOO_LARGE })
    }
}

/// A request to delete a key.
pub(crate) fn delete(key: &[u8]) -> Request {
    let mut packet = BytesMut::zeroed(HEADER_BYTES);
    (packet[0], packet[1]) = (REQUEST, DELETE);
    packet[2..4].copy_from_slice(&(key.len() as u16).to_be_bytes());
    packet[8..12].copy_from_slice(&(key.len() as u32).to_be_bytes());
    packet.extend_from_slice(key);
    let header =
        Header { opcode: DELETE, key: key.len(), extras: 0, body: key.len(), opaque: [0; 4] };
    keyed(&header, DELETE, Family::Delete, packet.freeze())
}

fn plain(header: &Header, loud: u8, bounds: &Bounds) -> Action {
    match loud {
        QUIT if header.opcode == QUITQ => Action::HangUp,
        QUIT => Action::Farewell(packet(QUIT, header.opaque, OK, b"", b"")),
        VERSION => {
            Action::Reply(packet(VERSION, header.opaque, OK, b"", bounds.version.as_bytes()))
        }
        _ => Action::Reply(packet(NOOP, header.opaque, OK, b"", b"")),
    }
}

fn for_all(header: &Header, family: Family, wire: Bytes, dress: Dress) -> Action {
    if family == Family::Stat && &wire[HEADER_BYTES..] == b"proxy" {
        return Action::OwnStats(dress);
    }
    let (what, shape) = match family {
        Family::Stat => (What::Stats, Shape::PacketsUntilKeyless { opcode: STAT, opaque: 0 }),
        _ => (What::Flush, Shape::Packet { opcode: FLUSH, opaque: 0 }),
    };
    assert!(header.body <= wire.len(), "the packet is whole");
    Action::AskAll(ForAll { what, tongue: Tongue::Binary, wire, shape, dress })
}

fn keyed(header: &Header, loud: u8, family: Family, wire: Bytes) -> Request {
    let key_at = HEADER_BYTES + header.extras;
    let (effect, miss) = match family {
        Family::Get => (Effect::Read, Miss::Packet { keyed: loud == GETK }),
        Family::GetAndTouch => (Effect::Repeatable, Miss::Packet { keyed: loud == 0x23 }),
        Family::Touch | Family::Delete => (Effect::Repeatable, Miss::Never),
        // With a version a set is done once.
        Family::Store if loud == SET && wire[16..24] == [0; 8] => (Effect::Repeatable, Miss::Never),
        _ => (Effect::Once, Miss::Never),
    };
    Request {
        tongue: Tongue::Binary,
        effect,
        miss,
        key: wire.slice(key_at..key_at + header.key),
        wire,
        shape: Shape::Packet { opcode: loud, opaque: 0 },
        value_bytes: if family == Family::Store { header.value() } else { 0 },
    }
}

/// What the original says with a status.
const fn words(status: u16) -> &'static [u8] {
    match status {
        NOT_FOUND => b"Not found",
        TOO_LARGE => b"Too large.",
        INVALID => b"Invalid arguments",
        UNKNOWN => b"Unknown command",
        _ => b"",
    }
}

/// A reply without a key, with the words that belong to its status.
pub(crate) fn status_packet(opcode: u8, opaque: [u8; 4], status: u16) -> Bytes {
    packet(opcode, opaque, status, b"", words(status))
}

/// A reply.
pub(crate) fn packet(opcode: u8, opaque: [u8; 4], status: u16, key: &[u8], value: &[u8]) -> Bytes {
    let mut packet = BytesMut::with_capacity(HEADER_BYTES + key.len() + value.len());
    packet.extend_from_slice(&[RESPONSE, opcode]);
    packet.extend_from_slice(&(key.len() as u16).to_be_bytes());
    packet.extend_from_slice(&[0, 0]);
    packet.extend_from_slice(&status.to_be_bytes());
    packet.extend_from_slice(&((key.len() + value.len()) as u32).to_be_bytes());
    packet.extend_from_slice(&opaque);
    packet.extend_from_slice(&[0; 8]);
    packet.extend_from_slice(key);
    packet.extend_from_slice(value);
    packet.freeze()
}

/// The status of a reply; `OK` for what is too short to be one.
pub(crate) fn status_of(packet: &[u8]) -> u16 {
    packet.get(6..8).map_or(OK, |s| u16::from_be_bytes([s[0], s[1]]))
}

/// The key of a reply and what stands behind it.
pub(crate) fn key_and_value(packet: &Bytes) -> (Bytes, Bytes) {
    let key = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let key_at = HEADER_BYTES + usize::from(packet[4]);
    (packet.slice(key_at..key_at + key), packet.slice(key_at + key..))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { value_bytes_max: 100, version: "v" };

    fn request(opcode: u8, extras: &[u8], key: &[u8], value: &[u8]) -> BytesMut {
        let mut bytes = BytesMut::from(&packet(opcode, *b"opaq", 0, key, value)[..]);
        bytes[0] = REQUEST;
        bytes[4] = extras.len() as u8;
        let body = extras.len() + key.len() + value.len();
        bytes[8..12].copy_from_slice(&(body as u32).to_be_bytes());
        let tail = bytes.split_off(HEADER_BYTES);
        bytes.extend_from_slice(extras);
        bytes.extend_from_slice(&tail);
        bytes
    }

    fn step(rx: &mut BytesMut) -> Action {
        Binary::AwaitPacket.step(rx, &BOUNDS)
    }

    #[test]
    fn quiet_requests_leave_as_loud_ones_and_hide_what_is_nominal() {
        for (quiet, loud, hidden) in [
            (0x09, GET, NOT_FOUND),
            (0x0d, GETK, NOT_FOUND),
            (0x11, SET, OK),
            (0x14, DELETE, OK),
            (0x15, 0x05, OK),
            (0x19, 0x0e, OK),
            (0x1a, 0x0f, OK),
            (0x1e, 0x1d, NOT_FOUND),
            (0x24, 0x23, NOT_FOUND),
        ] {
            let extras = match loud {
                SET => &[0; 8][..],
                0x05 => &[0; 20],
                0x1d | 0x23 => &[0; 4],
                _ => b"",
            };
            let Action::Ask(request, dress) = step(&mut request(quiet, extras, b"key", b"")) else {
                panic!("{quiet:#x} is asked for")
            };
            assert_eq!((request.wire[1], &request.key[..]), (loud, &b"key"[..]));
            assert_eq!(&request.wire[12..16], &[0; 4]);
            let Dress::Packet { opcode, opaque, hides } = dress else { panic!("a packet") };
            assert_eq!((opcode, &opaque, hides), (quiet, b"opaq", Some(hidden)));
        }
    }

    #[test]
    fn requests_wait_until_they_are_whole() {
        let whole = request(SET, &[0; 8], b"key", b"value");
        for cut in 0..whole.len() {
            let mut part = BytesMut::from(&whole[..cut]);
            assert!(matches!(step(&mut part), Action::Await), "{cut} bytes");
            assert_eq!(part.len(), cut);
        }
        assert!(matches!(step(&mut whole.clone()), Action::Ask(..)));
    }

    #[test]
    fn packets_that_fit_no_opcode_are_answered_and_end_the_connection() {
        for mut wrong in [
            request(GET, b"xxxx", b"k", b""),
            request(GET, b"", b"", b""),
            request(SET, b"", b"k", b"v"),
            request(DELETE, b"", b"k", b"v"),
            request(NOOP, b"", b"k", b""),
            request(FLUSH, b"xx", b"", b""),
            request(GET, b"", &[b'k'; 251], b""),
        ] {
            let Action::Farewell(reply) = step(&mut wrong) else { panic!("a farewell") };
            assert_eq!((status_of(&reply), &reply[12..16]), (INVALID, &b"opaq"[..]));
        }
        assert!(matches!(step(&mut BytesMut::from(&b"get a\r\n"[..])), Action::HangUp));
    }

    #[test]
    fn unknown_opcodes_are_answered_and_swallowed() {
        let mut rx = request(0x21, b"", b"PLAIN", b"secret");
        rx.extend_from_slice(&request(NOOP, b"", b"", b""));
        let mut binary = Binary::AwaitPacket;
        let Action::Reply(reply) = binary.step(&mut rx, &BOUNDS) else { panic!("a reply") };
        assert_eq!(status_of(&reply), UNKNOWN);
        assert!(matches!(binary.step(&mut rx, &BOUNDS), Action::Ate));
        assert!(matches!(binary.step(&mut rx, &BOUNDS), Action::Reply(_)) && rx.is_empty());
    }

    #[test]
    fn a_value_that_is_too_large_takes_the_old_one_with_it() {
        let mut rx = request(SET, &[0; 8], b"key", &[b'x'; 101]);
        let mut binary = Binary::AwaitPacket;
        let Action::Ask(request, dress) = binary.step(&mut rx, &BOUNDS) else { panic!("asked") };
        assert_eq!((request.wire[1], &request.key[..]), (DELETE, &b"key"[..]));
        assert!(matches!(dress, Dress::PacketInstead { status: TOO_LARGE, .. }));
        assert!(matches!(binary.step(&mut rx, &BOUNDS), Action::Ate) && rx.is_empty());
    }
}
