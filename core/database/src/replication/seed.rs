//! Masters: all of the content for a replica that cannot be served from the log.

use super::follower::Stand;
use super::wire::{put_piece_head, put_seed, put_seeded};
use super::{Host, Replication};
use bytes::Bytes;
use core::time::Duration;
use storytime_journal::Lsn;
use storytime_machine::{Close, Conn, Cx};

/// Output of a replica that is not sent; then the next piece waits.
const UNSENT_BYTES_MAX: usize = 512 << 10;
/// A replica that takes nothing of the content for this long is given up: while it has the
/// snapshot there is no checkpoint, and what is changed is kept for it.
const STALL_MAX: Duration = Duration::from_secs(30);

impl Replication {
    /// Takes the snapshot for the replica that has waited longest, if it can be had.
    pub(super) fn begin_seed(&mut self, cx: &mut Cx, host: &mut dyn Host) {
        if self.seeding.is_some() {
            return;
        }
        let waits = |stand: Stand| stand == Stand::AwaitSnapshot;
        let Some(index) = self.followers.iter().position(|f| waits(f.stand)) else { return };
        if !host.begin_snapshot(cx) {
            // A checkpoint is under way; the next heartbeat asks again.
            return;
        }
        let at = host.log().last;
        assert_eq!(at, self.history.position().lsn, "a snapshot is of the last record");
        let follower = &mut self.followers[index];
        follower.stand = Stand::Seeding(at);
        follower.acked = Lsn(0);
        follower.moved = cx.now();
        let conn = follower.conn;
        self.seeding = Some(conn);
        self.counters.seeded += 1;
        if let Some(tx) = cx.tx(conn) {
            tx.write_with(|into| put_seed(into, at));
        }
        put_piece(cx, conn, self.history.to_piece());
        self.seed(cx, host, index);
    }

    /// Sends a replica what it can take of the snapshot.
    pub(super) fn seed(&mut self, cx: &mut Cx, host: &mut dyn Host, index: usize) {
        let conn = self.followers[index].conn;
        while let Stand::Seeding(at) = self.followers[index].stand
            && cx.pending(conn) < UNSENT_BYTES_MAX
        {
            match host.next_piece(cx) {
                Some(piece) => {
                    put_piece(cx, conn, piece);
                    self.followers[index].moved = cx.now();
                }
                None => {
                    self.seeding = None;
                    self.followers[index].stand = Stand::AwaitDurable(at);
                }
            }
        }
        // A replica must not have what a power cut could take from its master.
        if let Stand::AwaitDurable(at) = self.followers[index].stand
            && host.log().durable >= at
        {
            let follower = &mut self.followers[index];
            follower.next = Lsn(at.0 + 1);
            follower.stand = Stand::Streaming;
            if let Some(tx) = cx.tx(conn) {
                tx.write_with(|into| put_seeded(into, at));
            }
        }
    }

    /// Gives up the replica that is being seeded if it has taken nothing for too long, whatever
    /// else it says.
    pub(super) fn beat_seed(&mut self, cx: &mut Cx, host: &mut dyn Host) {
        let Some(conn) = self.seeding else { return };
        let index = self.follower_at(conn).expect("whoever is seeded follows");
        let now = cx.now();
        let follower = &mut self.followers[index];
        follower.note_unsent(cx.pending(conn), now);
        if follower.moved + STALL_MAX <= now {
            let text = format!(
                "a replica of port {} is given up: it takes nothing of the content",
                follower.port
            );
            self.notice(text);
            self.counters.given_up += 1;
            self.drop_follower(cx, Some(host), index, Close::Abort);
        }
    }
}

fn put_piece(cx: &mut Cx, conn: Conn, piece: Bytes) {
    let Some(tx) = cx.tx(conn) else { return };
    tx.write_with(|into| put_piece_head(into, piece.len()));
    tx.push(piece);
    tx.put(b"\r\n");
}
