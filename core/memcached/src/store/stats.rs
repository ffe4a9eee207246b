//! What a store counts.

macro_rules! counts {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// An event that a store counts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Count {
            $($(#[$doc])* $variant,)*
        }

        impl Count {
            /// All of them, in the order in which they are shown.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Name in `stats` and metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

counts! {
    /// Keys asked for by get and gets.
    CmdGet = "cmd_get",
    /// Storage commands whose header was in order.
    CmdSet = "cmd_set",
    /// flush_all commands.
    CmdFlush = "cmd_flush",
    /// Keys asked for by touch, gat and gats.
    CmdTouch = "cmd_touch",
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
    /// Values ever stored.
    TotalItems = "total_items",
    /// Dead items freed unread to make room.
    ExpiredUnfetched = "expired_unfetched",
    /// Live items never read that were dropped to make room.
    EvictedUnfetched = "evicted_unfetched",
    /// Live items dropped to make room.
    Evictions = "evictions",
    /// Dead items freed to make room.
    Reclaimed = "reclaimed",
}

/// Counters of one store, or the sum over several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StoreStats([u64; Count::ALL.len()]);

impl StoreStats {
    /// Counts one event.
    #[inline]
    pub const fn add(&mut self, count: Count) {
        self.0[count as usize] += 1;
    }

    /// How often an event happened.
    pub const fn get(&self, count: Count) -> u64 {
        self.0[count as usize]
    }

    /// Adds another store's counters.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

/// What is in use, of one store or the sum over several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Usage {
    /// Items held.
    pub items: u64,
    /// What they cost, bytes.
    pub bytes: u64,
    /// Set aside for uploads under way, bytes.
    pub reserved_bytes: u64,
    /// Of the index, bytes.
    pub index_bytes: u64,
    /// The limit, bytes.
    pub bytes_max: u64,
}

impl Usage {
    /// Adds another store's use.
    pub const fn merge(&mut self, other: &Self) {
        self.items += other.items;
        self.bytes += other.bytes;
        self.reserved_bytes += other.reserved_bytes;
        self.index_bytes += other.index_bytes;
        self.bytes_max += other.bytes_max;
    }
}
