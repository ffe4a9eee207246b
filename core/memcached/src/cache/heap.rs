//! Memory: pages of one size, cut into the chunks of slab classes.
//!
//! Memory of a page is asked for when a class first needs it, and a chunk is touched when it is
//! first handed out. A page that holds no item can go back to the pool and from there to any class.

use super::classes::Class;
use super::item::{HEAD_BYTES, Head, HeadMut, Kind, NONE, Place, UNIT_BYTES};

/// Bits of a place that are the offset in its page: pages have at most 1 MiB.
const OFFSET_BITS: u32 = 17;
const OFFSET_MASK: u32 = (1 << OFFSET_BITS) - 1;
/// Largest page, bytes.
pub(super) const PAGE_BYTES_MAX: u32 = (UNIT_BYTES as u32) << OFFSET_BITS;
/// Most pages: places have 32 bits.
pub(super) const PAGES_MAX: usize = 1 << (32 - OFFSET_BITS);
const _: () = assert!(PAGES_MAX as u64 * PAGE_BYTES_MAX as u64 == super::SHARD_BYTES_MAX);
/// Up to this size, a class is found by a look into a table.
const LOOKUP_BYTES: usize = 4096;

/// The class of pages that belong to none.
pub(super) const POOL: u8 = 0;

#[derive(Debug)]
pub(super) struct Page {
    pub(super) class: u8,
    /// Chunks handed out at least once; those behind them were never touched.
    pub(super) handed: u32,
    pub(super) used: u32,
    /// It is being emptied: its chunks are not handed out.
    pub(super) moving: bool,
    /// Its place in the list of its class.
    at: u32,
}

#[derive(Debug)]
pub(super) struct Slab {
    pub(super) chunk_bytes: u32,
    pub(super) per_page: u32,
    free: Place,
    free_count: u32,
    pub(super) used: u64,
    pub(super) pages: Vec<u32>,
    /// Pages with chunks that were never handed out.
    fresh: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct Heap {
    memory: Vec<Box<[u8]>>,
    pages: Vec<Page>,
    slabs: Vec<Slab>,
    /// Pages with memory and without a class.
    pool: Vec<u32>,
    /// Numbers of pages whose memory was given back.
    vacant: Vec<u32>,
    pages_max: usize,
    page_bytes: u32,
    lookup: Box<[u8]>,
}

impl Heap {
    pub(super) fn new(classes: &[Class], page_bytes: u32, pages_max: usize) -> Self {
        assert!(classes.len() < 64, "classes have six bits");
        assert!(page_bytes <= PAGE_BYTES_MAX, "an offset fits into a place");
        let none = Slab::new(Class { chunk_bytes: 0, chunks_per_page: 0 });
        let slabs: Vec<Slab> =
            core::iter::once(none).chain(classes.iter().map(|c| Slab::new(*c))).collect();
        let units = 0..=LOOKUP_BYTES / UNIT_BYTES;
        let class = |unit| {
            let bytes = (unit * UNIT_BYTES) as u32;
            slabs[1..].iter().take_while(|slab| slab.chunk_bytes < bytes).count() as u8 + 1
        };
        let lookup = units.map(class).collect();
        let pages_max = pages_max.min(PAGES_MAX);
        let (memory, pages, pool, vacant) = Default::default();
        Self { memory, pages, slabs, pool, vacant, pages_max, page_bytes, lookup }
    }

    /// Number of classes; they are numbered from 1.
    pub(super) fn classes(&self) -> u8 {
        self.slabs.len() as u8 - 1
    }

    pub(super) fn slab(&self, class: u8) -> &Slab {
        &self.slabs[usize::from(class)]
    }

    pub(super) fn page(&self, page: u32) -> &Page {
        &self.pages[page as usize]
    }

    /// Largest chunk, bytes.
    pub(super) fn chunk_bytes_max(&self) -> usize {
        self.slabs[self.slabs.len() - 1].chunk_bytes as usize
    }

    pub(super) const fn page_bytes(&self) -> u32 {
        self.page_bytes
    }

    /// Pages with memory.
    pub(super) fn pages_held(&self) -> usize {
        self.pages.len() - self.vacant.len()
    }

