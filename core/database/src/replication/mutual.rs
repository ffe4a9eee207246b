//! Master/master: two servers that both take writes and ship them to each other.
//!
//! Each has a log of its own. What came from the other is in it with its origin, and is not sent
//! back. Whatever arrives last wins, row by row and key by key; the two need not end with the same
//! content, and a counter that both count with gives the same numbers out twice; row numbers do so
//! unless each server steps over those of the other. Writes of the same key, row or number space
//! that did not know of each other are counted as collisions. It is here for the contrast.
//!
//! # Not modelled
//!
//! Seeding: if the records that one lacks are gone from the other's journal, an operator must help.
//! Effects that need what is not there any more (a pop from a list that the other has emptied) end
//! the process, as they would end a MySQL replica. Collisions while the other's view is not known,
//! behind a restart, are not counted, nor those with all but the last 65,536 writes.

use super::dial::Dial;
use super::term::term_of;
use super::wire::{VERSION, lsn_of, number_of};
use super::{Host, OtherMaster, Replication, Timer};
use crate::client::put_request;
use crate::record::{Effect, RecordView, RecordWriter};
use crate::resp::Frame;
use bytes::{Bytes, BytesMut};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use storytime_journal::{AppendError, Lsn};
use storytime_machine::hash::{digest_bytes, fold};
use storytime_machine::{Conn, Cx};

/// Most of our own writes that are held against the other's.
pub(super) const RECENT_MAX: usize = 1 << 16;
/// Longest record of the other's, bytes.
const RECORD_BYTES_MAX: usize = 16 << 20;
/// Nobody knows what was known: the greatest number of RESP.
const UNKNOWN: Lsn = Lsn(i64::MAX as u64);
/// How often the other is tried.
const RETRY: Duration = Duration::from_millis(500);

/// Our side of the pair.
#[derive(Debug)]
pub(super) struct Mutual {
    /// The connection over which its records come.
    pub(super) dial: Dial,
    server_number: u32,
    servers: u32,
    /// A record that our journal did not take at once, and where it stands in the other's log.
    stalled: Option<(Lsn, Lsn, Bytes)>,
    /// What we wrote lately, by digest of its place, and where.
    recent: BTreeMap<u64, Lsn>,
    order: VecDeque<(Lsn, u64)>,
    writer: RecordWriter,
    pub(super) collisions: u64,
    /// Why the other does not give us its records.
    pub(super) refused: Option<String>,
}

/// A digest of what an effect changes.
fn place_of(db: u32, effect: &Effect<'_>) -> u64 {
    let name = |kind: u64, name: &[u8]| digest_bytes(fold(u64::from(db), kind), name);
    match *effect {
        Effect::RowPut { table, owner, item, .. } | Effect::RowDelete { table, owner, item } => {
            fold(fold(name(1, table), owner), item)
        }
        Effect::Number { table, owner, .. } => fold(name(2, table), owner),
        _ => name(3, effect.key().unwrap_or_default()),
    }
}

fn effects_of(record: &[u8]) -> impl Iterator<Item = (u32, Effect<'_>)> {
    let effects = RecordView::new(record).ok().map(|view| view.effects());
    effects.into_iter().flatten().map_while(Result::ok)
}

impl Mutual {
    fn new(dial: Dial, server_number: u32, servers: u32) -> Self {
        Self {
            dial,
            server_number,
            servers,
            stalled: None,
            recent: BTreeMap::new(),
            order: VecDeque::new(),
            writer: RecordWriter::default(),
            collisions: 0,
            refused: None,
        }
    }

    /// A record of our own is in the log.
    pub(super) fn wrote(&mut self, lsn: Lsn, record: &[u8]) {
        for (db, effect) in effects_of(record) {
            if !self.meets(&effect) {
                continue;
            }
            let place = place_of(db, &effect);
            self.recent.insert(place, lsn);
            self.order.push_back((lsn, place));
        }
        let spare = self.order.len().saturating_sub(RECENT_MAX);
        self.forget(|turn, _| turn < spare);
    }

    /// The other knew our log up to `seen` when it made this record: what of it meets what it did
    /// not know?
    fn collide(&mut self, seen: Lsn, record: &[u8]) {
        if seen >= UNKNOWN {
            return;
        }
        self.forget(|_, lsn| lsn <= seen);
        for (db, effect) in effects_of(record) {
            if !self.meets(&effect) {
                continue;
            }
            let unseen = |lsn: &Lsn| *lsn > seen;
            let place = place_of(db, &effect);
            self.collisions += u64::from(self.recent.get(&place).is_some_and(unseen));
        }
    }

