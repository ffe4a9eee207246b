//! Sizes of chunks: the arithmetic of the original, in its day and today.

/// What a table of slab classes is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// An item's header, bytes: 48 today; in memcached 1.2, 48 or 56, after its release.
    pub header_bytes: u32,
    /// `-n`: room for key, value and flags in the smallest chunk, bytes.
    pub chunk_bytes_min: u32,
    /// `-f`: growth from one class to the next, in millionths (1.25 is 1,250,000).
    pub factor_millionths: u32,
    /// Sizes are multiples of this, bytes.
    pub align_bytes: u32,
    /// Size of a page, bytes.
    pub page_bytes: u32,
    /// Size of the last class, bytes; the whole page in memcached 1.2.
    pub chunk_bytes_max: u32,
    /// Most classes, the last one included.
    pub classes_max: u32,
}

/// One slab class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// Size of a chunk, bytes.
    pub chunk_bytes: u32,
    /// Chunks in a page.
    pub chunks_per_page: u32,
}

/// A factor of 1, in millionths.
const ONE: u64 = 1_000_000;

impl Table {
    /// Today's table with the default options.
    pub const TODAY: Self = Self {
        header_bytes: 48,
        chunk_bytes_min: 48,
        factor_millionths: 1_250_000,
        align_bytes: 8,
        page_bytes: 1 << 20,
        chunk_bytes_max: 512 << 10,
        classes_max: 63,
    };

    /// The table of memcached 1.2 with the default options.
    pub const OF_1_2: Self = Self { chunk_bytes_max: 1 << 20, classes_max: 200, ..Self::TODAY };

    /// The classes, from the smallest; the last one has the largest chunks.
    ///
    /// A size is multiplied by the factor, cut to whole bytes and then aligned, in integers. Where
    /// the original's floating point falls just below a whole product, its next class can be
    /// smaller by one step of alignment.
    pub fn classes(&self) -> Vec<Class> {
        assert!(self.align_bytes > 0 && self.chunk_bytes_max <= self.page_bytes);
        let mut sizes = Vec::new();
        let mut size = u64::from(self.header_bytes) + u64::from(self.chunk_bytes_min);
        let factor = u64::from(self.factor_millionths).max(ONE + 1);
        let last = u64::from(self.chunk_bytes_max) * ONE;
        while sizes.len() + 1 < self.classes_max as usize && size * factor < last {
            size = size.next_multiple_of(u64::from(self.align_bytes));
            sizes.push(u32::try_from(size).expect("a chunk is smaller than the largest one"));
            size = size * factor / ONE;
        }
        self.finish(&sizes)
    }

    /// The classes of `slab_sizes`, and behind them the largest chunk.
    pub fn explicit(&self, sizes: &[u32]) -> Vec<Class> {
        let aligned = sizes.iter().map(|size| size.next_multiple_of(self.align_bytes));
        let mut kept: Vec<u32> = Vec::new();
        for size in aligned.take(self.classes_max as usize - 1) {
            if size < self.chunk_bytes_max && kept.last().is_none_or(|&last| last < size) {
                kept.push(size);
            }
        }
        self.finish(&kept)
    }

    fn finish(&self, sizes: &[u32]) -> Vec<Class> {
        let all = sizes.iter().copied().chain([self.chunk_bytes_max]);
        all.map(|chunk_bytes| Class { chunk_bytes, chunks_per_page: self.page_bytes / chunk_bytes })
            .collect()
    }
}