    pub(super) const fn pages_max(&self) -> usize {
        self.pages_max
    }

    pub(super) fn set_pages_max(&mut self, pages_max: usize) {
        self.pages_max = pages_max.min(PAGES_MAX);
    }

    pub(super) fn pool_len(&self) -> usize {
        self.pool.len()
    }

    /// Whether a class could get another page without taking it from one.
    pub(super) fn can_grow(&self) -> bool {
        !self.pool.is_empty() || self.pages_held() < self.pages_max
    }

    /// Numbers of all pages there ever were; vacant ones belong to the pool.
    pub(super) fn page_count(&self) -> u32 {
        self.pages.len() as u32
    }

    /// The smallest class whose chunks hold so many bytes.
    #[inline]
    pub(super) fn class_of(&self, bytes: usize) -> Option<u8> {
        if bytes <= LOOKUP_BYTES {
            let class = self.lookup[bytes.div_ceil(UNIT_BYTES)];
            return (usize::from(class) < self.slabs.len()).then_some(class);
        }
        let at = self.slabs.partition_point(|slab| (slab.chunk_bytes as usize) < bytes);
        (at < self.slabs.len()).then_some(at as u8)
    }

    /// Memory from a place to the end of its page.
    #[inline]
    pub(super) fn bytes(&self, place: Place) -> &[u8] {
        let page = &self.memory[(place >> OFFSET_BITS) as usize];
        &page[(place & OFFSET_MASK) as usize * UNIT_BYTES..]
    }

    #[inline]
    pub(super) fn bytes_mut(&mut self, place: Place) -> &mut [u8] {
        let page = &mut self.memory[(place >> OFFSET_BITS) as usize];
        &mut page[(place & OFFSET_MASK) as usize * UNIT_BYTES..]
    }

    #[inline]
    pub(super) fn head(&self, place: Place) -> Head<'_> {
        Head(self.bytes(place).first_chunk().expect("a chunk holds a header"))
    }

