//! File content as copy-on-write pages: cloning a disk copies pointers, not bytes.
//!
//! Absent pages read as zeros. Not modelled: block allocation and fragmentation.

use std::collections::BTreeMap;
use std::sync::Arc;
use storytime_machine::hash;

/// The unit in which a device writes or loses data, bytes.
pub const SECTOR_BYTES: usize = 512;
/// The unit in which content is stored and cached, bytes.
pub const PAGE_BYTES: usize = 4096;
/// Sectors in a page.
pub(super) const PAGE_SECTORS: usize = PAGE_BYTES / SECTOR_BYTES;

const _: () = assert!(PAGE_SECTORS == 8, "a page's sectors are counted in the bits of a byte");

/// One sector's bytes.
pub(super) type Sector = [u8; SECTOR_BYTES];
/// One page's bytes.
pub(super) type Page = [u8; PAGE_BYTES];

/// Sparse content.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages(BTreeMap<u64, Arc<Page>>);

/// The page of a byte offset, and where in it.
pub(super) const fn locate(at: u64) -> (u64, usize) {
    (at / PAGE_BYTES as u64, (at % PAGE_BYTES as u64) as usize)
}

/// Calls `each` with (page, offset in the page, range of the transfer) for every page that a
/// transfer of `len` bytes at `at` touches.
pub(super) fn by_page(
    at: u64,
    len: usize,
    mut each: impl FnMut(u64, usize, core::ops::Range<usize>),
) {
    let mut done = 0;
    while done < len {
        let (page, offset) = locate(at + done as u64);
        let n = (PAGE_BYTES - offset).min(len - done);
        each(page, offset, done..done + n);
        done += n;
    }
}

impl Pages {
    /// A page's bytes; `None` where all are zero and nothing was ever written.
    pub(super) fn page(&self, page: u64) -> Option<&Page> {
        self.0.get(&page).map(|page| &**page)
    }

    /// Writes bytes.
    pub(super) fn write(&mut self, at: u64, data: &[u8]) {
        by_page(at, data.len(), |page, offset, range| {
            self.page_mut(page)[offset..offset + range.len()].copy_from_slice(&data[range]);
        });
    }

    /// One sector's bytes.
    pub(super) fn sector(&self, sector: u64) -> Sector {
        let (page, offset) = locate(sector * SECTOR_BYTES as u64);
        let mut bytes = [0; SECTOR_BYTES];
        if let Some(page) = self.page(page) {
            bytes.copy_from_slice(&page[offset..offset + SECTOR_BYTES]);
        }
        bytes
    }

    /// Replaces one sector; whether that changed anything.
    pub(super) fn replace_sector(&mut self, sector: u64, bytes: &[u8]) -> bool {
        let (page, offset) = locate(sector * SECTOR_BYTES as u64);
        let now = &mut self.page_mut(page)[offset..offset + SECTOR_BYTES];
        let changes = now != bytes;
        now.copy_from_slice(bytes);
        changes
    }

    /// Replaces one sector.
    pub(super) fn set_sector(&mut self, sector: u64, bytes: &[u8]) {
        debug_assert_eq!(bytes.len(), SECTOR_BYTES);
        let (page, offset) = locate(sector * SECTOR_BYTES as u64);
        self.page_mut(page)[offset..offset + SECTOR_BYTES].copy_from_slice(bytes);
    }

    /// Turns everything from `len` on into zeros.
    pub(super) fn truncate(&mut self, len: u64) {
        let (page, offset) = locate(len);
        drop(self.0.split_off(&(page + u64::from(offset > 0))));
        if offset > 0 && self.0.contains_key(&page) {
            self.page_mut(page)[offset..].fill(0);
        }
    }

    /// Folds everything into a digest.
    pub(super) fn digest(&self, state: u64) -> u64 {
        self.0.iter().fold(state, |state, (page, bytes)| {
            hash::digest_bytes(hash::fold(state, *page), &bytes[..])
        })
    }

    fn page_mut(&mut self, page: u64) -> &mut Page {
        Arc::make_mut(self.0.entry(page).or_insert_with(|| Arc::new([0; PAGE_BYTES])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_sparse_and_copied_only_on_write() {
        let mut pages = Pages::default();
        pages.write(PAGE_BYTES as u64 * 3 - 2, b"abcd");
        let before = pages.clone();
        pages.set_sector(24, &[7; SECTOR_BYTES]);
        assert_eq!(&before.sector(24)[..3], b"cd\0");
        assert_eq!(&before.sector(23)[510..], b"ab");
        assert_eq!(pages.sector(24), [7; SECTOR_BYTES]);
        assert_eq!(pages.sector(1 << 40), [0; SECTOR_BYTES]);
        assert_ne!(pages.digest(0), before.digest(0));
    }

    #[test]
    fn truncation_leaves_zeros() {
        let mut pages = Pages::default();
        pages.write(0, &[1; 2 * PAGE_BYTES]);
        pages.truncate(PAGE_BYTES as u64 + 3);
        assert_eq!(&pages.sector(8)[..4], &[1, 1, 1, 0]);
        pages.truncate(PAGE_BYTES as u64);
        assert!(pages.page(1).is_none());
        assert_eq!(pages.sector(7), [1; SECTOR_BYTES]);
    }
}
