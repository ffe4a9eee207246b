//! The meta commands: one file each.
//!
//! | command | does | answers |
//! |---|---|---|
//! | `mg <key> <flag>*` | reads, and much that goes with it | `VA`, `HD`, `EN` |
//! | `ms <key> <bytes> <flag>*` | stores | `HD`, `NS`, `EX`, `NF` |
//! | `md <key> <flag>*` | deletes, empties or marks as stale | `HD`, `NF`, `EX` |
//! | `ma <key> <flag>*` | counts up or down | `HD`, `VA`, `NF`, `EX` |
//! | `me <key> [b]` | tells what is known of an item | `ME`, `EN` |
//! | `mn` | nothing: what was asked before has been answered | `MN` |
//!
//! Flags are answered in the order in which they were given.
//!
//! What the original remembers of a key that was stored in base64 is not modelled: keys are shown
//! in the form in which the command at hand gives them.

mod arithmetic;
mod base64;
mod debug;
mod delete;
mod flags;
mod get;
mod noop;
mod set;

pub(super) use arithmetic::arithmetic;
pub(crate) use base64::encode as encode_base64;
pub(super) use debug::debug;
pub(super) use delete::delete;
pub(super) use flags::Flags;
use flags::KeyRoom;
pub(super) use get::get;
pub(super) use noop::noop;
pub(super) use set::{answer as answer_set, with_header as with_set_header};

use super::backward::Backward;
use super::line::Line;
use super::{Refusal, Session, Then};
use crate::cache::{Cache, ItemId, Key, Stored, Verb, Write};
use crate::clock::{Expiry, Seconds};
use bytes::BytesMut;

/// Reads a line without a data block.
#[inline]
fn parse<'a>(
    session: &Session<'_>,
    line: &Line<'a>,
    room: &'a mut KeyRoom,
) -> Result<Flags<'a>, Refusal> {
    const FIRST: usize = 2;
    let tokens = Flags::tokens(line, FIRST)?;
    Flags::parse(tokens, FIRST, session.epoch, session.now, room)
}

/// Appends a letter and a number, with a space in front.
#[inline]
fn put_number(tx: &mut BytesMut, letter: u8, n: u64) {
    tx.extend_from_slice(Backward::new().number(n).byte(letter).byte(b' ').as_bytes());
}

/// `t`: seconds left, or -1 for ever.
#[inline]
fn put_ttl(tx: &mut BytesMut, expires: Expiry, now: Seconds) {
    match expires.at() {
        None => tx.extend_from_slice(b" t-1"),
        Some(at) => put_number(tx, b't', u64::from(at.0.saturating_sub(now.0))),
    }
}

/// A line of two letters, opaque token and key.
fn put_code(session: &mut Session<'_>, flags: &Flags<'_>, code: &[u8; 2]) {
    session.tx.write_with(|tx| {
        tx.reserve(flags.reply_bytes_max());
        tx.extend_from_slice(code);
        for token in flags.in_order() {
            flags.echo(token, tx);
        }
        tx.extend_from_slice(b"\r\n");
    });
}

/// Puts an item where nothing is, to live for ever. Returns nothing if there is no room.
fn make(
    cache: &mut Cache,
    key: Key<'_>,
    value: &[u8],
    version: Option<u64>,
    now: Seconds,
) -> Option<ItemId> {
    let (verb, expires) = (Verb::Add, Expiry::NEVER);
    let (compare, vivify, invalidate) = (None, None, false);
    let write = Write { key, verb, flags: 0, expires, compare, version, invalidate, vivify };
    match cache.store(&write, value, now) {
        Stored::Stored { .. } => cache.find(key, now).ok(),
        _ => None,
    }
}

/// The answer to a line that cannot be read.
fn refuse(session: &mut Session<'_>, refusal: Refusal) -> Then {
    session.refuse(false, refusal);
    Then::Done
}
