//! Replicas: what the master sends.

use super::term::{History, term_of};
use super::upstream::{Stage, Stalled};
use super::wire::{Push, push_of};
use super::{Content, Host, REPLICATION_RECORD_BYTES_MIN, Replication};
use crate::client::put_request;
use crate::resp::Frame;
use bytes::{Bytes, BytesMut};
use storytime_journal::{AppendError, Lsn};
use storytime_machine::{Conn, Cx};

impl Replication {
    /// Eats what the master sent, as far as it can be taken now.
    pub(super) fn take_in(
        &mut self,
        cx: &mut Cx,
        host: &mut dyn Host,
        conn: Conn,
        rx: &mut BytesMut,
    ) {
        let now = cx.now();
        if let Some(upstream) = self.upstream() {
            upstream.dial.heard = now;
        }
        while self.takes_from(conn) {
            let Some(upstream) = self.upstream() else { return };
            match upstream.dial.reader.next(rx) {
                Ok(None) => break,
                Ok(Some(Frame::Reply(reply))) => self.answered(cx, conn, &reply),
                Ok(Some(Frame::Push(mut items))) => match push_of(&mut items) {
                    Some(push) => self.pushed(cx, host, push),
                    None => self.lose_upstream(cx, "the master sends what we do not know"),
                },
                Ok(Some(Frame::TooLong { .. })) => {
                    self.lose_upstream(cx, "the master sends more at once than is taken");
                }
                Err(why) => self.lose_upstream(cx, &why.to_string()),
            }
        }
        match self.upstream_conn() {
            Some(live) if live == conn => {
                self.tell_position(cx, host);
                if !self.takes_from(conn) {
                    cx.pause(conn, true);
                }
            }
            _ => rx.clear(),
        }
    }

    fn upstream_conn(&mut self) -> Option<Conn> {
        self.upstream()?.dial.conn()
    }

    /// Whether more may be taken from the master now.
    fn takes_from(&mut self, conn: Conn) -> bool {
        let becoming = matches!(self.content, Content::AwaitDurable(_));
        let live =
            |u: &mut super::upstream::Upstream| u.dial.conn() == Some(conn) && u.stalled.is_none();
        !becoming && self.upstream().is_some_and(live)
    }

    fn pushed(&mut self, cx: &mut Cx, host: &mut dyn Host, push: Push) {
        let Some(stage) = self.upstream().and_then(|upstream| upstream.stage()) else { return };
        match (push, stage) {
            (Push::Beat(durable, clock_ms), Stage::Streaming | Stage::Seeding(_)) => {
                self.heard_beat(cx, host, durable, clock_ms);
            }
            (Push::Record(lsn, record), Stage::Streaming) => {
                self.take_record(cx, host, lsn, record);
            }
            (Push::Seed(at), Stage::Streaming | Stage::Seeding(_)) => {
                self.begin_again(cx, host, at);
            }
            (Push::Piece(piece), Stage::Seeding(at)) if at > Lsn(0) => {
                self.take_piece(cx, host, at, piece);
            }
            (Push::Seeded(at), Stage::Seeding(begun)) if at == begun => {
                self.end_seed(cx, host, at);
            }
            _ => self.lose_upstream(cx, "the master sends what does not belong here"),
        }
    }

    fn heard_beat(&mut self, cx: &Cx, host: &dyn Host, durable: Lsn, clock_ms: u64) {
        let applied = host.log().applied;
        if let Some(upstream) = self.upstream() {
            upstream.known = upstream.known.max(durable);
            upstream.lag.beat(cx.now(), durable, clock_ms);
            upstream.lag.applied(applied);
        }
    }

    // ---- records -------------------------------------------------------------------------------

    fn take_record(&mut self, cx: &mut Cx, host: &mut dyn Host, lsn: Lsn, record: Bytes) {
        let end = self.history.position();
        if lsn.0 != end.lsn.0 + 1 {
            return self.lose_upstream(cx, "a record at another place than the next");
        }
        let whole = record.len() >= REPLICATION_RECORD_BYTES_MIN;
        if !whole || term_of(&record).is_none_or(|term| term < end.term) {
            return self.lose_upstream(cx, "a record of no term, or an earlier one");
        }
        if term_of(&record).is_some_and(|term| !term.is_possible()) {
            return self.lose_upstream(cx, "a record of a term that there cannot be");
        }
        self.append_taken(cx, host, record);
    }

    fn append_taken(&mut self, cx: &mut Cx, host: &mut dyn Host, record: Bytes) {
        match host.append(cx, &record) {
            Ok(lsn) => {
                self.appended(cx, lsn, &record);
                self.counters.records_taken += 1;
                if let Some(upstream) = self.upstream() {
                    upstream.known = upstream.known.max(lsn);
                }
            }
            Err(AppendError::Busy | AppendError::Full | AppendError::NotReady) => {
                cx.reached("replication: a replica's journal was busy");
                if let Some(upstream) = self.upstream() {
                    upstream.stalled = Some(Stalled::Record(record));
                }
            }
            Err(AppendError::TooLong) => {
                self.lose_upstream(cx, "a record longer than this server takes");
            }
        }
    }

