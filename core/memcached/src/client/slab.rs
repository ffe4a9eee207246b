//! Requests under way, by dense numbers that are reused.

use super::request::Asked;

#[derive(Debug, Default)]
pub(super) struct Slab {
    slots: Vec<Option<Asked>>,
    free: Vec<u32>,
}

impl Slab {
    /// The number that the next request will have.
    pub(super) fn next_slot(&self) -> u32 {
        self.free.last().copied().unwrap_or(self.slots.len() as u32)
    }

    pub(super) fn insert(&mut self, asked: Asked) -> u32 {
        let slot = self.next_slot();
        match self.free.pop() {
            Some(free) => self.slots[free as usize] = Some(asked),
            None => self.slots.push(Some(asked)),
        }
        slot
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut Asked {
        self.slots[slot as usize].as_mut().expect("a request is known until it ends")
    }

    pub(super) fn remove(&mut self, slot: u32) -> Asked {
        let asked = self.slots[slot as usize].take().expect("a request ends once");
        self.free.push(slot);
        asked
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}
