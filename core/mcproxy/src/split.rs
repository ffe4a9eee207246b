//! Large values in pieces, as this workspace's client stores them: the pieces first, under keys
//! that name a generation drawn for this one writing, then a record under the value's own key.
//! Readers find all pieces of one generation, or miss.
//!
//! Every piece goes its own way along the key's route, as a request of the proxy's own; rates do
//! not count it. While a client's large value is being written nothing more is taken from that
//! client, so that it reads what it wrote.
//!
//! Only `set` writes pieces, and only `get`, `gets` and their binary forms read them. Not modelled:
//! `touch` and `gat` reach the record alone, `append` and `prepend` spoil it (a miss), and meta
//! commands show it.

use crate::dress::{Class, class, dress, error, miss};
use crate::front::binary::HEADER_BYTES;
use crate::front::{Dress, Effect, KEY_BYTES_MAX, Miss, Request, Tongue};
use crate::jobs::{Reply, To, Waiter};
use crate::proxy::Proxy;
use bytes::{Bytes, BytesMut};
use storytime_machine::Cx;
use storytime_memcached::client::pool::{Shape, Words};
use storytime_memcached::text::number::u64_of;

/// Most pieces of a value.
const PIECES_MAX: u64 = 1024;
/// First bytes of a record that names pieces. No text begins so.
const MARK: &[u8] = b"\x01pieces ";
/// Longest record, bytes.
const RECORD_BYTES_MAX: usize = 96;
const SET: u8 = 0x01;

/// A large value on its way.
#[derive(Debug)]
pub(crate) struct Split {
    request: Request,
    waiters: Vec<Waiter>,
    left: u32,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Pieces are being stored; the first that was refused.
    Writing { refused: Option<Reply> },
    /// Pieces are being read, behind the reply that held the record.
    Reading { record: Record, head: Reply, pieces: Vec<Bytes> },
}

/// What is stored under the value's own key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    generation: u64,
    pieces: u64,
    bytes: u64,
    crc: u32,
}

impl Record {
    fn text(&self) -> Vec<u8> {
        let Self { generation, pieces, bytes, crc } = self;
        [MARK, format!("{generation} {pieces} {bytes} {crc}").as_bytes()].concat()
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let rest = value.strip_prefix(MARK).filter(|_| value.len() <= RECORD_BYTES_MAX)?;
        let mut words = rest.split(|&b| b == b' ').map(u64_of);
        let (generation, pieces) = (words.next()??, words.next()??);
        let (bytes, crc) = (words.next()??, u32::try_from(words.next()??).ok()?);
        let good = words.next().is_none() && (1..=PIECES_MAX).contains(&pieces);
        good.then_some(Self { generation, pieces, bytes, crc })
    }

    fn piece_key(&self, key: &[u8], piece: u64) -> Vec<u8> {
        [key, format!(":{:016x}:{piece}", self.generation).as_bytes()].concat()
    }
}

impl Proxy {
    /// Whether a request stores a value that is to be stored in pieces.
    pub(crate) fn is_split(&self, request: &Request) -> bool {
        let Some(most) = self.config.split_bytes else { return false };
        let set = match request.tongue {
            Tongue::Text => request.wire.starts_with(b"set "),
            Tongue::Binary => request.wire[1] == SET && request.effect == Effect::Repeatable,
        };
        let longest = request.key.len() + ":0123456789abcdef:1024".len();
        set && request.value_bytes > most && longest <= KEY_BYTES_MAX && is_plain(&request.key)
    }

    /// Stores a value in pieces.
    pub(crate) fn write_split(&mut self, cx: &mut Cx, request: &Request, waiter: Waiter) {
        let most = self.config.split_bytes.expect("values are split");
        let Some((exptime, value)) = value_of(request) else {
            return self.ask_whole(cx, request.clone(), waiter);
        };
        let record = Record {
            generation: cx.rng().u64(),
            pieces: value.len().div_ceil(most) as u64,
            bytes: value.len() as u64,
            crc: crc32fast::hash(&value),
        };
        if record.pieces > PIECES_MAX {
            return self.ask_whole(cx, request.clone(), waiter);
        }
        let stage = Stage::Writing { refused: None };
        let of_record = with_value(request, &record.text());
        let left = record.pieces as u32;
        let split = Split { request: of_record, waiters: vec![waiter], left, stage };
        let slot = self.add_split(split);
        for piece in 0..record.pieces {
            let begin = piece as usize * most;
            let data = &value[begin..value.len().min(begin + most)];
            let key = record.piece_key(&request.key, piece);
            let asked = text_request(b"set ", &key, Some((exptime, data)));
            self.ask_whole(cx, asked, own(slot, piece));
        }
        self.counters.split_writes += 1;
    }

