//! What watchers may want to know of.

use super::index::key_at;
use super::item::{Place, age, bits};
use super::{Cache, Evicted};
use crate::clock::Seconds;
use std::collections::VecDeque;

/// Most notes kept until somebody takes them.
const NOTES_MAX: usize = 4096;

/// Notes, and which ones are wanted.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) evictions: bool,
    pub(super) deletions: bool,
    kept: VecDeque<Evicted>,
}

impl Notes {
    /// Bytes of memory held.
    pub(super) fn memory(&self) -> u64 {
        let keys: usize = self.kept.iter().map(|note| note.key.len()).sum();
        (self.kept.capacity() * size_of::<Evicted>() + keys) as u64
    }
}

impl Cache {
    /// Whether evictions and deletions are to be noted for watchers.
    pub fn set_noting(&mut self, evictions: bool, deletions: bool) {
        (self.notes.evictions, self.notes.deletions) = (evictions, deletions);
    }

    /// What was noted since the last call; bounded, the oldest are lost.
    pub fn take_noted(&mut self) -> Vec<Evicted> {
        self.notes.kept.drain(..).collect()
    }

    /// Notes an item that is about to go.
    pub(super) fn note(&mut self, place: Place, deleted: bool) {
        let wanted = if deleted { self.notes.deletions } else { self.notes.evictions };
        if !wanted {
            return;
        }
        let now = self.flush.now();
        let left = |at: Seconds| i64::from(at.0) - i64::from(now.0);
        let head = self.heap.head(place);
        let noted = Evicted {
            key: key_at(self.heap.bytes(place)).into(),
            fetched: head.has(bits::FETCHED),
            ttl: head.expires().at().map_or(-1, left),
            idle: age(self.flush.stamp(), head.used()),
            class: head.class(),
            value_bytes: head.value_len(),
            deleted,
        };
        if self.notes.kept.len() == NOTES_MAX {
            self.notes.kept.pop_front();
        }
        self.notes.kept.push_back(noted);
    }
}
