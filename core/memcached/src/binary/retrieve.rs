//! `get`, `getk`, `touch`, `gat`, `gatk` and their quiet forms.
//!
//! Values up to `copy_bytes_max` are copied into the output under the lock. Larger ones are pinned
//! and sent piece by piece as the peer reads, so that slow readers cost no memory of their own and
//! still get the value as it was.

use super::wire::{HEADER_BYTES, Reply, Retrieval, Status, u32_at};
use super::{Request, Session, State, Step};
use crate::cache::{Access, Cache, ItemId};
use crate::sending::Sending;

/// Answers a retrieval.
#[inline]
pub(super) fn retrieve(session: &mut Session<'_>, request: &Request<'_>, form: Retrieval) -> Step {
    session.tally.lookups += 1;
    let eaten = request.header.head_bytes();
    let access = if form.touches {
        let exptime = u32_at(request.extras, 0);
        Access::Touch(session.epoch.expiry(exptime, session.now))
    } else {
        Access::Get
    };
    let (mut cache, key) = session.shared.shard(request.key);
    let found = cache.fetch(key, access, session.now);
    session.observe_get(request.key, found.map(|item| cache.view(item)));
    if let Ok(item) = found {
        if !form.shows_value || cache.view(item).value_len() <= session.copy_bytes_max {
            put_hit(session, &cache, request, item, form, form.shows_value);
            return Step::Ate(eaten);
        }
        // More readers than a pin can count is as good as no value.
        if let Some(pin) = cache.pin(item) {
            put_hit(session, &cache, request, item, form, false);
            let sending = Sending::bare(pin, key);
            return Step::Enter(State::SendValue(Box::new(sending)), eaten);
        }
    }
    drop(cache);
    put_miss(session, request, form);
    Step::Ate(eaten)
}

/// The reply to a hit, with its value or up to it.
#[inline]
fn put_hit(
    session: &mut Session<'_>,
    cache: &Cache,
    request: &Request<'_>,
    item: ItemId,
    form: Retrieval,
    whole: bool,
) {
    let view = cache.view(item);
    let value_len = if form.shows_value { view.value_len() } else { 0 };
    let key = if form.shows_key { request.key } else { &[] };
    let reply = Reply {
        status: Status::Ok,
        extras_bytes: 4,
        key_bytes: key.len() as u16,
        value_bytes: u32::try_from(value_len).expect("items are smaller than 4 GiB"),
        version: view.version(),
    };
    session.tx.write_with(|tx| {
        tx.reserve(HEADER_BYTES + 4 + key.len() + if whole { value_len } else { 0 });
        request.header.put_reply(reply, tx);
        tx.extend_from_slice(&view.flags().to_be_bytes());
        tx.extend_from_slice(key);
        if whole {
            view.copy_value(false, tx);
        }
    });
}

/// A miss shows the key where a hit would, and a text elsewhere.
fn put_miss(session: &mut Session<'_>, request: &Request<'_>, form: Retrieval) {
    if request.header.quiet {
        return;
    }
    if form.shows_key {
        let key_bytes = request.key.len() as u16;
        let reply = Reply { status: Status::NotFound, key_bytes, ..Reply::default() };
        session.tx.write_with(|tx| {
            request.header.put_reply(reply, tx);
            tx.extend_from_slice(request.key);
        });
    } else {
        session.fail(&request.header, Status::NotFound);
    }
}