    /// Reads the pieces if a reply holds a record; says whether it does.
    pub(crate) fn read_split(
        &mut self,
        cx: &mut Cx,
        request: &Request,
        reply: &Reply,
        waiters: &mut Vec<Waiter>,
    ) -> bool {
        let own = waiters.iter().any(|waiter| !matches!(waiter.to, To::Client { .. }));
        if self.config.split_bytes.is_none() || own || request.shape == META {
            return false;
        }
        let Some(record) = value_in(request.tongue, reply).and_then(|v| Record::parse(&v)) else {
            return false;
        };
        let pieces = vec![Bytes::new(); record.pieces as usize];
        let stage = Stage::Reading { record, head: reply.clone(), pieces };
        let left = record.pieces as u32;
        let waiters = core::mem::take(waiters);
        let slot = self.add_split(Split { request: request.clone(), waiters, left, stage });
        for piece in 0..record.pieces {
            let key = record.piece_key(&request.key, piece);
            self.ask_whole(cx, text_request(b"get ", &key, None), self::own(slot, piece));
        }
        self.counters.split_reads += 1;
        true
    }

    fn add_split(&mut self, split: Split) -> u32 {
        let free = self.splits.iter().position(Option::is_none).unwrap_or(self.splits.len());
        match self.splits.get_mut(free) {
            Some(place) => *place = Some(split),
            None => self.splits.push(Some(split)),
        }
        free as u32
    }

    /// A piece was answered.
    pub(crate) fn piece_done(&mut self, cx: &mut Cx, slot: u32, piece: u32, reply: &Reply) {
        let place = &mut self.splits[slot as usize];
        let split = place.as_mut().expect("it lives until its last piece was answered");
        split.left -= 1;
        match &mut split.stage {
            Stage::Writing { refused } if !reply.first.starts_with(b"STORED") => {
                refused.get_or_insert_with(|| reply.clone());
            }
            Stage::Writing { .. } => {}
            Stage::Reading { pieces, .. } => {
                let value = value_in(Tongue::Text, reply);
                pieces[piece as usize] = value.unwrap_or_default();
            }
        }
        if split.left > 0 {
            return;
        }
        let Split { request, mut waiters, stage, .. } = place.take().expect("it was there above");
        match stage {
            Stage::Writing { refused: None } => {
                let waiter = waiters.pop().expect("whoever writes waits");
                self.ask_whole(cx, request, waiter);
            }
            Stage::Writing { refused: Some(reply) } => {
                let text = String::from_utf8_lossy(&reply.first);
                let text = format!("a piece was not stored: {}", text.trim_end());
                let reply = error(request.tongue, &text);
                self.answer_waiters(waiters, &reply);
            }
            Stage::Reading { record, head, pieces } => {
                let whole = whole(&request, &record, &head, pieces);
                let reply = whole.or_else(|| miss(&request));
                let reply = reply.unwrap_or_else(|| error(request.tongue, "a piece is missing"));
                self.answer_waiters(waiters, &reply);
            }
        }
    }

    fn answer_waiters(&mut self, waiters: Vec<Waiter>, reply: &Reply) {
        for waiter in waiters {
            let answer = dress(reply, &waiter.dress);
            self.done.push_back((waiter, answer));
        }
    }
}

const META: Shape = Shape::Meta { replies: 1 };

fn own(slot: u32, piece: u64) -> Waiter {
    Waiter { to: To::Split { slot, piece: piece as u32 }, dress: Dress::Plain }
}

fn is_plain(key: &[u8]) -> bool {
    key.iter().all(|&b| b > b' ' && b != 0x7f)
}

/// A request for one piece.
fn text_request(verb: &[u8], key: &[u8], store: Option<(i64, &[u8])>) -> Request {
    let mut wire = BytesMut::new();
    wire.extend_from_slice(verb);
    let key_at = wire.len();
    wire.extend_from_slice(key);
    if let Some((exptime, data)) = store {
        wire.extend_from_slice(format!(" 0 {exptime} {}\r\n", data.len()).as_bytes());
        wire.extend_from_slice(data);
    }
    wire.extend_from_slice(b"\r\n");
    let wire = wire.freeze();
    let (effect, miss, shape) = match store {
        Some(_) => (Effect::Repeatable, Miss::Never, Shape::Line(Words::Stored)),
        None => (Effect::Read, Miss::End, Shape::Values),
    };
    let key = wire.slice(key_at..key_at + key.len());
    Request { tongue: Tongue::Text, effect, miss, key, wire, shape, value_bytes: 0 }
}

