//! Looking ahead along the input, so that the look-ups of a run of keys do not each wait for
//! memory.
//!
//! An item is two reads from memory away: its bucket, and itself. In a large cache both miss the
//! processor's caches, and a server that does one look-up after the other waits for each of them.
//! Here the keys of a run are hashed first and read for together, so that the waits overlap. It
//! changes nothing but time: what is taken for a key and is none costs a wasted read.

use super::line::find;
use crate::cache::{KEY_BYTES_MAX, Key, RUN};
use crate::shared::Shared;

/// How far to look for keys, bytes.
const LOOK_BYTES_MAX: usize = 4 << 10;

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
        if at >= self.until {
            self.until = look(shared, input, at, |rest| {
                let end = find(rest, b' ', b'\n')?;
                // Behind the line there are no more keys of it.
                let last = rest[end] == b'\n';
                Some((0..end, if last { rest.len() } else { end + 1 }))
            });
        }
    }

    /// Reads for the keys of the next lines from `at` on, if it has not been done.
    #[inline]
    pub(super) fn lines(&mut self, shared: &Shared, input: &[u8], at: usize) {
        if at >= self.until {
            self.until = look(shared, input, at, |rest| {
                let end = memchr::memchr(b'\n', rest)?;
                let line = &rest[..end];
                let key_at = line.iter().take(KEY_BYTES_MAX).position(|&b| b == b' ');
                let key_at = key_at.map_or(end, |space| space + 1);
                let key_len = find(&rest[key_at..=end], b' ', b'\n').unwrap_or(0);
                Some((key_at..key_at + key_len, end + 1))
            });
        }
    }
}

/// Collects a run of keys and reads for them. `next` gives the next key's place in what it is shown
/// and the length to go on behind. Returns the place behind the run.
#[inline]
fn look(
    shared: &Shared,
    input: &[u8],
    mut at: usize,
    next: impl Fn(&[u8]) -> Option<(core::ops::Range<usize>, usize)>,
) -> usize {
    let mut keys = [Key { bytes: b"", hash: 0 }; RUN];
    let mut count = 0;
    let window = &input[..input.len().min(at + LOOK_BYTES_MAX)];
    while count < RUN && at < window.len() {
        let rest = &window[at..];
        let Some((key, ate)) = next(rest) else { break };
        let key = rest[key].trim_ascii_end();
        if !key.is_empty() && key.len() <= KEY_BYTES_MAX {
            keys[count] = shared.key(key);
            count += 1;
        }
        at += ate;
    }
    // A single key gains nothing.
    if count > 1 {
        shared.foresee(&keys[..count]);
    }
    at
}