    /// Whether an effect and one of the other's on the same place do harm to each other.
    fn meets(&self, effect: &Effect<'_>) -> bool {
        match effect {
            Effect::Versions { .. } | Effect::Origin { .. } => false,
            // Numbers that are kept apart are different ones.
            Effect::Number { .. } => self.servers <= 1,
            _ => true,
        }
    }

    /// Forgets the oldest writes, as long as they are to be forgotten.
    fn forget(&mut self, old: impl Fn(usize, Lsn) -> bool) {
        let mut turn = 0;
        while let Some(&(lsn, place)) = self.order.front()
            && old(turn, lsn)
        {
            self.order.pop_front();
            if self.recent.get(&place) == Some(&lsn) {
                self.recent.remove(&place);
            }
            turn += 1;
        }
    }

    /// The other's record as one of ours: under our term, with its origin.
    fn adopt(&mut self, term: u64, at: Lsn, record: &[u8]) -> Option<Bytes> {
        let view = RecordView::new(record).ok()?;
        self.writer.begin(term, view.at_ms);
        self.writer.push(0, &Effect::Origin { server: u64::from(self.server_number), lsn: at.0 });
        for effect in view.effects() {
            let (db, effect) = effect.ok()?;
            self.writer.push(db, &effect);
        }
        Some(Bytes::copy_from_slice(self.writer.bytes()))
    }
}

impl Replication {
    /// Mirrors this other master from now on.
    pub(super) fn mirror(&mut self, cx: &mut Cx, other: OtherMaster) {
        let OtherMaster { host, port, server_number, servers } = other;
        let dial = self.new_dial(host, port, Timer::Mutual, RECORD_BYTES_MAX, cx.now());
        self.mutual = Some(Mutual::new(dial, server_number, servers));
        self.begin_dial(cx, Timer::Mutual);
    }

    fn mutual_at(&mut self, conn: Conn) -> Option<&mut Mutual> {
        self.mutual.as_mut().filter(|mutual| mutual.dial.conn() == Some(conn))
    }

    /// The connection is up: asks for the records that are not here.
    pub(super) fn greet_mutual(&mut self, cx: &mut Cx, conn: Conn) {
        let have = self.history.foreign().0;
        let numbers = [VERSION, u64::from(self.options.port), have.0].map(|n| n.to_string());
        let mut words: Vec<&[u8]> = vec![b"REPL.MUTUAL"];
        words.extend(numbers.iter().map(String::as_bytes));
        if let Some(tx) = cx.tx(conn) {
            tx.write_with(|into| put_request(&words, into));
        }
    }

    /// The other said something.
    pub(super) fn hear_mutual(
        &mut self,
        cx: &mut Cx,
        host: &mut dyn Host,
        conn: Conn,
        rx: &mut BytesMut,
    ) {
        let now = cx.now();
        while let Some(mutual) = self.mutual_at(conn) {
            mutual.dial.heard = now;
            if mutual.stalled.is_some() {
                return cx.pause(conn, true);
            }
            match mutual.dial.reader.next(rx) {
                Ok(None) => return,
                Ok(Some(Frame::Reply(crate::Reply::Error(text)))) => {
                    let text = String::from_utf8_lossy(&text).into_owned();
                    let news = mutual.refused.as_ref() != Some(&text);
                    mutual.refused = Some(text.clone());
                    if news {
                        self.notice(format!("the other master gives no records: {text}"));
                    }
                    self.lose_mutual(cx);
                }
                Ok(Some(Frame::Reply(_))) => mutual.refused = None,
                Ok(Some(Frame::Push(mut items))) => {
                    use super::wire::{Push, push_of};
                    match push_of(&mut items) {
                        Some(Push::Beat(..)) => {}
                        Some(Push::Mutual(at, seen, record)) => {
                            self.take_foreign(cx, host, at, seen, record);
                        }
                        _ => self.lose_mutual(cx),
                    }
                }
                Ok(Some(Frame::TooLong { .. })) | Err(_) => self.lose_mutual(cx),
            }
        }
        rx.clear();
    }

