//! `ma`.

use super::flags::{Flags, KeyRoom};
use super::{make, parse, put_code, put_number, put_ttl, refuse};
use crate::cache::{Cache, Counted, Delta, ItemId, Key};
use crate::clock::{Expiry, Seconds};
use crate::text::backward::Backward;
use crate::text::line::Line;
use crate::text::{Refusal, Session, Then};
use bytes::BytesMut;

/// `ma <key> <flag>*`.
///
/// | flag | |
/// |---|---|
/// | `M` | which way: `I` or `+` up, `D` or `-` down |
/// | `D` | by how much, 1 if not given |
/// | `N` | where nothing is, makes it, to live so long; `J` is its value, 0 if not given |
/// | `T` | expiry time |
/// | `C` | only this version |
/// | `E` | the version it gets |
/// | `v` | shows the number |
/// | `b` `k` `O` `c` `t` `q` | as everywhere |
pub(in crate::text) fn arithmetic(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    let mut room = KeyRoom::default();
    let flags = match parse(session, line, &mut room) {
        Ok(flags) => flags,
        // A line without a key is refused as that of any command.
        Err(Refusal::BadFormat) if Flags::tokens(line, 2).is_err() => {
            return refuse(session, Refusal::BadFormat);
        }
        Err(_) => return refuse(session, Refusal::BadCountFlags),
    };
    let delta = match flags.mode {
        None | Some(b'I' | b'+') => Delta::Incr(flags.delta),
        Some(b'D' | b'-') => Delta::Decr(flags.delta),
        Some(_) => return refuse(session, Refusal::BadCountMode),
    };
    if let Err(refusal) = flags.check_opaque() {
        return refuse(session, refusal);
    }
    session.tally.lookups += 1;
    let (shared, now) = (session.shared, session.now);
    let (mut cache, key) = shared.shard(flags.key);
    session.observe_find(&mut cache, key);
    let outcome = if flags.vivify.is_some() && cache.find(key, now).is_err() {
        let first = Backward::of(flags.initial);
        let item = make(&mut cache, key, first.as_bytes(), flags.version, now);
        let number =
            |item| Number { value: flags.initial, item, expires: Expiry::NEVER, made: true };
        item.map(number).ok_or(Missed::Refusal(Refusal::NoMemoryForNewNumber))
    } else {
        // Compared with nothing, as every version is above 0.
        let compare = flags.compare.filter(|&version| version != 0);
        count(&mut cache, key, delta, compare, &flags, now)
    };
    match outcome {
        Ok(number) if flags.has(b'q') => {
            number.apply(&mut cache, &flags);
        }
        Ok(number) => {
            let version = cache.view(number.item).version();
            let tx = &mut *session.tx;
            tx.write_with(|tx| number.put(tx, &flags, version, now));
            number.apply(&mut cache, &flags);
        }
        Err(Missed::Code(code)) => {
            drop(cache);
            put_code(session, &flags, code);
        }
        Err(Missed::Refusal(refusal)) => {
            drop(cache);
            session.refuse(false, refusal);
        }
    }
    Then::Done
}

/// A number that was counted or made.
#[derive(Clone, Copy, Debug)]
struct Number {
    value: u64,
    item: ItemId,
    /// When it dies, but for what this command changes.
    expires: Expiry,
    made: bool,
}

/// Why there is no number.
#[derive(Clone, Copy, Debug)]
enum Missed {
    Code(&'static [u8; 2]),
    Refusal(Refusal),
}

fn count(
    cache: &mut Cache,
    key: Key<'_>,
    delta: Delta,
    compare: Option<u64>,
    flags: &Flags<'_>,
    now: Seconds,
) -> Result<Number, Missed> {
    match cache.arithmetic(key, delta, compare, flags.version, now) {
        Counted::Number { value, item } => {
            Ok(Number { value, item, expires: cache.view(item).expires(), made: false })
        }
        Counted::NotFound => Err(Missed::Code(b"NF")),
        Counted::Exists => Err(Missed::Code(b"EX")),
        Counted::NotNumeric => Err(Missed::Refusal(Refusal::NotNumeric)),
        Counted::NoMemory => Err(Missed::Refusal(Refusal::NoMemoryForNumber)),
    }
}

impl Number {
    /// The expiry times that it gets, in the order of the flags.
    fn expires_after(&self, token: &[u8], flags: &Flags<'_>) -> Option<Expiry> {
        match token[0] {
            b'T' => flags.ttl,
            b'N' if self.made => flags.vivify,
            _ => None,
        }
    }

    fn apply(&self, cache: &mut Cache, flags: &Flags<'_>) {
        let last = flags.in_order().filter_map(|token| self.expires_after(token, flags)).last();
        if let Some(expires) = last {
            cache.set_expires(self.item, expires);
        }
    }

    fn put(&self, tx: &mut BytesMut, flags: &Flags<'_>, version: u64, now: Seconds) {
        tx.reserve(flags.reply_bytes_max());
        let mut value = Backward::new();
        value.line_end().number(self.value);
        if flags.has(b'v') {
            let digits = value.as_bytes().len() - 2;
            tx.extend_from_slice(b"VA");
            tx.extend_from_slice(Backward::new().number(digits as u64).byte(b' ').as_bytes());
        } else {
            tx.extend_from_slice(b"HD");
        }
        let mut expires = self.expires;
        for token in flags.in_order() {
            expires = self.expires_after(token, flags).unwrap_or(expires);
            match token[0] {
                b'c' => put_number(tx, b'c', version),
                b't' => put_ttl(tx, expires, now),
                _ => flags.echo(token, tx),
            }
        }
        tx.extend_from_slice(b"\r\n");
        if flags.has(b'v') {
            tx.extend_from_slice(value.as_bytes());
        }
    }
}
