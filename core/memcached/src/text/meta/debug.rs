//! `me`.

use super::base64;
use super::flags::KeyRoom;
use crate::cache::{Count, KEY_BYTES_MAX};
use crate::text::line::Line;
use crate::text::{Refusal, Session, Then};
use core::fmt::Write as _;

/// `me <key> [b]`: tells what is known of an item, and does not count as a use of it.
pub(in crate::text) fn debug(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    let tokens = line.tokens();
    let given = tokens.get(1);
    if tokens.len() < 2 || given.len() > KEY_BYTES_MAX {
        return super::refuse(session, Refusal::BadFormat);
    }
    let (mut room, encoded) = (KeyRoom::default(), tokens.get(2) == b"b");
    let key = match encoded {
        false => given,
        true => match room.decode(given) {
            Some(key) => key,
            None => return super::refuse(session, Refusal::BadFormat),
        },
    };
    session.tally.lookups += 1;
    let (shared, now) = (session.shared, session.now);
    let (mut cache, key) = shared.shard(key);
    cache.count(Count::CmdMeta);
    let found = cache.find(key, now);
    session.observe_lookup(key.bytes, found.map(|item| cache.view(item)));
    let Ok(item) = found else {
        session.reply(false, b"EN");
        return Then::Done;
    };
    let view = cache.view(item);
    let exp = view.expires().at().map_or(-1, |at| i64::from(at.0) - i64::from(now.0));
    let idle = now.0.saturating_sub(view.accessed().0);
    let fetched = if view.fetched() { "yes" } else { "no" };
    let (version, class, bytes) = (view.version(), view.class(), view.item_bytes());
    session.tx.write_with(|tx| {
        tx.extend_from_slice(b"ME ");
        if encoded {
            base64::encode(key.bytes, tx);
        } else {
            tx.extend_from_slice(key.bytes);
        }
        let figures = format_args!(
            " exp={exp} la={idle} cas={version} fetch={fetched} cls={class} size={bytes}\r\n"
        );
        tx.write_fmt(figures).expect("output buffers grow as needed");
    });
    Then::Done
}
