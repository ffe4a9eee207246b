//! Items that somebody reads or fills while the lock is not held.
//!
//! A held item is never freed. It may be moved to another chunk, so its holder knows it by a slot.

use super::item::Place;
use std::collections::BTreeMap;

/// Most readers of one value.
const READERS_MAX: u32 = 65_535;

#[derive(Debug)]
struct Slot {
    place: Place,
    /// Readers, or the one writer; 0 in a free slot.
    holders: u32,
}

/// All that is held.
#[derive(Debug, Default)]
pub(super) struct Holds {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_place: BTreeMap<Place, u32>,
}

impl Holds {
    /// Items that are held.
    pub(super) fn len(&self) -> usize {
        self.by_place.len()
    }

    /// Holds an item; `None` if too many do.
    pub(super) fn hold(&mut self, place: Place) -> Option<u32> {
        if let Some(&slot) = self.by_place.get(&place) {
            let holders = &mut self.slots[slot as usize].holders;
            if *holders >= READERS_MAX {
                return None;
            }
            *holders += 1;
            return Some(slot);
        }
        let new = Slot { place, holders: 1 };
        let slot = self.free.pop().unwrap_or(self.slots.len() as u32);
        if slot as usize == self.slots.len() {
            self.slots.push(new);
        } else {
            self.slots[slot as usize] = new;
        }
        self.by_place.insert(place, slot);
        Some(slot)
    }

    /// Where the item is.
    #[inline]
    pub(super) fn place(&self, slot: u32) -> Place {
        let slot = &self.slots[slot as usize];
        assert!(slot.holders > 0, "a slot is used while it is held");
        slot.place
    }

    /// Lets go of an item, and returns its place if nobody holds it any more.
    pub(super) fn release(&mut self, slot: u32) -> Option<Place> {
        let place = self.place(slot);
        let holders = &mut self.slots[slot as usize].holders;
        *holders -= 1;
        if *holders > 0 {
            return None;
        }
        self.by_place.remove(&place);
        self.free.push(slot);
        Some(place)
    }

    /// A held item was moved.
    pub(super) fn moved(&mut self, from: Place, to: Place) {
        let slot = self.by_place.remove(&from).expect("a held item has a slot");
        self.slots[slot as usize].place = to;
        self.by_place.insert(to, slot);
    }

    /// Bytes of memory held.
    pub(super) fn memory(&self) -> u64 {
        let slots = self.slots.capacity() * size_of::<Slot>() + self.free.capacity() * 4;
        (slots + self.by_place.len() * 2 * size_of::<(Place, u32)>()) as u64
    }

    /// Places of all held items.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.by_place.keys().copied()
    }
}