    /// Says what is durable here, if that is news.
    pub(super) fn tell_position(&mut self, cx: &mut Cx, host: &dyn Host) {
        let durable = host.log().durable;
        let Some(upstream) = self.upstream() else { return };
        if let Some((conn, Stage::Streaming)) = upstream.dial.conn().zip(upstream.stage())
            && durable > upstream.told
        {
            upstream.told = durable;
            put_ack(cx, conn, durable);
        }
    }

    /// Says that we are here, whatever there is to say.
    pub(super) fn beat_upstream(&mut self, cx: &mut Cx, host: &dyn Host) {
        let now = cx.now();
        let whole = matches!(self.content, Content::Whole);
        let durable = if whole { host.log().durable } else { Lsn(0) };
        let becoming = matches!(self.content, Content::AwaitDurable(_));
        let Some(upstream) = self.upstream() else { return };
        let Some(conn) = upstream.dial.conn() else { return };
        if becoming || upstream.stalled.is_some() {
            // It is we who do not listen.
            upstream.dial.heard = now;
        }
        if upstream.dial.is_silent(now) {
            return self.lose_upstream(cx, "silence");
        }
        if matches!(upstream.stage(), Some(Stage::Streaming | Stage::Seeding(_))) {
            upstream.told = upstream.told.max(durable);
            put_ack(cx, conn, durable);
        }
    }

    // ---- content -------------------------------------------------------------------------------

    fn begin_again(&mut self, cx: &mut Cx, host: &mut dyn Host, at: Lsn) {
        if at == Lsn(0) {
            return self.lose_upstream(cx, "content as of no record");
        }
        cx.reached("replication: a replica was seeded");
        if !matches!(self.content, Content::Whole) {
            cx.reached("replication: seeding was cut off and began again");
        }
        self.counters.seeded += 1;
        self.drop_followers(cx, host);
        host.begin_reset(cx, at);
        self.content = Content::Seeding(None);
        if let Some(upstream) = self.upstream() {
            upstream.enter(Stage::Seeding(at));
        }
    }

    fn take_piece(&mut self, cx: &mut Cx, host: &mut dyn Host, at: Lsn, piece: Bytes) {
        let Content::Seeding(history) = &mut self.content else {
            return self.lose_upstream(cx, "content that was not announced");
        };
        if history.is_none() {
            match History::from_piece(&piece) {
                Ok(theirs) if !theirs.term().is_possible() => {
                    return self.lose_upstream(cx, "content of a term that there cannot be");
                }
                Ok(theirs) if theirs.position().lsn == at => *history = Some(theirs),
                _ => return self.lose_upstream(cx, "content without its history"),
            }
        }
        if !host.reset_piece(cx, &piece)
            && let Some(upstream) = self.upstream()
        {
            upstream.stalled = Some(Stalled::Piece(piece));
        }
    }

    fn end_seed(&mut self, cx: &mut Cx, host: &mut dyn Host, at: Lsn) {
        let Content::Seeding(Some(history)) = &mut self.content else {
            return self.lose_upstream(cx, "content without its history");
        };
        assert_eq!(history.position().lsn, at, "it was looked at when it came");
        self.content = Content::AwaitDurable(core::mem::take(history));
        host.end_reset(cx);
    }

    /// The new content survives a power cut.
    pub fn on_reset_done(&mut self, cx: &mut Cx, host: &mut dyn Host) {
        let done = core::mem::replace(&mut self.content, Content::Whole);
        let Content::AwaitDurable(history) = done else {
            panic!("only a complete reset is done");
        };
        self.history = history;
        self.tail.clear();
        if let Some(upstream) = self.upstream() {
            upstream.reseed = false;
            if let Some(Stage::Seeding(_)) = upstream.stage() {
                upstream.enter(Stage::Streaming);
            }
        }
        self.tell_position(cx, host);
        self.resume(cx, host);
    }

    /// Something that was not taken may be taken now.
    pub fn resume(&mut self, cx: &mut Cx, host: &mut dyn Host) {
        let Some(upstream) = self.upstream() else { return };
        let Some(conn) = upstream.dial.conn() else { return };
        match upstream.stalled.take() {
            Some(Stalled::Record(record)) => self.append_taken(cx, host, record),
            Some(Stalled::Piece(piece)) => {
                if !host.reset_piece(cx, &piece)
                    && let Some(upstream) = self.upstream()
                {
                    upstream.stalled = Some(Stalled::Piece(piece));
                }
            }
            None => {}
        }
        if self.takes_from(conn) {
            // What the connection's buffer holds is told again; what the reader holds is not.
            let apart =
                self.upstream().is_some_and(|upstream| upstream.dial.reader.held_bytes() > 0);
            if apart {
                self.take_in(cx, host, conn, &mut BytesMut::new());
            }
            if self.takes_from(conn) {
                cx.pause(conn, false);
            }
        }
    }
}

fn put_ack(cx: &mut Cx, conn: Conn, durable: Lsn) {
    if let Some(tx) = cx.tx(conn) {
        let number = durable.0.to_string();
        tx.write_with(|into| put_request(&[b"REPL.ACK", number.as_bytes()], into));
    }
}
