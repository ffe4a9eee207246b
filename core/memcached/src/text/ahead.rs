//! Looking ahead along the input, so that the look-ups of a run of keys do not each wait for
//! memory.
//!
//! An item is two reads from memory away: its bucket, and itself. In a large cache both miss the
//! processor's caches, and a server that does one look-up after the other waits for each of them.
//! Here the keys of a run are hashed first and read for together, so that the waits overlap. It
//! changes nothing but time: what is taken for a key and is none costs a wasted read. A single
//! key, all that there is where requests come one at a time, is not looked for.

use super::line::find;
use crate::cache::{KEY_BYTES_MAX, Key, RUN};
use crate::shared::Shared;
use core::ops::Range;

/// How far to look for keys, bytes.
const LOOK_BYTES_MAX: usize = 4 << 10;
/// Longest command that a key stands behind, bytes. A line without a space after so many is a data
/// block, or of no interest.
const COMMAND_BYTES_MAX: usize = b"prepend".len();

/// How far the keys of an input have been read for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ahead {
    /// Place in the input behind the last key that was read for.
    until: usize,
}

impl Ahead {
    /// Reads for the keys of the next retrieval keys from `at` on, if it has not been done.
    #[inline]
    pub(super) fn keys(&mut self, shared: &Shared, input: &[u8], at: usize) {
        if at < self.until {
            return;
        }
        let rest = &input[at..];
        self.until = match find(rest, b' ', b'\n') {
            Some(end) if rest[end] == b'\n' => input.len(),
            _ => look(shared, input, at, |rest| {
                let end = find(rest, b' ', b'\n')?;
                // Behind the line there are no more keys of it.
                let last = rest[end] == b'\n';
                Some((0..end, if last { rest.len() } else { end + 1 }))
            }),
        };
    }

    /// Reads for the keys of the next lines from `at` on, if it has not been done.
    #[inline]
    pub(super) fn lines(&mut self, shared: &Shared, input: &[u8], at: usize) {
        if at < self.until {
            return;
        }
        self.until = match memchr::memchr(b'\n', &input[at..]) {
            Some(end) if at + end + 1 == input.len() => input.len(),
            None => at,
            Some(_) => look(shared, input, at, |rest| {
                let end = memchr::memchr(b'\n', rest)?;
                let line = &rest[..end];
                let key_at = find(&line[..end.min(COMMAND_BYTES_MAX + 1)], b' ', b' ');
                let key_at = key_at.map_or(end, |space| space + 1);
                let key_len = find(&rest[key_at..=end], b' ', b'\n').unwrap_or(0);
                Some((key_at..key_at + key_len, end + 1))
            }),
        };
    }
}

/// Collects a run of keys and reads for them. Returns the place behind the run. See [`Keys`] for
/// `next`.
fn look(
    shared: &Shared,
    input: &[u8],
    at: usize,
    next: impl Fn(&[u8]) -> Option<(Range<usize>, usize)>,
) -> usize {
    let window = &input[..input.len().min(at + LOOK_BYTES_MAX)];
    let mut found = Keys { window, at, next };
    // A single key gains nothing.
    if let (Some(one), Some(other)) = (found.next(), found.next()) {
        let mut keys = [Key { bytes: b"", hash: 0 }; RUN];
        (keys[0], keys[1]) = (shared.key(one), shared.key(other));
        let mut count = 2;
        for (place, key) in keys[count..].iter_mut().zip(&mut found) {
            *place = shared.key(key);
            count += 1;
        }
        shared.foresee(&keys[..count]);
    }
    found.at
}

/// The keys in a piece of input, one after the other.
struct Keys<'a, F> {
    window: &'a [u8],
    at: usize,
    /// The next key's place in what it is shown, and the length to go on behind.
    next: F,
}

impl<'a, F: Fn(&[u8]) -> Option<(Range<usize>, usize)>> Iterator for Keys<'a, F> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        while self.at < self.window.len() {
            let rest = &self.window[self.at..];
            let (key, ate) = (self.next)(rest)?;
            self.at += ate;
            let key = rest[key].trim_ascii_end();
            if !key.is_empty() && key.len() <= KEY_BYTES_MAX {
                return Some(key);
            }
        }
        None
    }
}
