//! `get`, `gets`, `gat`, `gats`.
//!
//! Keys are served one by one off the front of the input. A get or gets may have any number of
//! keys: beyond [`LINE_BYTES_MAX`](super::LINE_BYTES_MAX) its line is never held as a whole. A line
//! that is not longer is checked for over-long keys first, so that its refusal is its only answer;
//! on a longer one the refusal takes the place of `END` behind the hits so far.

use super::line::{LINE_BYTES_MAX, Line};
use super::number::{decimal, i32_of};
use super::{Refusal, Session, State, Then};
use crate::clock::Expiry;
use crate::store::{Hit, KEY_BYTES_MAX};
use storytime_machine::{PUSH_COPY_BYTES_MAX, Tx};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// So many bytes were eaten; the next key is not whole.
    Await(usize),
    /// So many bytes were eaten; the peer must read first.
    Slow(usize),
    /// So many bytes were eaten, and the line is at its end.
    End(usize),
    /// A key is too long. The rest of the line is not wanted.
    BadKey,
}

/// `get <key>*`, `gets <key>*`.
pub(super) fn get(session: &mut Session<'_>, line: &Line<'_>, versions: bool) -> Then {
    let command = line.command().len();
    let retrieval = Retrieval { versions, touch: None, any_key: false };
    start(session, line, retrieval, command, 1)
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
    start(session, line, Retrieval { versions, touch, any_key: false }, keys_at, 2)
}

fn start(
    session: &mut Session<'_>,
    line: &Line<'_>,
    retrieval: Retrieval,
    keys_at: usize,
    words_before: usize,
) -> Then {
    let too_long = line.whole_len() > KEY_BYTES_MAX
        && line.all_tokens().skip(words_before).any(|key| key.len() > KEY_BYTES_MAX);
    if too_long {
        session.refuse(false, Refusal::BadFormat);
        return Then::Done;
    }
    Then::Enter(State::AwaitKeys(retrieval), keys_at)
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
        let mut at = 0;
        loop {
            at += input[at..].iter().take_while(|&&b| b == b' ').count();
            let rest = &input[at..];
            let Some(end) = memchr::memchr2(b' ', b'\n', rest) else {
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
            if !key.is_empty() {
                self.any_key = true;
                self.look_up(session, key);
            }
            at += end;
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
        Progress::BadKey
    }

    fn look_up(&self, session: &mut Session<'_>, key: &[u8]) {
        session.tally.lookups += 1;
        let (now, versions, touch) = (session.now, self.versions, self.touch);
        let tx = &mut *session.tx;
        session.shared.with(key, |store, key| {
            let hit = match touch {
                None => store.get(key, now),
                Some(expires) => store.get_and_touch(key, expires, now),
            };
            if let Some(hit) = hit {
                put_value(tx, key.bytes, &hit, versions);
            }
        });
    }
}

/// `VALUE <key> <flags> <bytes> [<version>]`, and the value.
#[inline]
fn put_value(tx: &mut Tx, key: &[u8], hit: &Hit<'_>, versions: bool) {
    let value = hit.value_with_line_end();
    let inline = value.len() <= PUSH_COPY_BYTES_MAX;
    tx.write_with(|tx| {
        const NUMBERS_BYTES_MAX: usize = 64;
        let room = key.len() + NUMBERS_BYTES_MAX + if inline { value.len() } else { 0 };
        tx.reserve(b"VALUE ".len() + room);
        tx.extend_from_slice(b"VALUE ");
        tx.extend_from_slice(key);
        tx.extend_from_slice(b" ");
        let mut digits = Default::default();
        tx.extend_from_slice(decimal(u64::from(hit.flags), &mut digits));
        tx.extend_from_slice(b" ");
        tx.extend_from_slice(decimal(hit.value().len() as u64, &mut digits));
        if versions {
            tx.extend_from_slice(b" ");
            tx.extend_from_slice(decimal(hit.version, &mut digits));
        }
        tx.extend_from_slice(b"\r\n");
        if inline {
            tx.extend_from_slice(value);
        }
    });
    if !inline {
        tx.push(hit.share_value_with_line_end());
    }
}