/// Expiry time and value of a `set`.
fn value_of(request: &Request) -> Option<(i64, Bytes)> {
    let wire = &request.wire;
    if request.tongue == Tongue::Binary {
        let exptime = u32::from_be_bytes(wire.get(28..32)?.try_into().ok()?);
        return Some((i64::from(exptime), wire.slice(wire.len() - request.value_bytes..)));
    }
    let end = memchr::memchr(b'\n', wire)?;
    let mut words = wire[..end].split(|&b| b == b' ').filter(|word| !word.is_empty());
    let exptime = core::str::from_utf8(words.nth(3)?).ok()?.parse().ok()?;
    Some((exptime, wire.slice(end + 1..end + 1 + request.value_bytes)))
}

/// The same `set` with another value.
fn with_value(request: &Request, value: &[u8]) -> Request {
    let wire = &request.wire;
    let mut changed = BytesMut::new();
    if request.tongue == Tongue::Binary {
        changed.extend_from_slice(&wire[..wire.len() - request.value_bytes]);
        let body = (changed.len() - HEADER_BYTES + value.len()) as u32;
        changed[8..12].copy_from_slice(&body.to_be_bytes());
        changed.extend_from_slice(value);
    } else {
        let end = memchr::memchr(b'\n', wire).unwrap_or(0);
        let words = wire[..end].split(|&b| b == b' ').filter(|word| !word.is_empty());
        for word in words.take(4) {
            changed.extend_from_slice(word);
            changed.extend_from_slice(b" ");
        }
        changed.extend_from_slice(format!("{}\r\n", value.len()).as_bytes());
        changed.extend_from_slice(value);
        changed.extend_from_slice(b"\r\n");
    }
    Request { wire: changed.freeze(), value_bytes: value.len(), ..request.clone() }
}

/// Where the value begins in the first bytes of a hit.
fn value_at(tongue: Tongue, first: &[u8]) -> Option<usize> {
    match tongue {
        Tongue::Text if first.starts_with(b"VALUE ") => memchr::memchr(b'\n', first).map(|n| n + 1),
        Tongue::Text => None,
        Tongue::Binary => {
            let key = usize::from(u16::from_be_bytes([*first.get(2)?, *first.get(3)?]));
            Some(HEADER_BYTES + usize::from(*first.get(4)?) + key)
        }
    }
}

/// The value of a hit.
fn value_in(tongue: Tongue, reply: &Reply) -> Option<Bytes> {
    if class(tongue, reply) != Class::Hit {
        return None;
    }
    let first = &reply.first;
    let begin = value_at(tongue, first).filter(|&at| at <= first.len())?;
    if tongue == Tongue::Binary {
        return Some(first.slice(begin..));
    }
    let line = core::str::from_utf8(&first[..begin]).ok()?;
    let bytes: usize = line.split_ascii_whitespace().nth(3)?.parse().ok()?;
    first.get(begin..begin.checked_add(bytes)?).map(|value| first.slice_ref(value))
}

/// The reply with the whole value in place of its record; nothing if a piece is missing.
fn whole(request: &Request, record: &Record, head: &Reply, pieces: Vec<Bytes>) -> Option<Reply> {
    let mut crc = crc32fast::Hasher::new();
    pieces.iter().for_each(|piece| crc.update(piece));
    let bytes: usize = pieces.iter().map(Bytes::len).sum();
    if bytes as u64 != record.bytes || crc.finalize() != record.crc {
        return None;
    }
    let begin = value_at(request.tongue, &head.first)?;
    let mut first = BytesMut::from(&head.first[..begin]);
    let mut rest = pieces;
    if request.tongue == Tongue::Binary {
        let body = (begin - HEADER_BYTES + bytes) as u32;
        first[8..12].copy_from_slice(&body.to_be_bytes());
    } else {
        let line = core::str::from_utf8(&head.first[..begin]).ok()?;
        let mut words: Vec<&str> = line.split_ascii_whitespace().collect();
        let length = bytes.to_string();
        *words.get_mut(3)? = &length;
        first = BytesMut::from((words.join(" ") + "\r\n").as_bytes());
        rest.push(Bytes::from_static(b"\r\nEND\r\n"));
    }
    Some(Reply { first: first.freeze(), rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_nothing_else_is_one() {
        let record = Record { generation: 7, pieces: 3, bytes: 25, crc: 9 };
        assert_eq!(Record::parse(&record.text()), Some(record));
        for other in ["", "\u{1}pieces ", "\u{1}pieces 1 2 3", "\u{1}pieces 1 0 3 4", "1 2 3 4"] {
            assert_eq!(Record::parse(other.as_bytes()), None, "{other}");
        }
        let spoilt = [&record.text()[..], b"x"].concat();
        assert_eq!(Record::parse(&spoilt), None);
    }
}