    fn take_foreign(
        &mut self,
        cx: &mut Cx,
        host: &mut dyn Host,
        at: Lsn,
        seen: Lsn,
        record: Bytes,
    ) {
        let term = self.term().0;
        if at <= self.history.foreign().0 || term_of(&record).is_none() {
            return self.lose_mutual(cx);
        }
        let Some(mutual) = &mut self.mutual else { return };
        let Some(ours) = mutual.adopt(term, at, &record) else {
            return self.lose_mutual(cx);
        };
        match host.append(cx, &ours) {
            Ok(lsn) => {
                mutual.collide(seen, &record);
                self.counters.records_taken += 1;
                self.appended(cx, lsn, &ours);
            }
            Err(AppendError::Busy | AppendError::Full | AppendError::NotReady) => {
                mutual.stalled = Some((at, seen, record));
            }
            Err(AppendError::TooLong) => self.lose_mutual(cx),
        }
    }

    /// The journal may take what it did not take before.
    pub(super) fn resume_mutual(&mut self, cx: &mut Cx, host: &mut dyn Host) {
        let Some(mutual) = &mut self.mutual else { return };
        let Some(conn) = mutual.dial.conn() else { return };
        let Some((at, seen, record)) = mutual.stalled.take() else { return };
        self.take_foreign(cx, host, at, seen, record);
        let Some(mutual) = self.mutual_at(conn).filter(|m| m.stalled.is_none()) else { return };
        if mutual.dial.reader.held_bytes() > 0 {
            self.hear_mutual(cx, host, conn, &mut BytesMut::new());
        }
        cx.pause(conn, false);
    }

    /// Says that we are here, and looks whether the other is.
    pub(super) fn beat_mutual(&mut self, cx: &mut Cx) {
        let now = cx.now();
        let Some(mutual) = &mut self.mutual else { return };
        if mutual.stalled.is_some() {
            mutual.dial.heard = now;
        }
        if mutual.dial.is_silent(now) {
            return self.lose_mutual(cx);
        }
        if let Some(tx) = mutual.dial.conn().and_then(|conn| cx.tx(conn)) {
            // It needs no acknowledgement: we say how far we are when we come again.
            tx.write_with(|into| put_request(&[b"REPL.ACK", b"0"], into));
        }
    }

    pub(super) fn lose_mutual(&mut self, cx: &mut Cx) {
        let Some(mutual) = &mut self.mutual else { return };
        mutual.stalled = None;
        mutual.dial.rest(cx, RETRY);
    }

    /// This server is no half of two masters any more.
    pub(super) fn leave_mutual(&mut self, cx: &mut Cx) {
        if let Some(mut mutual) = self.mutual.take() {
            mutual.dial.leave(cx);
        }
    }

    /// `REPL.MUTUAL`: the other master wants what was written here.
    pub(super) fn on_mutual(
        &mut self,
        cx: &mut Cx,
        host: &mut dyn Host,
        caller: &super::Caller<'_>,
        words: &[Bytes],
        out: &mut BytesMut,
    ) -> super::Handled {
        use super::follower::{Follower, Stand};
        use super::roles::put_error;
        let numbers = match words {
            [version, port, have] => (number_of(version), number_of(port), lsn_of(have)),
            _ => (None, None, None),
        };
        let (Some(VERSION), Some(port), Some(have)) = numbers else {
            put_error(out, "ERR this is not how we mirror here: another version?");
            return super::Handled::Done;
        };
        if self.is_loading() || self.mutual.is_none() || self.is_replica() {
            put_error(out, "ERR this server is no half of two masters");
            return super::Handled::Done;
        }
        let log = host.log();
        let gone = have.0 + 1 < log.oldest.0;
        if gone || have > log.durable || self.followers.len() >= super::REPLICAS_MAX {
            self.counters.diverged += 1;
            let text = format!(
                "DIVERGED you have my records up to {}, and I hold {} to {}: two masters are not \
                 seeded; empty one and start it as a replica first",
                have.0, log.oldest.0, log.durable.0
            );
            put_error(out, &text);
            return super::Handled::Done;
        }
        let next = Lsn(have.0 + 1);
        let port = u16::try_from(port).unwrap_or_default();
        let mut follower = Follower::new(caller.conn, String::new(), port, next, cx.now());
        follower.stand = Stand::Streaming;
        // What it knew of us when it wrote what comes first, if that can be told.
        let (theirs, at) = self.history.foreign();
        follower.mutual = Some(if at < next { theirs } else { UNKNOWN });
        self.followers.push(follower);
        if let Some(tx) = cx.tx(caller.conn) {
            tx.write_with(super::roles::put_ok);
        }
        self.pump(cx, host);
        super::Handled::Adopted
    }
}