    #[inline]
    pub(super) fn head_mut(&mut self, place: Place) -> HeadMut<'_> {
        HeadMut(self.bytes_mut(place).first_chunk_mut().expect("a chunk holds a header"))
    }

    /// The class of the chunk at a place, which for large items is not that of the item.
    #[inline]
    pub(super) fn chunk_class(&self, place: Place) -> u8 {
        self.pages[(place >> OFFSET_BITS) as usize].class
    }

    #[inline]
    pub(super) fn chunk_bytes(&self, place: Place) -> usize {
        self.slab(self.chunk_class(place)).chunk_bytes as usize
    }

    /// The chunk of a page with this number.
    pub(super) fn place(&self, page: u32, chunk: u32) -> Place {
        let offset = chunk * self.slab(self.page(page).class).chunk_bytes;
        (page << OFFSET_BITS) | (offset / UNIT_BYTES as u32)
    }

    pub(super) const fn page_of(place: Place) -> u32 {
        place >> OFFSET_BITS
    }

    /// Copies a chunk's whole content to another of the same class.
    pub(super) fn copy_chunk(&mut self, from: Place, to: Place) {
        let bytes = self.chunk_bytes(from);
        assert_eq!(self.chunk_bytes(to), bytes, "chunks of one class have one size");
        self.copy(from, 0, to, 0, bytes);
    }

    /// Copies bytes from behind one place to behind another; they do not overlap.
    pub(super) fn copy(
        &mut self,
        from: Place,
        from_at: usize,
        to: Place,
        to_at: usize,
        bytes: usize,
    ) {
        let byte = |place: Place| (place & OFFSET_MASK) as usize * UNIT_BYTES;
        let (source, target) = (byte(from) + from_at, byte(to) + to_at);
        let pages = [(from >> OFFSET_BITS) as usize, (to >> OFFSET_BITS) as usize];
        if pages[0] == pages[1] {
            self.memory[pages[0]].copy_within(source..source + bytes, target);
            return;
        }
        let [old, new] = self.memory.get_disjoint_mut(pages).expect("two pages that are there");
        new[target..target + bytes].copy_from_slice(&old[source..source + bytes]);
    }

    /// A chunk of a class, if one is free. What is in it is left over from before.
    #[inline]
    pub(super) fn take(&mut self, class: u8) -> Option<Place> {
        let slab = &self.slabs[usize::from(class)];
        let place = if slab.free == NONE { self.take_fresh(class)? } else { self.take_free(class) };
        self.slabs[usize::from(class)].used += 1;
        self.pages[Self::page_of(place) as usize].used += 1;
        Some(place)
    }

    fn take_free(&mut self, class: u8) -> Place {
        let place = self.slabs[usize::from(class)].free;
        self.unlink_free(class, place);
        place
    }

    fn take_fresh(&mut self, class: u8) -> Option<Place> {
        let &page = self.slabs[usize::from(class)].fresh.last()?;
        let handed = self.pages[page as usize].handed;
        let place = self.place(page, handed);
        self.pages[page as usize].handed = handed + 1;
        let slab = &mut self.slabs[usize::from(class)];
        if handed + 1 == slab.per_page {
            slab.fresh.pop();
        }
        Some(place)
    }

    /// Gives a chunk back.
    #[inline]
    pub(super) fn give(&mut self, place: Place) {
        let number = Self::page_of(place);
        let page = &mut self.pages[number as usize];
        assert!(page.used > 0 && page.class != POOL, "a chunk is given back once");
        page.used -= 1;
        let (class, moving) = (page.class, page.moving);
        self.slabs[usize::from(class)].used -= 1;
        self.head_mut(place).set_kind(Kind::Free);
        if !moving {
            self.link_free(class, place);
        }
    }

    fn link_free(&mut self, class: u8, place: Place) {
        let slab = &mut self.slabs[usize::from(class)];
        let first = core::mem::replace(&mut slab.free, place);
        slab.free_count += 1;
        let mut head = self.head_mut(place);
        head.set_next(first);
        head.set_prev(NONE);
        if first != NONE {
            self.head_mut(first).set_prev(place);
        }
    }

    fn unlink_free(&mut self, class: u8, place: Place) {
        let head = self.head(place);
        assert_eq!(head.kind(), Kind::Free, "only a free chunk is on the free list");
        let (next, prev) = (head.next(), head.prev());
        if prev == NONE {
            self.slabs[usize::from(class)].free = next;
        } else {
            self.head_mut(prev).set_next(next);
        }
        if next != NONE {
            self.head_mut(next).set_prev(prev);
        }
        self.slabs[usize::from(class)].free_count -= 1;
    }

    /// Gives a class a page from the pool or, below the limit, a new one.
    pub(super) fn grow(&mut self, class: u8) -> bool {
        let Some(page) = self.spare_page() else {
            return false;
        };
        let slab = &mut self.slabs[usize::from(class)];
        let at = slab.pages.len() as u32;
        slab.pages.push(page);
        slab.fresh.push(page);
        self.pages[page as usize] = Page { class, handed: 0, used: 0, moving: false, at };
        true
    }

    fn spare_page(&mut self) -> Option<u32> {
        if let Some(page) = self.pool.pop() {
            return Some(page);
        }
        if self.pages_held() >= self.pages_max {
            return None;
        }
        let memory = vec![0; self.page_bytes as usize].into_boxed_slice();
        if let Some(page) = self.vacant.pop() {
            self.memory[page as usize] = memory;
            return Some(page);
        }
        self.memory.push(memory);
        self.pages.push(Page::pooled());
        Some(self.pages.len() as u32 - 1)
    }

    /// Gives the memory of a page without a class back. Returns whether there was one.
    pub(super) fn drop_pooled(&mut self) -> bool {
        let Some(page) = self.pool.pop() else {
            return false;
        };
        self.memory[page as usize] = Box::default();
        self.vacant.push(page);
        true
    }

    /// Keeps a page's free chunks from being handed out.
    pub(super) fn begin_move(&mut self, page: u32) {
        let class = self.page(page).class;
        assert!(class != POOL && !self.page(page).moving, "a page moves once");
        for chunk in 0..self.page(page).handed {
            let place = self.place(page, chunk);
            if self.head(place).kind() == Kind::Free {
                self.unlink_free(class, place);
            }
        }
        self.slabs[usize::from(class)].fresh.retain(|&fresh| fresh != page);
        self.pages[page as usize].moving = true;
    }

    /// Takes back [`begin_move`](Self::begin_move).
    pub(super) fn cancel_move(&mut self, page: u32) {
        let class = self.page(page).class;
        self.pages[page as usize].moving = false;
        for chunk in 0..self.page(page).handed {
            let place = self.place(page, chunk);
            if self.head(place).kind() == Kind::Free {
                self.link_free(class, place);
            }
        }
        if self.page(page).handed < self.slab(class).per_page {
            self.slabs[usize::from(class)].fresh.push(page);
        }
    }

    /// Moves an empty page to the pool.
    pub(super) fn end_move(&mut self, page: u32) {
        let Page { class, used, moving, at, .. } = self.pages[page as usize];
        assert!(moving && used == 0, "a page is empty when it goes");
        let pages = &mut self.slabs[usize::from(class)].pages;
        pages.swap_remove(at as usize);
        if let Some(&other) = pages.get(at as usize) {
            self.pages[other as usize].at = at;
        }
        self.pages[page as usize] = Page::pooled();
        self.pool.push(page);
    }

    /// Chunks of a class that are free, never handed out ones included.
    pub(super) fn free_chunks(&self, class: u8) -> u64 {
        let slab = self.slab(class);
        let fresh = slab.fresh.iter().map(|&page| slab.per_page - self.page(page).handed);
        u64::from(slab.free_count) + fresh.map(u64::from).sum::<u64>()
    }

    /// Memory of pages and of what is kept about them, bytes.
    pub(super) fn memory(&self) -> u64 {
        let lists: usize = self.slabs.iter().map(|s| s.pages.capacity() * 4).sum();
        let about = self.memory.capacity() * size_of::<Box<[u8]>>()
            + self.pages.capacity() * size_of::<Page>()
            + self.slabs.capacity() * size_of::<Slab>()
            + self.lookup.len();
        self.pages_held() as u64 * u64::from(self.page_bytes) + (lists + about) as u64
    }

    /// Asserts that free lists and counts agree with what the chunks say.
    pub(super) fn audit(&self) {
        for (class, slab) in self.slabs.iter().enumerate().skip(1) {
            let (mut at, mut before, mut free) = (slab.free, NONE, 0);
            while at != NONE {
                let head = self.head(at);
                assert_eq!((head.kind(), head.prev()), (Kind::Free, before), "free list {class}");
                assert!(!self.page(Self::page_of(at)).moving, "a page on the move has no free one");
                assert_eq!(usize::from(self.chunk_class(at)), class);
                (before, at, free) = (at, head.next(), free + 1);
            }
            assert_eq!(free, slab.free_count, "free chunks of class {class}");
            let (mut used, mut open) = (0, 0);
            for (at, &page) in slab.pages.iter().enumerate() {
                let own = self.page(page);
                assert_eq!((usize::from(own.class), own.at as usize), (class, at));
                let kinds = (0..own.handed).map(|c| self.head(self.place(page, c)).kind());
                let busy = kinds.filter(|kind| *kind != Kind::Free).count() as u32;
                assert_eq!(busy, own.used, "used chunks of page {page}");
                used += u64::from(busy);
                open += if own.moving { 0 } else { own.handed - busy };
                let fresh = own.handed < slab.per_page && !own.moving;
                assert_eq!(slab.fresh.contains(&page), fresh, "untouched chunks of page {page}");
            }
            assert_eq!((used, open), (slab.used, slab.free_count), "chunks of class {class}");
        }
        let classed: usize = self.slabs.iter().map(|slab| slab.pages.len()).sum();
        assert_eq!(classed + self.pool.len(), self.pages_held(), "every page is somewhere");
        assert_eq!(HEAD_BYTES, 36, "the layout of a header is known");
    }
}

impl Page {
    const fn pooled() -> Self {
        Self { class: POOL, handed: 0, used: 0, moving: false, at: 0 }
    }
}

impl Slab {
    fn new(class: Class) -> Self {
        Self {
            chunk_bytes: class.chunk_bytes,
            per_page: class.chunks_per_page,
            free: NONE,
            free_count: 0,
            used: 0,
            pages: Vec::new(),
            fresh: Vec::new(),
        }
    }
}
