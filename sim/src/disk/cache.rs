//! Which parts of files the page cache holds: decides what a read costs, and when what a failed
//! flush lost becomes visible.
//!
//! First in, first out. Not modelled: read-ahead beyond the chunk, memory pressure by processes.

use hashbrown::HashSet;
use std::collections::VecDeque;
use storytime_machine::hash::FixedState;

/// The unit in which content enters and leaves the page cache, bytes: what read-ahead fetches.
pub(super) const CHUNK_BYTES: u64 = 128 << 10;

/// A chunk of a file.
pub(super) type Chunk = (u32, u64);

/// The page cache's contents.
#[derive(Clone, Debug)]
pub(super) struct PageCache {
    present: HashSet<Chunk, FixedState>,
    order: VecDeque<Chunk>,
    chunks_max: usize,
    last: Option<Chunk>,
}

impl PageCache {
    pub(super) fn new(bytes_max: u64) -> Self {
        let mut cache = Self {
            present: HashSet::with_hasher(FixedState),
            order: VecDeque::new(),
            chunks_max: 0,
            last: None,
        };
        cache.resize(bytes_max);
        cache
    }

    /// Changes how much fits.
    pub(super) fn resize(&mut self, bytes_max: u64) {
        self.chunks_max = usize::try_from(bytes_max / CHUNK_BYTES).unwrap_or(usize::MAX).max(1);
    }

    /// Whether a range of a file is held.
    pub(super) fn holds(&self, file: u32, at: u64, len: u64) -> bool {
        chunks(at, len).all(|chunk| self.present.contains(&(file, chunk)))
    }

    /// Takes a range of a file in; `evicted` hears of what had to go.
    pub(super) fn insert(&mut self, file: u32, at: u64, len: u64, mut evicted: impl FnMut(Chunk)) {
        for chunk in chunks(at, len) {
            let chunk = (file, chunk);
            if self.last == Some(chunk) || !self.present.insert(chunk) {
                continue;
            }
            self.last = Some(chunk);
            self.order.push_back(chunk);
            if self.order.len() > self.chunks_max
                && let Some(oldest) = self.order.pop_front()
            {
                self.present.remove(&oldest);
                evicted(oldest);
            }
        }
    }

    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.present.clear();
        self.order.clear();
        self.last = None;
    }
}

fn chunks(at: u64, len: u64) -> core::ops::RangeInclusive<u64> {
    at / CHUNK_BYTES..=at.saturating_add(len.saturating_sub(1)) / CHUNK_BYTES
}
