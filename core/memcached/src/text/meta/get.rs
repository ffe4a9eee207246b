//! `mg`.

use super::flags::{Flags, KeyRoom, mask};
use super::{make, parse, put_code, put_number, put_ttl, refuse};
use crate::cache::{Access, Cache, ItemId, Key, Missed, View};
use crate::clock::{Expiry, Seconds};
use crate::sending::Sending;
use crate::text::backward::Backward;
use crate::text::line::Line;
use crate::text::{Refusal, Session, State, Then};
use bytes::BytesMut;

/// Flags that show or change what a plain read would change before they are answered, or that
/// make it no plain read.
const BESIDES_READING: u128 = mask(b"hluNRT");

/// What an item was when the command came.
#[derive(Clone, Copy, Debug)]
struct Seen {
    value_len: usize,
    client_flags: u32,
    version: u64,
    expires: Expiry,
    /// Seconds since it was used.
    idle: u32,
    /// Whether it was read before.
    fetched: bool,
    /// Whether this command made it.
    made: bool,
    stale: bool,
    /// Whether somebody was told to fetch it anew.
    token_won: bool,
}

/// `mg <key> <flag>*`.
///
/// | flag | |
/// |---|---|
/// | `v` | shows the value, unless its version is that of `C` |
/// | `s` `f` `t` `c` `h` `l` | shows length, client flags, time to live, version, whether it was read before, seconds since it was used |
/// | `T` | new expiry time |
/// | `N` | where nothing is, makes it empty, to live so long; `E` is its version |
/// | `R` | one who comes less than so long before its end is to fetch it anew |
/// | `u` | does not count as a use |
/// | `b` `k` `O` `q` | as everywhere |
pub(in crate::text) fn get(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    let mut room = KeyRoom::default();
    let flags = parse(session, line, &mut room);
    let flags = match flags.and_then(|flags| flags.check_opaque().map(|()| flags)) {
        Ok(flags) => flags,
        Err(refusal) => return refuse(session, refusal),
    };
    session.tally.lookups += 1;
    let (shared, now) = (session.shared, session.now);
    let (mut cache, key) = shared.shard(flags.key);
    let found = if flags.has_any(BESIDES_READING) {
        session.observe_find(&mut cache, key);
        read_besides(&mut cache, key, &flags, now)
    } else {
        let found = cache.fetch(key, Access::Get, now);
        session.observe_lookup(key.bytes, found.map(|item| cache.view(item)));
        found.map(|item| {
            let seen = Seen::of(&cache.view(item), false, now);
            (item, seen, seen.stale && !seen.token_won)
        })
    };
    let Ok((item, seen, wins)) = found else {
        drop(cache);
        if !flags.has(b'q') {
            put_code(session, &flags, b"EN");
        }
        return Then::Done;
    };
    if wins {
        cache.set_token_won(item, true);
    }
    let shows = flags.has(b'v') && flags.compare != Some(seen.version);
    let whole = !shows || seen.value_len <= session.copy_bytes_max;
    let pin = if whole { None } else { cache.pin(item) };
    if !whole && pin.is_none() {
        drop(cache);
        return refuse(session, Refusal::TooManyMetaReaders);
    }
    session.tx.write_with(|tx| {
        let value_room = if whole && shows { seen.value_len + 2 } else { 0 };
        tx.reserve(flags.reply_bytes_max() + value_room);
        seen.put_line(tx, &flags, shows, wins, now);
        if whole && shows {
            cache.view(item).copy_value(true, tx);
        }
    });
    match pin {
        None => Then::Done,
        Some(pin) => {
            let sending = Sending::with_line_end(pin, key);
            Then::Enter(State::SendValue(sending, None), line.whole_len())
        }
    }
}

/// Everything but a plain read. Returns also whether the reader is to fetch the value anew.
fn read_besides(
    cache: &mut Cache,
    key: Key<'_>,
    flags: &Flags<'_>,
    now: Seconds,
) -> Result<(ItemId, Seen, bool), Missed> {
    let (item, made) = match cache.find(key, now) {
        Ok(item) => (item, false),
        Err(missed) => {
            let made = flags.vivify.and_then(|_| make(cache, key, b"", flags.version, now));
            let Some(item) = made else {
                cache.count_miss(missed, false);
                return Err(missed);
            };
            (item, true)
        }
    };
    let seen = Seen::of(&cache.view(item), made, now);
    let (mut expires, mut wins) = (seen.expires, seen.stale || made);
    for token in flags.in_order() {
        expires = seen.expires_after(token, flags).unwrap_or(expires);
        if token[0] == b'R' {
            let recache = flags.recache.and_then(Expiry::at);
            wins |= expires.at().is_some_and(|at| Some(at) < recache);
        }
    }
    cache.count_hit(item, flags.ttl.is_some());
    if !flags.has(b'u') {
        cache.used(item, now);
    }
    cache.set_expires(item, expires);
    Ok((item, seen, wins && !seen.token_won))
}

impl Seen {
    #[inline]
    fn of(view: &View<'_>, made: bool, now: Seconds) -> Self {
        Self {
            value_len: view.value_len(),
            client_flags: view.flags(),
            version: view.version(),
            expires: view.expires(),
            idle: now.0.saturating_sub(view.accessed().0),
            fetched: view.fetched(),
            made,
            stale: view.stale(),
            token_won: view.token_won(),
        }
    }

    /// The expiry time that a flag gives it.
    fn expires_after(&self, token: &[u8], flags: &Flags<'_>) -> Option<Expiry> {
        match token[0] {
            b'T' => flags.ttl,
            b'N' if self.made => flags.vivify,
            _ => None,
        }
    }

    #[inline]
    fn put_line(
        &self,
        tx: &mut BytesMut,
        flags: &Flags<'_>,
        shows_value: bool,
        wins: bool,
        now: Seconds,
    ) {
        if shows_value {
            tx.extend_from_slice(b"VA");
            let len = self.value_len as u64;
            tx.extend_from_slice(Backward::new().number(len).byte(b' ').as_bytes());
        } else {
            tx.extend_from_slice(b"HD");
        }
        let mut expires = self.expires;
        for token in flags.in_order() {
            match token[0] {
                b'v' | b'q' => {}
                b's' => put_number(tx, b's', self.value_len as u64),
                b't' => put_ttl(tx, expires, now),
                b'c' => put_number(tx, b'c', self.version),
                b'f' => put_number(tx, b'f', u64::from(self.client_flags)),
                b'l' => put_number(tx, b'l', u64::from(self.idle)),
                b'h' => put_number(tx, b'h', u64::from(self.fetched)),
                b'T' | b'N' => expires = self.expires_after(token, flags).unwrap_or(expires),
                _ => flags.echo(token, tx),
            }
        }
        for (told, letter) in [(self.token_won, b" Z"), (self.stale, b" X"), (wins, b" W")] {
            if told {
                tx.extend_from_slice(letter);
            }
        }
        tx.extend_from_slice(b"\r\n");
    }
}
