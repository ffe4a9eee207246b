//! Masters: records on their way to replicas.

use super::follower::{Follower, Stand};
use super::term::origin_of;
use super::wire::{number_of, put_beat, put_mutual, put_record, words_of};
use super::{Host, Replication};
use crate::resp::Frame;
use bytes::{Bytes, BytesMut};
use storytime_journal::{Lsn, ReadError};
use storytime_machine::{Close, Conn, Cx, Tx};

/// Output of one replica that is not sent; then it waits for the connection.
const UNSENT_BYTES_MAX: usize = 256 << 10;
/// How much of the journal is read at once for a replica that is behind.
const READ_BYTES: usize = 256 << 10;

impl Replication {
    pub(super) fn follower_at(&self, conn: Conn) -> Option<usize> {
        self.followers.iter().position(|follower| follower.conn == conn)
    }

    /// Sends every replica what it can take.
    pub(super) fn pump(&mut self, cx: &mut Cx, host: &mut dyn Host) {
        for index in 0..self.followers.len() {
            match self.followers[index].stand {
                Stand::Streaming => self.ship(cx, host, index),
                Stand::AwaitProof(_) => {
                    let last = Lsn(self.followers[index].next.0 - 1);
                    self.read_for(cx, host, index, last);
                }
                Stand::AwaitSnapshot => {}
                Stand::Seeding(_) | Stand::AwaitDurable(_) => self.seed(cx, host, index),
            }
        }
        self.begin_seed(cx, host);
    }

    fn ship(&mut self, cx: &mut Cx, host: &mut dyn Host, index: usize) {
        let durable = host.log().durable;
        let follower = &mut self.followers[index];
        let conn = follower.conn;
        let mut pending = cx.pending(conn);
        let Some(tx) = cx.tx(conn) else { return };
        while follower.next <= durable && pending < UNSENT_BYTES_MAX {
            let Some(record) = self.tail.get(follower.next) else {
                let from = follower.next;
                return self.read_for(cx, host, index, from);
            };
            send(tx, follower, record);
            pending = tx.pending();
            follower.next.0 += 1;
            self.counters.records_shipped += 1;
        }
    }

    /// Reads the journal for a replica, unless it is being read for another.
    fn read_for(&mut self, cx: &mut Cx, host: &mut dyn Host, index: usize, from: Lsn) {
        if self.reading.is_none() {
            self.reading = Some(self.followers[index].conn);
            self.counters.journal_reads += 1;
            host.read(cx, from, READ_BYTES);
        }
    }

    /// What was asked of the journal.
    pub fn on_records(&mut self, cx: &mut Cx, host: &mut dyn Host, mut records: &[(Lsn, Bytes)]) {
        let Some(conn) = self.reading.take() else { return };
        if let Some(index) = self.follower_at(conn) {
            let proving = matches!(self.followers[index].stand, Stand::AwaitProof(_));
            if proving && let Some(((lsn, record), rest)) = records.split_first() {
                records = if self.prove(cx, index, *lsn, record) { rest } else { &[] };
            }
            for (lsn, record) in records {
                let Some(follower) = self.followers.get_mut(index) else { break };
                // The journal is read on while other replicas make this one's place move.
                if follower.conn != conn || *lsn != follower.next {
                    break;
                }
                let Some(tx) = cx.tx(conn) else { break };
                send(tx, follower, record);
                follower.next.0 += 1;
                self.counters.records_shipped += 1;
            }
            // Others who wait to read come first now.
            if self.follower_at(conn) == Some(index) {
                let last = self.followers.len() - 1;
                self.followers.swap(index, last);
            }
        }
        self.pump(cx, host);
    }

    /// What was asked of the journal cannot be read.
    pub fn on_read_failed(&mut self, cx: &mut Cx, host: &mut dyn Host, why: ReadError) {
        let Some(conn) = self.reading.take() else { return };
        if let Some(index) = self.follower_at(conn) {
            match why {
                ReadError::Gone if self.followers[index].mutual.is_none() => {
                    // Its term was looked at: it has a part of our log, and gets the rest whole.
                    let answered = self.followers[index].stand == Stand::Streaming;
                    self.followers[index].stand = Stand::AwaitSnapshot;
                    cx.reached("replication: a replica was too far behind");
                    if !answered {
                        self.promise_seed(cx, conn);
                    }
                }
                ReadError::Gone | ReadError::Ahead | ReadError::Damaged => {
                    self.counters.given_up += 1;
                    self.notice(format!("the journal cannot be read for a replica: {why:?}"));
                    self.drop_follower(cx, Some(&mut *host), index, Close::Abort);
                }
            }
        }
        self.pump(cx, host);
    }

    /// A replica said something.
    pub(super) fn hear(
        &mut self,
        cx: &mut Cx,
        host: &mut dyn Host,
        index: usize,
        rx: &mut BytesMut,
    ) {
        let now = cx.now();
        loop {
            let follower = &mut self.followers[index];
            follower.heard = now;
            let frame = match follower.reader.next(rx) {
                Ok(None) => break,
                Ok(Some(Frame::Reply(reply))) => words_of(reply),
                Ok(Some(Frame::Push(_) | Frame::TooLong { .. })) | Err(_) => None,
            };
            let acked = frame.as_deref().and_then(|words| match words {
                [name, lsn] if name.eq_ignore_ascii_case(b"REPL.ACK") => number_of(lsn),
                _ => None,
            });
            match acked {
                // Nobody has what was not sent.
                Some(lsn) if lsn < follower.next.0 || lsn == 0 => {
                    if follower.stand == Stand::Streaming {
                        follower.acked = follower.acked.max(Lsn(lsn));
                    }
                }
                _ => {
                    rx.clear();
                    self.counters.given_up += 1;
                    return self.drop_follower(cx, Some(host), index, Close::Abort);
                }
            }
        }
        self.weigh(cx, host);
    }

    /// Tells replicas where we are, and gives up those that are silent.
    pub(super) fn beat_followers(&mut self, cx: &mut Cx, host: &mut dyn Host) {
        let now = cx.now();
        let durable = host.log().durable;
        let silent = self.options.timeout;
        while let Some(index) = self.followers.iter().position(|f| f.heard + silent <= now) {
            self.counters.given_up += 1;
            self.drop_follower(cx, Some(&mut *host), index, Close::Abort);
        }
        self.beat_seed(cx, host);
        for follower in &self.followers {
            let pushes = !matches!(follower.stand, Stand::AwaitProof(_));
            // Who takes nothing is not told more.
            if pushes
                && cx.pending(follower.conn) < UNSENT_BYTES_MAX
                && let Some(tx) = cx.tx(follower.conn)
            {
                // What is not shipped yet is told of, so that the replica knows how late it is.
                tx.write_with(|into| put_beat(into, durable, now.0 / 1_000_000));
            }
        }
    }
}

/// Sends a replica its next record; of another master's own only its place is noted.
fn send(tx: &mut Tx, follower: &mut Follower, record: &[u8]) {
    let next = follower.next;
    let Some(seen) = follower.mutual else {
        return tx.write_with(|into| put_record(into, next, record));
    };
    match origin_of(record) {
        Some(theirs) => follower.mutual = Some(theirs),
        None => tx.write_with(|into| put_mutual(into, next, seen, record)),
    }
}
