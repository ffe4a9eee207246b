//! What the writer writes next: which cell, which generation.

use crate::step::{Area, Cell, NAMES};
use storytime_machine::Rng;

/// Out of this many steps …
const CYCLE: u64 = 8;
/// … so many append to the log …
const LOG_OF_CYCLE: u64 = 2;
/// … and so many make a small file; the rest overwrite blocks.
const NAMES_OF_CYCLE: u64 = 1;

/// The generations given out so far.
#[derive(Debug)]
pub(crate) struct Plan {
    /// By block: the last generation.
    blocks: Vec<u32>,
    /// Log records so far.
    log: u32,
    /// Small files made so far.
    names: u32,
}

impl Plan {
    pub(crate) fn new(blocks: u32) -> Self {
        assert!(blocks > 0, "there is a block to write");
        Self { blocks: vec![0; blocks as usize], log: 0, names: 0 }
    }

    /// Draws the next step: one random number for the kind, one more for a block's offset. A small
    /// file that is `busy` would be written twice at once: the log is appended to in its place.
    pub(crate) fn next(&mut self, rng: &mut Rng, busy: impl Fn(Cell) -> bool) -> (Cell, u32) {
        let draw = rng.below(CYCLE);
        let small = Cell { area: Area::Names, index: self.names % NAMES };
        let names = (LOG_OF_CYCLE..LOG_OF_CYCLE + NAMES_OF_CYCLE).contains(&draw);
        if draw < LOG_OF_CYCLE || (names && busy(small)) {
            self.log += 1;
            (Cell { area: Area::Log, index: self.log - 1 }, 1)
        } else if names {
            self.names += 1;
            (small, (self.names - 1) / NAMES + 1)
        } else {
            let index = rng.index(self.blocks.len());
            self.blocks[index] += 1;
            (Cell { area: Area::Blocks, index: index as u32 }, self.blocks[index])
        }
    }
}
