//! What masters and replicas say to each other: requests one way, pushes the other.
//!
//! ```text
//! replica                                   master
//! REPL.FOLLOW 1 port term lsn digest how ─►
//!                                        ◄─ +CONTINUE lsn term    its records from lsn on follow
//!                                        ◄─ +SEED term            its content follows
//!                                        ◄─ -DIVERGED …           and nothing else
//! REPL.ACK lsn ─►                           what survives a power cut of the replica
//!                                        ◄─ >RECORD lsn bytes
//!                                        ◄─ >BEAT lsn ms          what is durable, and its clock
//!                                        ◄─ >SEED lsn  >PIECE bytes …  >SEEDED lsn
//! ```

use super::term::Term;
use crate::Reply;
use bytes::{Bytes, BytesMut};
use core::fmt::Write as _;
use storytime_journal::Lsn;

/// Version of all this.
pub(super) const VERSION: u64 = 1;

/// What a master pushes to a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Push {
    /// A record and its place.
    Record(Lsn, Bytes),
    /// A record of another master, its place, and how much of our log was known to it.
    Mutual(Lsn, Lsn, Bytes),
    /// The master's durable position, and its monotonic clock, ms.
    Beat(Lsn, u64),
    /// Its content follows, as of this record.
    Seed(Lsn),
    /// A piece of it; the first is its history.
    Piece(Bytes),
    /// That was the last piece, and everything in them is durable at the master.
    Seeded(Lsn),
}

/// What a replica is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// It wants what is behind its position.
    Continue,
    /// It has no content: it takes whatever there is.
    Fresh,
    /// The operator lets it throw its content away.
    Reseed,
}

impl How {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Fresh => "fresh",
            Self::Reseed => "reseed",
        }
    }

    pub(super) fn from_word(word: &[u8]) -> Option<Self> {
        [Self::Continue, Self::Fresh, Self::Reseed]
            .into_iter()
            .find(|how| how.as_str().as_bytes() == word)
    }
}

pub(super) fn put_record(into: &mut BytesMut, lsn: Lsn, record: &[u8]) {
    put(into, format_args!(">3\r\n+RECORD\r\n:{}\r\n${}\r\n", lsn.0, record.len()));
    into.extend_from_slice(record);
    into.extend_from_slice(b"\r\n");
}

pub(super) fn put_mutual(into: &mut BytesMut, lsn: Lsn, seen: Lsn, record: &[u8]) {
    let (lsn, seen, len) = (lsn.0, seen.0, record.len());
    put(into, format_args!(">4\r\n+MUTUAL\r\n:{lsn}\r\n:{seen}\r\n${len}\r\n"));
    into.extend_from_slice(record);
    into.extend_from_slice(b"\r\n");
}

pub(super) fn put_beat(into: &mut BytesMut, durable: Lsn, clock_ms: u64) {
    put(into, format_args!(">3\r\n+BEAT\r\n:{}\r\n:{clock_ms}\r\n", durable.0));
}

pub(super) fn put_seed(into: &mut BytesMut, at: Lsn) {
    put(into, format_args!(">2\r\n+SEED\r\n:{}\r\n", at.0));
}

pub(super) fn put_seeded(into: &mut BytesMut, at: Lsn) {
    put(into, format_args!(">2\r\n+SEEDED\r\n:{}\r\n", at.0));
}

/// Everything of a piece before its bytes; a line end follows them.
pub(super) fn put_piece_head(into: &mut BytesMut, bytes: usize) {
    put(into, format_args!(">2\r\n+PIECE\r\n${bytes}\r\n"));
}

pub(super) fn put(into: &mut BytesMut, text: core::fmt::Arguments<'_>) {
    into.write_fmt(text).expect("buffers grow as needed");
}

/// What a push means; `None` if it means nothing to us.
pub(super) fn push_of(items: &mut Vec<Reply>) -> Option<Push> {
    let last = match items.pop()? {
        Reply::Bulk(bytes) if items.len() == 1 => {
            return is(&items[0], b"PIECE").then_some(Push::Piece(bytes));
        }
        last => last,
    };
    let name = items.first()?;
    let number = |reply: &Reply| match reply {
        Reply::Integer(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    match (items.get(1), last) {
        (Some(lsn), Reply::Bulk(bytes)) if is(name, b"MUTUAL") => {
            Some(Push::Mutual(Lsn(number(lsn)?), Lsn(number(items.get(2)?)?), bytes))
        }
        (Some(lsn), Reply::Bulk(bytes)) if is(name, b"RECORD") => {
            Some(Push::Record(Lsn(number(lsn)?), bytes))
        }
        (Some(lsn), clock) if is(name, b"BEAT") => {
            Some(Push::Beat(Lsn(number(lsn)?), number(&clock)?))
        }
        (None, at) if is(name, b"SEED") => Some(Push::Seed(Lsn(number(&at)?))),
        (None, at) if is(name, b"SEEDED") => Some(Push::Seeded(Lsn(number(&at)?))),
        _ => None,
    }
}

fn is(reply: &Reply, name: &[u8]) -> bool {
    matches!(reply, Reply::Simple(text) if text == name)
}

/// A master's answer to `REPL.FOLLOW`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Its records from this one on follow.
    Continue(Lsn, Term),
    /// Its content follows.
    Seed(Term),
}

pub(super) fn answer_of(text: &[u8]) -> Option<Answer> {
    let mut words = text.split(|&byte| byte == b' ');
    let name = words.next()?;
    let mut next = || number_of(words.next()?);
    match name {
        b"CONTINUE" => Some(Answer::Continue(Lsn(next()?), Term(next()?))),
        b"SEED" => Some(Answer::Seed(Term(next()?))),
        _ => None,
    }
}

/// An unsigned decimal number.
pub(super) fn number_of(word: &[u8]) -> Option<u64> {
    core::str::from_utf8(word).ok()?.parse().ok()
}

/// The place of a record. Places are numbers of RESP, which have a sign: one that is greater is no
/// place, and behind each there is another.
pub(super) fn lsn_of(word: &[u8]) -> Option<Lsn> {
    number_of(word).filter(|number| i64::try_from(*number).is_ok()).map(Lsn)
}

/// A term, if there can be such a one.
pub(super) fn term_in(word: &[u8]) -> Option<Term> {
    number_of(word).map(Term).filter(|term| term.is_possible())
}

/// The words of a request.
pub(super) fn words_of(reply: Reply) -> Option<Vec<Bytes>> {
    let Reply::Array(items) = reply else { return None };
    items
        .into_iter()
        .map(|item| if let Reply::Bulk(word) = item { Some(word) } else { None })
        .collect()
}
