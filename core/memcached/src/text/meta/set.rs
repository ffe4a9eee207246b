//! `ms`. Its data block is handled as that of `set`.

use super::flags::{Flags, KeyRoom};
use super::put_number;
use crate::cache::{Stored, Verb};
use crate::clock::{Epoch, Expiry, Seconds};
use crate::text::line::Line;
use crate::text::storage::{BadLine, Header, LINE_END, stated_bytes};
use crate::text::{Refusal, Session};

/// Which token is the first flag.
const FIRST: usize = 3;

/// Reads `ms <key> <bytes> <flag>*`, and hands what it asks for to `then`.
///
/// | flag | |
/// |---|---|
/// | `M` | how: `E` add, `A` append, `P` prepend, `R` replace, `S` set |
/// | `T` `F` | expiry time, client flags |
/// | `C` | only over this version |
/// | `I` | with `C`: over a later version too, but marked as stale |
/// | `E` | the version it gets |
/// | `N` | append and prepend store where nothing is, to live so long |
/// | `b` `k` `O` `c` `s` `q` | as everywhere |
#[inline]
pub(in crate::text) fn with_header<R>(
    line: &Line<'_>,
    epoch: Epoch,
    now: Seconds,
    then: impl FnOnce(Result<&Header<'_>, BadLine>) -> R,
) -> R {
    let unreadable = BadLine { refusal: Refusal::BadFormat, noreply: false, block_bytes: None };
    let Ok(tokens) = Flags::tokens(line, FIRST) else { return then(Err(unreadable)) };
    let Some(value_bytes) = stated_bytes(tokens.get(2)) else { return then(Err(unreadable)) };
    let block_bytes = Some(u64::from(value_bytes) + LINE_END.len() as u64);
    let bad = |refusal| BadLine { refusal, block_bytes, ..unreadable };
    let mut room = KeyRoom::default();
    match Flags::parse(tokens, FIRST, epoch, now, &mut room) {
        Ok(flags) => match header(&flags, value_bytes) {
            Ok(header) => then(Ok(&header)),
            Err(refusal) => then(Err(bad(refusal))),
        },
        Err(refusal) => then(Err(bad(refusal))),
    }
}

fn header<'a>(flags: &'a Flags<'a>, value_bytes: u32) -> Result<Header<'a>, Refusal> {
    let verb = match flags.mode {
        None | Some(b'S') => Verb::Set,
        Some(b'E') => Verb::Add,
        Some(b'A') => Verb::Append,
        Some(b'P') => Verb::Prepend,
        Some(b'R') => Verb::Replace,
        Some(_) => return Err(Refusal::BadStoreMode),
    };
    flags.check_opaque()?;
    let joins = matches!(verb, Verb::Append | Verb::Prepend);
    let compare = match verb {
        Verb::Set | Verb::Replace => flags.compare,
        // Compared with nothing, as every version is above 0.
        Verb::Append | Verb::Prepend => flags.compare.filter(|&version| version != 0),
        Verb::Add => None,
    };
    Ok(Header {
        key: flags.key,
        // With a version to compare, both mean the same.
        verb: if compare.is_some() && !joins { Verb::Set } else { verb },
        flags: flags.client_flags,
        expires: flags.ttl.unwrap_or(Expiry::NEVER),
        compare,
        version: flags.version,
        invalidate: flags.has(b'I') && !joins && compare.is_some_and(|version| version != 0),
        vivify: flags.vivify.filter(|_| joins),
        value_bytes,
        noreply: false,
        meta: Some(flags),
    })
}

/// Tells what became of an `ms`.
pub(in crate::text) fn answer(
    session: &mut Session<'_>,
    flags: &Flags<'_>,
    stated_bytes: u32,
    stored: Stored,
) {
    let (code, version, value_bytes) = match stored {
        Stored::Stored { version, value_bytes } => (b"HD", version, value_bytes),
        Stored::Exists => (b"EX", 0, stated_bytes),
        Stored::NotFound => (b"NF", 0, stated_bytes),
        Stored::NotStored | Stored::TooLarge | Stored::NoMemory => (b"NS", 0, stated_bytes),
    };
    if code == b"HD" && flags.has(b'q') {
        return;
    }
    session.tx.write_with(|tx| {
        tx.reserve(flags.reply_bytes_max());
        tx.extend_from_slice(code);
        for token in flags.in_order() {
            match token[0] {
                b'c' => put_number(tx, b'c', version),
                b's' => put_number(tx, b's', u64::from(value_bytes)),
                _ => flags.echo(token, tx),
            }
        }
        tx.extend_from_slice(LINE_END);
    });
}
