//! Output that goes on: `watch`, `lru_crawler metadump` and `mgdump`.

use super::crawler::Classes;
use crate::cache::{Cursor, View};
use crate::ops::Encoded;
use crate::ops::Streams;
use crate::session::Session;
use crate::shared::Shared;
use crate::text::encode_base64;
use bytes::BytesMut;
use core::fmt::Write as _;

/// Items shown in one piece, under one lock.
const PIECE_ITEMS_MAX: usize = 256;
/// Output of a dump in one step, bytes, after which other connections get their turn.
const STEP_BYTES_MAX: usize = 64 << 10;

/// A connection that shows something that goes on.
#[derive(Debug)]
pub(crate) struct Stream {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// What happens, until the connection ends. What the peer sends is thrown away.
    Watch { id: u64, greeted: bool },
    /// Every item, once. Requests that wait behind it are served then.
    Dump { form: Form, classes: Classes, place: Place },
}

/// How far a dump has come.
#[derive(Clone, Copy, Debug)]
enum Place {
    Begin,
    At { shard: usize, cursor: Cursor },
}

/// What a dump shows of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `metadump`: all that is known of it.
    Meta,
    /// `mgdump`: a request for it.
    Mg,
}

/// What one step of a stream did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Streamed {
    /// The peer must read first.
    SlowReader,
    /// Nothing to show now, or enough for one turn: again at the next tick.
    AwaitTick,
    /// Over; the connection takes commands again.
    End,
}

impl Stream {
    /// A new watcher; `None` if there are too many.
    pub(super) fn watch(shared: &Shared, streams: Streams) -> Option<Self> {
        let id = shared.ops.hub.add(streams)?;
        shared.set_noting();
        Some(Self { kind: Kind::Watch { id, greeted: false } })
    }

    pub(super) const fn dump(form: Form, classes: Classes) -> Self {
        Self { kind: Kind::Dump { form, classes, place: Place::Begin } }
    }

    /// Shows what there is to show. `rx` is what the peer sent meanwhile.
    pub(crate) fn run(&mut self, session: &mut Session<'_>, rx: &mut BytesMut) -> Streamed {
        match &mut self.kind {
            Kind::Watch { id, greeted } => {
                rx.clear();
                if !core::mem::replace(greeted, true) {
                    session.tx.put(b"OK\r\n");
                }
                let hub = &session.shared.ops.hub;
                // As much again may wait in the hub: together twice what was allowed.
                if session.tx.pending() < hub.bytes_max() {
                    session.tx.write_with(|tx| {
                        hub.take(*id, tx);
                    });
                }
                Streamed::AwaitTick
            }
            Kind::Dump { form, classes, place } => {
                let before = session.tx.pending();
                loop {
                    if session.reader_is_slow() {
                        return Streamed::SlowReader;
                    }
                    if session.tx.pending() - before > STEP_BYTES_MAX {
                        return Streamed::AwaitTick;
                    }
                    match step(session, *form, *classes, *place) {
                        Some(next) => *place = next,
                        None => return Streamed::End,
                    }
                }
            }
        }
    }

    /// The connection is gone.
    pub(crate) fn abandon(self, shared: &Shared) {
        if let Kind::Watch { id, .. } = self.kind {
            shared.ops.hub.remove(id);
            shared.set_noting();
        }
    }
}

/// Shows the next items; `None` behind the last.
fn step(session: &mut Session<'_>, form: Form, classes: Classes, place: Place) -> Option<Place> {
    let Place::At { shard, cursor } = place else {
        session.tx.put(b"OK\r\n");
        return Some(Place::At { shard: 0, cursor: Cursor::default() });
    };
    let (shared, epoch, now) = (session.shared, session.epoch, session.now);
    let mut next = None;
    session.tx.write_with(|tx| {
        let mut each = |item: View<'_>| {
            if classes.has(item.class()) {
                match form {
                    Form::Meta => meta(&item, &epoch, tx),
                    Form::Mg => mg(&item, tx),
                }
            }
        };
        next = shared.cache_at(shard).walk(cursor, PIECE_ITEMS_MAX, now, &mut each);
    });
    if let Some(cursor) = next {
        return Some(Place::At { shard, cursor });
    }
    if shard + 1 < shared.shards() {
        return Some(Place::At { shard: shard + 1, cursor: Cursor::default() });
    }
    session.tx.put(match form {
        Form::Meta => b"END\r\n",
        Form::Mg => b"EN\r\n",
    });
    None
}

fn meta(item: &View<'_>, epoch: &crate::clock::Epoch, into: &mut BytesMut) {
    write!(into, "key={} exp=", Encoded(item.key())).expect("output buffers grow as needed");
    match item.expires().at() {
        None => write!(into, "-1"),
        Some(at) => write!(into, "{}", epoch.date(at)),
    }
    .expect("output buffers grow as needed");
    writeln!(
        into,
        " la={} cas={} fetch={} cls={} size={} flags={} ",
        epoch.date(item.accessed()),
        item.version(),
        if item.fetched() { "yes" } else { "no" },
        item.class(),
        item.item_bytes(),
        item.flags()
    )
    .expect("output buffers grow as needed");
}

/// A key that a text request cannot hold as it is goes in base 64, as the request says by `b`.
fn mg(item: &View<'_>, into: &mut BytesMut) {
    let key = item.key();
    into.extend_from_slice(b"mg ");
    if key.iter().all(|&b| b > b' ' && b != 0x7f) {
        into.extend_from_slice(key);
    } else {
        encode_base64(key, into);
        into.extend_from_slice(b" b");
    }
    into.extend_from_slice(b"\r\n");
}
