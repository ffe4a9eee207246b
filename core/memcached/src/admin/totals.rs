//! Figures of all shards together.

use crate::cache::{ClassStats, Counts, Usage};
use crate::clock::Seconds;
use crate::shared::Shared;

impl Shared {
    /// What all shards counted and use together.
    pub(crate) fn totals(&self) -> (Counts, Usage) {
        let (mut counts, mut sum) = (Counts::default(), Usage::default());
        self.each_cache(|cache| {
            counts.merge(cache.counts());
            sum.merge(&cache.usage());
        });
        (counts, sum)
    }

    /// Number of slab classes; they are numbered from 1.
    pub fn classes(&self) -> u8 {
        self.cache_at(0).classes()
    }

    /// What one class holds and counted in all shards together; ages are those at `now`.
    pub fn class_totals(&self, class: u8, now: Seconds) -> ClassStats {
        let mut sum = ClassStats::default();
        self.each_cache(|cache| sum.merge(&cache.class_stats(class, now)));
        sum
    }
}

impl Usage {
    /// Adds another shard's.
    fn merge(&mut self, other: &Self) {
        self.items += other.items;
        self.bytes += other.bytes;
        self.index_bytes += other.index_bytes;
        // Two indexes of equal size are like one of twice the size.
        self.index_power = join_powers(self.index_power, other.index_power);
        self.index_growing |= other.index_growing;
        self.bytes_max += other.bytes_max;
        self.pages_bytes += other.pages_bytes;
        self.free_pages += other.free_pages;
        self.moving |= other.moving;
    }
}

/// log₂ of the places of two indexes together, rounded down.
fn join_powers(a: u32, b: u32) -> u32 {
    match (a, b) {
        (0, power) | (power, 0) => power,
        _ => (1_u64 << a.min(62)).saturating_add(1 << b.min(62)).ilog2(),
    }
}

impl ClassStats {
    fn merge(&mut self, other: &Self) {
        self.chunk_bytes = other.chunk_bytes;
        self.chunks_per_page = other.chunks_per_page;
        self.pages += other.pages;
        self.used_chunks += other.used_chunks;
        self.free_chunks += other.free_chunks;
        self.items += other.items;
        for (sum, more) in self.items_in.iter_mut().zip(other.items_in) {
            *sum += more;
        }
        for (oldest, other) in self.age.iter_mut().zip(other.age) {
            *oldest = (*oldest).max(other);
        }
        self.mem_requested += other.mem_requested;
        self.evicted_time = self.evicted_time.max(other.evicted_time);
        self.counts.merge(&other.counts);
    }
}
