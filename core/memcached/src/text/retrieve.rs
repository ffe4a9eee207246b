//! `get`, `gets`, `gat`, `gats`.
//!
//! Keys are served one by one off the front of the input. A get or gets may have any number of
//! keys: beyond [`LINE_BYTES_MAX`](super::LINE_BYTES_MAX) its line is never held as a whole. A line
//! that is not longer is checked for over-long keys first, so that its refusal is its only answer;
//! on a longer one the refusal takes the place of `END` behind the hits so far.

use super::ahead::Ahead;
use super::backward::Backward;
use super::line::{LINE_BYTES_MAX, Line, find};
use super::number::i32_of;
use super::{Refusal, Session, State, Then};
use crate::cache::{Access, KEY_BYTES_MAX, View};
use crate::clock::Expiry;
use crate::sending::Sending;
use bytes::BytesMut;

/// A retrieval whose keys are being served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retrieval {
    /// Whether replies show the version.
    versions: bool,
    /// The expiry that hits get.
    touch: Option<Expiry>,
    /// Whether a key was met; without one there is no answer but a refusal.
    any_key: bool,
}

/// How far a retrieval came.
#[derive(Debug)]
pub(super) enum Progress {
    /// So many bytes were eaten; the next key is not whole.
    Await(usize),
    /// So many bytes were eaten; the peer must read first.
    Slow(usize),
    /// So many bytes were eaten; a large value is to be sent before the next key.
    Value(usize, Sending),
    /// So many bytes were eaten, and the line is at its end.
    End(usize),
    /// Refused, and told so. The rest of the line is not wanted.
    Refused,
}

/// What became of one key.
#[derive(Debug)]
enum Shown {
    /// Its value is in the output, or it has none.
    Whole,
    /// The value is too large to be copied at once.
    Large(Sending),
    /// The value has too many readers.
    Refused,
}

/// `get <key>*`, `gets <key>*`.
pub(super) fn get(session: &mut Session<'_>, line: &Line<'_>, versions: bool) -> Then {
    let command = line.command().len();
    let retrieval = Retrieval { versions, touch: None, any_key: false };
    start(session, line, retrieval, command)
}

/// `gat <exptime> <key>*`, `gats <exptime> <key>*`.
pub(super) fn gat(session: &mut Session<'_>, line: &Line<'_>, versions: bool) -> Then {
    let mut tokens = line.all_tokens().skip(1);
    let (Some(exptime), Some(_)) = (tokens.next(), tokens.next()) else {
        session.refuse(false, Refusal::BadFormat);
        return Then::Done;
    };
    let Some(wire) = i32_of(exptime) else {
        session.refuse(false, Refusal::BadExptime);
        return Then::Done;
    };
    let touch = Some(session.epoch.expiry(wire, session.now));
    let keys_at = line.offset_of(exptime) + exptime.len();
    start(session, line, Retrieval { versions, touch, any_key: false }, keys_at)
}

fn start(
    session: &mut Session<'_>,
    line: &Line<'_>,
    mut retrieval: Retrieval,
    keys_at: usize,
) -> Then {
    let keys = &line.whole()[keys_at..];
    if has_long_key(keys) {
        session.refuse(false, Refusal::BadFormat);
        return Then::Done;
    }
    match retrieval.run(session, keys) {
        Progress::End(_) | Progress::Refused => Then::Done,
        Progress::Slow(eaten) => Then::Enter(State::AwaitKeys(retrieval), keys_at + eaten),
        Progress::Value(eaten, sending) => {
            Then::Enter(State::SendValue(sending, Some(retrieval)), keys_at + eaten)
        }
        Progress::Await(_) => unreachable!("the line is whole"),
    }
}

/// Whether there is a key that is too long among those of a whole line.
fn has_long_key(keys: &[u8]) -> bool {
    let keys = keys.strip_suffix(b"\n").expect("a whole line");
    let keys = keys.strip_suffix(b"\r").unwrap_or(keys);
    let mut at = 0;
    while let Some(window) = keys.get(at..=at + KEY_BYTES_MAX) {
        match memchr::memrchr(b' ', window) {
            Some(last_space) => at += last_space + 1,
            None => return true,
        }
    }
    false
}

