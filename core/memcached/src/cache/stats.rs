//! What a cache counts.

macro_rules! counts {
    ($(#[$all:meta])* $name:ident: $($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        $(#[$all])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Name in `stats` and metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

counts! {
    /// An event that a cache counts.
    Count:
    /// Keys asked for by get and gets.
    CmdGet = "cmd_get",
    /// Storage commands whose header was in order.
    CmdSet = "cmd_set",
    /// flush_all commands.
    CmdFlush = "cmd_flush",
    /// Keys asked for by touch, gat and gats.
    CmdTouch = "cmd_touch",
    /// `me` commands.
    CmdMeta = "cmd_meta",
    /// Keys found by get and gets.
    GetHits = "get_hits",
    /// Keys not found by get and gets.
    GetMisses = "get_misses",
    /// Of those, found dead by their expiry time.
    GetExpired = "get_expired",
    /// Of those, found dead by flush_all.
    GetFlushed = "get_flushed",
    /// Keys to delete that were not there.
    DeleteMisses = "delete_misses",
    /// Keys deleted.
    DeleteHits = "delete_hits",
    /// incr on a key that was not there.
    IncrMisses = "incr_misses",
    /// Values counted up.
    IncrHits = "incr_hits",
    /// decr on a key that was not there.
    DecrMisses = "decr_misses",
    /// Values counted down.
    DecrHits = "decr_hits",
    /// cas on a key that was not there.
    CasMisses = "cas_misses",
    /// Values replaced by cas.
    CasHits = "cas_hits",
    /// cas with another version.
    CasBadval = "cas_badval",
    /// Keys found by touch, gat and gats.
    TouchHits = "touch_hits",
    /// Keys not found by touch, gat and gats.
    TouchMisses = "touch_misses",
    /// Values refused for their size.
    StoreTooLarge = "store_too_large",
    /// Values refused for want of memory.
    StoreNoMemory = "store_no_memory",
    /// Log-ins tried.
    AuthCmds = "auth_cmds",
    /// Log-ins that failed.
    AuthErrors = "auth_errors",
    /// Values ever stored.
    TotalItems = "total_items",
    /// Dead items freed unread to make room.
    ExpiredUnfetched = "expired_unfetched",
    /// Live items never read that were dropped to make room.
    EvictedUnfetched = "evicted_unfetched",
    /// Live items in use that were dropped to make room.
    EvictedActive = "evicted_active",
    /// Live items dropped to make room.
    Evictions = "evictions",
    /// Dead items freed to make room.
    Reclaimed = "reclaimed",
    /// Dead items freed by the crawler.
    CrawlerReclaimed = "crawler_reclaimed",
    /// Items the crawler looked at.
    CrawlerItemsChecked = "crawler_items_checked",
    /// Tails of lists that were being read.
    LrutailReflocked = "lrutail_reflocked",
    /// Items moved to the cold list.
    MovesToCold = "moves_to_cold",
    /// Items moved to the warm list.
    MovesToWarm = "moves_to_warm",
    /// Items moved within their list.
    MovesWithinLru = "moves_within_lru",
    /// Items freed by the one who needed room.
    DirectReclaims = "direct_reclaims",
    /// Pages moved between classes.
    SlabsMoved = "slabs_moved",
    /// Items moved out of a page on the move.
    SlabReassignRescues = "slab_reassign_rescues",
    /// Pieces of large items moved out of a page on the move.
    SlabReassignChunkRescues = "slab_reassign_chunk_rescues",
    /// Dead items met in a page on the move.
    SlabReassignInlineReclaim = "slab_reassign_inline_reclaim",
    /// Items met in use in a page on the move.
    SlabReassignBusyItems = "slab_reassign_busy_items",
    /// Items dropped for want of room while a page moved.
    SlabReassignBusyDeletes = "slab_reassign_busy_deletes",
}

counts! {
    /// An event that is counted per slab class.
    ClassCount:
    /// Hits of get.
    GetHits = "get_hits",
    /// Stores.
    CmdSet = "cmd_set",
    /// Hits of delete.
    DeleteHits = "delete_hits",
    /// Hits of incr.
    IncrHits = "incr_hits",
    /// Hits of decr.
    DecrHits = "decr_hits",
    /// Hits of cas.
    CasHits = "cas_hits",
    /// cas with another version.
    CasBadval = "cas_badval",
    /// Hits of touch.
    TouchHits = "touch_hits",
    /// Live items dropped.
    Evicted = "evicted",
    /// Of those, with an expiry time.
    EvictedNonzero = "evicted_nonzero",
    /// Of those, never read.
    EvictedUnfetched = "evicted_unfetched",
    /// Of those, in use.
    EvictedActive = "evicted_active",
    /// Stores refused.
    OutOfMemory = "outofmemory",
    /// Tails in use.
    Tailrepairs = "tailrepairs",
    /// Dead items freed.
    Reclaimed = "reclaimed",
    /// Of those, never read.
    ExpiredUnfetched = "expired_unfetched",
    /// Dead items freed by the crawler.
    CrawlerReclaimed = "crawler_reclaimed",
    /// Items the crawler looked at.
    CrawlerItemsChecked = "crawler_items_checked",
    /// Tails being read.
    LrutailReflocked = "lrutail_reflocked",
    /// Items moved to the cold list.
    MovesToCold = "moves_to_cold",
    /// Items moved to the warm list.
    MovesToWarm = "moves_to_warm",
    /// Items moved within their list.
    MovesWithinLru = "moves_within_lru",
    /// Items freed by the one who needed room.
    DirectReclaims = "direct_reclaims",
    /// Hits in the hot list.
    HitsToHot = "hits_to_hot",
    /// Hits in the warm list.
    HitsToWarm = "hits_to_warm",
    /// Hits in the cold list.
    HitsToCold = "hits_to_cold",
    /// Hits in the list of temporary items.
    HitsToTemp = "hits_to_temp",
}

/// Counters of one cache, or the sum over several.
#[derive(Clone, Debug)]
pub struct Counts([u64; Count::ALL.len()]);

/// Counters of one slab class.
#[derive(Clone, Debug)]
pub struct ClassCounts([u64; ClassCount::ALL.len()]);

/// What one slab class holds and counted.
#[derive(Clone, Debug, Default)]
pub struct ClassStats {
    /// Size of a chunk, bytes.
    pub chunk_bytes: u32,
    /// Chunks in a page.
    pub chunks_per_page: u32,
    /// Pages.
    pub pages: u64,
    /// Chunks with an item.
    pub used_chunks: u64,
    /// Chunks without.
    pub free_chunks: u64,
    /// Items.
    pub items: u64,
    /// Items in the hot, warm, cold and temporary list.
    pub items_in: [u64; 4],
    /// Seconds since the coldest item of the hot, warm and cold list was used.
    pub age: [u32; 3],
    /// What the items take of their chunks, bytes.
    pub mem_requested: u64,
    /// Seconds since the last evicted item was used.
    pub evicted_time: u32,
    /// Events.
    pub counts: ClassCounts,
}

/// What is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Live items.
    pub items: u64,
    /// What they take, bytes.
    pub bytes: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// log₂ of the places in the index.
    pub index_power: u32,
    /// Whether the index is growing.
    pub index_growing: bool,
    /// Limit, bytes.
    pub bytes_max: u64,
    /// Memory in pages, bytes.
    pub pages_bytes: u64,
    /// Pages that belong to no class.
    pub free_pages: u64,
    /// Whether a page is on the move.
    pub moving: bool,
}

macro_rules! counters {
    ($name:ident over $count:ident) => {
        impl Default for $name {
            fn default() -> Self {
                Self([0; $count::ALL.len()])
            }
        }

        impl $name {
            /// Counts one.
            #[inline]
            pub const fn add(&mut self, count: $count) {
                self.0[count as usize] += 1;
            }

            /// One of them.
            #[inline]
            pub const fn get(&self, count: $count) -> u64 {
                self.0[count as usize]
            }

            /// Adds another's.
            pub fn merge(&mut self, other: &Self) {
                for (sum, more) in self.0.iter_mut().zip(&other.0) {
                    *sum += more;
                }
            }
        }
    };
}

counters!(Counts over Count);
counters!(ClassCounts over ClassCount);
