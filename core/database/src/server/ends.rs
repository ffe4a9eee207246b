//! What is done from time to time: keys that have ended are deleted, a full disk is looked at.

use super::{Database, Phase, tokens};
use crate::commands::{Exec, Tally};
use crate::config::REQUEST_BYTES_MAX;
use crate::record::Effect;
use bytes::Bytes;
use core::time::Duration;
use storytime_machine::Cx;

/// Shortest time between two looks.
const LOOK_MIN: Duration = Duration::from_millis(100);
/// Longest time between two looks: the wall clock may be set.
const LOOK_MAX: Duration = Duration::from_secs(60);
/// Most keys that are deleted in one look.
const ENDED_KEYS_MAX: usize = 1000;

impl Database {
    /// Sets the timer for the next thing that is to be done, if there is any.
    pub(super) fn set_alarm(&mut self, cx: &mut Cx) {
        let now_ms = cx.wall_clock().0 / 1_000_000;
        let first_end = self.engine.store.dbs().filter_map(|(_, db)| db.first_end()).min();
        let wait = if self.engine.log.is_full() {
            LOOK_MIN
        } else if let Some((end_ms, _)) =
            first_end.filter(|_| !self.read_only && !self.replication.is_replica())
        {
            Duration::from_millis(end_ms.saturating_sub(now_ms)).clamp(LOOK_MIN, LOOK_MAX)
        } else {
            return;
        };
        let due = cx.now() + wait;
        if self.alarm.is_none_or(|alarm| alarm > due) {
            self.alarm = Some(due);
            cx.at(tokens::ALARM, due);
        }
    }

    pub(super) fn alarm(&mut self, cx: &mut Cx) {
        self.alarm = None;
        if self.phase == Phase::Serving && self.may_write(cx.now()).is_ok() {
            self.delete_ended(cx);
        }
    }

    /// Deletes keys that have ended. A replica waits for its master to do so.
    fn delete_ended(&mut self, cx: &mut Cx) {
        let now_ms = cx.wall_clock().0 / 1_000_000;
        let mut ended: Vec<(u32, Bytes)> = Vec::new();
        for (number, db) in self.engine.store.dbs() {
            let keys = db.ended_by(now_ms).take(ENDED_KEYS_MAX - ended.len());
            ended.extend(keys.map(|key| (number, key.clone())));
            let lengths = ended.iter().scan(0, |sum, (_, key)| {
                *sum += key.len() + 16;
                Some(*sum)
            });
            let fit = lengths.take_while(|&sum| sum <= REQUEST_BYTES_MAX).count();
            ended.truncate(fit);
        }
        if ended.is_empty() {
            return;
        }
        self.counters.expired_keys += ended.len() as u64;
        let engine = &mut self.engine;
        engine.marks.begin();
        engine.record.begin(self.replication.term().0, now_ms);
        for (db, key) in &ended {
            let effect = Effect::Delete { key };
            Exec::change(&mut engine.store, &mut engine.record, &mut engine.marks, *db, &effect);
        }
        self.count(cx, Tally { writes: ended.len() as u64, ..Tally::default() });
        self.append(cx);
        self.break_watches(None);
    }
}
