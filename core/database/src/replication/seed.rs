//! Masters: all of the content for a replica that cannot be served from the log.

use super::follower::{Follower, Stand};
use super::wire::{put_piece_head, put_seed, put_seeded};
use super::{Host, Replication};
use bytes::Bytes;
use core::time::Duration;
use storytime_journal::Lsn;
use storytime_machine::{Close, Conn, Cx};

/// Most bytes of content that are kept for a replica because they have changed since its snapshot
/// began; the last key or owner may be more. As much as Redis lets wait for a replica.
pub const KEPT_BYTES_MAX: u64 = 256 << 20;
/// Output of a replica that is not sent; then the next piece waits.
const UNSENT_BYTES_MAX: usize = 512 << 10;
/// How long a replica waits that takes the content more slowly than it changes, before all of it is
/// sent again; it doubles up to [`PAUSE_DOUBLINGS_MAX`] times.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_DOUBLINGS_MAX: u32 = 5;
/// A replica that takes nothing of the content for this long is given up: while it has the
/// snapshot there is no checkpoint, and what is changed is kept for it.
const STALL_MAX: Duration = Duration::from_secs(30);

impl Replication {
    /// Takes the snapshot for the replica that has waited longest, if it can be had.
    pub(super) fn begin_seed(&mut self, cx: &mut Cx, host: &mut dyn Host) {
        if self.seeding.is_some() {
            return;
        }
        let now = cx.now();
        let waits = |f: &Follower| f.stand == Stand::AwaitSnapshot && f.rests_until <= now;
        let Some(index) = self.followers.iter().position(waits) else { return };
        if !host.begin_snapshot(cx, self.options.kept_bytes_max) {
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
        if self.seeding == Some(conn) && host.is_snapshot_overrun() {
            return self.put_seed_off(cx, host, index);
        }
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
                    self.followers[index].overruns = 0;
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

    /// The content has changed too much since the snapshot began: it is given up, and the replica
    /// waits for another.
    fn put_seed_off(&mut self, cx: &mut Cx, host: &mut dyn Host, index: usize) {
        cx.reached("replication: seeding was overrun");
        host.abandon_snapshot(cx);
        self.seeding = None;
        self.counters.seeds_overrun += 1;
        let follower = &mut self.followers[index];
        follower.stand = Stand::AwaitSnapshot;
        follower.rests_until = cx.now() + PAUSE * (1 << follower.overruns.min(PAUSE_DOUBLINGS_MAX));
        follower.overruns = follower.overruns.saturating_add(1);
        let text = format!(
            "the content changes faster than the replica of port {} takes it: it is sent again",
            follower.port
        );
        self.notice(text);
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
