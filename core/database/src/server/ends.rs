//! What is done from time to time: keys that have ended are deleted.

use super::{Database, Phase, tokens};
use crate::commands::Exec;
use crate::record::Effect;
use bytes::Bytes;
use core::time::Duration;
use storytime_machine::Cx;

/// Time between two looks.
pub(super) const TICK: Duration = Duration::from_millis(100);
/// Most keys that are deleted in one look.
const ENDED_KEYS_MAX: usize = 1000;

impl Database {
    pub(super) fn tick(&mut self, cx: &mut Cx) {
        if self.phase == Phase::Serving && !self.read_only {
            self.delete_ended(cx);
        }
        cx.after(tokens::TICK, TICK);
    }

    /// Deletes keys that have ended. A replica waits for its master to do so.
    fn delete_ended(&mut self, cx: &mut Cx) {
        let now_ms = cx.wall_clock().0 / 1_000_000;
        let mut ended: Vec<(u32, Bytes)> = Vec::new();
        for (number, db) in self.store.dbs() {
            let keys = db.ended_by(now_ms).take(ENDED_KEYS_MAX - ended.len());
            ended.extend(keys.map(|key| (number, key.clone())));
        }
        if ended.is_empty() {
            return;
        }
        self.counters.expired_keys += ended.len() as u64;
        self.marks.begin();
        self.record.begin(self.log.term(), now_ms);
        let mut tally = crate::commands::Tally::default();
        for (db, key) in &ended {
            let effect = Effect::Delete { key };
            Exec::change(&mut self.store, &mut self.record, &mut self.marks, *db, &effect);
            tally.writes += 1;
        }
        self.count(cx, tally);
        let lsn = self.append(cx);
        self.marks.recorded(lsn);
        while let Some(conn) = self.marks.next_broken() {
            if let Some(session) = self.session(conn) {
                session.broken = true;
            }
        }
    }

    /// What ends every callback: what was appended is on its way to the disk.
    pub(super) fn settle(&mut self, cx: &mut Cx) {
        if !self.waiting.is_empty() {
            self.release_all(cx);
        }
    }
}
