//! Which blocks of which files the other half has not got.
//!
//! Kept in memory: it serves a resync only while both processes live on. After any restart every
//! block is compared instead, because a disk that lost its power may have lost more than it says.

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// Length of a block, bytes.
pub const BLOCK_BYTES: u64 = 64 << 10;
/// Most blocks of one file that are noted one by one; with more, all of it counts as touched.
pub const BLOCKS_NOTED_MAX: usize = 1 << 16;

/// What is to be sent of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// Everything: it is new under this name.
    All,
    /// These blocks.
    Blocks(BTreeSet<u64>),
}

/// The bitmap of each file, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bitmap {
    files: BTreeMap<Bytes, Touched>,
}

impl Bitmap {
    pub(crate) fn clear(&mut self) {
        self.files.clear();
    }

    /// Bytes from `from` up to `to` were touched.
    pub(crate) fn mark(&mut self, path: &Bytes, from: u64, to: u64) {
        if from >= to {
            return;
        }
        let empty = || Touched::Blocks(BTreeSet::new());
        let touched = self.files.entry(path.clone()).or_insert_with(empty);
        let Touched::Blocks(blocks) = touched else { return };
        let range = from / BLOCK_BYTES..=(to - 1) / BLOCK_BYTES;
        if range.end() - range.start() >= BLOCKS_NOTED_MAX as u64 {
            *touched = Touched::All;
            return;
        }
        blocks.extend(range);
        if blocks.len() > BLOCKS_NOTED_MAX {
            *touched = Touched::All;
        }
    }

    /// A file is new under this name.
    pub(crate) fn mark_all(&mut self, path: &Bytes) {
        self.files.insert(path.clone(), Touched::All);
    }

    /// What was touched of a file goes with it.
    pub(crate) fn rename(&mut self, from: &Bytes, to: &Bytes) {
        self.files.remove(to);
        if let Some(touched) = self.files.remove(from) {
            self.files.insert(to.clone(), touched);
        }
    }

    pub(crate) fn remove(&mut self, path: &Bytes) {
        self.files.remove(path);
    }

    pub(crate) fn get(&self, path: &Bytes) -> Option<&Touched> {
        self.files.get(path)
    }

    /// Blocks noted in all files; [`u64::MAX`] with a file that is touched as a whole.
    #[cfg(test)]
    pub(crate) fn blocks(&self) -> u64 {
        self.files.values().fold(0, |sum: u64, touched| match touched {
            Touched::All => u64::MAX,
            Touched::Blocks(blocks) => sum.saturating_add(blocks.len() as u64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_cover_what_they_touch_and_no_more() {
        let mut bitmap = Bitmap::default();
        let path = Bytes::from_static(b"d/f");
        bitmap.mark(&path, 5, 5);
        assert_eq!(bitmap.get(&path), None);
        bitmap.mark(&path, BLOCK_BYTES - 1, BLOCK_BYTES + 1);
        bitmap.mark(&path, 5 * BLOCK_BYTES, 6 * BLOCK_BYTES);
        assert_eq!(bitmap.get(&path), Some(&Touched::Blocks([0, 1, 5].into())));
        assert_eq!(bitmap.blocks(), 3);
        bitmap.mark(&path, 0, u64::MAX);
        assert_eq!(bitmap.get(&path), Some(&Touched::All));
        bitmap.remove(&path);
        bitmap.mark_all(&path);
        assert_eq!(bitmap.blocks(), u64::MAX);
    }
}
