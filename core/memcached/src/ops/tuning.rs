//! What commands change while the server runs.

use crate::cache::LruOptions;
use crate::config::{Config, Crawler};

/// What `lru`, `lru_crawler`, `slabs automove` and `cache_memlimit` change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tuning {
    pub(crate) lru: LruOptions,
    /// Shown as the lifetime of temporary items, also while there are none.
    pub(crate) temporary_ttl: u32,
    pub(crate) automove: u8,
    pub(crate) automove_ratio_hundredths: u32,
    pub(crate) automove_window: u32,
    pub(crate) crawler: Crawler,
    pub(crate) memory_bytes_max: u64,
}

impl Tuning {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            lru: config.lru,
            temporary_ttl: config.shown.temporary_ttl,
            automove: config.automove,
            automove_ratio_hundredths: config.automove_ratio_hundredths,
            automove_window: config.automove_window,
            crawler: config.crawler,
            memory_bytes_max: config.memory_bytes_max,
        }
    }
}
