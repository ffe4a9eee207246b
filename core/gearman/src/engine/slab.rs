//! Entries by small numbers that are used again, in chunks: a slab grows without moving what is in
//! it, and gives chunks back when a backlog has gone.

use super::ring::NONE;

const CHUNK_BITS: u32 = 12;
/// Entries of a chunk.
const CHUNK: usize = 1 << CHUNK_BITS;

/// What can be in a slab: something with a word in which a free place can be linked to the next.
pub(super) trait Entry: Default {
    fn free_link(&mut self) -> &mut u32;
}

/// Entries by numbers.
#[derive(Clone, Debug)]
pub(super) struct Slab<T> {
    chunks: Vec<Chunk<T>>,
    /// First of the chunks with room.
    open: u32,
    /// A chunk without entries that keeps its memory, so that it is not given back and asked for
    /// again at every job of a short queue.
    spare: u32,
    live: u32,
}

#[derive(Clone, Debug)]
struct Chunk<T> {
    entries: Vec<T>,
    /// First free place before the end of `entries`.
    free: u32,
    live: u32,
    /// The next chunk with room.
    next_open: u32,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), open: NONE, spare: NONE, live: 0 }
    }
}

const fn split(at: u32) -> (usize, usize) {
    ((at >> CHUNK_BITS) as usize, at as usize & (CHUNK - 1))
}

impl<T: Entry> Slab<T> {
    pub(super) const fn len(&self) -> u32 {
        self.live
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> u64 {
        let entries: usize = self.chunks.iter().map(|chunk| chunk.entries.capacity()).sum();
        (entries * size_of::<T>() + self.chunks.capacity() * size_of::<Chunk<T>>()) as u64
    }

    #[inline]
    pub(super) fn get(&self, at: u32) -> &T {
        let (chunk, place) = split(at);
        &self.chunks[chunk].entries[place]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: u32) -> &mut T {
        let (chunk, place) = split(at);
        &mut self.chunks[chunk].entries[place]
    }

    /// All places, the free ones too.
    pub(super) fn places(&self) -> impl Iterator<Item = (u32, &T)> {
        self.places_from(0)
    }

    /// All places from this one on.
    pub(super) fn places_from(&self, from: u32) -> impl Iterator<Item = (u32, &T)> {
        let first = from >> CHUNK_BITS;
        self.chunks.iter().zip(0..).skip(first as usize).flat_map(move |(chunk, number)| {
            let skipped = if number == first { split(from).1 } else { 0 };
            ((number << CHUNK_BITS)..).zip(&chunk.entries).skip(skipped)
        })
    }

    /// Puts an entry in; returns its number.
    pub(super) fn insert(&mut self, entry: T) -> u32 {
        if self.open == NONE {
            self.open = u32::try_from(self.chunks.len()).expect("limits keep entries below 2^32");
            assert!(self.open < NONE >> CHUNK_BITS, "limits keep entries below 2^32");
            let (entries, free, live, next_open) = (Vec::new(), NONE, 0, NONE);
            self.chunks.push(Chunk { entries, free, live, next_open });
        }
        let number = self.open;
        let chunk = &mut self.chunks[number as usize];
        let place = if chunk.free == NONE {
            chunk.entries.push(entry);
            chunk.entries.len() - 1
        } else {
            let place = chunk.free as usize;
            chunk.free = *chunk.entries[place].free_link();
            chunk.entries[place] = entry;
            place
        };
        chunk.live += 1;
        self.live += 1;
        if self.spare == number {
            self.spare = NONE;
        }
        if chunk.live as usize == CHUNK {
            self.open = chunk.next_open;
        }
        (number << CHUNK_BITS) | place as u32
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, at: u32) -> T {
        let (index, place) = split(at);
        let chunk = &mut self.chunks[index];
        let entry = core::mem::take(&mut chunk.entries[place]);
        *chunk.entries[place].free_link() = chunk.free;
        chunk.free = place as u32;
        if chunk.live as usize == CHUNK {
            chunk.next_open = self.open;
            self.open = index as u32;
        }
        chunk.live -= 1;
        self.live -= 1;
        if chunk.live == 0 {
            if self.spare == NONE {
                self.spare = index as u32;
            } else {
                (chunk.entries, chunk.free) = (Vec::new(), NONE);
            }
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Entry for u32 {
        fn free_link(&mut self) -> &mut u32 {
            self
        }
    }

    #[test]
    fn numbers_stay_while_others_come_and_go() {
        let mut slab = Slab::default();
        let at: Vec<u32> = (0..10_000).map(|n| slab.insert(n)).collect();
        for n in (0..10_000).step_by(3) {
            assert_eq!(slab.remove(at[n as usize]), n);
        }
        let again: Vec<u32> = (0..3_334).map(|n| slab.insert(20_000 + n)).collect();
        assert_eq!(slab.len(), 10_000);
        for n in (0..10_000_u32).filter(|n| n % 3 != 0) {
            assert_eq!(*slab.get(at[n as usize]), n);
        }
        for (n, &at) in again.iter().enumerate() {
            assert_eq!(*slab.get(at), 20_000 + n as u32);
        }
        assert_eq!(again.iter().max(), at.iter().max(), "free places are used first");
    }

    #[test]
    fn a_backlog_gives_its_memory_back_when_it_has_gone() {
        let mut slab = Slab::default();
        let at: Vec<u32> = (0..100 * CHUNK as u32).map(|n| slab.insert(n)).collect();
        let most = slab.bytes();
        for &at in &at {
            slab.remove(at);
        }
        assert!(slab.bytes() < most / 20, "{} of {most}", slab.bytes());
        let few = slab.insert(7);
        assert_eq!((*slab.get(few), slab.len()), (7, 1));
    }
}