impl Retrieval {
    /// The retrieval at the front of a line too long to be anything else, and the length of its
    /// command.
    pub(super) fn of_unbounded_line(input: &[u8]) -> Option<(Self, usize)> {
        assert!(input.len() > LINE_BYTES_MAX, "a shorter line is waited for");
        let (versions, eaten) = if input.starts_with(b"get ") {
            (false, b"get".len())
        } else if input.starts_with(b"gets ") {
            (true, b"gets".len())
        } else {
            return None;
        };
        Some((Self { versions, touch: None, any_key: false }, eaten))
    }

    /// Serves keys off the front of the input.
    pub(super) fn run(&mut self, session: &mut Session<'_>, input: &[u8]) -> Progress {
        let (mut at, mut ahead) = (0, Ahead::default());
        loop {
            while input.get(at) == Some(&b' ') {
                at += 1;
            }
            ahead.keys(session.shared, input, at);
            let rest = &input[at..];
            let Some(end) = find(rest, b' ', b'\n') else {
                // The last byte may be the \r of the line end.
                if rest.len() > KEY_BYTES_MAX + 1 {
                    return self.bad_key(session);
                }
                return Progress::Await(at);
            };
            let last = rest[end] == b'\n';
            let key = &rest[..end];
            let key = if last { key.strip_suffix(b"\r").unwrap_or(key) } else { key };
            if key.len() > KEY_BYTES_MAX {
                return self.bad_key(session);
            }
            at += end;
            if !key.is_empty() {
                self.any_key = true;
                match self.look_up(session, key) {
                    Shown::Whole => {}
                    Shown::Large(sending) => return Progress::Value(at, sending),
                    Shown::Refused => return Progress::Refused,
                }
            }
            if last {
                if self.any_key {
                    session.tx.put(b"END\r\n");
                } else {
                    session.refuse(false, Refusal::BadFormat);
                }
                return Progress::End(at + 1);
            }
            if session.reader_is_slow() {
                return Progress::Slow(at);
            }
        }
    }

    fn bad_key(&self, session: &mut Session<'_>) -> Progress {
        session.refuse(false, Refusal::BadFormat);
        Progress::Refused
    }

    #[inline]
    fn look_up(&self, session: &mut Session<'_>, key: &[u8]) -> Shown {
        session.tally.lookups += 1;
        let access = self.touch.map_or(Access::Get, Access::Touch);
        let shared = session.shared;
        let (mut cache, key) = shared.shard(key);
        let item = match cache.fetch(key, access, session.now) {
            Ok(item) => item,
            Err(missed) => {
                session.observe_get(key.bytes, Err(missed));
                return Shown::Whole;
            }
        };
        let view = cache.view(item);
        session.observe_get(key.bytes, Ok(view));
        if view.value_len() <= session.copy_bytes_max {
            session.tx.write_with(|tx| {
                tx.reserve(LINE_ROOM_BYTES + key.bytes.len() + view.value_len());
                put_line(tx, key.bytes, &view, self.versions);
                view.copy_value(true, tx);
            });
            return Shown::Whole;
        }
        let Some(pin) = cache.pin(item) else {
            drop(cache);
            session.refuse(false, Refusal::NoReply);
            return Shown::Refused;
        };
        let view = cache.view(item);
        session.tx.write_with(|tx| put_line(tx, key.bytes, &view, self.versions));
        Shown::Large(Sending::with_line_end(pin, key))
    }
}

/// What a hit takes beside key and value, at most, bytes: its words, its numbers, two line ends.
const LINE_ROOM_BYTES: usize = 80;

/// `VALUE <key> <flags> <bytes> [<version>]`.
#[inline]
fn put_line(tx: &mut BytesMut, key: &[u8], view: &View<'_>, versions: bool) {
    let mut end = Backward::new();
    end.line_end();
    if versions {
        end.number(view.version()).byte(b' ');
    }
    end.number(view.value_len() as u64).byte(b' ');
    end.number(u64::from(view.flags())).byte(b' ');
    tx.extend_from_slice(b"VALUE ");
    tx.extend_from_slice(key);
    tx.extend_from_slice(end.as_bytes());
}
